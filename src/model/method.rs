//! How a connector authenticates: the part of a definition under `[auth.KEY]`.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::Input;
use super::connector::{get, one_or_many};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthKind {
    /// OAuth 2.0 authorization code (RFC 6749 §4.1), with PKCE as `pkce` says.
    #[serde(rename = "oauth2_code")]
    OAuth2Code,
    /// OAuth 2.0 device authorization (RFC 8628) alone. Beside a code flow the device route comes from `device_url` of `oauth2_code`.
    Device,
    /// OAuth 2.0 client credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// A signed assertion is redeemed for a token (RFC 7523 §2.1): `jwt` says what is in it.
    JwtBearer,
    /// A signed assertion is itself the bearer token: nothing is redeemed (Snowflake's key pair, App Store Connect).
    SignedJwt,
    /// OAuth 2.0 password grant (RFC 6749 §4.3), for vendors that have nothing else.
    Password,
    /// Requests of the vendor's own shape, one after another, end with a token: `step`.
    Login,
    /// Requests signed with OAuth 1.0a (RFC 5849), with a token that is known already, or that a person's consent brings (`oauth1.request_url`).
    #[serde(rename = "oauth1")]
    OAuth1,
    /// Requests signed with AWS Signature Version 4.
    AwsSigv4,
    ApiKey,
    /// A token that is sent as it is: `Authorization: Bearer …` (a PAT, a SCIM secret token).
    Bearer,
    /// RFC 7617.
    Basic,
    /// The client certificate of the TLS connection is the credential: inputs `certificate` and `private_key`, PEM.
    Mtls,
    /// No credential: a local file, an open endpoint.
    None,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthMethod {
    pub kind: AuthKind,
    /// What people call it: "OAuth 2.0 authorization code".
    pub name: String,
    #[serde(default)]
    pub default: bool,
    /// Inputs of this method only.
    #[serde(default, rename = "input")]
    pub inputs: Vec<Input>,
    /// How to get what it needs at the vendor, step by step, in our own words.
    #[serde(default)]
    pub setup: Vec<String>,
    /// Who at the vendor can do that: the role, as the vendor calls it.
    #[serde(default)]
    pub role: String,
    /// The vendor's page on creating the app or key.
    #[serde(default)]
    pub setup_url: String,
    #[serde(default)]
    pub issuer: Option<String>,
    /// The server's own document (RFC 8414, OpenID Connect Discovery): every address that the definition does not give comes from it. Where it
    /// is absent and addresses are missing, the document of `issuer` is asked.
    #[serde(default, deserialize_with = "one_or_many")]
    pub metadata_url: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub authorize_url: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub token_url: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub refresh_url: Vec<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub revoke_url: Vec<String>,
    /// Whether the vendor ends the whole access of the client to the account when one token is revoked, also what a later consent gave. A
    /// token that a new consent replaced is revoked only where this is known to be `false`: one that is left over does less harm than new
    /// ones that end (RFC 7009 §2.1 leaves it to the server which related tokens it ends).
    #[serde(default)]
    pub revokes_grant: Option<bool>,
    /// RFC 8628 §3.1.
    #[serde(default, deserialize_with = "one_or_many")]
    pub device_url: Vec<String>,
    /// RFC 9126.
    #[serde(default, deserialize_with = "one_or_many")]
    pub par_url: Vec<String>,
    /// RFC 7591. Where it is known and no client id is given, a client is registered.
    #[serde(default, deserialize_with = "one_or_many")]
    pub register_url: Vec<String>,
    #[serde(default)]
    pub redirect: Redirect,
    #[serde(default)]
    pub pkce: Pkce,
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// How the parameters of a token request travel.
    #[serde(default)]
    pub token_body: TokenBody,
    /// Extra headers of token requests, as templates.
    #[serde(default)]
    pub token_headers: IndexMap<String, String>,
    /// Extra parameters, as templates, by request: `authorize`, `token`, `refresh`, `device`. One that comes out empty is not sent.
    #[serde(default)]
    pub params: IndexMap<String, IndexMap<String, String>>,
    /// Other names for parameters of the callback and of token requests: `code = "authCode"`.
    #[serde(default)]
    pub rename: IndexMap<String, String>,
    /// What is signed: the assertion of `jwt_bearer` and `signed_jwt`, and of the client with `client_auth = "private_key_jwt"`.
    #[serde(default)]
    pub jwt: Option<Jwt>,
    /// The requests of `login`, in order.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
    /// What is looked up once a token is there, before the test.
    #[serde(default, rename = "discover")]
    pub discover: Vec<Discover>,
    #[serde(default)]
    pub oauth1: Option<OAuth1>,
    #[serde(default)]
    pub sigv4: Option<Sigv4>,
    #[serde(default)]
    pub scopes: Scopes,
    /// Where the vendor tells when the credential's own secret ends.
    #[serde(default)]
    pub expiry: Option<ExpiryLookup>,
    #[serde(default)]
    pub response: TokenResponse,
    #[serde(default)]
    pub lifetime: Lifetime,
    /// Where the key goes, for `api_key`, and what stands before it.
    #[serde(default)]
    pub placement: Placement,
    /// Further keys, each with its own place: vendors that want several at once.
    #[serde(default, rename = "also")]
    pub also: Vec<Placement>,
    /// Templates of the user name and password, for `basic`; inputs `username` and `password` otherwise.
    #[serde(default)]
    pub username: Option<String>,
    #[serde(default)]
    pub password: Option<String>,
}

impl AuthMethod {
    /// Whether there is a token that intertie obtains and keeps.
    #[must_use]
    pub fn has_token(&self) -> bool {
        let without_person = matches!(self.kind, AuthKind::ClientCredentials | AuthKind::JwtBearer | AuthKind::Password | AuthKind::Login);
        without_person || self.needs_consent()
    }

    /// Whether a person has to consent at the vendor before there is a token.
    #[must_use]
    pub fn needs_consent(&self) -> bool {
        matches!(self.kind, AuthKind::OAuth2Code | AuthKind::Device) || self.delegates()
    }

    /// Whether the answer to a consent is redirected to an address of ours.
    #[must_use]
    pub fn redirects(&self) -> bool {
        self.kind == AuthKind::OAuth2Code || self.delegates()
    }

    /// Whether a token of OAuth 1.0a comes from a person's consent (RFC 5849 §2).
    #[must_use]
    pub fn delegates(&self) -> bool {
        self.kind == AuthKind::OAuth1 && self.oauth1.as_ref().is_some_and(|plain| !plain.request_url.is_empty())
    }
}

/// What the vendor accepts as redirect URI.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redirect {
    #[serde(default)]
    pub loopback: Loopback,
    /// A port the vendor insists on; any free one otherwise.
    #[serde(default)]
    pub port: Option<u16>,
    /// `127.0.0.1` (RFC 8252 §7.3) unless the vendor accepts only `localhost`.
    #[serde(default)]
    pub host: Option<String>,
    /// Path of the redirect URI; `/callback` when absent.
    #[serde(default)]
    pub path: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loopback {
    /// Any port is accepted at run time (RFC 8252 §7.3).
    #[default]
    AnyPort,
    /// The port must be registered beforehand.
    Fixed,
    /// Only https addresses: the answer is pasted back.
    HttpsOnly,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pkce {
    #[default]
    Require,
    Try,
    Off,
}

/// How the client proves itself at the token endpoint (RFC 6749 §2.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    None,
    Basic,
    #[default]
    Post,
    /// RFC 7523 §2.2: an assertion signed with the client's own key, as `jwt` says.
    PrivateKeyJwt,
    /// RFC 8705 §2: the client's certificate, inputs `certificate` and `private_key`.
    Mtls,
}

/// How the parameters of a token request travel; a form is what RFC 6749 says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenBody {
    #[default]
    Form,
    Json,
    Query,
}

