//! SCIM 2.0 of the practice vendor: Users and Groups, and what describes them. Lenient where Entra and Okta need it, strict elsewhere.

mod filter;
mod patch;
mod schema;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use self::filter::{AttributePath, Filter};
use self::schema::{COMMON, ENTERPRISE, ENTERPRISE_ATTRIBUTES, GROUP, GROUP_ATTRIBUTES, Type, USER, USER_ATTRIBUTES, get};
use super::people::{Person, mix};
use super::roster::{Day, Roster};
use super::server::{Bent, Call, Reply};
use super::{Shared, lock};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const USUAL: u64 = 100;
const MOST: u64 = 1_000;
/// People taken over from the members at most: here, each is kept.
const MOST_PEOPLE: usize = 10_000;

/// RFC 7644 §3.12.
#[derive(Debug)]
pub struct Failure {
    status: u16,
    kind: &'static str,
    detail: String,
}

impl Failure {
    pub fn new(status: u16, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into() }
    }

    pub fn value(detail: impl Into<String>) -> Self {
        Self::new(400, "invalidValue", detail)
    }

    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::new(400, "invalidSyntax", detail)
    }

    fn missing() -> Self {
        Self::new(404, "", "There is no such resource.")
    }
}

/// An error in SCIM's form.
pub fn error(status: u16, kind: &str, detail: &str) -> Reply {
    let mut body = json!({"schemas": [ERROR], "status": status.to_string(), "detail": detail});
    if !kind.is_empty() {
        body["scimType"] = kind.into();
    }
    scim(status, &body)
}

fn scim(status: u16, body: &Value) -> Reply {
    Reply::of(status, "application/scim+json", body.to_string())
}

/// Everything that is kept. Made from the members when it is first asked for.
#[derive(Default)]
pub struct Directory {
    filled: bool,
    users: IndexMap<String, Map<String, Value>>,
    groups: IndexMap<String, Map<String, Value>>,
    made: u64,
}

fn now() -> String {
    jiff::Timestamp::now().to_string()
}

/// In the form of a UUID, and always the same for the same person.
fn uuid(seed: u64, n: u64) -> String {
    let (a, b) = (mix(seed ^ 0x5c1a, n), mix(seed ^ 0xd1ce, n));
    format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff, b >> 52, b & 0xffff_ffff_ffff)
}

impl Directory {
    fn fill(&mut self, roster: &Roster) {
        if std::mem::replace(&mut self.filled, true) {
            return;
        }
        for person in roster.present().take(MOST_PEOPLE) {
            self.take_over(roster.seed(), &person);
        }
    }

    fn take_over(&mut self, seed: u64, person: &Person) {
        let id = uuid(seed, person.id);
        let mut user = Map::new();
        user.insert("schemas".to_owned(), json!([USER]));
        user.insert("id".to_owned(), json!(id));
        user.insert("externalId".to_owned(), json!(person.id.to_string()));
        user.insert("userName".to_owned(), json!(person.email));
        user.insert("name".to_owned(), json!({"formatted": person.name, "familyName": person.family, "givenName": person.given}));
        user.insert("displayName".to_owned(), json!(person.name));
        user.insert("locale".to_owned(), json!(person.locale));
        user.insert("active".to_owned(), json!(true));
        user.insert("emails".to_owned(), json!([{"value": person.email, "type": "work", "primary": true}]));
        let created = "2025-01-01T00:00:00Z";
        user.insert("meta".to_owned(), json!({"resourceType": "User", "created": created, "lastModified": created, "version": "W/\"1\""}));
        self.users.insert(id, user);
    }

