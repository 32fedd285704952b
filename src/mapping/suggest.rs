//! Proposals for unmapped fields, by name, by the names vendors use for the same thing, and by what the sampled values look like.

use super::convert::{convert, is_email, looks_like_time};
use super::path::{Path, Step};
use crate::model::{DestinationField, FieldMapping, FieldType, Mapped, SampledField, Suggestion};
use crate::t;
use crate::words::clean;
use serde_json::Value as Json;
use std::collections::HashSet;

/// What vendors call the fields of the inventory, best first; normalised as [`normal`] does. SCIM 2.0 (RFC 7643), Microsoft Graph, Okta,
/// Google, LDAP and the practice of exports by hand.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("email", &["mail", "emailaddress", "primaryemail", "workemail", "useremail", "email1", "emails", "userprincipalname", "upn"]),
    ("full_name", &["displayname", "name", "fullname", "realname", "formatted", "nameformatted", "cn", "username", "personname"]),
    ("user_type", &["usertype", "employeetype", "type", "persontype", "membertype", "accounttype"]),
    ("username", &["login", "userprincipalname", "samaccountname", "uid", "loginname", "accountname", "handle", "nickname", "screenname"]),
    ("user_name", &["username", "login", "userprincipalname", "email", "uid", "loginname"]),
    ("first_name", &["givenname", "firstname", "forename", "namegivenname"]),
    ("last_name", &["familyname", "surname", "lastname", "sn", "namefamilyname"]),
    ("position", &["title", "jobtitle", "role", "jobrole"]),
    ("department", &["dept", "division", "orgunit", "organizationalunit", "team"]),
    ("manager", &["managername", "managerdisplayname", "manageremail", "supervisor", "reportsto", "managervalue"]),
    (
        "phone",
        &["phonenumber", "mobile", "mobilephone", "telephone", "telephonenumber", "phonenumbers", "businessphones", "workphone", "primaryphone"],
    ),
    ("locale", &["language", "preferredlanguage", "lang"]),
    ("time_zone", &["timezone", "tz", "zoneinfo", "tzlabel"]),
    ("external_id", &["id", "externalid", "userid", "objectid", "uuid", "guid", "key", "memberid"]),
    ("verified", &["emailverified", "isverified", "confirmed", "isemailconfirmed"]),
    ("verified_time", &["verifiedat", "emailverifiedat", "verifiedon", "confirmedat"]),
    ("last_login", &["lastlogin", "lastloginat", "lastsignin", "lastsignindatetime", "lastlogindate", "lastlogintime", "lastseen", "lastactive"]),
    ("last_activity", &["lastactivity", "lastactive", "lastseen", "lastlogin", "lastloginat", "updatedat"]),
    ("employee_number", &["employeeid", "employeenumber", "empid", "personnelnumber", "staffid"]),
    ("location", &["office", "officelocation", "city", "site", "country"]),
    ("role", &["roles", "rolename", "userrole", "membershiptype", "accesslevel"]),
    ("serial_number", &["serial", "serialno", "sn", "servicetag"]),
    ("model", &["modelname", "productname", "hardwaremodel"]),
    ("manufacturer", &["vendor", "make", "brand", "maker"]),
    ("type", &["devicetype", "formfactor", "category", "kind"]),
    ("os", &["operatingsystem", "platform", "osname", "osversion"]),
    ("assigned_to", &["assignee", "owner", "user", "username", "useremail", "assigneduser", "userprincipalname"]),
    ("last_seen", &["lastcheckin", "lastcontact", "lastsync", "lastsyncdatetime", "lastseenat"]),
    ("version", &["softwareversion", "release", "displayversion", "buildnumber"]),
    ("publisher", &["vendor", "manufacturer", "developer", "maker"]),
    ("installed_on", &["device", "computer", "host", "hostname", "devicename", "machine"]),
    ("category", &["type", "kind", "group"]),
    ("vendor", &["publisher", "manufacturer", "supplier", "provider"]),
    ("owner", &["businessowner", "contact", "responsible", "admin"]),
    ("url", &["website", "link", "homepage", "loginurl", "signinurl", "siteurl"]),
    ("name", &["displayname", "title", "devicename", "hostname", "productname", "appname", "label"]),
];