/// A JSON Web Token to be signed (RFC 7515, RFC 7519, RFC 7523 §3). Texts are templates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    pub alg: JwtAlg,
    /// The secret input with the key: PEM (PKCS#8, encrypted or not, PKCS#1, SEC 1), or the text of an HMAC key. `private_key` when absent.
    #[serde(default)]
    pub key: Option<String>,
    /// The key is in a member of a JSON file that was pasted whole into the input `key` (a Google service account): `private_key`. The file's
    /// other members are then `found.key.NAME` in these templates.
    #[serde(default)]
    pub key_member: Option<String>,
    /// The secret input with the passphrase of an encrypted key; `private_key_passphrase` when absent.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// Extra members of the header: `kid = "{{ input.key_id }}"`. `x5t` and `x5t#S256` with the value `certificate` are the thumbprints of
    /// the input `certificate`.
    #[serde(default)]
    pub header: IndexMap<String, String>,
    /// The claims, besides `iat`, `exp` and `jti`. For a client's assertion `iss`, `sub` and `aud` are there already (RFC 7523 §3).
    /// A claim that comes out empty is left out. `{{ key_fingerprint }}` is the base64 SHA-256 of the public key (SPKI).
    #[serde(default)]
    pub claims: IndexMap<String, String>,
    /// How long it is good for, a friendly duration; five minutes when absent.
    #[serde(default)]
    pub ttl: Option<String>,
    /// The claim that holds the scopes, where the assertion asks for them (Google: `scope`).
    #[serde(default)]
    pub scope_claim: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwtAlg {
    #[default]
    RS256,
    PS256,
    ES256,
    HS256,
}