    /// What a day changes: who left is no longer active, who returned is, new names are new names here too.
    pub fn pass_a_day(&mut self, day: &Day, roster: &Roster) {
        if !self.filled {
            return;
        }
        for (ids, active) in [(&day.left, false), (&day.returned, true)] {
            for id in ids {
                if let Some(user) = self.users.get_mut(&uuid(roster.seed(), *id)) {
                    user.insert("active".to_owned(), json!(active));
                    touch(user);
                }
            }
        }
        for person in day.renamed.iter().filter_map(|id| roster.get(*id)) {
            if let Some(user) = self.users.get_mut(&uuid(roster.seed(), person.id)) {
                user.insert("name".to_owned(), json!({"formatted": person.name, "familyName": person.family, "givenName": person.given}));
                user.insert("displayName".to_owned(), json!(person.name));
                touch(user);
            }
        }
        if self.users.len() < MOST_PEOPLE {
            for person in day.joined.iter().filter_map(|id| roster.get(*id)) {
                self.take_over(roster.seed(), &person);
            }
        }
    }

    fn of(&self, of: Type) -> &IndexMap<String, Map<String, Value>> {
        if of == Type::User { &self.users } else { &self.groups }
    }

    fn of_mut(&mut self, of: Type) -> &mut IndexMap<String, Map<String, Value>> {
        if of == Type::User { &mut self.users } else { &mut self.groups }
    }

    /// Whether the resource may be kept, beside the others.
    fn check(&self, of: Type, id: &str, resource: &Map<String, Value>) -> Result<(), Failure> {
        for attribute in of.attributes().iter().filter(|attribute| attribute.required) {
            if resource.get(attribute.name).and_then(Value::as_str).is_none_or(|text| text.trim().is_empty()) {
                return Err(Failure::value(format!("{} is required.", attribute.name)));
            }
        }
        // Group names are unique for Entra, which finds groups by them.
        let unique = if of == Type::User { "userName" } else { "displayName" };
        let name = |resource: &Map<String, Value>| resource.get(unique).and_then(Value::as_str).map(str::to_lowercase);
        let own = name(resource);
        if self.of(of).iter().any(|(known, other)| known != id && name(other) == own) {
            return Err(Failure::new(409, "uniqueness", format!("{unique} is taken.")));
        }
        Ok(())
    }
}

/// Sets when it was changed, and a new version.
fn touch(resource: &mut Map<String, Value>) {
    if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut) {
        let version =
            meta.get("version").and_then(Value::as_str).and_then(|text| text.trim_start_matches("W/").trim_matches('"').parse::<u64>().ok());
        meta.insert("lastModified".to_owned(), json!(now()));
        meta.insert("version".to_owned(), json!(format!("W/\"{}\"", version.unwrap_or(0) + 1)));
    }
}

/// For faults by page: which page the request is.
pub fn page_asked(call: &Call) -> u64 {
    let number = |name: &str| call.param(name).and_then(|text| text.parse::<u64>().ok());
    number("startIndex").unwrap_or(1).saturating_sub(1) / number("count").unwrap_or(USUAL).max(1) + 1
}

pub fn answer(shared: &Shared, call: &Call, path: &[&str], bent: Bent) -> Reply {
    let roster = lock(&shared.roster);
    let mut directory = lock(&shared.scim);
    directory.fill(&roster);
    drop(roster);
    let base = format!("{}/scim/v2", shared.base_url);
    let result = match path {
        [kind @ ("ServiceProviderConfig" | "ResourceTypes" | "Schemas"), id @ ..] if id.len() <= 1 => {
            discover(call, kind, id.first().copied(), &base)
        }
        [".search"] if call.method == "POST" => search(call).and_then(|query| list(&directory, &query, &[Type::User, Type::Group], bent, &base)),
        ["Users", rest @ ..] => resources(&mut directory, call, Type::User, rest, bent, &base),
        ["Groups", rest @ ..] => resources(&mut directory, call, Type::Group, rest, bent, &base),
        ["Me" | "Bulk", ..] => Err(Failure::new(501, "", "The practice vendor does not have this.")),
        _ => Err(Failure::missing()),
    };
    result.unwrap_or_else(|failure| error(failure.status, failure.kind, &failure.detail))
}

