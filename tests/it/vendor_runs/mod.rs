//! Whole runs against vendors as their documentation describes them, through the use cases: a credential that is tested, an integration with
//! the mappings that are suggested, launched, and run three times. Everybody of all pages is stored, with the right name, address and activity;
//! a second run changes nothing; whoever is missing in the third is deactivated.
//!
//! A vendor is a small entry: what the person enters, and how the vendor answers. It answers only what its documentation describes: a request
//! with another page size, another cursor, one parameter more or less, or without its authorization is a stray one, and fails the test.

mod cursor;
mod link;
mod next_url;
mod offset;
mod page;
mod scim;
mod signed;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use intertie::model::{CredentialStatus, DataQuery, IntegrationKind, Run, RunOptions, RunState, Severity, Sink, Table};
use intertie::ops::{credentials, data, discover, integrations, mappings, runs};
use serde_json::Value;

use super::definitions::{Desk, PRIVATE, SECRET};
use super::signing::{Raw, Reply, pairs, plain, reply, serve};
use super::vendors::{consented, finished};

/// What everybody enters who stands for a person with a browser.
const REDIRECT: (&str, &str) = ("redirect_uri", "https://acme.example/intertie");
/// The secret of every entry, in its places.
const BEARER: &str = "Bearer s3cret-Value-0123";

#[derive(Debug, Clone)]
struct Person {
    n: usize,
    active: bool,
}

impl Person {
    fn first(&self) -> &'static str {
        ["Ada", "Zoë", "Søren", "Ñandú", "李"][self.n % 5]
    }

    fn last(&self) -> String {
        format!("{} {}", ["Lovelace", "O'Hara", "van der Berg", "Garcia-Lopez"][self.n % 4], self.n)
    }

    fn name(&self) -> String {
        format!("{} {}", self.first(), self.last())
    }

    fn email(&self) -> String {
        format!("person{}@acme.example", self.n)
    }

    fn id(&self) -> String {
        format!("u{}", self.n)
    }

    /// One of two words, by activity.
    fn state<T>(&self, active: T, inactive: T) -> T {
        if self.active { active } else { inactive }
    }
}

/// A vendor, and what is entered for it. `{at}` is the address of the server that stands for it, `{key_file}` a Google key file; `!key` is a
/// secret.
struct Vendor {
    id: &'static str,
    method: &'static str,
    resource: &'static str,
    inputs: &'static [(&'static str, &'static str)],
    /// Fixed addresses of the definition that no setting turns, and what takes their place.
    moved: &'static [(&'static str, &'static str)],
    /// Whether a person gives consent, and what that person chooses afterwards.
    consent: bool,
    choices: &'static [(&'static str, &'static str)],
    /// What the address has beside the code that the browser ends on.
    beside_code: &'static str,
    people: usize,
    /// What leaves out records that are nobody, and how many those are.
    filter: &'static str,
    others: u64,
    /// Whether the vendor says who is inactive.
    tells: bool,
    /// Requests that make up the list.
    pages: u64,
    /// What no suggestion can know, and a person maps by hand.
    by_hand: &'static [(&'static str, &'static str)],
    /// What goes wrong once in the middle of the first run, and is got over.
    stumble: fn(&Ask<'_>) -> Option<Reply>,
    answer: fn(&Ask<'_>, &[Person]) -> Option<Reply>,
}

impl Vendor {
    const fn of(id: &'static str, method: &'static str, resource: &'static str) -> Self {
        Self {
            id,
            method,
            resource,
            inputs: &[],
            moved: &[],
            consent: false,
            choices: &[],
            beside_code: "",
            people: 12,
            filter: "",
            others: 0,
            tells: true,
            pages: 1,
            by_hand: &[],
            stumble: |_| None,
            answer: |_, _| None,
        }
    }
}

/// A request, as the vendor sees it.
struct Ask<'r> {
    raw: &'r Raw,
    /// Its own address.
    at: &'r str,
}

type Fixed<'p> = [(&'p str, &'p str)];

impl Ask<'_> {
    /// Whether it is to `METHOD /path`, whatever its query.
    fn to(&self, target: &str) -> bool {
        target.split_once(' ').is_some_and(|(method, path)| self.raw.method == method && plain(&self.raw.path().replace('+', "%2B")) == path)
    }