/// One request of a `login`. What it saves is `step.NAME` in the templates of later steps; nothing of it is shown or stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    #[serde(default = "post")]
    pub method: String,
    /// A template: absolute, or relative to the base URL.
    pub url: String,
    #[serde(default)]
    pub query: IndexMap<String, String>,
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// A form, or …
    #[serde(default)]
    pub form: IndexMap<String, String>,
    /// … JSON, its texts templates, or …
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// … any text with its `Content-Type` among `headers`.
    #[serde(default)]
    pub text: Option<String>,
    /// A condition over `status` and `body` that must be true; any 2xx status when absent.
    #[serde(default)]
    pub ok: Option<String>,
    /// What is taken from the answer, by name: a path in the JSON body, `header:NAME`, `cookie:NAME`, `text` (the whole body), or
    /// `regex:…` with one group. `access`, `refresh`, `expires` end as the token.
    #[serde(default)]
    pub save: IndexMap<String, String>,
    /// Values to keep under `found`: never secrets.
    #[serde(default)]
    pub capture: IndexMap<String, String>,
    /// Only when a stored refresh token can be used: this step replaces all others when the token ends; it is `step.refresh`.
    #[serde(default)]
    pub refresh: bool,
}

fn post() -> String {
    "POST".to_owned()
}

/// Something that is known only after the login: which site, which account, which base URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discover {
    /// Unique in the method; the setting of this name holds the person's choice.
    pub id: String,
    /// What is looked up, for people: "Site".
    pub title: String,
    #[serde(default = "get")]
    pub method: String,
    pub path: String,
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// Where the list is in the answer; the answer itself when empty. One object counts as a list of one.
    #[serde(default)]
    pub records: String,
    /// Path of what tells one from another, and of what people call it.
    pub value: String,
    #[serde(default)]
    pub label: Option<String>,
    #[serde(default)]
    pub choose: Choose,
    /// For `match`: a condition over `item` and `input`; where none or several match, the person is asked.
    #[serde(default)]
    pub when: Option<String>,
    /// Values to keep under `found`, by name: path in the chosen item.
    pub save: IndexMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choose {
    /// The only one; the person is asked when there are several.
    #[default]
    Ask,
    /// The first.
    First,
    /// The one that `when` names.
    Match,
}

/// OAuth 1.0a (RFC 5849): inputs `consumer_key`, `consumer_secret`, and, without `request_url`, `token`, `token_secret`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OAuth1 {
    #[serde(default)]
    pub signature: OAuth1Signature,
    /// The `realm` of the header (RFC 5849 §3.5.1), a template.
    #[serde(default)]
    pub realm: Option<String>,
    /// Where temporary credentials are asked for (RFC 5849 §2.1): then the token comes from a person's consent, with the method's
    /// `authorize_url` (§2.2) and `token_url` (§2.3).
    #[serde(default, deserialize_with = "one_or_many")]
    pub request_url: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OAuth1Signature {
    #[serde(rename = "HMAC-SHA1")]
    HmacSha1,
    #[default]
    #[serde(rename = "HMAC-SHA256")]
    HmacSha256,
    #[serde(rename = "PLAINTEXT")]
    Plaintext,
}