fn resources(directory: &mut Directory, call: &Call, of: Type, rest: &[&str], bent: Bent, base: &str) -> Result<Reply, Failure> {
    match (call.method.as_str(), rest) {
        ("GET", []) => list(directory, &call.query, &[of], bent, base),
        ("POST", [".search"]) => list(directory, &search(call)?, &[of], bent, base),
        ("POST", []) => {
            let body = body(call)?;
            let mut resource = accepted(&body, of)?;
            directory.check(of, "", &resource)?;
            directory.made += 1;
            let id = uuid(u64::MAX, directory.made);
            resource.insert("id".to_owned(), json!(id));
            let at = now();
            resource.insert("meta".to_owned(), json!({"resourceType": of.name(), "created": at, "lastModified": at, "version": "W/\"1\""}));
            directory.of_mut(of).insert(id.clone(), resource);
            Ok(shown(directory, of, &id, call, 201, base)?.with("location", format!("{base}/{}/{id}", of.endpoint())))
        }
        ("GET", [id]) => shown(directory, of, id, call, 200, base),
        ("PUT", [id]) => {
            let kept = unchanged(directory, of, id, call)?;
            let mut resource = accepted(&body(call)?, of)?;
            directory.check(of, id, &resource)?;
            resource.insert("id".to_owned(), json!(id));
            resource.insert("meta".to_owned(), kept.get("meta").cloned().unwrap_or_default());
            touch(&mut resource);
            directory.of_mut(of).insert((*id).to_owned(), resource);
            shown(directory, of, id, call, 200, base)
        }
        ("PATCH", [id]) => {
            let kept = unchanged(directory, of, id, call)?;
            let mut resource = patch::apply(&kept, &Value::Object(body(call)?), of)?;
            resource.remove("password");
            name_schemas(&mut resource, of);
            directory.check(of, id, &resource)?;
            if resource != kept {
                touch(&mut resource);
                directory.of_mut(of).insert((*id).to_owned(), resource);
            }
            shown(directory, of, id, call, 200, base)
        }
        ("DELETE", [id]) => {
            unchanged(directory, of, id, call)?;
            directory.of_mut(of).shift_remove(*id);
            // Groups do not keep who is not there.
            for group in directory.groups.values_mut() {
                if let Some(members) = group.get_mut("members").and_then(Value::as_array_mut) {
                    members.retain(|member| member["value"] != *id);
                }
            }
            Ok(Reply::empty(204))
        }
        (_, [] | [_]) => Err(Failure::new(405, "", "This address takes another method.")),
        _ => Err(Failure::missing()),
    }
}

/// A search whose parameters are in the body (RFC 7644 §3.4.3).
fn search(call: &Call) -> Result<Vec<(String, String)>, Failure> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    Ok(body(call)?.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), text(value))).collect())
}

fn body(call: &Call) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(body)) => Ok(body),
        Ok(_) => Err(Failure::syntax("The body is not an object.")),
        Err(error) => Err(Failure::syntax(format!("The body is not JSON: {error}."))),
    }
}

/// The resource as it is kept, if nobody changed it since the client saw it (RFC 7644 §3.14).
fn unchanged(directory: &Directory, of: Type, id: &str, call: &Call) -> Result<Map<String, Value>, Failure> {
    let kept = directory.of(of).get(id).ok_or_else(Failure::missing)?;
    let version = kept.get("meta").and_then(|meta| meta["version"].as_str()).unwrap_or("");
    match call.header("if-match") {
        Some(wanted) if wanted != "*" && wanted.split(',').all(|wanted| wanted.trim() != version) => {
            Err(Failure::new(412, "", "The resource was changed in the meantime."))
        }
        _ => Ok(kept.clone()),
    }
}

