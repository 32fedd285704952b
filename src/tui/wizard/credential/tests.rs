//! Every way through the wizard, typed into the real console; and its screens.

use crate::model::{
    Connector, Credential, CredentialDraft, CredentialStatus, Finding, Integration, Problem, ProblemKind, Severity, TestOutcome, Time,
};
use crate::ops::answers::Of;
use crate::ops::consent::Route;
use crate::ops::credentials::{ConsentView, DeviceView};
use crate::ops::discover::{Choice, ChoiceOption};
use crate::tui::app::effect::{Effect, Job};
use crate::tui::app::layers::Layer;
use crate::tui::app::msg::{Answer, Msg, TaskEvent};
use crate::tui::app::state::{Pane, State};
use crate::tui::harness::Harness;
use crate::tui::wizard::{Wizard, credential};

const ICERTIS: &str = include_str!("fixtures/icertis.toml");
const PRACTICE: &str = include_str!("fixtures/practice.toml");
const GUID: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

/// Answers what the wizard asks of the outside, as the real one would.
struct Outside {
    harness: Harness,
    connector: Connector,
    draft: CredentialDraft,
    consented: bool,
    findings: Vec<Finding>,
    /// Values that reached the vault.
    vault: Vec<(String, String)>,
}

impl Outside {
    fn new(definition: &str, size: (u16, u16)) -> Self {
        let connector: Connector = toml::from_str(definition).unwrap();
        let (method, how) = connector.default_auth().unwrap();
        let settings = connector
            .inputs_for(method)
            .iter()
            .filter_map(|input| Some((input.key.clone(), input.default.clone()?)))
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let draft = CredentialDraft {
            id: "draft_1".to_owned(),
            name: connector.name.clone(),
            connector: connector.id.clone(),
            method: method.to_owned(),
            scopes: how.scopes.default.clone(),
            settings,
            ..CredentialDraft::default()
        };
        Self { harness: Harness::new(size.0, size.1), connector, draft, consented: false, findings: Vec::new(), vault: Vec::new() }
    }

    /// The wizard, opened from the catalog.
    fn started(definition: &str, size: (u16, u16)) -> Self {
        let mut outside = Self::new(definition, size);
        outside.harness.state.pane = Pane::Connectors;
        let id = outside.connector.id.clone();
        outside.open(|state| credential::start(state, &id), |job| matches!(job, Job::DraftNew { .. }));
        outside
    }

    fn open(&mut self, begin: impl FnOnce(&mut State) -> Vec<Effect>, job: impl Fn(&Job) -> bool) {
        let effects = begin(&mut self.harness.state);
        self.harness.take(effects);
        let answer = self.answer();
        self.harness.answer(job, answer);
    }

    fn answer(&self) -> Answer {
        let needs_consent = self.connector.auth[&self.draft.method].kind == crate::model::AuthKind::OAuth2Code && !self.consented;
        Answer::Draft { draft: self.draft.clone(), connector: self.connector.clone(), needs_consent }
    }

    /// Types, and lets what is written be written.
    fn keys(&mut self, keys: &str) -> &mut Self {
        self.harness.keys(keys);
        self.write()
    }

    fn paste(&mut self, text: &str) -> &mut Self {
        self.harness.paste(text);
        self.write()
    }

    fn write(&mut self) -> &mut Self {
        loop {
            let job = self.harness.jobs().into_iter().find(|job| {
                matches!(
                    job,
                    Job::DraftSave(_)
                        | Job::DraftSecret { .. }
                        | Job::DraftReference { .. }
                        | Job::DraftSecretFile { .. }
                        | Job::DraftLoad(_)
                        | Job::DraftCheck(_)
                )
            });
            let Some(job) = job.cloned() else { return self };
            let answer = match &job {
                Job::DraftSave(draft) => {
                    let secrets = std::mem::take(&mut self.draft.secrets);
                    self.draft = CredentialDraft { secrets, ..draft.clone() };
                    Answer::DraftSaved
                }
                Job::DraftSecret { key, value, .. } => {
                    self.vault.push((key.clone(), value.0.expose().to_owned()));
                    self.draft.secrets.push(key.clone());
                    self.answer()
                }
                Job::DraftReference { key, reference, .. } => {
                    self.draft.secrets.retain(|known| known != key);
                    self.draft.references.insert(key.clone(), reference.clone());
                    self.answer()
                }
                Job::DraftSecretFile { key, path, .. } => {
                    self.vault.push((key.clone(), format!("the content of {path}")));
                    self.draft.secrets.push(key.clone());
                    self.answer()
                }
                Job::DraftLoad(_) => self.answer(),
                _ => Answer::DraftChecked { draft: self.draft.id.clone(), findings: self.findings.clone() },
            };
            self.harness.answer(|open| *open == job, answer);
        }
    }

    fn tested(&mut self, outcome: TestOutcome) -> &mut Self {
        let name = self.draft.id.clone();
        self.harness.answer(|job| matches!(job, Job::DraftTest(_)), Answer::Tested { name, outcome });
        self
    }

    fn saved(&mut self, status: CredentialStatus, outcome: Option<TestOutcome>) -> &mut Self {
        let credential = credential_of(&self.draft, status, outcome, self.harness.now);
        self.harness.answer(|job| matches!(job, Job::DraftFinish(_)), Answer::CredentialSaved { credential, remark: None });
        self
    }

