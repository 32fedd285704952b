//! LDAP directories (RFC 4511): a simple bind, and a search in pages (RFC 2696), entry by entry as JSON.
//!
//! An attribute with one value is that value, one with several a list. Values are what the field's type makes of them: generalized time (RFC
//! 4517 §3.3.13) and Windows file times become RFC 3339 where the field is a time; what is no text is a GUID where the attribute is known to
//! hold one, and base64 elsewhere. `dn` is the entry's name.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use jiff::civil;
use ldap3::adapters::{Adapter, EntriesOnly, PagedResults};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError, Scope, SearchEntry};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::client::Client;
use super::http;
use super::source::Page;
use crate::mapping::projection::{Projection, Row};
use crate::model::{FieldType, Problem, RecordError, Resource, Secret, Time};
use crate::words::clean;
use crate::{problem, t};

const CONNECT: Duration = Duration::from_secs(10);
/// For one request of the protocol: a bind, a page.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Entries in a page; Active Directory gives at most 1,000 (MaxPageSize).
const PAGE: i32 = 500;

/// A search that was prepared: where, as whom, and for what.
pub struct Search {
    vendor: String,
    url: Url,
    account: Option<(String, Secret)>,
    identity: Option<Arc<http::Identity>>,
    base: String,
    scope: Scope,
    filter: String,
    /// Attributes to ask for, and what their values are.
    attributes: Vec<(String, FieldType)>,
    /// A base that nobody named is asked of the directory (RFC 4512 §5.1).
    naming_context: bool,
}

impl Search {
    /// The search of a resource. `base` and `query` are rendered already.
    pub fn new(client: &Client, resource: &Resource, base: &str, query: &[(String, String)]) -> Result<Self, Problem> {
        let mut attributes: Vec<(String, FieldType)> = Vec::new();
        let fields = resource.fields.iter().map(|field| (head(&field.path), field.kind));
        let others = [Some(resource.key.as_str()), resource.active.as_ref().map(|rule| rule.path.as_str())];
        for (name, kind) in fields.chain(others.into_iter().flatten().map(|path| (head(path), FieldType::Text))) {
            if name != "dn" && attributes.iter().all(|(known, _)| !known.eq_ignore_ascii_case(name)) {
                attributes.push((name.to_owned(), kind));
            }
        }
        Self::prepared(client, base, query, attributes)
    }

    /// A search for one entry, to see whether the directory answers.
    pub fn probe(client: &Client, base: &str, query: &[(String, String)]) -> Result<Self, Problem> {
        Self::prepared(client, base, query, Vec::new())
    }

    fn prepared(client: &Client, base: &str, query: &[(String, String)], attributes: Vec<(String, FieldType)>) -> Result<Self, Problem> {
        let query = |key: &str| query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let vendor = client.vendor().to_owned();
        let url = client.directory()?.ok_or_else(|| problem!(Usage, "ldap.no_address", vendor = vendor))?;
        let scope = match query("scope").unwrap_or("sub") {
            "base" => Scope::Base,
            "one" => Scope::OneLevel,
            _ => Scope::Subtree,
        };
        let filter = query("filter").filter(|filter| !filter.trim().is_empty()).unwrap_or("(objectClass=*)").trim().to_owned();
        Ok(Self {
            url,
            account: client.account(),
            identity: client.identity(),
            naming_context: base.trim().is_empty(),
            base: base.trim().to_owned(),
            scope,
            filter,
            attributes,
            vendor,
        })
    }

    /// `SEARCH ldaps://host/base`, fit to show.
    #[must_use]
    pub fn shown(&self) -> String {
        clean::line(&format!("SEARCH {}://{}/{}", self.url.scheme(), self.url.authority(), self.base), 300)
    }

    /// Connects, binds and searches for at most one entry.
    pub async fn tried(mut self) -> Result<(), Problem> {
        let mut ldap = self.connected().await?;
        self.find_base(&mut ldap).await?;
        let options = ldap3::SearchOptions::new().sizelimit(1);
        let search = ldap.with_search_options(options).with_timeout(TIMEOUT).search(&self.base, self.scope, &self.filter, vec!["1.1"]).await;
        let found = search.map_err(|error| self.trouble(&error))?;
        // One of several is what was asked for (RFC 4511 §4.5.1.4).
        if !matches!(found.1.rc, 0 | 4) {
            return Err(self.refused(&found.1));
        }
        let _ = ldap.unbind().await;
        Ok(())
    }