    /// The query, less `fixed`; none when one of these is missing.
    fn beside(&self, fixed: &Fixed<'_>) -> Option<Vec<(String, String)>> {
        let mut rest: Vec<(String, String)> = self.raw.query().iter().map(|(name, value)| (plain(name), plain(value))).collect();
        for (name, value) in fixed {
            let at = rest.iter().position(|(known, given)| known == name && given == value)?;
            rest.remove(at);
        }
        Some(rest)
    }

    /// Whether it is to `METHOD /path` with exactly this query.
    fn is(&self, target: &str, query: &Fixed<'_>) -> bool {
        self.to(target) && self.beside(query).is_some_and(|rest| rest.is_empty())
    }

    /// The value of `name`, which is all that the query has besides.
    fn varies(&self, target: &str, query: &Fixed<'_>, name: &str) -> Option<String> {
        let rest = self.beside(query).filter(|_| self.to(target))?;
        <[_; 1]>::try_from(rest).ok().and_then(|[(known, value)]| (known == name).then_some(value))
    }

    /// The place in a list that goes on by number.
    fn place(&self, target: &str, query: &Fixed<'_>, name: &str) -> Option<usize> {
        self.varies(target, query, name)?.parse().ok()
    }

    /// The place in a list that goes on by a cursor: none on the first page, and [`cursor`] on the others.
    fn after(&self, target: &str, query: &Fixed<'_>, name: &str) -> Option<usize> {
        if self.is(target, query) { Some(0) } else { behind(&self.varies(target, query, name)?) }
    }

    /// Some, when a header is exactly so.
    fn carries(&self, header: &str, value: &str) -> Option<()> {
        (self.raw.header(header) == value).then_some(())
    }

    fn body(&self) -> Value {
        serde_json::from_slice(&self.raw.body).unwrap_or(Value::Null)
    }

    /// Some, when it is a form of exactly these fields, in any order.
    fn form(&self, target: &str, fields: &Fixed<'_>) -> Option<()> {
        (self.to(target) && self.fields() == sorted(fields)).then_some(())
    }

    /// Some, when it is a form with these fields among others.
    fn has(&self, target: &str, fields: &Fixed<'_>) -> Option<()> {
        let given = self.fields();
        (self.to(target) && sorted(fields).iter().all(|field| given.contains(field))).then_some(())
    }

    fn fields(&self) -> Vec<(String, String)> {
        let text = String::from_utf8_lossy(&self.raw.body);
        let mut given: Vec<(String, String)> = pairs(&text).iter().map(|(name, value)| (plain(name), plain(value))).collect();
        given.sort();
        given
    }
}

fn sorted(fields: &Fixed<'_>) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.sort();
    all
}

/// A cursor with what travels badly in an address, for the people from `place` on; none at the end.
fn cursor(people: &[Person], place: usize) -> Option<String> {
    (place < people.len()).then(|| format!("c+{place}/=&%41"))
}

fn behind(cursor: &str) -> Option<usize> {
    cursor.strip_prefix("c+")?.strip_suffix("/=&%41")?.parse().ok()
}

/// A page of at most `size`.
fn cut(people: &[Person], from: usize, size: usize) -> &[Person] {
    let from = from.min(people.len());
    &people[from..(from + size).min(people.len())]
}

fn list(people: &[Person], record: impl Fn(&Person) -> Value) -> Value {
    Value::Array(people.iter().map(record).collect())
}

fn fine(body: Value) -> Option<Reply> {
    Some(reply(200, body))
}

/// With a `Link` header for the page after this one.
fn linked(body: Value, next: Option<String>) -> Option<Reply> {
    let link = next.map(|next| ("link", format!("<{next}>; rel=\"next\"")));
    Some(Reply { status: 200, headers: link.into_iter().collect(), body })
}