/// AWS Signature Version 4: inputs `access_key_id`, `secret_access_key`, `session_token` (optional). Texts are templates.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sigv4 {
    pub service: String,
    pub region: String,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scopes {
    /// Asked for unless the person chooses others. Templates: `api://{{ input.client_id }}/.default`.
    #[serde(default)]
    pub default: Vec<String>,
    /// A space when absent (RFC 6749 §3.3).
    #[serde(default)]
    pub separator: Option<String>,
    /// The parameter that holds them; `scope` when absent (Slack: `user_scope`).
    #[serde(default)]
    pub param: Option<String>,
    #[serde(default)]
    pub catalog: Vec<Scope>,
    /// The header of the API's answers that names the scopes of a token, separated by commas: `X-OAuth-Scopes`.
    #[serde(default)]
    pub granted_header: Option<String>,
}

/// Where the vendor tells when a secret ends: a header of the test's answer, or a request of its own. It is asked after a test that worked;
/// what the credential may not read stays unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpiryLookup {
    /// The input whose end it is: a secret, or a certificate.
    pub input: String,
    /// The header of the test's answer that holds it, or …
    #[serde(default)]
    pub header: Option<String>,
    /// … the path to ask for, a template, …
    #[serde(default)]
    pub path: Option<String>,
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// … where the list of secrets is in the answer (the answer itself when empty), …
    #[serde(default)]
    pub records: String,
    /// … and in each the path of its end, …
    #[serde(default)]
    pub value: String,
    /// … and of the first characters of the secret, to know it by, …
    #[serde(default)]
    pub hint: Option<String>,
    /// … of the certificate itself (DER in base64), …
    #[serde(default)]
    pub certificate: Option<String>,
    /// … or of its SHA-1 thumbprint (in hex, or its bytes in base64).
    #[serde(default)]
    pub thumbprint: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    pub id: String,
    /// What it lets intertie do, in a line.
    pub meaning: String,
    /// Resources that cannot be read without it, by id.
    #[serde(default)]
    pub resources: Vec<String>,
    /// Fields that are empty without it, as `RESOURCE.PATH`.
    #[serde(default)]
    pub fields: Vec<String>,
    /// Other scopes that include this one.
    #[serde(default)]
    pub implied_by: Vec<String>,
}

/// Where the token response holds what, as paths; RFC 6749 §5.1 names when absent. `a | b`: the first that is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenResponse {
    #[serde(default)]
    pub access: Option<String>,
    #[serde(default)]
    pub refresh: Option<String>,
    #[serde(default)]
    pub expires: Option<String>,
    #[serde(default)]
    pub scope: Option<String>,
    /// Values to keep, by name under `found`: path in the token response.
    #[serde(default)]
    pub capture: IndexMap<String, String>,
    /// The same from the callback's parameters: `dc = "accounts-server"`.
    #[serde(default)]
    pub callback: IndexMap<String, String>,
    /// The same from the claims of the access token, or of the ID token where the access token is not a JWT.
    #[serde(default)]
    pub claims: IndexMap<String, String>,
}

/// Known lifetimes, as friendly durations (`1h`, `90d`); empty means unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lifetime {
    #[serde(default)]
    pub access: Option<String>,
    /// Until an unused refresh token ends.
    #[serde(default)]
    pub refresh: Option<String>,
    /// Until the grant ends, however often it was refreshed.
    #[serde(default)]
    pub absolute: Option<String>,
    /// The vendor's longest life of a client secret or key.
    #[serde(default)]
    pub secret: Option<String>,
}

/// Where an API key travels. Without a header and a query name: `Authorization: Bearer KEY`. The texts may be templates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    #[serde(default)]
    pub header: Option<String>,
    #[serde(default)]
    pub query: Option<String>,
    /// Before the key, with its space: `SSWS `.
    #[serde(default)]
    pub prefix: Option<String>,
    /// The input that holds the key; `api_key` (or `token` for `bearer`) when absent.
    #[serde(default)]
    pub input: Option<String>,
    /// The key's path in a JSON body, for vendors that take it nowhere else.
    #[serde(default)]
    pub body: Option<String>,
}