    /// The consent that is asked for can be shown.
    fn consent(&mut self, view: ConsentView) -> u64 {
        let (id, _) =
            *self.harness.open.iter().find(|(_, spec)| matches!(spec.job, Job::Consent { .. })).map(|(id, spec)| (id, spec)).as_ref().unwrap();
        let id = *id;
        self.harness.send(Msg::Task { id, event: TaskEvent::Consent(Box::new(view)) });
        id
    }

    fn step(&self) -> String {
        match self.harness.state.wizard() {
            Some(Wizard::Credential(machine)) => machine.flow.as_ref().unwrap().step().key(),
            other => panic!("no credential wizard: {other:?}"),
        }
    }

    fn screen(&self) -> String {
        self.harness.screen()
    }

    fn is_asked(&self, job: impl Fn(&Job) -> bool) -> bool {
        self.harness.jobs().into_iter().any(job)
    }
}

fn credential_of(draft: &CredentialDraft, status: CredentialStatus, last_test: Option<TestOutcome>, now: Time) -> Credential {
    Credential {
        id: "cred_1".to_owned(),
        name: draft.name.clone(),
        connector: draft.connector.clone(),
        method: draft.method.clone(),
        settings: draft.settings.clone(),
        secrets: draft.secrets.clone(),
        found: Default::default(),
        scopes: draft.scopes.clone(),
        granted: Vec::new(),
        status,
        access_expires: None,
        refresh_expires: None,
        refreshes: false,
        secret_expires: None,
        created: now,
        tested: last_test.as_ref().map(|test| test.at),
        last_test,
        references: indexmap::IndexMap::new(),
        known: Default::default(),
    }
}

fn passed(now: Time) -> TestOutcome {
    TestOutcome {
        ok: true,
        at: now,
        request: "GET https://acme-business-api.icertis.com/api/v1/agreements/ICMMSA".to_owned(),
        status: Some(200),
        milliseconds: 1_142,
        proves: "Icertis accepts the credential, and its user may read agreements of this type.".to_owned(),
        problem: None,
    }
}

fn refused(now: Time) -> TestOutcome {
    let problem = Problem::new(
        ProblemKind::PersonMustAct,
        "Icertis refused the token",
        "It accepts version 1 tokens only; this app issues version 2.",
        "Set requestedAccessTokenVersion to 1 in the app registration's manifest.",
    );
    TestOutcome { ok: false, status: Some(401), problem: Some(problem), ..passed(now) }
}