    /// Reads all entries, a page at a time. `emit` says whether to go on.
    pub async fn read(
        mut self,
        projection: &Projection,
        cancel: &CancellationToken,
        pages: &tokio::sync::mpsc::Sender<Result<Option<Page>, Problem>>,
    ) {
        let done = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(problem!(Failed, "vendor.cancelled", vendor = self.vendor)),
            done = self.pages(projection, pages) => done,
        };
        // Nobody listens any more, or it is the last word.
        let _ = pages.send(done.map(|()| None)).await;
    }

    async fn pages(&mut self, projection: &Projection, pages: &tokio::sync::mpsc::Sender<Result<Option<Page>, Problem>>) -> Result<(), Problem> {
        let mut ldap = self.connected().await?;
        self.find_base(&mut ldap).await?;
        let adapters: Vec<Box<dyn Adapter<'static, String, Vec<String>>>> = vec![Box::new(EntriesOnly::new()), Box::new(PagedResults::new(PAGE))];
        let names: Vec<String> = self.attributes.iter().map(|(name, _)| name.clone()).collect();
        let opened = ldap.with_timeout(TIMEOUT).streaming_search_with(adapters, &self.base, self.scope, &self.filter, names).await;
        let mut stream = opened.map_err(|error| self.trouble(&error))?;
        let (mut page, mut number) = (Page { requests: 1, ..Page::default() }, 0);
        while let Some(entry) = stream.next().await.map_err(|error| self.trouble(&error))? {
            number += 1;
            let record = self.record(SearchEntry::construct(entry));
            page.bytes += record.values().map(|value| value.as_str().map_or(8, str::len) as u64).sum::<u64>();
            match projection.record(&Value::Object(record)) {
                Ok(slots) => page.rows.push(Row { number, slots }),
                Err(error) => {
                    let message = clean::line(&error.to_string(), 300);
                    page.bad.push(RecordError { number, key: String::new(), field: None, message });
                }
            }
            if page.rows.len() + page.bad.len() >= PAGE as usize {
                let full = std::mem::replace(&mut page, Page { requests: 1, ..Page::default() });
                if pages.send(Ok(Some(full))).await.is_err() {
                    return Ok(());
                }
            }
        }
        let result = stream.finish().await;
        if result.rc != 0 {
            return Err(self.refused(&result));
        }
        if !page.rows.is_empty() || !page.bad.is_empty() {
            let _ = pages.send(Ok(Some(page))).await;
        }
        let _ = ldap.unbind().await;
        Ok(())
    }

    async fn connected(&self) -> Result<Ldap, Problem> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(CONNECT)
            // A password never travels in the clear, but on this host.
            .set_starttls(self.url.scheme() == "ldap" && !is_local(&self.url))
            .set_config(super::tls::trust(self.identity.as_deref())?);
        let opened = LdapConnAsync::from_url_with_settings(settings, &self.url).await;
        let (connection, mut ldap) = opened.map_err(|error| self.trouble(&error))?;
        ldap3::drive!(connection);
        if let Some((name, password)) = &self.account {
            // A bind without a password succeeds as nobody in particular (RFC 4513 §5.1.2): it would prove nothing.
            if password.is_empty() {
                return Err(problem!(Usage, "ldap.no_password", vendor = self.vendor));
            }
            let bound = ldap.with_timeout(TIMEOUT).simple_bind(name, password.expose()).await.map_err(|error| self.trouble(&error))?;
            if bound.rc != 0 {
                return Err(self.refused(&bound));
            }
        }
        Ok(ldap)
    }

    async fn find_base(&mut self, ldap: &mut Ldap) -> Result<(), Problem> {
        if !self.naming_context {
            return Ok(());
        }
        let wanted = vec!["defaultNamingContext", "namingContexts"];
        let root = ldap.with_timeout(TIMEOUT).search("", Scope::Base, "(objectClass=*)", wanted).await.map_err(|error| self.trouble(&error))?;
        let entry = root.0.into_iter().next().map(SearchEntry::construct);
        let named = entry.and_then(|mut entry| {
            let mut of = |name: &str| entry.attrs.remove(name).and_then(|values| values.into_iter().next());
            of("defaultNamingContext").or_else(|| of("namingContexts"))
        });
        self.base = named.ok_or_else(|| problem!(Usage, "ldap.no_base", vendor = self.vendor))?;
        self.naming_context = false;
        Ok(())
    }

    fn record(&self, mut entry: SearchEntry) -> Map<String, Value> {
        let mut record = Map::with_capacity(self.attributes.len() + 1);
        record.insert("dn".to_owned(), Value::String(std::mem::take(&mut entry.dn)));
        for (name, kind) in &self.attributes {
            // Names are case-insensitive (RFC 4512 §2.5), and come back as the schema spells them.
            let text = entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, values)| values);
            let bytes = entry.bin_attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, values)| values);
            let texts = text.into_iter().flatten().map(|text| value(text, *kind));
            let mut values: Vec<Value> = texts.chain(bytes.into_iter().flatten().map(|bytes| Value::String(binary(name, bytes)))).collect();
            match values.len() {
                0 => {}
                1 => {
                    record.insert(name.clone(), values.swap_remove(0));
                }
                _ => {
                    record.insert(name.clone(), Value::Array(values));
                }
            }
        }
        record
    }

    fn trouble(&self, error: &LdapError) -> Problem {
        let host = clean::line(self.url.host_str().unwrap_or_default(), 200);
        let reason = clean::line(&error.to_string(), 200);
        match error {
            LdapError::LdapResult { result } => self.refused(result),
            LdapError::FilterParsing => problem!(Usage, "ldap.filter", vendor = self.vendor, filter = clean::line(&self.filter, 200)),
            LdapError::Timeout { .. } => problem!(Failed, "ldap.silent", vendor = self.vendor, host = host),
            _ => problem!(Failed, "ldap.unreachable", vendor = self.vendor, host = host, reason = reason),
        }
    }

    /// What a result code means (RFC 4511 §A.2), and what Active Directory adds to it.
    fn refused(&self, result: &ldap3::LdapResult) -> Problem {
        let vendor = &self.vendor;
        let base = clean::line(&self.base, 200);
        let said = clean::line(result.text.trim(), 200);
        let said = if said.is_empty() { t!("ldap.no_words").to_owned() } else { said };
        let problem = match result.rc {
            49 => match directory_code(&result.text) {
                Some(meaning) => problem!(PersonMustAct, "ldap.account", vendor = vendor, reason = meaning),
                None => problem!(PersonMustAct, "ldap.credentials", vendor = vendor, reason = said),
            },
            50 => problem!(Failed, "ldap.rights", vendor = vendor, base = base),
            32 | 34 => problem!(Usage, "ldap.base", vendor = vendor, base = base),
            7 | 8 | 13 => problem!(Usage, "ldap.stronger", vendor = vendor, reason = said),
            3 | 4 | 11 => problem!(Failed, "ldap.limit", vendor = vendor, reason = said),
            10 => problem!(Usage, "ldap.referral", vendor = vendor, base = base),
            51 | 52 => problem!(Failed, "ldap.busy", vendor = vendor, reason = said),
            // Active Directory's answer to a search without a bind.
            1 if result.text.contains("successful bind") => problem!(Usage, "ldap.anonymous", vendor = vendor),
            rc => problem!(Failed, "ldap.refused", vendor = vendor, code = rc, reason = said),
        };
        problem.with_code(format!("LDAP {}", result.rc))
    }
}