/// Objects whose members describe the record itself, so that a member's own name says what it is: `profile.email`. A member of any other
/// is taken by its whole path only: `manager.displayName` is no name of the record.
const WRAPPERS: [&str; 12] = ["profile", "user", "attributes", "name", "data", "person", "account", "contact", "fields", "details", "info", "member"];

/// The labels that tracking fields have in the source document, and what fills them.
#[must_use]
pub fn tracking(label: &str) -> Option<Mapped> {
    match normal(label).as_str() {
        "connectcredentials" => Some(Mapped::CredentialName),
        "connectorsynctime" => Some(Mapped::SyncTime),
        _ => None,
    }
}

/// Proposals for those of `fields` that are not in `mapped`; best first, at most one a field, each with a reason of its own.
#[must_use]
pub fn suggest(fields: &[DestinationField], mapped: &[FieldMapping], source: &[SampledField]) -> Vec<Suggestion> {
    let open: Vec<&DestinationField> = fields.iter().filter(|field| mapped.iter().all(|mapping| mapping.field != field.key)).collect();
    let names: Vec<Vec<String>> = source.iter().map(|field| Path::parse(&field.path).map(|path| own_names(&path)).unwrap_or_default()).collect();
    let most = source.iter().map(|field| field.present).max().unwrap_or(0);
    let mut all: Vec<(Suggestion, Option<usize>)> = Vec::new();
    for field in &open {
        if field.custom
            && let Some(from) = tracking(&field.label)
        {
            let reason = match from {
                Mapped::CredentialName => t!("mapping.suggest.credential", field = field.label),
                _ => t!("mapping.suggest.sync_time", field = field.label),
            };
            all.push((Suggestion { field: field.key.clone(), from, score: 99, reason }, None));
            continue;
        }
        for (i, candidate) in source.iter().enumerate() {
            // Without a value there, a record would not be taken.
            if field.mandatory && candidate.present == 0 && most > 0 {
                continue;
            }
            if let Some((score, reason)) = score(field, candidate, &names[i]) {
                let from = everywhere(field, candidate, most).unwrap_or_else(|| Mapped::Path(candidate.path.clone()));
                all.push((Suggestion { field: field.key.clone(), from, score, reason }, Some(i)));
            }
        }
    }
    // The best pair first; a source field serves one destination field unless the name says so plainly.
    all.sort_by(|(a, i), (b, j)| b.score.cmp(&a.score).then(i.cmp(j)));
    let mut taken: HashSet<usize> = mapped
        .iter()
        .filter_map(|mapping| if let Mapped::Path(path) = &mapping.from { source.iter().position(|field| field.path == *path) } else { None })
        .collect();
    let mut out: Vec<Suggestion> = Vec::new();
    for (suggestion, from) in all {
        // A name to sign in with that is an address is the address as well.
        let needed = open.iter().any(|field| field.mandatory && field.kind == FieldType::Email && field.key == suggestion.field);
        let used = !needed && from.is_some_and(|from| taken.contains(&from) && suggestion.score < 90);
        if used || out.iter().any(|known| known.field == suggestion.field) {
            continue;
        }
        taken.extend(from);
        out.push(suggestion);
    }
    for field in open {
        if !out.iter().any(|known| known.field == field.key) {
            out.extend(last_resort(field, source, &names));
        }
    }
    out.sort_by_key(|suggestion| std::cmp::Reverse(suggestion.score));
    out
}

/// The type of a person that only some records tell: with a value for the others.
fn everywhere(field: &DestinationField, source: &SampledField, most: u64) -> Option<Mapped> {
    if field.key != "user_type" || source.present >= most {
        return None;
    }
    let path = in_expression(&source.path)?;
    Some(Mapped::Expression(format!("{path} or '{}'", t!("mapping.suggest.user_type_value"))))
}

