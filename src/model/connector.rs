//! A connector: the definition of one vendor, as data. `assets/connectors/*.toml` hold the built-in ones, version 1 of this schema.
//!
//! A *template* is a Jinja-style text: `{{ input.KEY }}` is an input of the credential, `{{ found.KEY }}` a value captured while
//! connecting. Where a list of templates stands, the first that renders completely and non-empty wins. Addresses, paths, query values,
//! headers, parameters, scopes and the texts of a resource may be templates; `assets/connectors/README.md` describes every key.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::AuthMethod;

fn yes() -> bool {
    true
}

/// One text or a list of texts, in the file; a list here.
pub(super) fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a text or a list of texts")]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(deserializer)? {
        Either::One(text) => vec![text],
        Either::Many(texts) => texts,
    })
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connector {
    /// Version of the schema; 1.
    pub schema: u32,
    pub id: String,
    pub name: String,
    /// Names in other languages: `fr = "…"`.
    #[serde(default)]
    pub names: IndexMap<String, String>,
    /// Another connector that this one is the same as, but for what it says itself: top-level keys replace, `[auth]` and `[text]` are merged,
    /// a resource of the same identifier takes over what it does not set; `catalog::extend` has the rules. Merged when it is loaded.
    #[serde(default)]
    pub extends: Option<String>,
    /// What is not taken over from the definition that this one extends: `auth.device`, `resource.groups`; `catalog::extend` has the rules.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Other names that people search for.
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub status: ConnectorStatus,
    #[serde(default)]
    pub categories: Vec<String>,
    /// One sentence: what the connector reads, and for whom.
    #[serde(default)]
    pub summary: String,
    /// The vendor's documentation that this definition follows. Empty where there is none.
    #[serde(default)]
    pub docs: String,
    #[serde(default)]
    pub homepage: String,
    /// What is not known, or assumed; shown to people as it stands.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The language of the texts in this file.
    #[serde(default = "english")]
    pub lang: String,
    /// Texts in other languages: `[text.fr]` with keys such as `input.client_id.help`.
    #[serde(default)]
    pub text: IndexMap<String, IndexMap<String, String>>,
    /// Inputs that every method asks for.
    #[serde(default, rename = "input")]
    pub inputs: Vec<Input>,
    /// The authentication methods, in the order in which they are offered.
    #[serde(default)]
    pub auth: IndexMap<String, AuthMethod>,
    #[serde(default)]
    pub request: RequestDefaults,
    #[serde(default)]
    pub limit: Limit,
    /// How this vendor says that something went wrong, where the HTTP status does not say it.
    #[serde(default, rename = "error")]
    pub errors: Vec<ErrorRule>,
    /// Harmless requests that prove that a credential works; the first is *the* test.
    #[serde(default, rename = "check")]
    pub checks: Vec<Check>,
    #[serde(default, rename = "resource")]
    pub resources: Vec<Resource>,
    /// Where the definition comes from; set when it is loaded.
    #[serde(default, skip_deserializing)]
    pub origin: Origin,
}

fn english() -> String {
    "en".to_owned()
}

impl Connector {
    /// The method that is offered first: the one marked `default`, else the first.
    #[must_use]
    pub fn default_auth(&self) -> Option<(&str, &AuthMethod)> {
        self.auth.iter().find(|(_, method)| method.default).or_else(|| self.auth.first()).map(|(key, method)| (key.as_str(), method))
    }

    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.id == id)
    }

    /// What a credential of `method` can read.
    pub fn resources_for(&self, method: &str) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |resource| resource.read_by(method))
    }

    /// Everything that `method` asks for: the connector's own inputs, then the method's; a method's input replaces one of the same key.
    #[must_use]
    pub fn inputs_for(&self, method: &str) -> Vec<&Input> {
        let own: &[Input] = self.auth.get(method).map_or(&[], |method| &method.inputs);
        let shared = self.inputs.iter().filter(|input| own.iter().all(|o| o.key != input.key));
        shared.chain(own).collect()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectorStatus {
    #[default]
    Available,
    Preview,
    /// The built-in practice vendor.
    Practice,
}

/// Where a definition comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    #[default]
    BuiltIn,
    /// A file of the user's in the workspace.
    Workspace(String),
}

/// One thing that a credential needs to know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    pub key: String,
    pub label: String,
    /// One or two sentences: what it is and where it is found at the vendor.
    #[serde(default)]
    pub help: String,
    #[serde(default)]
    pub example: String,
    /// A regular expression that the whole value must match.
    #[serde(default)]
    pub pattern: Option<String>,
    /// The only values allowed.
    #[serde(default)]
    pub options: Vec<String>,
    #[serde(default)]
    pub default: Option<String>,
    #[serde(default)]
    pub secret: bool,
    #[serde(default)]
    pub optional: bool,
    /// Cut from a pasted value, shown beside the field: `https://`.
    #[serde(default)]
    pub prefix: String,
    /// The same at the end: `.myshopify.com`.
    #[serde(default)]
    pub suffix: String,
    /// Mistakes that people make here: a value that matches is probably the wrong one. It is said, not refused.
    #[serde(default, rename = "warning")]
    pub warnings: Vec<InputWarning>,
}