/// What Active Directory means by `data 533` in a refused bind (winerror.h: 1326, 1328–1331, 1793, 1907, 1909).
fn directory_code(text: &str) -> Option<&'static str> {
    let code = text.split("data ").nth(1)?.split([',', ' ']).next()?;
    Some(match code {
        "525" => t!("ldap.data.no_user"),
        "52e" => t!("ldap.data.wrong"),
        "530" => t!("ldap.data.hours"),
        "531" => t!("ldap.data.place"),
        "532" => t!("ldap.data.password_expired"),
        "533" => t!("ldap.data.disabled"),
        "701" => t!("ldap.data.account_expired"),
        "773" => t!("ldap.data.must_change"),
        "775" => t!("ldap.data.locked"),
        _ => return None,
    })
}

/// This host. A URL of a scheme that the web does not know keeps its host as text.
pub(super) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The attribute that a path begins with.
fn head(path: &str) -> &str {
    path.split(['.', '[']).next().unwrap_or(path)
}

fn value(text: &str, kind: FieldType) -> Value {
    match kind {
        FieldType::Time => time(text).map_or(Value::Null, Value::String),
        FieldType::Boolean => match text {
            "TRUE" => Value::Bool(true),
            "FALSE" => Value::Bool(false),
            _ => Value::String(text.to_owned()),
        },
        FieldType::Integer => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
        _ => Value::String(text.to_owned()),
    }
}

