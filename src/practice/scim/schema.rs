//! The schemas of RFC 7643: which attributes there are, and how each behaves. Names are compared without regard to case (§2.1).

use serde_json::{Map, Value, json};

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Boolean,
    Reference,
    Binary,
    Complex,
}

/// One attribute (§7).
#[derive(Debug, Clone, Copy)]
pub struct Attribute {
    pub name: &'static str,
    pub kind: Kind,
    pub multi: bool,
    pub required: bool,
    pub case_exact: bool,
    pub read_only: bool,
    pub immutable: bool,
    /// Taken, and never returned.
    pub write_only: bool,
    pub unique: bool,
    pub values: &'static [&'static str],
    pub references: &'static [&'static str],
    pub sub: &'static [Attribute],
}

const fn text(name: &'static str) -> Attribute {
    Attribute {
        name,
        kind: Kind::Text,
        multi: false,
        required: false,
        case_exact: false,
        read_only: false,
        immutable: false,
        write_only: false,
        unique: false,
        values: &[],
        references: &[],
        sub: &[],
    }
}

const fn of(name: &'static str, kind: Kind) -> Attribute {
    Attribute { kind, ..text(name) }
}

const fn complex(name: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute { kind: Kind::Complex, sub, ..text(name) }
}

const fn many(name: &'static str, sub: &'static [Attribute]) -> Attribute {
    Attribute { kind: Kind::Complex, multi: true, sub, ..text(name) }
}

const fn kinds(values: &'static [&'static str]) -> Attribute {
    Attribute { values, ..text("type") }
}

const PRIMARY: Attribute = of("primary", Kind::Boolean);
const REF: Attribute = Attribute { kind: Kind::Reference, case_exact: true, ..text("$ref") };

const NAME: &[Attribute] =
    &[text("formatted"), text("familyName"), text("givenName"), text("middleName"), text("honorificPrefix"), text("honorificSuffix")];
const EMAIL: &[Attribute] = &[text("value"), text("display"), kinds(&["work", "home", "other"]), PRIMARY];
const PHONE: &[Attribute] = &[text("value"), text("display"), kinds(&["work", "home", "mobile", "fax", "pager", "other"]), PRIMARY];
const IM: &[Attribute] = &[text("value"), text("display"), text("type"), PRIMARY];
const PHOTO: &[Attribute] = &[
    Attribute { kind: Kind::Reference, case_exact: true, references: &["external"], ..text("value") },
    text("display"),
    kinds(&["photo", "thumbnail"]),
    PRIMARY,
];
const ADDRESS: &[Attribute] = &[
    text("formatted"),
    text("streetAddress"),
    text("locality"),
    text("region"),
    text("postalCode"),
    text("country"),
    kinds(&["work", "home", "other"]),
    PRIMARY,
];
const CERTIFICATE: &[Attribute] = &[of("value", Kind::Binary), text("display"), text("type"), PRIMARY];
const USER_GROUP: &[Attribute] = &[
    Attribute { read_only: true, ..text("value") },
    Attribute { read_only: true, references: &["User", "Group"], ..REF },
    Attribute { read_only: true, ..text("display") },
    Attribute { read_only: true, values: &["direct", "indirect"], ..text("type") },
];

pub const USER_ATTRIBUTES: &[Attribute] = &[
    Attribute { required: true, unique: true, ..text("userName") },
    complex("name", NAME),
    text("displayName"),
    text("nickName"),
    Attribute { kind: Kind::Reference, case_exact: true, references: &["external"], ..text("profileUrl") },
    text("title"),
    text("userType"),
    text("preferredLanguage"),
    text("locale"),
    text("timezone"),
    of("active", Kind::Boolean),
    Attribute { write_only: true, ..text("password") },
    many("emails", EMAIL),
    many("phoneNumbers", PHONE),
    many("ims", IM),
    many("photos", PHOTO),
    many("addresses", ADDRESS),
    Attribute { read_only: true, ..many("groups", USER_GROUP) },
    many("entitlements", IM),
    many("roles", IM),
    many("x509Certificates", CERTIFICATE),
];

