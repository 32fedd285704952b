//! The machine once its draft is there: steps, what is being entered, consent, test.

mod choosing;
mod events;
pub mod guide;
pub mod secret;

use self::choosing::Choosing;
use self::secret::{Meant, meant, parted};
use super::consent::{self, Consent, Waiting};
use super::outcome::Test;
use super::steps::{self, Step};
use crate::model::{AuthMethod, Connector, Credential, CredentialDraft, Finding, Input, Problem, Secret, Severity, Time};
use crate::ops::connectors::{check_input, tidy_input};
use crate::ops::consent::Route;
use crate::tui::app::effect::{Effect, Job, Masked};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::layers::{Confirm, Layer, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::Pane;
use crate::tui::app::tasks::{LONG, NETWORK, watched, write};
use crate::tui::ui::field::Field;
use crate::tui::ui::form::{Form, FormField, Outcome};
use crate::tui::ui::text;
use crate::tui::ui::theme::Tone;
use crate::tui::wizard::{Context, Event, Handled, Request};
use indexmap::IndexMap;

/// Keys of the tasks.
pub const SAVE: &str = "wizard.credential.save";
pub const CONSENT: &str = "wizard.credential.consent";
pub const TEST: &str = "wizard.credential.test";

/// What is typed is saved when typing rests for so many milliseconds, and on leaving a step.
const REST: i64 = 800;

#[derive(Debug)]
pub struct Flow {
    pub draft: CredentialDraft,
    pub connector: Connector,
    pub steps: Vec<Step>,
    pub at: usize,
    /// The furthest step that was seen.
    pub furthest: usize,
    pub entry: Entry,
    /// What the last check of the whole draft found.
    pub findings: Vec<Finding>,
    /// Characters of the secrets that were typed since the wizard opened.
    pub lengths: IndexMap<String, usize>,
    /// Secrets on their way to the vault, until it has them: a failure gives them back to the field.
    unsealed: Vec<(String, Masked)>,
    pub consent: Consent,
    /// By which way consent came, when it was given here.
    pub route: Option<Route>,
    /// The consent is taken up again: no browser is opened by itself.
    quietly: bool,
    pub test: Test,
    pub addresses: Option<Form>,
    /// A question that the vendor's answer made possible.
    pub choosing: Option<Choosing>,
    /// Writes under way; a test waits for them.
    pending: usize,
    after: Option<After>,
    unsaved_since: Option<Time>,
    /// Made by this wizard and never changed: nothing is kept of it.
    pub untouched: bool,
    finishing: bool,
    pub saved: Option<Credential>,
    /// What became of the tokens that the credential had before.
    pub remark: Option<String>,
}

/// What waits until everything is saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Consent,
    Test,
}

/// What is entered at the step in front.
#[derive(Debug)]
pub enum Entry {
    /// One of several.
    Choice {
        cursor: usize,
    },
    Text(Box<Typed>),
    Scopes {
        rows: Vec<String>,
        cursor: usize,
        adding: Option<Box<Field>>,
    },
    /// Nothing is typed at this step itself.
    Nothing,
}

#[derive(Debug)]
pub struct Typed {
    pub field: Field,
    /// What is wrong with it, found while typing.
    pub finding: Option<Finding>,
    /// Enter was pressed over an error once: it is shown loudly, and the next enter goes on.
    pub insisted: bool,
    /// A secret that is still on its way to the vault, as it was typed.
    refilled: bool,
    /// What looks like a reference is the secret itself.
    pub literal: bool,
}

impl Flow {
    #[must_use]
    pub fn new(draft: CredentialDraft, connector: Connector, needs_consent: bool, fresh: bool) -> Self {
        let steps = steps::steps(&connector, &draft);
        let has_consent = steps.contains(&Step::Consent);
        let mut flow = Self {
            furthest: 0,
            at: 0,
            entry: Entry::Nothing,
            findings: Vec::new(),
            lengths: IndexMap::new(),
            unsealed: Vec::new(),
            consent: if has_consent && !needs_consent { Consent::Given } else { Consent::Idle },
            route: None,
            quietly: false,
            test: Test::Untested,
            addresses: None,
            choosing: None,
            pending: 0,
            after: None,
            unsaved_since: None,
            untouched: fresh,
            finishing: false,
            saved: None,
            remark: None,
            steps,
            connector,
            draft,
        };
        flow.at = flow.place_to_begin();
        flow.furthest = flow.at;
        flow.enter();
        flow
    }