/// RFC 3339 of a generalized time, or of a Windows file time: steps of 100 ns since 1601, where 0 and the largest number mean never.
fn time(text: &str) -> Option<String> {
    if let Ok(ticks) = text.parse::<i64>()
        && text.len() != 14
    {
        if ticks <= 0 || ticks == i64::MAX {
            return None;
        }
        let seconds = ticks / 10_000_000 - 11_644_473_600;
        return Time::new(seconds, i32::try_from(ticks % 10_000_000).ok()? * 100).ok().map(|time| time.to_string());
    }
    let digits = text.get(..14).filter(|digits| digits.bytes().all(|b| b.is_ascii_digit()))?;
    let at = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<i16>().ok());
    let small = |from: usize| at(from, from + 2).and_then(|part| i8::try_from(part).ok());
    let moment = civil::DateTime::new(at(0, 4)?, small(4)?, small(6)?, small(8)?, small(10)?, small(12)?.min(59), 0).ok()?;
    // A fraction is dropped. Directories keep UTC; what says another zone is left as it is not.
    text.ends_with('Z').then(|| moment.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp().to_string())).flatten()
}

/// A GUID as people write it where the attribute holds one; base64 of anything else.
fn binary(name: &str, bytes: &[u8]) -> String {
    let plain = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match <[u8; 16]>::try_from(bytes) {
        // Microsoft's mixed order: three little-endian numbers, then eight bytes (MS-DTYP §2.3.4).
        Ok(mut guid) if name.eq_ignore_ascii_case("objectGUID") => {
            guid[..4].reverse();
            guid[4..6].reverse();
            guid[6..8].reverse();
            let all = plain(&guid);
            format!("{}-{}-{}-{}-{}", &all[..8], &all[8..12], &all[12..16], &all[16..20], &all[20..])
        }
        Ok(guid) if name.eq_ignore_ascii_case("GUID") => plain(&guid),
        _ => base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_directories() {
        #[rustfmt::skip]
        let table = [
            ("20260131235959Z", Some("2026-01-31T23:59:59Z")),
            ("20260131235959.0Z", Some("2026-01-31T23:59:59Z")),
            ("133500000000000000", Some("2024-01-17T21:20:00Z")),
            ("0", None),
            ("9223372036854775807", None),
            ("20261331000000Z", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, wanted) in table {
            assert_eq!(time(text).as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn only_this_host_is_spared_tls() {
        for (address, local) in [
            ("ldap://127.0.0.1:389", true),
            ("ldap://[::1]:389", true),
            ("ldap://localhost", true),
            ("ldap://10.0.0.1", false),
            ("ldap://127.0.0.1.example.com", false),
        ] {
            assert_eq!(is_local(&Url::parse(address).unwrap()), local, "{address}");
        }
    }

    #[test]
    fn what_is_no_text() {
        let guid = [0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(binary("objectguid", &guid), "00112233-4455-6677-8899-aabbccddeeff");
        assert_eq!(binary("GUID", &guid), "33221100554477668899aabbccddeeff");
        assert_eq!(binary("jpegPhoto", &[0xff, 0xd8]), "/9g=");
    }

    #[test]
    fn a_refused_bind_says_which_refusal() {
        let text = "80090308: LdapErr: DSID-0C090439, comment: AcceptSecurityContext error, data 533, v4563";
        assert_eq!(directory_code(text), Some(t!("ldap.data.disabled")));
        assert_eq!(directory_code("data 999, v1"), None);
        assert_eq!(directory_code("invalid credentials"), None);
    }
}