fn consent_view(now: Time) -> ConsentView {
    ConsentView {
        authorize_url: format!(
            "https://login.microsoftonline.com/{GUID}/oauth2/v2.0/authorize?response_type=code&client_id={GUID}&redirect_uri=http%3A%2F%2Flocalhost%3A53417%2Fcallback&scope=api%3A%2F%2F{GUID}%2F.default+offline_access&state=8fKq2mVxW1c&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        ),
        authorize_url_expires: None,
        redirect_uri: "http://localhost:53417/callback".to_owned(),
        ssh_line: Some("ssh -L 53417:127.0.0.1:53417 ada@admin01".to_owned()),
        browser_here: false,
        listening: true,
        expires: now + jiff::SignedDuration::from_secs(581),
        device: None,
        request: None,
    }
}

/// Everything answered up to the consent.
fn at_consent(size: (u16, u16)) -> Outside {
    let mut outside = Outside::started(ICERTIS, size);
    outside.keys("<enter>acme<enter>ICMMSA<enter>");
    outside.keys(&format!("{GUID}<enter>3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0<enter>"));
    outside.paste("s3cr3t~value-of-the-app").keys("<enter>");
    outside.keys("<enter>").keys("<enter>");
    assert_eq!(outside.step(), "name");
    outside.keys(" dev<enter>");
    assert_eq!(outside.step(), "consent");
    outside
}

fn at_test(size: (u16, u16)) -> Outside {
    let mut outside = at_consent(size);
    let now = outside.harness.now;
    outside.consent(consent_view(now));
    outside.consented = true;
    outside.harness.answer(|job| matches!(job, Job::Consent { .. }), Answer::Consented(Route::Browser));
    outside.write();
    outside
}

/// What a server makes of a pushed request that has ended: another address for the same wait.
#[test]
fn an_address_that_took_the_place_of_one_that_ended_is_shown() {
    let mut outside = at_consent((160, 50));
    let now = outside.harness.now;
    let view = ConsentView { authorize_url: "https://id.example/authorize?client_id=a&request_uri=urn%3Ax%3A1".to_owned(), ..consent_view(now) };
    let id = outside.consent(view.clone());
    assert!(outside.harness.screen().contains("urn%3Ax%3A1"), "{}", outside.harness.screen());
    let again = ConsentView { authorize_url: "https://id.example/authorize?client_id=a&request_uri=urn%3Ax%3A2".to_owned(), ..view };
    outside.harness.send(Msg::Task { id, event: TaskEvent::Consent(Box::new(again)) });
    let screen = outside.harness.screen();
    assert!(screen.contains("urn%3Ax%3A2") && !screen.contains("urn%3Ax%3A1") && screen.contains("has ended"), "{screen}");
    assert_eq!(outside.step(), "consent");
}

#[test]
fn what_became_of_the_replaced_tokens_is_told() {
    let mut outside = at_test((80, 24));
    let now = outside.harness.now;
    outside.tested(passed(now));
    outside.keys("<enter>");
    let credential = credential_of(&outside.draft, CredentialStatus::Valid, Some(passed(now)), now);
    let remark = Some("The earlier consent's refresh token may still be valid at Icertis.".to_owned());
    outside.harness.answer(|job| matches!(job, Job::DraftFinish(_)), Answer::CredentialSaved { credential, remark });
    assert!(outside.harness.screen().contains("earlier consent's refresh token may still"), "{}", outside.harness.screen());
}

#[test]
fn client_credentials_from_nothing_to_an_integration() {
    let mut outside = Outside::started(PRACTICE, (80, 24));
    assert_eq!(outside.step(), "method");
    outside.keys("<enter>");
    assert_eq!(outside.step(), "input.address");
    outside.keys("http://127.0.0.1:4010<enter>");
    assert_eq!(outside.step(), "input.account_id");
    outside.keys("<enter>practice-client<enter>");
    assert_eq!(outside.step(), "input.client_secret");
    outside.paste("tell-nobody\n");
    assert_eq!(outside.step(), "input.client_secret", "a pasted line break submits nothing");
    assert!(!outside.screen().contains("tell-nobody"));
    outside.keys("<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), "tell-nobody".to_owned())]);
    assert_eq!(outside.step(), "scopes");
    outside.keys("<enter> one<enter>");
    assert_eq!(outside.step(), "test");
    assert_eq!(outside.draft.name, "Practice Clickwrap one");
    assert_eq!(outside.draft.settings["account_id"], "practice");
    assert_eq!(outside.draft.settings["address"], "http://127.0.0.1:4010");

    let outcome = passed(outside.harness.now);
    outside.tested(outcome.clone());
    assert!(outside.screen().contains("HTTP 200 after 1,142 ms"));
    outside.keys("<enter><enter>");
    assert_eq!(outside.harness.jobs().iter().filter(|job| matches!(job, Job::DraftFinish(_))).count(), 1, "saved once");
    outside.saved(CredentialStatus::Valid, Some(outcome));
    assert_eq!(outside.harness.state.pane, Pane::Credentials);
    assert!(outside.screen().contains("Practice Clickwrap one is saved"));
    outside.keys("<enter>");
    assert!(outside.is_asked(|job| matches!(job, Job::IntegrationNew { credential: Some(credential), .. } if credential == "cred_1")));
    let integration = Integration::draft("int_1", "Practice Clickwrap one", Vec::new(), outside.harness.now);
    outside.harness.answer(|job| matches!(job, Job::IntegrationNew { .. }), Answer::IntegrationChanged(integration));
    assert_eq!(outside.harness.state.pane, Pane::Integrations);
}

#[test]
fn a_consent_given_in_the_browser_wins_and_the_test_follows_by_itself() {
    let mut outside = at_consent((80, 24));
    assert!(outside.is_asked(|job| matches!(job, Job::Consent { draft } if draft == "draft_1")));
    let now = outside.harness.now;
    outside.consent(ConsentView { browser_here: true, ..consent_view(now) });
    let opened = |effect: &Effect| matches!(effect, Effect::OpenUrl(url) if url.contains("/authorize?"));
    assert_eq!(outside.harness.effects.iter().filter(|effect| opened(effect)).count(), 1);
    outside.consented = true;
    outside.harness.answer(|job| matches!(job, Job::Consent { .. }), Answer::Consented(Route::Browser));
    outside.write();
    assert_eq!(outside.step(), "test");
    assert!(outside.is_asked(|job| matches!(job, Job::DraftTest(_))));
}

#[test]
fn a_pasted_answer_is_offered_and_a_wrong_one_is_told_at_its_field() {
    let mut outside = at_consent((80, 24));
    let now = outside.harness.now;
    let task = outside.consent(consent_view(now));
    // Letters are commands until the field has the keys.
    outside.keys("c");
    assert!(matches!(outside.harness.effects.last(), Some(Effect::Copy(url)) if url.starts_with("https://login")));
    outside.keys("u");
    assert!(matches!(outside.harness.effects.last(), Some(Effect::ShowPlain(_))));
    outside.keys("s");
    assert!(matches!(outside.harness.effects.last(), Some(Effect::Copy(line)) if line.starts_with("ssh -L")));
    outside.paste("http://localhost:53417/callback?code=abc&state=wrong\r\n");
    assert!(!outside.harness.effects.iter().any(|effect| matches!(effect, Effect::Offer { .. })), "pasting submits nothing");
    outside.keys("<enter>");
    let offered = Effect::Offer { task, text: "http://localhost:53417/callback?code=abc&state=wrong".to_owned() };
    assert_eq!(outside.harness.effects.last(), Some(&offered));
    let problem = Problem::new(
        ProblemKind::Usage,
        "This answer belongs to another request",
        "Its state is not the one that was sent.",
        "Sign in with the address shown above.",
    );
    outside.harness.send(Msg::Task { id: task, event: TaskEvent::OfferRefused(problem) });
    assert!(outside.screen().contains("This answer belongs to another request"));
    assert_eq!(outside.step(), "consent");
    // Another paste takes its place.
    outside.paste("?code=right&state=8fKq2mVxW1c");
    outside.keys("<enter>");
    assert_eq!(outside.harness.effects.last(), Some(&Effect::Offer { task, text: "?code=right&state=8fKq2mVxW1c".to_owned() }));
    // cuq are text while the field has the keys; tab takes them away from it.
    outside.keys("<tab>");
    outside.consented = true;
    outside.harness.answer(|job| matches!(job, Job::Consent { .. }), Answer::Consented(Route::Browser));
    assert_eq!(outside.step(), "test");
}

#[test]
fn a_failed_consent_says_why_and_can_be_tried_again() {
    let mut outside = at_consent((80, 24));
    let now = outside.harness.now;
    outside.consent(consent_view(now));
    let problem =
        Problem::new(ProblemKind::PersonMustAct, "Consent was refused", "The person pressed Cancel.", "Ask again.").with_code("access_denied");
    outside.harness.fail(|job| matches!(job, Job::Consent { .. }), problem);
    let screen = outside.screen();
    assert!(screen.contains("Consent was refused") && screen.contains("access_denied") && screen.contains("a tries again"), "{screen}");
    outside.keys("a");
    assert!(outside.is_asked(|job| matches!(job, Job::Consent { .. })));
    // Later: the test says that consent is missing, and saving without asks first.
    let now = outside.harness.now;
    outside.consent(consent_view(now));
    outside.keys("l");
    assert_eq!(outside.step(), "test");
    assert!(!outside.is_asked(|job| matches!(job, Job::Consent { .. } | Job::DraftTest(_))));
    assert!(outside.screen().contains("Consent was not given yet"));
    outside.keys("s");
    assert!(matches!(outside.harness.state.layers.last(), Some(Layer::Confirm(_))));
    outside.keys("<tab><enter>");
    assert!(outside.is_asked(|job| matches!(job, Job::DraftFinish(_))));
}

#[test]
fn a_failing_credential_is_saved_only_after_a_question() {
    let mut outside = at_test((80, 24));
    let outcome = refused(outside.harness.now);
    outside.tested(outcome.clone());
    let screen = outside.screen();
    assert!(screen.contains("Icertis refused the token") && screen.contains("HTTP 401"), "{screen}");
    outside.keys("<enter><enter>");
    assert!(!outside.is_asked(|job| matches!(job, Job::DraftFinish(_))), "Cancel is what enter does");
    outside.keys("<enter><tab><enter>");
    assert!(outside.is_asked(|job| matches!(job, Job::DraftFinish(_))));
    outside.saved(CredentialStatus::Refused, Some(outcome));
    assert!(outside.screen().contains("Its test failed"));
    outside.keys("<esc>");
    assert!(outside.harness.state.layers.is_empty());
}

#[test]
fn what_was_typed_is_there_on_the_way_back_and_forth() {
    let mut outside = at_test((80, 24));
    assert!(outside.is_asked(|job| matches!(job, Job::DraftTest(_))));
    outside.keys("<esc>");
    assert!(!outside.is_asked(|job| matches!(job, Job::DraftTest(_))), "a test nobody waits for is stopped");
    assert_eq!(outside.step(), "consent");
    for step in
        ["name", "scopes", "input.scope", "input.client_secret", "input.client_id", "input.tenant", "input.contract_type", "input.instance", "method"]
    {
        outside.keys("<shift-tab>");
        assert_eq!(outside.step(), step);
    }
    assert!(outside.screen().contains("kept, 23"));
    // Forth again: nothing is asked twice, nothing is lost, and the same values need no other consent.
    outside.keys("<enter><enter><enter><enter><enter><enter><enter><enter><enter>");
    assert_eq!(outside.step(), "consent");
    assert!(!outside.is_asked(|job| matches!(job, Job::Consent { .. })));
    outside.keys("<enter>");
    assert!(outside.is_asked(|job| matches!(job, Job::DraftTest(_))));
    assert_eq!(outside.vault.len(), 1);
    assert_eq!(outside.draft.settings["tenant"], GUID);
}

#[test]
fn a_wrong_value_is_said_twice_and_then_let_through_to_be_found_before_the_test() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<enter>Not Right");
    assert!(outside.screen().contains("! Instance does not look right"));
    outside.keys("<enter>");
    assert_eq!(outside.step(), "input.instance");
    assert!(outside.screen().contains("✗ Instance does not look right"));
    outside.keys("<enter>");
    assert_eq!(outside.step(), "input.contract_type");
    assert_eq!(outside.draft.settings["instance"], "Not Right");
    // At the end, what is wrong is listed, and enter goes there.
    for _ in 0..20 {
        if outside.step() == "name" {
            break;
        }
        outside.keys("<enter>");
    }
    let problem = Problem::new(ProblemKind::Usage, "Instance does not look right", "It has another form.", "It looks like this: acme");
    outside.findings = vec![Finding { severity: Severity::Error, place: "input.instance".to_owned(), problem }];
    outside.keys("<enter>");
    assert_eq!(outside.step(), "consent");
    assert!(!outside.is_asked(|job| matches!(job, Job::Consent { .. })), "consent is not asked for with wrong values");
    outside.keys("<enter>");
    assert_eq!(outside.step(), "input.instance");
}

#[test]
fn a_pasted_address_becomes_what_was_meant() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<enter>");
    outside.paste("  https://acme.icertis.com/home\n");
    outside.keys("<enter>");
    assert_eq!(outside.draft.settings["instance"], "acme");
}