/// A value that is probably a mistake: the id of a secret where the secret itself is wanted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputWarning {
    /// A regular expression that the whole value matches when it is the wrong one.
    pub pattern: String,
    /// What it looks like, and where the right value is found.
    pub message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestDefaults {
    #[serde(default, deserialize_with = "one_or_many")]
    pub base_url: Vec<String>,
    /// A header or query value that comes out empty is not sent.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    #[serde(default)]
    pub query: IndexMap<String, String>,
}

/// What the vendor allows. Absent means unknown.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Requests at the same time.
    #[serde(default)]
    pub concurrency: Option<u32>,
    /// Requests in `per` seconds.
    #[serde(default)]
    pub requests: Option<u32>,
    #[serde(default)]
    pub per: Option<u32>,
    /// Headers that hold the seconds to wait, beside `Retry-After`.
    #[serde(default)]
    pub after: Vec<String>,
    /// Headers that hold the Unix time to wait for (`X-RateLimit-Reset`).
    #[serde(default)]
    pub until: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorRule {
    /// HTTP status it applies to; any when absent.
    #[serde(default)]
    pub status: Option<u16>,
    /// A minijinja expression over `status`, `body` (parsed JSON) and `headers` (lower-case names): `not body.ok and body.error == 'ratelimited'`.
    #[serde(default)]
    pub when: Option<String>,
    pub action: ErrorAction,
    /// Seconds to wait, as an expression over the same: for vendors that say it in the body (`body.retry_after`).
    #[serde(default)]
    pub wait: Option<String>,
    /// What it means, for people.
    #[serde(default)]
    pub message: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorAction {
    Retry,
    Refresh,
    RateLimited,
    Fail,
    Ignore,
}

/// A harmless request and what its success proves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    #[serde(default = "get")]
    pub method: String,
    /// A template, relative to the base URL or absolute.
    pub path: String,
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// Headers of this request alone, as templates; one of the connector's name is replaced.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// A JSON body; its texts are templates.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
    /// A form; its texts are templates.
    #[serde(default)]
    pub form: IndexMap<String, String>,
    /// A minijinja expression over `status` and `body` that must be true; any 2xx status when absent.
    #[serde(default)]
    pub ok: Option<String>,
    /// What success proves, a whole sentence.
    pub proves: String,
    /// Methods it is for; all when empty.
    #[serde(default)]
    pub auth: Vec<String>,
}

pub(super) fn get() -> String {
    "GET".to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    Users,
    Groups,
    Applications,
    Hardware,
    Software,
    /// None of these: a person says by the mapping what they are.
    Other,
}

/// A kind of record that a connector reads. `path`, `query`, `records` and the texts of the paging may be templates: a reader takes the
/// resource as `catalog::resource` gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Unique in the connector: `users`, `members`.
    pub id: String,
    pub name: String,
    pub kind: ResourceKind,
    #[serde(default = "get")]
    pub method: String,
    /// A template, relative to the base URL; for a file connector a template of the file's path.
    pub path: String,
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// Headers of this resource alone, as templates; one of the connector's name is replaced.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// A JSON body; its texts are templates. With one, the paging's parameters are paths in it (`page.cursor`) instead of query values.
    #[serde(default)]
    pub body: Option<serde_json::Value>,
    /// A form; its texts are templates. With one, the paging's parameters are fields of it.
    #[serde(default)]
    pub form: IndexMap<String, String>,
    /// Methods that can read it; all when empty.
    #[serde(default)]
    pub auth: Vec<String>,
    /// Where the list of records is in a response body; the body itself when empty. `edges[*].node`: the record is a member of each element.
    #[serde(default)]
    pub records: String,
    /// The vendor leaves the list out of the answer when it is empty. Without it, an answer without the list is an error.
    #[serde(default)]
    pub records_optional: bool,
    #[serde(default)]
    pub format: Format,
    /// How "changed since" is asked, where the vendor can: query values as templates over `since` (RFC 3339), `since_unix`, `since_date`.
    /// A run that asks so deactivates nobody.
    #[serde(default)]
    pub changed: IndexMap<String, String>,
    #[serde(default)]
    pub paging: Paging,
    /// Where the person says how the list goes on: a template that gives a key of `pagings`. `catalog::resource` puts it into `paging`.
    #[serde(default)]
    pub paging_by: Option<String>,
    #[serde(default)]
    pub pagings: IndexMap<String, Paging>,
    /// The natural sync key: path of the field that identifies a record at the vendor. Never a template.
    pub key: String,
    #[serde(default)]
    pub active: Option<ActiveRule>,
    #[serde(default, rename = "field")]
    pub fields: Vec<SourceField>,
}