    fn place_to_begin(&self) -> usize {
        if let Some(place) = self.steps.iter().position(|step| !self.draft.step.is_empty() && step.key() == self.draft.step) {
            return place;
        }
        if self.draft.replaces.is_some() {
            // What is renewed is a secret, or else the consent.
            let secret = |step: &Step| matches!(step, Step::Input(key) if self.input(key).is_some_and(|input| input.secret && !input.optional));
            let found = self.steps.iter().position(secret).or_else(|| self.steps.iter().position(|step| *step == Step::Consent));
            return found.unwrap_or_else(|| self.first());
        }
        self.first()
    }

    /// Where there is one method only, there is nothing to choose.
    fn first(&self) -> usize {
        usize::from(self.connector.auth.len() <= 1).min(self.steps.len() - 1)
    }

    #[must_use]
    pub fn is_first(&self) -> bool {
        self.at <= self.first()
    }

    #[must_use]
    pub fn step(&self) -> &Step {
        &self.steps[self.at.min(self.steps.len() - 1)]
    }

    #[must_use]
    pub fn input(&self, key: &str) -> Option<&Input> {
        steps::input(&self.connector, &self.draft.method, key)
    }

    /// The input that is asked for now.
    #[must_use]
    pub fn asked(&self) -> Option<&Input> {
        if let Step::Input(key) = self.step() { self.input(key) } else { None }
    }

    /// The method that is chosen, or looked at while choosing.
    #[must_use]
    pub fn method(&self) -> Option<&AuthMethod> {
        match (&self.entry, self.step()) {
            (Entry::Choice { cursor }, Step::Method) => self.connector.auth.get_index(*cursor).map(|(_, method)| method),
            _ => steps::method(&self.connector, &self.draft),
        }
    }

    /// The errors that the last check of the whole draft found.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    #[must_use]
    pub fn is_wrong(&self, step: &Step) -> bool {
        let key = step.key();
        steps::wrong(step, &self.connector, &self.draft) || self.errors().any(|finding| finding.place == key)
    }

    #[must_use]
    pub fn needs_consent(&self) -> bool {
        self.steps.contains(&Step::Consent) && !matches!(self.consent, Consent::Given)
    }

    /// Values that one of may be chosen: of the input that is asked for.
    #[must_use]
    pub fn options(&self) -> Vec<String> {
        match self.asked() {
            Some(input) => {
                let none = input.optional && input.default.is_none();
                none.then(String::new).into_iter().chain(input.options.iter().cloned()).collect()
            }
            None => Vec::new(),
        }
    }

    // ---- entering and leaving a step

    fn enter(&mut self) {
        self.furthest = self.furthest.max(self.at);
        self.entry = match self.step().clone() {
            Step::Method => Entry::Choice { cursor: self.connector.auth.get_index_of(&self.draft.method).unwrap_or(0) },
            Step::Input(key) => match self.input(&key).cloned() {
                Some(input) if !input.options.is_empty() && !input.secret => {
                    let value = self.draft.settings.get(&key).cloned().or(input.default).unwrap_or_default();
                    Entry::Choice { cursor: self.options().iter().position(|option| *option == value).unwrap_or(0) }
                }
                Some(input) if input.secret => {
                    let mut field = Field::secret();
                    if let Some((_, value)) = self.unsealed.iter().find(|(known, _)| *known == key) {
                        field.set(value.0.expose());
                    }
                    self.typed(field)
                }
                _ => self.typed(Field::new(self.draft.settings.get(&key).map_or("", String::as_str))),
            },
            Step::Name => self.typed(Field::new(&self.draft.name)),
            Step::Scopes => {
                let method = steps::method(&self.connector, &self.draft);
                let mut rows: Vec<String> = Vec::new();
                let known = method.into_iter().flat_map(|method| method.scopes.catalog.iter().map(|scope| &scope.id).chain(&method.scopes.default));
                for scope in known.chain(&self.draft.scopes) {
                    if !rows.contains(scope) {
                        rows.push(scope.clone());
                    }
                }
                Entry::Scopes { rows, cursor: 0, adding: None }
            }
            Step::Consent | Step::Test => Entry::Nothing,
        };
        self.draft.step = self.step().key();
    }

    fn typed(&self, field: Field) -> Entry {
        let finding = self.check(&field);
        let refilled = field.secret && !field.is_empty();
        Entry::Text(Box::new(Typed { field, finding, insisted: false, refilled, literal: false }))
    }