#[test]
fn an_untouched_draft_is_not_kept_and_a_touched_one_is() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<esc>");
    assert!(outside.harness.state.layers.is_empty());
    assert!(outside.is_asked(|job| matches!(job, Job::DraftDiscard(_))));

    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<enter>acme<ctrl-s>");
    assert!(outside.harness.state.layers.is_empty());
    assert!(!outside.is_asked(|job| matches!(job, Job::DraftDiscard(_))));
    assert_eq!(outside.draft.settings["instance"], "acme");
    assert_eq!(outside.draft.step, "input.instance");
    assert!(outside.screen().contains("Kept as a draft"));
}

#[test]
fn what_is_typed_is_saved_when_typing_rests_and_found_again_after_a_restart() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<enter>ac");
    let wait = outside.harness.state.next_wake().unwrap();
    outside.harness.now += jiff::SignedDuration::try_from(wait).unwrap();
    outside.harness.send(Msg::Wake);
    outside.write();
    assert_eq!(outside.draft.settings["instance"], "ac");
    let remembered = outside.harness.state.remembered();
    assert_eq!(remembered["wizard"]["id"], "draft_1");

    let mut again = Outside::new(ICERTIS, (80, 24));
    again.draft = outside.draft.clone();
    again.open(|state| state.restore(&remembered), |job| matches!(job, Job::DraftLoad(_)));
    assert_eq!(again.step(), "input.instance");
    again.keys("me<enter>");
    assert_eq!(again.draft.settings["instance"], "acme");
}