/// What is kept of a whole resource that somebody sends: known attributes, in their form, without what only the server sets.
fn accepted(body: &Map<String, Value>, of: Type) -> Result<Map<String, Value>, Failure> {
    let schemas = get(body, "schemas").and_then(Value::as_array).ok_or_else(|| Failure::syntax("schemas is missing."))?;
    if !schemas.iter().any(|schema| schema.as_str().is_some_and(|schema| schema.eq_ignore_ascii_case(of.schema()))) {
        return Err(Failure::syntax(format!("schemas lacks {}.", of.schema())));
    }
    let mut resource = Map::new();
    let take = |from: &Map<String, Value>, attributes: &'static [schema::Attribute], into: &mut Map<String, Value>| {
        for attribute in attributes.iter().filter(|attribute| !attribute.read_only && !attribute.write_only && attribute.name != "schemas") {
            if let Some(value) = get(from, attribute.name).filter(|value| !value.is_null()) {
                let value = patch::fit(attribute, value)?;
                if !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()) {
                    into.insert(attribute.name.to_owned(), value);
                }
            }
        }
        Ok::<(), Failure>(())
    };
    take(body, COMMON, &mut resource)?;
    take(body, of.attributes(), &mut resource)?;
    for (urn, attributes) in of.extensions() {
        if let Some(Value::Object(extension)) = get(body, urn) {
            let mut own = Map::new();
            take(extension, attributes, &mut own)?;
            if !own.is_empty() {
                resource.insert((*urn).to_owned(), Value::Object(own));
            }
        }
    }
    name_schemas(&mut resource, of);
    Ok(resource)
}

/// `schemas` says what is there.
fn name_schemas(resource: &mut Map<String, Value>, of: Type) {
    let mut schemas = vec![of.schema()];
    schemas.extend(
        of.extensions()
            .iter()
            .map(|(urn, _)| *urn)
            .filter(|urn| resource.get(*urn).is_some_and(|own| own.as_object().is_some_and(|own| !own.is_empty()))),
    );
    let schemas = json!(schemas);
    for (urn, _) in of.extensions() {
        if resource.get(*urn).is_some_and(|own| own.as_object().is_some_and(Map::is_empty)) {
            resource.remove(*urn);
        }
    }
    resource.insert("schemas".to_owned(), schemas);
}

/// A resource as it is returned: with its address, what the client wants of it, and who is in which group.
fn returned(directory: &Directory, of: Type, resource: &Map<String, Value>, query: &[(String, String)], base: &str) -> Map<String, Value> {
    let mut out = resource.clone();
    let id = out.get("id").and_then(Value::as_str).unwrap_or("").to_owned();
    if let Some(meta) = out.get_mut("meta").and_then(Value::as_object_mut) {
        meta.insert("location".to_owned(), json!(format!("{base}/{}/{id}", of.endpoint())));
    }
    if of == Type::User {
        let groups: Vec<Value> = directory
            .groups
            .values()
            .filter(|group| group.get("members").and_then(Value::as_array).is_some_and(|members| members.iter().any(|member| member["value"] == *id)))
            .map(|group| {
                let group_id = group["id"].as_str().unwrap_or("");
                json!({"value": group_id, "$ref": format!("{base}/Groups/{group_id}"), "display": group["displayName"], "type": "direct"})
            })
            .collect();
        if !groups.is_empty() {
            out.insert("groups".to_owned(), Value::Array(groups));
        }
    }
    let names = |name: &str| -> Vec<AttributePath> {
        let text = super::server::find(query, name).unwrap_or("");
        text.split(',').map(str::trim).filter(|text| !text.is_empty()).filter_map(|text| AttributePath::parse(text, of).ok()).collect()
    };
    let (only, without) = (names("attributes"), names("excludedAttributes"));
    if !only.is_empty() {
        out = select(&out, &only);
    }
    for path in &without {
        exclude(&mut out, path);
    }
    out
}