/// Too many requests, with the seconds to wait.
fn limited(body: Value) -> Option<Reply> {
    Some(Reply { status: 429, headers: vec![("retry-after", "1".to_owned())], body })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// What the vendor has seen.
#[derive(Default)]
struct Seen {
    people: Vec<Person>,
    strays: Vec<String>,
    /// Whether something may go wrong, and has.
    stumbling: bool,
    stumbled: bool,
}

struct Stage {
    desk: Desk,
    seen: Arc<Mutex<Seen>>,
    vendor: Vendor,
}

impl Stage {
    fn no_strays(&self) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.strays.is_empty(), "{}: requests that {} does not describe:\n{}", self.vendor.id, self.vendor.id, seen.strays.join("\n"));
    }

    async fn run(&self) -> Run {
        let run = runs::start(&self.desk.ws, "People", &RunOptions::default(), &Sink::none()).await.unwrap();
        self.no_strays();
        let errors = runs::errors(&self.desk.ws, &run.run, 0, 5).unwrap();
        assert_eq!((run.state, run.failed), (RunState::Succeeded, 0), "{}: {run:#?}\n{errors:#?}", self.vendor.id);
        let people = self.seen.lock().unwrap().people.len() as u64;
        assert_eq!((run.read - run.filtered, run.filtered), (people, self.vendor.others), "{}: everybody is read, and nobody twice", self.vendor.id);
        run
    }

    /// Everybody who is stored: by address, name and activity.
    fn stored(&self) -> BTreeMap<String, (String, bool)> {
        let query = DataQuery { limit: 100_000, ..DataQuery::default() };
        let page = data::query(&self.desk.ws, Table::People, &query).unwrap();
        let person = |record: intertie::model::Record| (record.values["email"].to_string(), (record.values["full_name"].to_string(), record.active));
        page.records.into_iter().map(person).collect()
    }

    fn expected(&self) -> BTreeMap<String, (String, bool)> {
        self.seen.lock().unwrap().people.iter().map(|person| (person.email(), (person.name(), person.active))).collect()
    }
}

/// A server that answers as the vendor does, and notes what the vendor would not understand.
async fn stand_in(vendor: &Vendor, seen: &Arc<Mutex<Seen>>) -> String {
    let own: Arc<OnceLock<String>> = Arc::default();
    let (here, seen, answer, stumble, method) = (Arc::clone(&own), Arc::clone(seen), vendor.answer, vendor.stumble, vendor.id);
    let at = serve(move |raw| {
        let ask = Ask { raw, at: here.get().map_or("", String::as_str) };
        let mut seen = seen.lock().unwrap();
        if seen.stumbling
            && !seen.stumbled
            && let Some(fault) = stumble(&ask)
        {
            seen.stumbled = true;
            return fault;
        }
        answer(&ask, &seen.people).unwrap_or_else(|| {
            let body = String::from_utf8_lossy(&raw.body).into_owned();
            seen.strays.push(format!("{} {}\n  {:?}\n  {body}", raw.method, raw.target, raw.headers));
            reply(418, serde_json::json!({"error": method}))
        })
    })
    .await;
    own.set(at.clone()).unwrap();
    at
}