#[test]
fn a_draft_resumed_at_its_consent_opens_no_browser_by_itself() {
    let mut outside = Outside::new(ICERTIS, (80, 24));
    outside.draft.step = "consent".to_owned();
    outside.open(|state| credential::resume(state, "draft_1"), |job| matches!(job, Job::DraftLoad(_)));
    assert_eq!(outside.step(), "consent");
    // The wait goes on by itself, but nobody's browser is opened twice.
    outside.write();
    assert!(outside.is_asked(|job| matches!(job, Job::Consent { .. })));
    let now = outside.harness.now;
    outside.consent(ConsentView { browser_here: true, ..consent_view(now) });
    assert!(!outside.harness.effects.iter().any(|effect| matches!(effect, Effect::OpenUrl(_))));
    assert!(outside.screen().contains("o opens it"));
    // A wait for a person redraws once a second, and not more.
    let wait = outside.harness.state.next_wake().unwrap();
    assert!(wait >= std::time::Duration::from_millis(900), "{wait:?}");
}

fn device_view(now: Time) -> DeviceView {
    DeviceView {
        user_code: "WDJB-MJHT".to_owned(),
        verification_uri: "https://microsoft.com/devicelogin".to_owned(),
        verification_uri_complete: Some("https://microsoft.com/devicelogin?code=WDJB-MJHT".to_owned()),
        expires: now + jiff::SignedDuration::from_secs(898),
    }
}

/// Every route at once.
fn whole_view(now: Time) -> ConsentView {
    let request = Some("itr1.eyJ2IjoxLCJ2ZW5kb3IiOiJJY2VydGlzIiwiYXV0aG9yaXplX3VybCI6Imh0dHBzOi8vbG9naW4ubWljcm9zb2Z0b25saW5lLmNvbSJ9".to_owned());
    ConsentView { device: Some(device_view(now)), request, ..consent_view(now) }
}

#[test]
fn every_route_has_its_key_and_the_one_that_won_is_told() {
    let mut outside = at_consent((80, 24));
    let now = outside.harness.now;
    outside.consent(whole_view(now));
    let copied = |outside: &Outside| match outside.harness.effects.last() {
        Some(Effect::Copy(text)) => text.clone(),
        other => panic!("{other:?}"),
    };
    outside.keys("d");
    assert_eq!(copied(&outside), "WDJB-MJHT");
    outside.keys("r");
    assert!(copied(&outside).starts_with("intertie authorize itr1.eyJ2"));
    outside.keys("q");
    assert!(matches!(outside.harness.state.layers.last(), Some(Layer::Qr(_))));
    assert!(outside.screen().contains('█') && outside.screen().contains("Scan it"));
    outside.keys("<tab>");
    assert!(outside.screen().contains("The code needs"), "the link needs more room");
    outside.keys("<esc>");
    assert_eq!(outside.step(), "consent");
    outside.consented = true;
    outside.harness.answer(|job| matches!(job, Job::Consent { .. }), Answer::Consented(Route::Device));
    assert!(outside.screen().contains("The code was entered"));
}

#[test]
fn a_device_code_alone_has_no_link_and_nothing_to_paste() {
    let mut outside = at_consent((80, 24));
    let now = outside.harness.now;
    outside.consent(ConsentView {
        authorize_url: String::new(),
        redirect_uri: String::new(),
        ssh_line: None,
        listening: false,
        device: Some(device_view(now)),
        ..consent_view(now)
    });
    let screen = outside.screen();
    assert!(screen.contains("W D J B - M J H T") && screen.contains("14:58 left"), "{screen}");
    assert!(!screen.contains("Paste the answer") && !screen.contains("Redirect URI"), "{screen}");
    outside.keys("u");
    assert!(matches!(outside.harness.effects.last(), Some(Effect::ShowPlain(address)) if address.ends_with("?code=WDJB-MJHT")));
    outside.harness.now += jiff::SignedDuration::from_secs(900);
    outside.harness.send(Msg::Wake);
    assert!(outside.screen().contains("The code has ended"));
}

#[test]
fn a_draft_that_is_gone_closes_the_wizard_and_says_so() {
    let mut outside = Outside::new(ICERTIS, (80, 24));
    let effects = credential::resume(&mut outside.harness.state, "draft_1");
    outside.harness.take(effects);
    let problem = Problem::new(ProblemKind::Usage, "There is no draft “draft_1”", "Nothing has that name.", "Begin anew.");
    outside.harness.fail(|job| matches!(job, Job::DraftLoad(_)), problem);
    assert!(matches!(&outside.harness.state.layers[..], [Layer::Problem(_)]));
}