/// What can be said of a mandatory field that nothing fits.
fn last_resort(field: &DestinationField, source: &[SampledField], names: &[Vec<String>]) -> Option<Suggestion> {
    let by_name = |wanted: &str| {
        let known = synonyms(wanted);
        let best = |name: &String| known.iter().position(|known| known == name);
        let place = names.iter().enumerate().filter_map(|(i, names)| names.iter().filter_map(best).min().map(|rank| (rank, i))).min()?;
        Some(&source[place.1].path)
    };
    let make = |from, score, reason| Some(Suggestion { field: field.key.clone(), from, score, reason });
    match field.key.as_str() {
        "full_name" => {
            let (first, last) = (by_name("first_name")?, by_name("last_name")?);
            let text = format!("{} ~ ' ' ~ {}", in_expression(first)?, in_expression(last)?);
            make(Mapped::Expression(text), 75, t!("mapping.suggest.joined", field = field.label))
        }
        // Every person has one, few vendors send it, and a constant can be changed in a second.
        "user_type" => {
            make(Mapped::Constant(t!("mapping.suggest.user_type_value").to_owned()), 40, t!("mapping.suggest.user_type", field = field.label))
        }
        _ => None,
    }
}

/// A path as an expression writes it.
fn in_expression(path: &str) -> Option<String> {
    let path = Path::parse(path).ok()?;
    let mut out = String::new();
    for (i, step) in path.steps.iter().enumerate() {
        match step {
            Step::Key(key) => {
                let plain = key.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                    && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                match (i, plain) {
                    (0, true) => out.push_str(key),
                    (_, true) => {
                        out.push('.');
                        out.push_str(key);
                    }
                    (0, false) => out.push_str(&format!("record[{}]", Json::from(key.as_str()))),
                    (_, false) => out.push_str(&format!("[{}]", Json::from(key.as_str()))),
                }
            }
            Step::Index(index) => out.push_str(&format!("[{index}]")),
            Step::Where { .. } => return None,
        }
    }
    super::expression::Expression::parse(&out).is_ok().then_some(out)
}

fn synonyms(key: &str) -> Vec<String> {
    let listed = SYNONYMS.iter().find(|(known, _)| *known == key).map_or(&[][..], |(_, names)| names);
    std::iter::once(normal(key)).chain(listed.iter().map(|name| (*name).to_owned())).collect()
}

fn score(field: &DestinationField, source: &SampledField, names: &[String]) -> Option<(u8, String)> {
    let (wanted, wanted_label) = (normal(&field.key), normal(&field.label));
    let label = clean::line(&field.label, 60);
    let from = clean::line(&source.path, 80);
    let fit = fit(field.kind, source);
    if fit == Fit::No {
        return None;
    }
    let own = normal(&source.label);
    let (mut score, reason) = if names.contains(&wanted) || names.contains(&wanted_label) {
        (96, t!("mapping.suggest.same_name", field = label, source = from))
    } else if (own == wanted_label || own == wanted) && own != normal(&source.path) {
        (93, t!("mapping.suggest.same_label", field = label, source = from))
    } else if !field.custom
        && let Some(rank) = names.iter().filter_map(|name| synonyms(&field.key).iter().skip(1).position(|known| known == name)).min()
    {
        (92u8.saturating_sub(u8::try_from(rank).unwrap_or(u8::MAX).min(20) * 2), t!("mapping.suggest.synonym", field = label, source = from))
    } else if field.kind == FieldType::Email && fit == Fit::Seen {
        (60, t!("mapping.suggest.email_values", field = label, source = from))
    } else {
        return None;
    };
    // A field that no sampled record has, and one deep inside, are the weaker choices.
    if source.present == 0 {
        score -= 15;
    }
    let depth = Path::parse(&source.path).map_or(0, |path| path.steps.len().saturating_sub(1));
    score -= u8::try_from(depth.min(5)).unwrap_or(5);
    // `emails[type=work]` before `emails[type=home]`.
    if source.path.contains("[type=") && !source.path.contains("[type=work]") {
        score -= 4;
    }
    Some((score, reason))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    No,
    /// Nothing speaks against it.
    Open,
    /// The sampled values are of that type by their looks.
    Seen,
}