/// From nothing to the third run.
async fn read_all(vendor: Vendor) {
    let people = (0..vendor.people).map(|n| Person { n, active: !vendor.tells || n % 5 != 3 }).collect();
    let seen = Arc::new(Mutex::new(Seen { people, ..Seen::default() }));
    let at = stand_in(&vendor, &seen).await;
    let id = vendor.id;
    let desk = Desk::new();
    if !vendor.moved.is_empty() {
        let file = format!("{}/assets/connectors/{id}.toml", env!("CARGO_MANIFEST_DIR"));
        let mut definition = std::fs::read_to_string(file).unwrap();
        for (from, to) in vendor.moved {
            assert!(definition.contains(from), "{id} has no {from}");
            definition = definition.replace(from, &to.replace("{at}", &at));
        }
        std::fs::create_dir_all(desk.dir.path().join("connectors")).unwrap();
        std::fs::write(desk.dir.path().join("connectors").join(format!("{id}.toml")), definition).unwrap();
    }
    // A key file as Google gives it.
    let file =
        serde_json::json!({"type": "service_account", "private_key_id": "k1", "private_key": PRIVATE, "client_email": "i@p.iam.gserviceaccount.com"});
    let given = |value: &str| value.replace("{at}", &at).replace("{key_file}", &file.to_string());
    let inputs: Vec<(&str, String)> = vendor.inputs.iter().map(|(key, value)| (*key, given(value))).collect();
    let inputs: Vec<(&str, &str)> = inputs.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let stage = Stage { desk, seen, vendor };
    let (desk, vendor) = (&stage.desk, &stage.vendor);

    // The credential, proved.
    let credential = if vendor.consent {
        let draft = consented(desk, id, vendor.method, &inputs, vendor.beside_code).await;
        if !vendor.choices.is_empty() {
            let open = discover::discover(&desk.ws, &draft, &Sink::none()).await.unwrap();
            assert_eq!(open.len(), vendor.choices.len(), "{id}: {open:?}");
            let mut chosen = credentials::draft_get(&desk.ws, &draft).unwrap();
            chosen.settings.extend(vendor.choices.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
            credentials::draft_save(&desk.ws, &chosen).unwrap();
        }
        finished(desk, &draft).await
    } else {
        let draft = desk.draft(id, vendor.method, &inputs);
        let outcome = desk.test(&draft).await;
        stage.no_strays();
        assert!(outcome.ok && !outcome.proves.is_empty(), "{id}: {outcome:#?}");
        credentials::draft_finish(&desk.ws, &draft.id).unwrap()
    };
    stage.no_strays();

    // The integration, with what is suggested from real records.
    let mut integration = integrations::new(&desk.ws, "People").unwrap();
    integrations::set_source(&desk.ws, &mut integration, &credential.name, Some(vendor.resource)).unwrap();
    assert_eq!((integration.kind, integration.sync_key.as_slice()), (IntegrationKind::User, &["email".to_owned()][..]));
    integration.deactivate = true;
    let sample = mappings::sample(&desk.ws, &integration, 20, &Sink::none()).await;
    stage.no_strays();
    let sample = sample.unwrap();
    assert_eq!(sample.records.len(), vendor.people.min(20), "{id}");
    for suggestion in mappings::suggest(&desk.ws, &integration, &sample).unwrap() {
        mappings::set(&desk.ws, &mut integration, &suggestion.field, suggestion.from).unwrap();
    }
    for (field, from) in vendor.by_hand {
        mappings::set(&desk.ws, &mut integration, field, mappings::parse(from)).unwrap();
    }
    integration.filter = Some(vendor.filter.to_owned()).filter(|filter| !filter.is_empty());
    integrations::save(&desk.ws, &integration).unwrap();
    let findings = integrations::validate(&desk.ws, &integration).unwrap();
    assert!(findings.iter().all(|finding| finding.severity != Severity::Error), "{id}: {findings:#?}\n{:#?}", integration.mappings);
    integrations::launch(&desk.ws, "People", &Sink::none()).await.unwrap();
    stage.no_strays();

    // Everybody is read.
    stage.seen.lock().unwrap().stumbling = true;
    let first = stage.run().await;
    assert_eq!((first.created, first.pages), (vendor.people as u64, vendor.pages), "{id}: {first:#?}");
    assert_eq!(stage.stored(), stage.expected(), "{id}: {:#?}", integration.mappings);
    let stumbles = first.requests - first.pages;
    assert_eq!(stumbles > 0, stage.seen.lock().unwrap().stumbled, "{id}: {first:#?}");
    stage.seen.lock().unwrap().stumbling = false;

    // Again, and nothing changes.
    let second = stage.run().await;
    let changed = second.created + second.updated + second.deactivated + second.reactivated;
    assert_eq!((second.unchanged, changed), (vendor.people as u64, 0), "{id}: {second:#?}");
    assert_eq!(stage.stored(), stage.expected(), "{id}");

    // Somebody has left.
    let gone = {
        let mut seen = stage.seen.lock().unwrap();
        let at = seen.people.iter().rposition(|person| person.active).unwrap();
        seen.people.remove(at)
    };
    let third = stage.run().await;
    assert_eq!((third.deactivated, third.unchanged), (1, vendor.people as u64 - 1), "{id}: {third:#?}");
    let mut expected = stage.expected();
    expected.insert(gone.email(), (gone.name(), false));
    assert_eq!(stage.stored(), expected, "{id}");
    assert_eq!(credentials::get(&desk.ws, &credential.name).unwrap().status, CredentialStatus::Valid, "{id}");
    assert!(!format!("{first:?}{second:?}{third:?}").contains(SECRET));
}

/// A token for the code of [`consented`], and a new one for its refresh token; with these fields among others.
fn redeemed(ask: &Ask<'_>, target: &str, client: &Fixed<'_>) -> Option<Reply> {
    ask.has(target, client)?;
    let code = [("grant_type", "authorization_code"), ("code", "the-code"), REDIRECT];
    let again = [("grant_type", "refresh_token"), ("refresh_token", "again")];
    let token = if ask.has(target, &code).is_some() {
        serde_json::json!({"access_token": "first", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "again"})
    } else {
        ask.has(target, &again)?;
        serde_json::json!({"access_token": "second", "token_type": "Bearer", "expires_in": 3600})
    };
    fine(token)
}