/// These attributes, and what is always returned.
fn select(resource: &Map<String, Value>, only: &[AttributePath]) -> Map<String, Value> {
    let mut out: Map<String, Value> =
        resource.iter().filter(|(name, _)| ["schemas", "id"].contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect();
    for path in only {
        let from = match path.extension {
            None => Some(resource),
            Some(urn) => resource.get(urn).and_then(Value::as_object),
        };
        let Some(from) = from else { continue };
        if let (Some(urn), true) = (path.extension, path.name.is_empty()) {
            out.insert(urn.to_owned(), Value::Object(from.clone()));
            continue;
        }
        let Some((name, value)) = from.iter().find(|(name, _)| name.eq_ignore_ascii_case(&path.name)) else { continue };
        let part = |value: &Value| match (value, &path.sub) {
            (Value::Object(object), Some(sub)) => {
                Value::Object(object.iter().filter(|(name, _)| name.eq_ignore_ascii_case(sub)).map(|(k, v)| (k.clone(), v.clone())).collect())
            }
            (value, _) => value.clone(),
        };
        let value = match value {
            Value::Array(list) => Value::Array(list.iter().map(part).collect()),
            value => part(value),
        };
        let into = match path.extension {
            None => Some(&mut out),
            Some(urn) => out.entry(urn).or_insert_with(|| json!({})).as_object_mut(),
        };
        if let Some(into) = into {
            match (into.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
                (_, value) => drop(into.insert(name.clone(), value)),
            }
        }
    }
    out
}

fn exclude(resource: &mut Map<String, Value>, path: &AttributePath) {
    if ["schemas", "id"].iter().any(|always| path.name.eq_ignore_ascii_case(always)) {
        return;
    }
    let from = match path.extension {
        None => Some(resource),
        Some(urn) if path.name.is_empty() => return drop(resource.remove(urn)),
        Some(urn) => resource.get_mut(urn).and_then(Value::as_object_mut),
    };
    let Some(from) = from else { return };
    let Some(name) = from.keys().find(|name| name.eq_ignore_ascii_case(&path.name)).cloned() else { return };
    match (&path.sub, from.get_mut(&name)) {
        (Some(sub), Some(Value::Object(object))) => object.retain(|name, _| !name.eq_ignore_ascii_case(sub)),
        (Some(sub), Some(Value::Array(list))) => {
            list.iter_mut().filter_map(Value::as_object_mut).for_each(|object| object.retain(|name, _| !name.eq_ignore_ascii_case(sub)));
        }
        _ => drop(from.remove(&name)),
    }
}

fn shown(directory: &Directory, of: Type, id: &str, call: &Call, status: u16, base: &str) -> Result<Reply, Failure> {
    let resource = directory.of(of).get(id).ok_or_else(Failure::missing)?;
    let version = resource.get("meta").and_then(|meta| meta["version"].as_str()).unwrap_or("").to_owned();
    if call.method == "GET" && call.header("if-none-match").is_some_and(|known| known.split(',').any(|known| known.trim() == version)) {
        return Ok(Reply::empty(304).with("etag", version));
    }
    let resource = returned(directory, of, resource, &call.query, base);
    Ok(scim(status, &Value::Object(resource)).with("etag", version))
}

fn list(directory: &Directory, query: &[(String, String)], types: &[Type], bent: Bent, base: &str) -> Result<Reply, Failure> {
    let number = |name: &str, usual: u64| match super::server::find(query, name) {
        None => Ok(usual),
        // Below the least there is counts as the least (RFC 7644 §3.4.2.4).
        Some(text) => {
            text.parse::<i64>().map(|n| u64::try_from(n).unwrap_or(0)).map_err(|_| Failure::value(format!("{name} is not a whole number.")))
        }
    };
    let start = number("startIndex", 1)?.max(1);
    let count = number("count", USUAL)?.min(MOST);
    let filter = super::server::find(query, "filter").filter(|filter| !filter.trim().is_empty());
    // A filter may name what only one of the types has.
    let mut fitting: Vec<(Type, &Map<String, Value>)> = Vec::new();
    let mut invalid = None;
    for of in types {
        match filter.map(|filter| Filter::parse(filter, *of)).transpose() {
            Err(reason) => invalid = Some(reason.0),
            Ok(filter) => {
                let fits = |resource: &&Map<String, Value>| !bent.empty && filter.as_ref().is_none_or(|filter| filter.holds(resource, *of));
                fitting.extend(directory.of(*of).values().filter(fits).map(|resource| (*of, resource)));
            }
        }
    }
    if let (Some(reason), true) = (invalid, fitting.is_empty()) {
        return Err(Failure::new(400, "invalidFilter", reason));
    }
    let total = fitting.len();
    let skip = usize::try_from(start - 1).unwrap_or(usize::MAX);
    let resources: Vec<Value> = fitting
        .into_iter()
        .skip(skip)
        .take(usize::try_from(count).unwrap_or(0))
        .enumerate()
        .map(|(i, (of, resource))| {
            let mut out = returned(directory, of, resource, query, base);
            if bent.hostile {
                let hostile = super::members::hostile(out.get("displayName").and_then(Value::as_str).unwrap_or(""), i);
                out.insert("displayName".to_owned(), json!(hostile));
            }
            Value::Object(out)
        })
        .collect();
    Ok(scim(200, &json!({"schemas": [LIST], "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources})))
}

/// RFC 7644 §4.
fn discover(call: &Call, kind: &str, id: Option<&str>, base: &str) -> Result<Reply, Failure> {
    if call.method != "GET" {
        return Err(Failure::new(405, "", "This address is read only."));
    }
    if call.param("filter").is_some() {
        return Err(Failure::new(403, "", "What describes the service cannot be filtered."));
    }
    let all: Vec<Value> = match kind {
        "ServiceProviderConfig" => {
            let off = json!({"supported": false});
            return Ok(scim(
                200,
                &json!({
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
                    "documentationUri": "https://www.rfc-editor.org/rfc/rfc7644",
                    "patch": {"supported": true},
                    "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
                    "filter": {"supported": true, "maxResults": MOST},
                    "changePassword": off, "sort": off, "etag": {"supported": true},
                    "authenticationSchemes": [{
                        "type": "oauthbearertoken", "name": "Bearer token", "description": "RFC 6750; the practice vendor's published token works.",
                        "specUri": "https://www.rfc-editor.org/rfc/rfc6750", "primary": true,
                    }],
                    "meta": {"resourceType": "ServiceProviderConfig", "location": format!("{base}/ServiceProviderConfig")},
                }),
            ));
        }
        "ResourceTypes" => [Type::User, Type::Group]
            .into_iter()
            .map(|of| {
                let extensions: Vec<Value> = of.extensions().iter().map(|(urn, _)| json!({"schema": urn, "required": false})).collect();
                json!({
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
                    "id": of.name(), "name": of.name(), "endpoint": format!("/{}", of.endpoint()), "description": format!("{} (practice vendor)", of.name()),
                    "schema": of.schema(), "schemaExtensions": extensions,
                    "meta": {"resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{}", of.name())},
                })
            })
            .collect(),
        _ => vec![
            schema::definition(USER, "User", USER_ATTRIBUTES, base),
            schema::definition(GROUP, "Group", GROUP_ATTRIBUTES, base),
            schema::definition(ENTERPRISE, "EnterpriseUser", ENTERPRISE_ATTRIBUTES, base),
        ],
    };
    match id {
        Some(id) => all.iter().find(|one| one["id"] == id).map(|one| scim(200, one)).ok_or_else(Failure::missing),
        None => Ok(scim(200, &json!({"schemas": [LIST], "totalResults": all.len(), "startIndex": 1, "itemsPerPage": all.len(), "Resources": all}))),
    }
}