#[test]
fn renewing_begins_with_the_secret() {
    let mut outside = Outside::new(ICERTIS, (80, 24));
    outside.draft.replaces = Some("cred_1".to_owned());
    outside.draft.name = "Icertis dev".to_owned();
    outside.draft.secrets = vec!["client_secret".to_owned()];
    outside.open(|state| credential::renew(state, "Icertis dev"), |job| matches!(job, Job::CredentialRenew(_)));
    assert_eq!(outside.step(), "input.client_secret");
    assert!(outside.screen().contains("Renew Icertis dev"));
    assert!(outside.screen().contains("kept in the vault; type to replace it"));
}

#[test]
fn a_secret_that_the_vault_did_not_take_is_still_in_its_field() {
    let mut outside = Outside::started(PRACTICE, (80, 24));
    outside.keys("<enter>http://127.0.0.1:4010<enter><enter>me<enter>");
    outside.harness.keys("s3cret<enter>");
    let locked = Problem::new(ProblemKind::PersonMustAct, "The disk is full", "There is no room.", "Make room.");
    outside.harness.fail(|job| matches!(job, Job::DraftSecret { .. }), locked);
    assert!(outside.screen().contains("The disk is full"));
    outside.keys("<esc>");
    assert_eq!(outside.step(), "input.client_secret");
    assert!(outside.screen().contains("masked, 6 characters"));
    outside.keys("<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), "s3cret".to_owned())]);
}

#[test]
fn a_secret_can_be_shown_while_it_is_typed_and_never_after() {
    let mut outside = Outside::started(PRACTICE, (80, 24));
    outside.keys("<enter>http://127.0.0.1:4010<enter><enter>me<enter>s3cret");
    assert!(!outside.screen().contains("s3cret"));
    outside.keys("<ctrl-r>");
    assert!(outside.screen().contains("s3cret"));
    outside.keys("<enter><shift-tab>");
    assert_eq!(outside.step(), "input.client_secret");
    assert!(!outside.screen().contains("s3cret"));
    outside.keys("<ctrl-r>");
    assert!(!outside.screen().contains("s3cret"));
    let everything = format!("{:?}{:?}", outside.harness.effects, outside.harness.state.wizard());
    assert!(!everything.contains("s3cret"), "{everything}");
}

/// At the secret of the practice vendor.
fn at_secret() -> Outside {
    let mut outside = Outside::started(PRACTICE, (80, 24));
    outside.keys("<enter>http://127.0.0.1:4010<enter><enter>me<enter>");
    assert_eq!(outside.step(), "input.client_secret");
    outside
}

#[test]
fn a_reference_is_recognised_and_nothing_of_it_reaches_the_vault() {
    let mut outside = at_secret();
    outside.keys("env:CLICKWRAP_SECRET");
    assert!(outside.screen().contains("a reference: read from"));
    outside.keys("<enter>");
    assert_eq!(outside.vault, []);
    assert_eq!(outside.draft.references["client_secret"], "env:CLICKWRAP_SECRET");
    outside.keys("<shift-tab>");
    assert!(outside.screen().contains("env:CLICKWRAP_SECRET, read each"));
    // A secret takes the place of the reference.
    outside.keys("s3cret<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), "s3cret".to_owned())]);

    let mut outside = at_secret();
    outside.keys("env:IS_MY_SECRET<ctrl-t><enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), "env:IS_MY_SECRET".to_owned())]);
    assert!(outside.draft.references.is_empty());
}

#[test]
fn a_key_is_pasted_whole_typed_line_by_line_or_taken_from_its_file() {
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----";
    let mut outside = at_secret();
    outside.paste(&format!("{KEY}\n"));
    assert!(!outside.screen().contains("MIIE"));
    outside.keys("<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), KEY.to_owned())]);

    // A terminal that does not mark what is pasted sends its line breaks as enter.
    let mut outside = at_secret();
    outside.keys(&KEY.replace('\n', "<enter>"));
    assert_eq!(outside.step(), "input.client_secret");
    outside.keys("<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), KEY.to_owned())]);

    let mut outside = at_secret();
    outside.paste("-----BEGIN PRIVATE KEY-----\nMIIE");
    assert!(outside.screen().contains("The end of the key is missing"));

    let mut outside = at_secret();
    outside.keys("@/etc/app.pem");
    assert!(outside.screen().contains("the file is read once"));
    outside.keys("<enter>");
    assert_eq!(outside.vault, [("client_secret".to_owned(), "the content of /etc/app.pem".to_owned())]);
}

#[test]
fn what_the_vendor_has_several_of_is_chosen_before_the_test() {
    let mut outside = Outside::new(PRACTICE, (80, 24));
    let step: crate::model::AuthMethod = toml::from_str(
        "kind = \"client_credentials\"\nname = \"x\"\n[[discover]]\nid = \"site\"\ntitle = \"Site\"\npath = \"/sites\"\nvalue = \"id\"\n[discover.save]\nsite = \"id\"\n",
    )
    .unwrap();
    for method in outside.connector.auth.values_mut() {
        method.discover.clone_from(&step.discover);
    }
    outside.draft.step = "name".to_owned();
    outside.draft.secrets = vec!["client_secret".to_owned()];
    outside.open(|state| credential::resume(state, "draft_1"), |job| matches!(job, Job::DraftLoad(_)));
    outside.keys("<enter>");
    assert_eq!(outside.step(), "test");
    assert!(outside.is_asked(|job| matches!(job, Job::Discover(draft) if draft == "draft_1")));
    let option = |value: &str, label: &str| ChoiceOption { value: value.to_owned(), label: label.to_owned() };
    let hostile = "Evil\u{1b}]0;owned\u{7}\u{202e}";
    let choice =
        Choice { id: "site".to_owned(), title: "Site".to_owned(), options: vec![option("a1", "Acme"), option("b2", "Brook"), option("c3", hostile)] };
    outside.harness.answer(|job| matches!(job, Job::Discover(_)), Answer::Choices { draft: "draft_1".to_owned(), choices: vec![choice] });
    let screen = outside.screen();
    assert!(screen.contains("Site: which one?") && screen.contains("Brook") && screen.lines().all(crate::words::clean::is_clean), "{screen}");
    insta::assert_snapshot!("choosing_80x24", screen);
    outside.keys("bro<enter>");
    assert_eq!(outside.draft.settings["site"], "b2");
    assert!(outside.is_asked(|job| matches!(job, Job::Discover(_))), "the next question, if there is one");
    outside.harness.answer(|job| matches!(job, Job::Discover(_)), Answer::Choices { draft: "draft_1".to_owned(), choices: Vec::new() });
    assert!(outside.is_asked(|job| matches!(job, Job::DraftTest(_))));
}

#[test]
fn what_is_needed_stands_on_one_page_with_what_can_be_taken_from_it() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<ctrl-g>");
    let Some(Layer::Page(page)) = outside.harness.state.layers.last() else { panic!("no page") };
    assert!(page.link.is_some() && page.copy.as_deref().is_some_and(|uri| uri.starts_with("http")));
    insta::assert_snapshot!("prepare_80x24", outside.screen());
    outside.keys("y");
    assert!(matches!(outside.harness.effects.last(), Some(Effect::Copy(uri)) if uri.contains("callback")));
    outside.keys("v");
    assert!(matches!(outside.harness.state.layers.last(), Some(Layer::Qr(_))));
    outside.keys("<esc><esc>");
    assert_eq!(outside.step(), "method");
}

#[test]
fn answers_are_saved_and_a_file_is_not_replaced_without_asking() {
    let mut outside = at_secret();
    outside.keys("<ctrl-x>");
    assert!(outside.screen().contains("practice-clickwrap.answers.toml"));
    outside.keys("<enter>");
    let save = |over: bool| Job::SaveAnswers { of: Of::Credential("draft_1".to_owned()), path: "practice-clickwrap.answers.toml".to_owned(), over };
    assert!(outside.is_asked(|job| *job == save(false)));
    let there = Answer::AnswersThere { of: Of::Credential("draft_1".to_owned()), path: "practice-clickwrap.answers.toml".to_owned() };
    outside.harness.answer(|job| *job == save(false), there);
    assert!(outside.screen().contains("Replace the file"));
    outside.keys("<tab><enter>");
    outside.harness.answer(|job| *job == save(true), Answer::AnswersSaved("/tmp/x".to_owned()));
    assert_eq!(outside.step(), "input.client_secret");
}

#[test]
fn another_method_asks_for_other_things() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("j<enter>");
    assert_eq!(outside.draft.method, "api_key");
    assert!(outside.draft.scopes.is_empty());
    outside.keys("acme<enter>ICMMSA<enter>");
    assert_eq!(outside.step(), "input.api_key");
    outside.paste("key").keys("<enter>");
    assert_eq!(outside.step(), "name", "no scopes with a key");
    outside.keys("<enter>");
    assert_eq!(outside.step(), "test", "and no consent");
}

#[test]
fn scopes_are_chosen_and_added() {
    let mut outside = Outside::started(PRACTICE, (80, 24));
    outside.keys("<enter>http://127.0.0.1:4010<enter><enter>me<enter>s<enter>");
    assert_eq!(outside.step(), "scopes");
    outside.keys(" ");
    assert!(outside.draft.scopes.is_empty());
    assert!(outside.screen().contains("No scope is chosen"));
    outside.keys("ausers:read groups:read<enter>");
    assert_eq!(outside.draft.scopes, ["users:read", "groups:read"]);
    outside.keys("a<esc>");
    assert_eq!(outside.step(), "scopes", "esc ends the adding first");
}

#[test]
fn addresses_can_be_replaced_and_are_checked_while_typed() {
    let mut outside = Outside::started(ICERTIS, (80, 24));
    outside.keys("<enter>acme<ctrl-d>");
    assert!(outside.screen().contains("Addresses"));
    outside.keys("http://elsewhere.example");
    assert!(outside.screen().contains("✗"), "only https leaves this host");
    outside.keys("<ctrl-u>https://elsewhere.example/api/v1<ctrl-d>");
    assert_eq!(outside.draft.settings["base_url"], "https://elsewhere.example/api/v1");
    assert_eq!(outside.draft.settings["instance"], "acme");
    assert_eq!(outside.step(), "input.instance");
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "Ice\u{1b}]0;owned\u{7}\u{202e}rt\u{9b}31mis\n\r";
    let mut outside = Outside::new(ICERTIS, (80, 24));
    outside.connector.name = hostile.to_owned();
    for method in outside.connector.auth.values_mut() {
        method.name = hostile.to_owned();
        method.setup = vec![hostile.repeat(3), "x".repeat(1 << 20)];
        method.setup_url = hostile.to_owned();
        for input in &mut method.inputs {
            input.label = hostile.to_owned();
            input.help = hostile.to_owned();
            input.example = hostile.to_owned();
        }
    }
    outside.draft.name = hostile.to_owned();
    outside.draft.settings.insert("instance".to_owned(), hostile.to_owned());
    outside.open(|state| credential::start(state, "icertis"), |job| matches!(job, Job::DraftNew { .. }));
    for _ in 0..12 {
        assert!(outside.screen().lines().all(crate::words::clean::is_clean), "{}", outside.screen());
        outside.paste(&format!("{hostile}{}", "y".repeat(1 << 16)));
        assert!(outside.screen().lines().all(crate::words::clean::is_clean), "{}", outside.screen());
        outside.keys("<enter><enter>");
    }
    let now = outside.harness.now;
    if outside.is_asked(|job| matches!(job, Job::Consent { .. })) {
        outside.consent(ConsentView {
            authorize_url: hostile.repeat(1000),
            redirect_uri: hostile.to_owned(),
            ssh_line: Some(hostile.to_owned()),
            device: Some(DeviceView {
                user_code: hostile.to_owned(),
                verification_uri: hostile.to_owned(),
                verification_uri_complete: Some(hostile.to_owned()),
                expires: now,
            }),
            request: Some(hostile.to_owned()),
            ..consent_view(now)
        });
        outside.keys("q");
        assert!(outside.screen().lines().all(crate::words::clean::is_clean));
        outside.keys("<esc>");
        assert!(outside.screen().lines().all(crate::words::clean::is_clean));
    }
}

#[test]
fn every_step_is_drawn_at_every_size() {
    for size in
        [(0, 0), (1, 1), (2, 3), (3, 1), (9, 2), (12, 30), (30, 5), (40, 12), (59, 9), (60, 24), (80, 10), (109, 30), (110, 8), (300, 4), (160, 50)]
    {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys("<ctrl-d>x");
        let _ = outside.screen();
        outside.keys("<ctrl-d>");
        for _ in 0..30 {
            let _ = outside.screen();
            outside.keys("<f1>");
            let _ = outside.screen();
            outside.keys("<esc><enter>");
        }
        let mut outside = at_consent(size);
        let now = outside.harness.now;
        outside.consent(whole_view(now));
        let _ = outside.screen();
        outside.keys("q");
        let _ = outside.screen();
        let mut outside = at_test(size);
        let _ = outside.screen();
        let outcome = refused(outside.harness.now);
        outside.tested(outcome);
        let _ = outside.screen();
    }
}

// ---- screens

const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (160, 50)];

fn pin(name: &str, make: impl Fn((u16, u16)) -> Outside) {
    for size in SIZES {
        let mut outside = make(size);
        outside.harness.state.toasts.clear();
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), outside.screen());
    }
}