fn fit(kind: FieldType, source: &SampledField) -> Fit {
    if source.samples.is_empty() {
        return if source.kind == kind || matches!(kind, FieldType::Text) { Fit::Open } else { Fit::No };
    }
    // Whether somebody is a manager is not who the manager is.
    if source.kind == FieldType::Boolean && kind != FieldType::Boolean {
        return Fit::No;
    }
    let converts = |sample: &&String| {
        // Samples are texts; what was a number at the source is told by its type.
        let value = match source.kind {
            FieldType::Integer | FieldType::Number => serde_json::from_str(sample).unwrap_or_else(|_| Json::from(sample.as_str())),
            _ => Json::from(sample.as_str()),
        };
        match kind {
            FieldType::Email => is_email(sample.trim()),
            FieldType::Boolean => source.kind == FieldType::Boolean || convert(&value, kind).is_ok(),
            // Any number is a time; that says nothing.
            FieldType::Time => source.kind == FieldType::Time || looks_like_time(sample) || value.as_f64().is_some_and(|n| n > 1e8),
            _ => convert(&value, kind).is_ok(),
        }
    };
    // One odd record among the sampled ones does not make a field another.
    let fitting = source.samples.iter().filter(|sample| converts(sample)).count();
    if fitting * 2 <= source.samples.len() {
        Fit::No
    } else if fitting == source.samples.len() && matches!(kind, FieldType::Email | FieldType::Time) {
        Fit::Seen
    } else {
        Fit::Open
    }
}

/// The names under which a path may be meant, normalised.
fn own_names(path: &Path) -> Vec<String> {
    let keys: Vec<&str> = path.steps.iter().filter_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
    // `user.name` is a name, and no user name; `name.formatted` is both.
    let around = |key: &&&str| normal(key) != "name" && WRAPPERS.contains(&normal(key).as_str());
    let outer = keys.iter().take(keys.len().saturating_sub(1)).take_while(around).count();
    let mut names = vec![normal(&keys[outer..].join(" "))];
    let Some((last, before)) = keys.split_last() else { return Vec::new() };
    let wrapped = before.iter().all(|key| WRAPPERS.contains(&normal(key).as_str()) || key.starts_with("urn:"));
    if wrapped {
        names.push(normal(last));
    }
    // SCIM's `emails[0].value` is an email.
    if matches!(*last, "value" | "display")
        && let Some((list, before)) = before.split_last()
        && before.iter().all(|key| WRAPPERS.contains(&normal(key).as_str()))
    {
        names.push(normal(list));
        names.push(normal(list.strip_suffix('s').unwrap_or(list)));
    }
    names
}