    /// What is wrong with what stands in the field.
    fn check(&self, field: &Field) -> Option<Finding> {
        match self.step() {
            Step::Input(_) => {
                let input = self.asked()?;
                let kept = self.draft.secrets.contains(&input.key) || self.draft.references.contains_key(&input.key);
                if input.secret && (field.is_empty() && kept || meant(field.text()) != Meant::Value) {
                    return None;
                }
                check_input(input, &tidy_input(input, &parted(field.text())))
            }
            Step::Name if field.text().trim().is_empty() => Some(Finding {
                severity: Severity::Error,
                place: "name".to_owned(),
                problem: crate::problem!(Usage, "wizard.credential.name_missing"),
            }),
            Step::Name if self.draft.name == field.text().trim() => self.errors().find(|finding| finding.place == "name").cloned(),
            _ => None,
        }
    }

    fn recheck(&mut self) {
        let Entry::Text(typed) = &self.entry else { return };
        let finding = self.check(&typed.field);
        if let Entry::Text(typed) = &mut self.entry {
            typed.finding = finding;
        }
    }

    /// Takes over what stands in the field into the draft. Secrets go to the vault, only with `secrets`.
    fn commit(&mut self, secrets: bool) -> Vec<Request> {
        if matches!(&self.entry, Entry::Scopes { adding: Some(field), .. } if !field.is_empty()) {
            self.add_scope();
        }
        let Entry::Text(typed) = &self.entry else { return Vec::new() };
        let value = zeroize::Zeroizing::new(typed.field.text().to_owned());
        match self.step().clone() {
            Step::Name => {
                self.untouched &= self.draft.name == value.trim();
                self.draft.name = value.trim().to_owned();
                Vec::new()
            }
            Step::Input(key) => {
                let Some(input) = self.input(&key).cloned() else { return Vec::new() };
                let meant = typed.meant();
                let value = zeroize::Zeroizing::new(tidy_input(&input, &value));
                if input.secret {
                    if !secrets || value.is_empty() {
                        return Vec::new();
                    }
                    return self.take_secret(&key, &value, meant);
                }
                self.set(&key, &parted(&value));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn seal(&mut self, key: &str, value: &str) -> Vec<Request> {
        let secret = Secret::new(value);
        self.lengths.insert(key.to_owned(), secret.chars());
        self.draft.references.shift_remove(key);
        if !self.draft.secrets.iter().any(|known| known == key) {
            self.draft.secrets.push(key.to_owned());
        }
        self.unsealed.retain(|(known, _)| known != key);
        self.unsealed.push((key.to_owned(), Masked(secret.clone())));
        self.changed();
        // The field is wiped; the vault has it from here on.
        self.entry = Entry::Nothing;
        vec![self.write(Job::DraftSecret { draft: self.draft.id.clone(), key: key.to_owned(), value: Masked(secret) })]
    }

    /// Who came back to a secret before the vault had it found it in the field again; now it is gone from there.
    fn forget_sealed(&mut self) {
        let Some(key) = self.asked().filter(|input| input.secret).map(|input| input.key.clone()) else { return };
        let waits = self.unsealed.iter().any(|(known, _)| *known == key);
        if !waits
            && let Entry::Text(typed) = &mut self.entry
            && std::mem::take(&mut typed.refilled)
        {
            typed.field.reveal(false);
            typed.field.clear();
            self.recheck();
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        if self.draft.settings.get(key).map_or("", String::as_str) == value {
            return;
        }
        if value.is_empty() {
            self.draft.settings.shift_remove(key);
        } else {
            self.draft.settings.insert(key.to_owned(), value.to_owned());
        }
        self.changed();
    }

    /// Something that the vendor sees has changed: what was proved with other values is not proved any more.
    fn changed(&mut self) {
        self.untouched = false;
        self.test = Test::Untested;
        self.findings.clear();
    }

    /// Keeps what stands in the field, unless it is a secret that is still being typed.
    pub fn save_now(&mut self) -> Vec<Request> {
        let mut requests = self.commit(false);
        requests.push(self.save());
        requests
    }

    fn write(&mut self, job: Job) -> Request {
        self.pending += 1;
        Request::Start(write(SAVE, job))
    }

    fn save(&mut self) -> Request {
        self.unsaved_since = None;
        let draft = self.draft.clone();
        self.write(Job::DraftSave(draft))
    }

    /// Leaves the step in front for another one, saved as typed.
    fn go(&mut self, place: usize) -> Vec<Request> {
        let mut requests = self.commit(true);
        if matches!(self.consent, Consent::Starting | Consent::Waiting(_)) {
            self.consent = Consent::Idle;
            requests.push(Request::Stop(CONSENT.to_owned()));
        }
        if matches!(self.test, Test::Waiting | Test::Running) {
            self.test = Test::Untested;
            requests.push(Request::Stop(TEST.to_owned()));
        }
        self.after = None;
        self.choosing = None;
        self.at = place.min(self.steps.len() - 1);
        self.enter();
        requests.push(self.save());
        requests
    }

    /// The next step; what it does by itself begins when everything is saved.
    fn next(&mut self) -> Vec<Request> {
        if let Entry::Text(typed) = &mut self.entry
            && !typed.insisted
            && typed.finding.as_ref().is_some_and(|finding| finding.severity == Severity::Error)
        {
            typed.insisted = true;
            return Vec::new();
        }
        if self.breaks_line() {
            return Vec::new();
        }
        if let Entry::Choice { cursor } = self.entry {
            self.choose(cursor);
        }
        let mut requests = self.go(self.at + 1);
        match self.step() {
            Step::Consent if !matches!(self.consent, Consent::Given) || self.untested_values() => {
                requests.extend(self.prepare(After::Consent));
            }
            Step::Test if !matches!(self.test, Test::Done(_)) => requests.extend(self.prepare(After::Test)),
            _ => {}
        }
        requests
    }

    /// Whether a consent that was given may have been given with other values.
    fn untested_values(&self) -> bool {
        !matches!(self.test, Test::Done(_))
    }

    /// Looks at the draft as it is saved: whether it is complete, and whether consent is still needed. Then `after` begins.
    fn prepare(&mut self, after: After) -> Vec<Request> {
        self.after = Some(after);
        match after {
            After::Test => self.test = Test::Waiting,
            After::Consent => {}
        }
        let (id, draft) = (self.draft.id.clone(), self.draft.clone());
        vec![self.write(Job::DraftLoad(id)), self.write(Job::DraftCheck(draft))]
    }

    /// Called when a write has ended.
    fn settle(&mut self) -> Vec<Request> {
        self.pending = self.pending.saturating_sub(1);
        if self.pending > 0 {
            return Vec::new();
        }
        let blocked = self.errors().next().is_some();
        match self.after.take() {
            Some(After::Consent) if *self.step() == Step::Consent && !matches!(self.consent, Consent::Given) => {
                if self.errors().any(|finding| finding.place != "name") {
                    return Vec::new();
                }
                self.begin_consent()
            }
            Some(After::Test) if *self.step() == Step::Test => {
                if blocked || self.needs_consent() {
                    self.test = Test::Untested;
                    return Vec::new();
                }
                let asks = steps::method(&self.connector, &self.draft).is_some_and(|method| !method.discover.is_empty());
                if asks { self.look_up() } else { self.begin_test() }
            }
            _ => Vec::new(),
        }
    }

    /// Takes up a consent that was waited for when the wizard was left.
    pub fn go_on(&mut self) -> Vec<Request> {
        if *self.step() != Step::Consent || !self.needs_consent() {
            return Vec::new();
        }
        self.quietly = true;
        self.prepare(After::Consent)
    }

    fn begin_consent(&mut self) -> Vec<Request> {
        self.consent = Consent::Starting;
        let title = crate::t!("wizard.credential.consenting", connector = text::clean(&self.connector.name));
        vec![Request::Start(watched(CONSENT, title, LONG, Job::Consent { draft: self.draft.id.clone() }))]
    }

    fn begin_test(&mut self) -> Vec<Request> {
        self.test = Test::Running;
        let title = crate::t!("wizard.credential.testing", name = text::clean(&self.draft.name));
        vec![Request::Start(watched(TEST, title, NETWORK, Job::DraftTest(self.draft.id.clone())))]
    }

    /// One step back; `None` at the first.
    fn back(&mut self) -> Option<Vec<Request>> {
        if self.addresses.is_some() {
            return Some(self.close_addresses());
        }
        if let Entry::Scopes { adding: adding @ Some(_), .. } = &mut self.entry {
            *adding = None;
            return Some(Vec::new());
        }
        if let Some(waiting) = self.consent.waiting_mut()
            && waiting.focused
            && matches!(self.steps.get(self.at), Some(Step::Consent))
            && waiting.view.listening
        {
            waiting.focused = false;
            return Some(Vec::new());
        }
        if self.is_first() {
            return None;
        }
        if let Entry::Choice { cursor } = self.entry {
            self.choose(cursor);
        }
        Some(self.go(self.at - 1))
    }

    /// Goes to the step that the first error is about.
    fn mend(&mut self) -> Vec<Request> {
        let place = self.errors().next().map(|finding| finding.place.clone());
        let found = place.as_ref().and_then(|place| self.steps.iter().position(|step| step.key() == *place));
        match (found, place) {
            (Some(found), _) => self.go(found),
            (None, Some(place)) if place.starts_with("input.") => {
                // No step of the way: one of the addresses.
                self.open_addresses();
                if let Some(form) = &mut self.addresses {
                    form.set_focus(place.trim_start_matches("input."));
                }
                Vec::new()
            }
            (None, Some(_)) => Vec::new(),
            (None, None) => match self.steps.iter().position(|step| *step == Step::Consent) {
                Some(consent) if self.needs_consent() => {
                    let mut requests = self.go(consent);
                    requests.extend(self.prepare(After::Consent));
                    requests
                }
                _ => Vec::new(),
            },
        }
    }

    // ---- choosing

    fn choose(&mut self, cursor: usize) {
        match self.step().clone() {
            Step::Method => {
                let Some((key, method)) = self.connector.auth.get_index(cursor) else { return };
                if *key == self.draft.method {
                    return;
                }
                self.draft.method.clone_from(key);
                self.draft.scopes.clone_from(&method.scopes.default);
                let defaults: Vec<(String, String)> = self
                    .connector
                    .inputs_for(&self.draft.method)
                    .into_iter()
                    .filter(|input| !input.secret && !self.draft.settings.contains_key(&input.key))
                    .filter_map(|input| Some((input.key.clone(), input.default.clone().filter(|default| !default.is_empty())?)))
                    .collect();
                self.draft.settings.extend(defaults);
                self.steps = steps::steps(&self.connector, &self.draft);
                self.furthest = 0;
                self.consent = Consent::Idle;
                self.changed();
            }
            Step::Input(key) => {
                if let Some(option) = self.options().get(cursor).cloned() {
                    self.set(&key, &option);
                }
            }
            _ => {}
        }
    }

    fn toggle(&mut self) {
        let Entry::Scopes { rows, cursor, .. } = &self.entry else { return };
        let Some(scope) = rows.get(*cursor).cloned() else { return };
        match self.draft.scopes.iter().position(|known| *known == scope) {
            Some(place) => _ = self.draft.scopes.remove(place),
            None => self.draft.scopes.push(scope),
        }
        self.changed();
    }

    fn add_scope(&mut self) {
        let Entry::Scopes { rows, cursor, adding } = &mut self.entry else { return };
        let Some(field) = adding.take() else { return };
        // Several at once, as they are copied from a vendor's page.
        for scope in field.text().split([' ', ',']).map(str::trim).filter(|scope| !scope.is_empty()) {
            if !rows.iter().any(|known| known == scope) {
                rows.push(scope.to_owned());
                *cursor = rows.len() - 1;
            }
            if !self.draft.scopes.iter().any(|known| known == scope) {
                self.draft.scopes.push(scope.to_owned());
            }
        }
        self.changed();
    }

    // ---- addresses

    fn open_addresses(&mut self) {
        let fields = steps::addresses(&self.connector, &self.draft)
            .into_iter()
            .map(|(key, known)| {
                let label = match key {
                    "base_url" => crate::t!("wizard.credential.address.base_url"),
                    "authorize_url" => crate::t!("wizard.credential.address.authorize_url"),
                    "token_url" => crate::t!("wizard.credential.address.token_url"),
                    "refresh_url" => crate::t!("wizard.credential.address.refresh_url"),
                    "revoke_url" => crate::t!("wizard.credential.address.revoke_url"),
                    "device_url" => crate::t!("wizard.credential.address.device_url"),
                    "request_url" => crate::t!("wizard.credential.address.request_url"),
                    _ => crate::t!("wizard.credential.address.redirect_uri"),
                };
                let mut help = self.input(key).map_or_else(String::new, |input| format!("{} ", text::clean(&input.help)));
                help.push_str(&match (key, known.as_str()) {
                    (steps::REDIRECT_URI, _) => crate::t!("wizard.credential.address.redirect_help").to_owned(),
                    (_, "") => crate::t!("wizard.credential.address.unknown").to_owned(),
                    (_, known) => crate::t!("wizard.credential.address.default", address = text::clean(known)),
                });
                let mut field = FormField::text(key, label, help.trim(), self.draft.settings.get(key).map_or("", String::as_str));
                field.error = address_error(key, &field.value());
                field
            })
            .collect::<Vec<_>>();
        if !fields.is_empty() {
            self.addresses = Some(Form::new(fields));
        }
    }

    fn close_addresses(&mut self) -> Vec<Request> {
        let Some(form) = self.addresses.take() else { return Vec::new() };
        for field in &form.fields {
            self.set(&field.key, field.value().trim());
        }
        vec![self.save()]
    }

    /// Key of the method that is chosen, or looked at while choosing.
    fn method_key(&self) -> String {
        match (&self.entry, self.step()) {
            (Entry::Choice { cursor }, Step::Method) => {
                self.connector.auth.get_index(*cursor).map_or_else(|| self.draft.method.clone(), |(key, _)| key.clone())
            }
            _ => self.draft.method.clone(),
        }
    }

    fn redirect_uri(&self) -> Option<crate::ops::credentials::RedirectUri> {
        let mut draft = self.draft.clone();
        draft.method = self.method_key();
        crate::ops::credentials::redirect_uri(&self.connector, &draft)
    }

    /// What has to be registered as redirect URI before anybody can consent.
    #[must_use]
    pub fn redirect(&self) -> Option<String> {
        let redirect = self.redirect_uri()?;
        let uri = text::clean(&redirect.uri);
        Some(if redirect.any_port { crate::t!("wizard.credential.any_port", uri = uri) } else { uri })
    }

    /// The vendor's page on what is asked for.
    #[must_use]
    pub fn page(&self) -> Option<&str> {
        let setup = self.method().map(|method| method.setup_url.as_str()).filter(|page| !page.is_empty());
        setup.or_else(|| Some(self.connector.docs.as_str()).filter(|docs| !docs.is_empty()))
    }

    #[must_use]
    pub fn has_addresses(&self) -> bool {
        !steps::addresses(&self.connector, &self.draft).is_empty()
    }

    /// Whether letters are being typed.
    #[must_use]
    pub fn typing(&self) -> bool {
        if self.addresses.is_some() || self.choosing.is_some() {
            return true;
        }
        match &self.entry {
            Entry::Text(_) => true,
            Entry::Scopes { adding, .. } => adding.is_some(),
            Entry::Choice { .. } => false,
            Entry::Nothing => *self.step() == Step::Consent && self.consent.waiting().is_some_and(|waiting| waiting.focused),
        }
    }

    // ---- leaving

    /// Closes and keeps what there is; of a draft that nobody touched, nothing is kept.
    fn leave(&mut self) -> Vec<Request> {
        let mut requests = self.commit(true);
        if let Some(form) = self.addresses.take() {
            for field in &form.fields {
                self.set(&field.key, field.value().trim());
            }
        }
        requests.push(Request::Stop(CONSENT.to_owned()));
        requests.push(Request::Stop(TEST.to_owned()));
        if self.untouched {
            requests.push(self.write(Job::DraftDiscard(self.draft.id.clone())));
        } else {
            requests.push(self.save());
            requests.push(Request::Toast(Tone::Good, crate::t!("wizard.credential.kept_as_draft").to_owned()));
        }
        requests.push(Request::Close);
        requests
    }

    fn finish(&mut self) -> Vec<Request> {
        // After everything that is still being saved.
        let task = write(SAVE, Job::DraftFinish(self.draft.id.clone()));
        if self.test.passed() {
            let again = std::mem::replace(&mut self.finishing, true);
            return if again { Vec::new() } else { vec![Request::Start(task)] };
        }
        let name = text::clean(&self.draft.name);
        let consequence = match &self.test {
            Test::Done(_) | Test::Failed(_) => crate::t!("wizard.credential.save_failing.consequence"),
            _ if self.needs_consent() => crate::t!("wizard.credential.save_failing.consent"),
            _ => crate::t!("wizard.credential.save_failing.untested"),
        };
        let question = crate::t!("wizard.credential.save_failing.question", name = name);
        vec![Request::Open(Confirm::task(question, consequence.to_owned(), crate::t!("wizard.credential.save_failing.verb"), task))]
    }
}

/// What is wrong with an address, found while typing.
fn address_error(key: &str, value: &str) -> Option<String> {
    if key == steps::REDIRECT_URI {
        return None;
    }
    let input = Input { key: key.to_owned(), label: key.to_owned(), optional: true, ..Input::default() };
    let finding = check_input(&input, value.trim())?;
    Some(format!("{}. {}", finding.problem.what, finding.problem.next_step))
}