impl Resource {
    /// Whether a credential of `method` can read it.
    #[must_use]
    pub fn read_by(&self, method: &str) -> bool {
        self.auth.is_empty() || self.auth.iter().any(|one| one == method)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    Json,
    /// A local file: CSV (RFC 4180) or one JSON object a line, by its content and name.
    File,
    /// An LDAP directory (RFC 4511): `path` is the base of the search, `query` may hold `filter` (RFC 4515) and `scope` (`sub`, `one`, `base`);
    /// the attributes are the fields. The base URL is `ldaps://`, or `ldap://` with StartTLS (RFC 4513 §3).
    Ldap,
    /// A mailbox (RFC 9051): `records` says whether it is the `messages` of the folder `path`, or the `folders` whose names fit the pattern
    /// `path`; `query` may hold `since`, a date. The base URL is `imaps://`, or `imap://` with STARTTLS.
    Imap,
}

/// How the list goes on (facts: the vendor's documentation, named in the definition).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Paging {
    #[default]
    None,
    /// `page=1,2,3…`; ends when `more` is false, or on a page shorter than `size`.
    Page {
        param: String,
        #[serde(default = "one")]
        first: u64,
        #[serde(default)]
        size_param: Option<String>,
        #[serde(default)]
        size: Option<u64>,
        /// Path of a flag that says whether there is more.
        #[serde(default)]
        more: Option<String>,
        /// Path of the total number of records.
        #[serde(default)]
        total: Option<String>,
    },
    /// `offset=0,100,…`; ends when `more` is false, at `total`, or on a page shorter than `size`.
    Offset {
        param: String,
        /// Where the place is part of a longer text (a query language): a template of what is sent as `param`, over `offset` (from 0), `start`
        /// (from 1) and `size`.
        #[serde(default)]
        value: Option<String>,
        #[serde(default)]
        size_param: Option<String>,
        size: u64,
        /// Path of a flag that says whether there is more.
        #[serde(default)]
        more: Option<String>,
        #[serde(default)]
        total: Option<String>,
    },
    /// The body names the next cursor, which is sent as `param`; ends when it is absent, null or empty.
    Cursor {
        param: String,
        next: String,
        #[serde(default)]
        size_param: Option<String>,
        #[serde(default)]
        size: Option<u64>,
        /// Path of a flag that says whether there is more.
        #[serde(default)]
        more: Option<String>,
        /// Further pages are asked at another address (Dropbox: `…/list/continue`), and then with nothing but the cursor.
        #[serde(default)]
        path: Option<String>,
    },
    /// The `Link` header's `rel="next"` (RFC 8288).
    LinkHeader {
        #[serde(default)]
        size_param: Option<String>,
        #[serde(default)]
        size: Option<u64>,
    },
    /// The body holds the address of the next page (`@odata.nextLink`, `next_page`). Followed as it is, on the same host only.
    NextUrl {
        next: String,
        #[serde(default)]
        size_param: Option<String>,
        #[serde(default)]
        size: Option<u64>,
        /// Path of the total number of records.
        #[serde(default)]
        total: Option<String>,
    },
    /// RFC 7644 §3.4.2.4: `startIndex` (1-based) and `count`, `totalResults`; the server may return fewer than asked.
    Scim {
        #[serde(default = "hundred")]
        size: u64,
    },
}

impl Paging {
    /// As it is written in a definition.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Page { .. } => "page",
            Self::Offset { .. } => "offset",
            Self::Cursor { .. } => "cursor",
            Self::LinkHeader { .. } => "link_header",
            Self::NextUrl { .. } => "next_url",
            Self::Scim { .. } => "scim",
        }
    }
}

fn one() -> u64 {
    1
}

fn hundred() -> u64 {
    100
}

/// Which records the vendor itself calls inactive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActiveRule {
    /// Path of the field that tells.
    pub path: String,
    /// Values that mean active; everything else means inactive. A missing field means active.
    #[serde(default)]
    pub values: Vec<String>,
    /// Instead of values: the field is a number, and these bits in it mean inactive (Active Directory's `userAccountControl`: 2).
    #[serde(default)]
    pub unless_bits: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceField {
    /// A path: `profile.email`, `emails[0].value`, `emails[type=work].value`.
    pub path: String,
    pub label: String,
    #[serde(default, rename = "type")]
    pub kind: FieldType,
    #[serde(default)]
    pub help: String,
    #[serde(default = "yes")]
    pub listed: bool,
}

/// The type of a field's value, at the source and in the inventory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    #[default]
    Text,
    Integer,
    Number,
    Boolean,
    /// RFC 3339, or seconds since 1970.
    Time,
    Email,
}