/// Lower case, letters and digits only: `first_name`, `firstName` and `First name` are one.
fn normal(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The words of a name: `firstName` is `first`, `name`; `userID` is `user`, `id`.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut open = false;
    let mut lower = false;
    for c in text.chars() {
        if !c.is_alphanumeric() {
            open = false;
            continue;
        }
        if !open || (c.is_uppercase() && lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
        open = true;
        lower = c.is_lowercase() || c.is_numeric();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Table;
    use proptest::prelude::*;
    use serde_json::json;

    fn field(key: &str, label: &str, kind: FieldType) -> DestinationField {
        DestinationField { key: key.to_owned(), label: label.to_owned(), kind, mandatory: false, custom: key.starts_with("custom_") }
    }

    fn people() -> Vec<DestinationField> {
        Table::People.built_in().iter().map(|(key, kind)| field(key, &words(key).join(" "), *kind)).collect()
    }

    fn suggested(records: &[Json], extra: &[DestinationField]) -> std::collections::BTreeMap<String, String> {
        let mut fields = people();
        fields.extend_from_slice(extra);
        let found = suggest(&fields, &[], &super::super::sampled::fields(&[], records));
        let reasons: HashSet<&str> = found.iter().map(|suggestion| suggestion.reason.as_str()).collect();
        assert_eq!(reasons.len(), found.len(), "each reason once");
        assert!(found.is_sorted_by(|a, b| a.score >= b.score));
        let from = |from: &Mapped| match from {
            Mapped::Path(text) | Mapped::Expression(text) => text.clone(),
            Mapped::Constant(text) => format!("={text}"),
            other => format!("{other:?}"),
        };
        found.iter().map(|suggestion| (suggestion.field.clone(), from(&suggestion.from))).collect()
    }

    fn expect(records: &[Json], expected: &[(&str, &str)]) {
        let found = suggested(records, &[]);
        for (field, from) in expected {
            assert_eq!(found.get(*field).map(String::as_str), Some(*from), "{field} of {found:?}");
        }
    }

    #[test]
    fn what_a_run_needs_is_suggested_from_what_records_have() {
        let mandatory = |key: &str, kind| DestinationField { mandatory: true, ..field(key, &words(key).join(" "), kind) };
        let fields = [
            mandatory("email", FieldType::Email),
            mandatory("full_name", FieldType::Text),
            mandatory("user_type", FieldType::Text),
            field("username", "user name", FieldType::Text),
            field("manager", "manager", FieldType::Text),
        ];
        let suggested = |records: &[Json]| {
            let declared: Vec<crate::model::SourceField> = toml::from_str::<std::collections::BTreeMap<String, Vec<crate::model::SourceField>>>(
                "f = [{ path = 'userType', label = 'Type' }, { path = 'isManager', label = 'Manager', type = 'boolean' }]",
            )
            .unwrap()
            .remove("f")
            .unwrap();
            let found = suggest(&fields, &[], &super::super::sampled::fields(&declared, records));
            found.into_iter().map(|one| (one.field, one.from)).collect::<std::collections::BTreeMap<_, _>>()
        };
        let path = |path: &str| Some(Mapped::Path(path.to_owned()));
        // A membership with the person nested in it, and a login that is an address; nobody has a type, and a flag is no name.
        let found = suggested(&[json!({"user": {"name": "Ada Lovelace"}, "login": "ada@acme.example", "isManager": true})]);
        assert_eq!(
            (found.get("full_name").cloned(), found.get("email").cloned(), found.get("username").cloned()),
            (path("user.name"), path("login"), path("login"))
        );
        assert_eq!((found["user_type"].clone(), found.get("manager")), (Mapped::Constant(t!("mapping.suggest.user_type_value").to_owned()), None));
        // Some have a type: the others get one.
        let records = [json!({"name": "Ada", "email": "a@acme.example", "userType": "Guest"}), json!({"name": "Bo", "email": "b@acme.example"})];
        assert_eq!(suggested(&records)["user_type"], Mapped::Expression("userType or 'User'".to_owned()));
    }

    #[test]
    fn clickwrap_members() {
        let record = json!({"id": 17, "email": "ada@example.com", "name": "Ada Lovelace", "locale": "en-US", "time_zone": "EDT", "verified": true,
            "verified_time": "2025-03-01T10:00:00Z", "profiles": []});
        let custom = [
            field("custom_connect_credentials", "Connect: Credentials", FieldType::Text),
            field("custom_connector_sync_time", "Connector: Sync Time", FieldType::Time),
        ];
        let found = suggested(&[record], &custom);
        for (field, from) in [
            ("email", "email"),
            ("full_name", "name"),
            ("locale", "locale"),
            ("time_zone", "time_zone"),
            ("external_id", "id"),
            ("verified", "verified"),
            ("verified_time", "verified_time"),
            ("user_type", "=User"),
            ("custom_connect_credentials", "CredentialName"),
            ("custom_connector_sync_time", "SyncTime"),
        ] {
            assert_eq!(found.get(field).map(String::as_str), Some(from), "{field} of {found:?}");
        }
        assert!(!found.contains_key("phone") && !found.contains_key("last_login"));
    }

    #[test]
    fn other_vendors() {
        let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        expect(
            &[
                json!({"id": "2819c223", "userName": "bjensen", "displayName": "Babs Jensen", "name": {"givenName": "Barbara", "familyName": "Jensen"},
                "emails": [{"type": "home", "value": "b@home.example"}, {"type": "work", "value": "b@example.com"}], "title": "Guide", "active": true,
                enterprise: {"department": "Tours", "employeeNumber": "701984", "manager": {"displayName": "Mandy"}}}),
            ],
            &[
                ("email", "emails[0].value"),
                ("full_name", "displayName"),
                ("username", "userName"),
                ("first_name", "name.givenName"),
                ("last_name", "name.familyName"),
                ("position", "title"),
                ("external_id", "id"),
                ("department", &format!("{enterprise}.department")),
                ("employee_number", &format!("{enterprise}.employeeNumber")),
            ],
        );
        expect(
            &[
                json!({"id": "87d3", "displayName": "Adele", "mail": "a@example.com", "userPrincipalName": "adele@example.com", "givenName": "Adele", "surname": "Vance",
                "jobTitle": "Manager", "officeLocation": "18/2111", "mobilePhone": "+1 425", "preferredLanguage": "en-US", "employeeId": "1"}),
            ],
            &[
                ("email", "mail"),
                ("username", "userPrincipalName"),
                ("full_name", "displayName"),
                ("last_name", "surname"),
                ("position", "jobTitle"),
                ("location", "officeLocation"),
                ("phone", "mobilePhone"),
                ("locale", "preferredLanguage"),
                ("employee_number", "employeeId"),
            ],
        );
        expect(
            &[
                json!({"id": "00u1", "lastLogin": "2025-03-01T10:00:00.000Z", "profile": {"firstName": "I", "lastName": "B", "email": "i@example.com", "login": "i@example.com"}}),
            ],
            &[
                ("email", "profile.email"),
                ("username", "profile.login"),
                ("last_login", "lastLogin"),
                ("full_name", "profile.firstName ~ ' ' ~ profile.lastName"),
            ],
        );
        // A CSV with headers for people.
        expect(
            &[json!({"E-Mail": "a@example.com", "First Name": "A", "Last Name": "B"})],
            &[("email", "E-Mail"), ("full_name", "record[\"First Name\"] ~ ' ' ~ record[\"Last Name\"]")],
        );
    }

    #[test]
    fn looks_decide_where_names_mislead() {
        let found = suggested(
            &[json!({"email": "see profile", "contact_point": "a@example.com", "verified": "2025-01-01", "manager": {"displayName": "M"}})],
            &[],
        );
        assert_eq!(found.get("email").map(String::as_str), Some("contact_point"));
        assert!(!found.contains_key("verified"));
        assert_eq!(found.get("manager").map(String::as_str), Some("manager.displayName"));
        assert!(!found.contains_key("full_name"));
    }

    #[test]
    fn names_fall_into_words() {
        for (name, expected) in [("firstName", "first name"), ("userID", "user id"), ("E-Mail", "e mail"), ("last_login_2", "last login 2"), ("", "")]
        {
            assert_eq!(words(name).join(" "), expected);
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_always_compiles(record in super::super::path::tests::value(), key in "\\PC{0,10}") {
            let source = super::super::sampled::fields(&[], &[json!({key: "a@example.com", "first name": record, "sn": "x", "profile": {"é\"'": 1}})]);
            for suggestion in suggest(&people(), &[], &source) {
                prop_assert!(super::super::compile::check(&suggestion.from).is_ok(), "{:?}", suggestion);
            }
        }
    }
}