#[test]
fn screen_of_the_methods() {
    pin("method", |size| Outside::started(ICERTIS, size));
}

#[test]
fn screen_of_an_input() {
    pin("input", |size| {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys("<enter>acme<enter>ICMMSA<enter>9188040d");
        outside
    });
}

#[test]
fn screen_of_a_wrong_input() {
    pin("input_wrong", |size| {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys("<enter>acme<enter>ICMMSA<enter>9188040d<enter>");
        outside
    });
}

#[test]
fn screen_of_a_secret() {
    pin("secret", |size| {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys(&format!("<enter>acme<enter>ICMMSA<enter>{GUID}<enter>{GUID}<enter>"));
        outside.paste("s3cr3t~value-of-the-app-that-is-40-long.");
        outside
    });
}

#[test]
fn screen_of_the_scopes() {
    pin("scopes", |size| {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys(&format!("<enter>acme<enter>ICMMSA<enter>{GUID}<enter>{GUID}<enter>"));
        outside.paste("s3cr3t").keys("<enter><enter>");
        outside
    });
}

#[test]
fn screen_of_the_consent() {
    pin("consent", |size| {
        let mut outside = at_consent(size);
        let now = outside.harness.now;
        outside.consent(consent_view(now));
        outside
    });
}

#[test]
fn screen_of_every_route() {
    pin("consent_all", |size| {
        let mut outside = at_consent(size);
        let now = outside.harness.now;
        outside.consent(whole_view(now));
        outside
    });
}