const MANAGER: &[Attribute] = &[text("value"), Attribute { references: &["User"], ..REF }, Attribute { read_only: true, ..text("displayName") }];

pub const ENTERPRISE_ATTRIBUTES: &[Attribute] =
    &[text("employeeNumber"), text("costCenter"), text("organization"), text("division"), text("department"), complex("manager", MANAGER)];

const MEMBER: &[Attribute] = &[
    Attribute { immutable: true, ..text("value") },
    Attribute { immutable: true, references: &["User", "Group"], ..REF },
    Attribute { immutable: true, values: &["User", "Group"], ..text("type") },
    text("display"),
];

pub const GROUP_ATTRIBUTES: &[Attribute] = &[Attribute { required: true, ..text("displayName") }, many("members", MEMBER)];

/// Common to every resource (§3.1), and not in its schema.
pub const COMMON: &[Attribute] = &[
    Attribute { read_only: true, case_exact: true, unique: true, ..text("id") },
    Attribute { case_exact: true, ..text("externalId") },
    Attribute { multi: true, case_exact: true, ..text("schemas") },
    Attribute { read_only: true, ..complex("meta", META) },
];
const META: &[Attribute] = &[
    Attribute { case_exact: true, ..text("resourceType") },
    text("created"),
    text("lastModified"),
    Attribute { case_exact: true, ..text("location") },
    Attribute { case_exact: true, ..text("version") },
];

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    User,
    Group,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }

    pub fn endpoint(self) -> &'static str {
        match self {
            Self::User => "Users",
            Self::Group => "Groups",
        }
    }

    pub fn schema(self) -> &'static str {
        match self {
            Self::User => USER,
            Self::Group => GROUP,
        }
    }

    pub fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::User => USER_ATTRIBUTES,
            Self::Group => GROUP_ATTRIBUTES,
        }
    }

    pub fn extensions(self) -> &'static [(&'static str, &'static [Attribute])] {
        match self {
            Self::User => &[(ENTERPRISE, ENTERPRISE_ATTRIBUTES)],
            Self::Group => &[],
        }
    }

    /// An attribute of the resource itself.
    pub fn attribute(self, name: &str) -> Option<&'static Attribute> {
        find(COMMON, name).or_else(|| find(self.attributes(), name))
    }
}

pub fn find(attributes: &'static [Attribute], name: &str) -> Option<&'static Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// A member of an object, whatever the case of its name.
pub fn get<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| object.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// A schema as `/Schemas` gives it.
pub fn definition(id: &str, name: &str, attributes: &[Attribute], base: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
        "id": id,
        "name": name,
        "description": format!("{name} (practice vendor)"),
        "attributes": attributes.iter().map(described).collect::<Vec<_>>(),
        "meta": {"resourceType": "Schema", "location": format!("{base}/Schemas/{id}")},
    })
}

fn described(attribute: &Attribute) -> Value {
    let kind = match attribute.kind {
        Kind::Text => "string",
        Kind::Boolean => "boolean",
        Kind::Reference => "reference",
        Kind::Binary => "binary",
        Kind::Complex => "complex",
    };
    let mutability = match attribute {
        Attribute { read_only: true, .. } => "readOnly",
        Attribute { immutable: true, .. } => "immutable",
        Attribute { write_only: true, .. } => "writeOnly",
        _ => "readWrite",
    };
    let mut value = json!({
        "name": attribute.name,
        "type": kind,
        "multiValued": attribute.multi,
        "description": attribute.name,
        "required": attribute.required,
        "caseExact": attribute.case_exact || attribute.kind == Kind::Binary,
        "mutability": mutability,
        "returned": if attribute.write_only { "never" } else { "default" },
        "uniqueness": if attribute.unique { "server" } else { "none" },
    });
    if !attribute.values.is_empty() {
        value["canonicalValues"] = json!(attribute.values);
    }
    if !attribute.references.is_empty() {
        value["referenceTypes"] = json!(attribute.references);
    }
    if !attribute.sub.is_empty() {
        value["subAttributes"] = attribute.sub.iter().map(described).collect();
    }
    value
}