#[test]
fn screen_of_a_qr_code() {
    pin("consent_qr", |size| {
        let mut outside = at_consent(size);
        let now = outside.harness.now;
        outside.consent(whole_view(now));
        outside.keys("q");
        outside
    });
}

#[test]
fn screen_of_a_refused_answer() {
    pin("consent_refused_answer", |size| {
        let mut outside = at_consent(size);
        let now = outside.harness.now;
        let id = outside.consent(consent_view(now));
        outside.paste("http://localhost:53417/callback?code=abc&state=wrong").keys("<enter>");
        let problem = Problem::new(
            ProblemKind::Usage,
            "This answer belongs to another request",
            "Its state is not the one that was sent.",
            "Sign in with the address shown above and paste where that ends.",
        );
        outside.harness.send(Msg::Task { id, event: TaskEvent::OfferRefused(problem) });
        outside
    });
}

#[test]
fn screen_of_a_passed_test() {
    pin("test_passed", |size| {
        let mut outside = at_test(size);
        let outcome = passed(outside.harness.now);
        outside.tested(outcome);
        outside
    });
}

#[test]
fn screen_of_a_failed_test() {
    pin("test_failed", |size| {
        let mut outside = at_test(size);
        let outcome = refused(outside.harness.now);
        outside.tested(outcome);
        outside
    });
}

#[test]
fn screen_of_the_saved_credential() {
    pin("saved", |size| {
        let mut outside = at_test(size);
        let outcome = passed(outside.harness.now);
        outside.tested(outcome.clone());
        outside.keys("<enter>").saved(CredentialStatus::Valid, Some(outcome));
        outside
    });
}

#[test]
fn screen_of_the_addresses() {
    pin("addresses", |size| {
        let mut outside = Outside::started(ICERTIS, size);
        outside.keys("<enter>acme<ctrl-d>");
        outside
    });
}
