//! The first journey, step by step. What each run reports is compared with what the practice vendor served.

use std::collections::HashMap;

use super::{CONNECTOR, Demo, Step, Walked};
use crate::model::{
    Action, CredentialStatus, DataQuery, Entity, EntityKind, Fate, Integration, IntegrationKind, IntegrationState, Mapped, Problem, Run, RunOptions,
    RunState, Secret, Severity, Sink, Table,
};
use crate::ops::mappings::Sample;
use crate::ops::{Result, Workspace, connectors, credentials, data, integrations, mappings, permissions, runs};
use crate::practice::{self, Person};
use crate::{problem, t};

/// Names of what the walk makes.
const CREDENTIAL: &str = "Practice Clickwrap";
const BY_CONSENT: &str = "Practice Clickwrap by consent";
const INTEGRATION: &str = "Clickwrap members";
const APPLICATION: &str = "Practice Clickwrap";

pub struct Walk<'a> {
    demo: &'a Demo,
    ws: &'a Workspace,
    sink: &'a Sink,
    draft: String,
    sample: Sample,
    /// What the inventory has to hold, by sync key: the person as last stored, and whether active.
    kept: HashMap<String, (Person, bool)>,
    walked: Walked,
}

/// Makes a failure of the walk itself: something was not as it has to be.
fn unexpected(what: &str, found: impl std::fmt::Display) -> Problem {
    problem!(Failed, "demo.unexpected", what = what, found = found)
}

impl<'a> Walk<'a> {
    pub fn new(demo: &'a Demo, sink: &'a Sink) -> Self {
        let walked = Walked { runs: Vec::new(), people: 0, steps: Vec::new() };
        Self { demo, ws: &demo.workspace, sink, draft: String::new(), sample: Sample::default(), kept: HashMap::new(), walked }
    }

    pub async fn walked(mut self) -> Walked {
        // The first failure is the last step; all that happened before it is in the answer.
        let _: Option<()> = self.steps().await;
        self.walked
    }

    fn note<T>(&mut self, name: &str, result: Result<T>) -> Option<T> {
        let (value, problem) = match result {
            Ok(value) => (Some(value), None),
            Err(problem) => (None, Some(problem)),
        };
        self.walked.steps.push(Step { name: name.to_owned(), ok: problem.is_none(), problem });
        value
    }

    async fn steps(&mut self) -> Option<()> {
        let result = self.find();
        self.note(t!("demo.step.find"), result)?;
        let result = self.draft_credential();
        self.note(t!("demo.step.draft_credential"), result)?;
        let result = self.save_credential(CREDENTIAL).await;
        self.note(t!("demo.step.save_credential"), result)?;
        let result = self.consent().await;
        self.note(t!("demo.step.consent"), result)?;
        let result = self.draft_integration();
        self.note(t!("demo.step.draft_integration"), result)?;
        let result = self.sample().await;
        self.note(t!("demo.step.sample"), result)?;
        let result = self.suggest();
        self.note(t!("demo.step.suggest"), result)?;
        let result = self.refused_launch().await;
        self.note(t!("demo.step.refused"), result)?;
        let result = self.map();
        self.note(t!("demo.step.map"), result)?;
        let result = self.preview();
        self.note(t!("demo.step.preview"), result)?;
        let result = self.grant();
        self.note(t!("demo.step.grant"), result)?;
        let result = self.launch().await;
        self.note(t!("demo.step.launch"), result)?;
        let result = self.run().await;
        self.note(t!("demo.step.run"), result)?;
        for _ in 0..2 {
            self.demo.pass_a_day();
            let result = self.run().await;
            self.note(t!("demo.step.run_again"), result)?;
        }
        let result = self.look();
        self.note(t!("demo.step.look"), result)
    }

    fn find(&mut self) -> Result<()> {
        let found = connectors::list(self.ws, Some("practice clickwrap"))?;
        match found.first() {
            Some(row) if row.id == CONNECTOR => Ok(()),
            Some(row) => Err(unexpected("connector list", &row.id)),
            None => Err(unexpected("connector list", "–")),
        }
    }

    fn new_draft(&mut self, method: &str, name: &str) -> Result<()> {
        let mut draft = credentials::draft_new(self.ws, CONNECTOR, Some(method))?;
        name.clone_into(&mut draft.name);
        credentials::draft_save(self.ws, &draft)?;
        // The secret of a vendor that does not exist, published with it.
        let draft = credentials::draft_secret(self.ws, &draft.id, "client_secret", Secret::new(practice::CLIENT_SECRET))?;
        self.draft = draft.id.clone();
        match credentials::draft_check(self.ws, &draft)?.into_iter().find(|finding| finding.severity == Severity::Error) {
            Some(finding) => Err(finding.problem),
            None => Ok(()),
        }
    }

    fn draft_credential(&mut self) -> Result<()> {
        self.new_draft("client_credentials", CREDENTIAL)
    }

    async fn save_credential(&mut self, name: &str) -> Result<()> {
        let outcome = credentials::draft_test(self.ws, &self.draft, self.sink).await?;
        if !outcome.ok {
            return Err(outcome.problem.unwrap_or_else(|| unexpected("credential test", &outcome.request)));
        }
        let saved = credentials::draft_finish(self.ws, &self.draft)?;
        if saved.status == CredentialStatus::Valid && saved.name == name {
            Ok(())
        } else {
            Err(unexpected("credential", format!("{:?}", saved.status)))
        }
    }

    /// A second credential by authorization code: the person's part is done at the vendor, and the answer is pasted.
    async fn consent(&mut self) -> Result<()> {
        self.new_draft("oauth2_code", BY_CONSENT)?;
        let draft = credentials::draft_get(self.ws, &self.draft)?;
        if !credentials::needs_consent(self.ws, &draft)? {
            return Err(unexpected("consent", "–"));
        }
        let consent = credentials::consent_begin(self.ws, &self.draft).await?;
        let redirected = self.demo.practice.consent(&consent.view.authorize_url, true)?;
        consent.offer(&redirected)?;
        consent.finish(self.ws, self.sink).await?;
        self.save_credential(BY_CONSENT).await
    }

    fn integration(&self) -> Result<Integration> {
        integrations::get(self.ws, INTEGRATION)
    }

    fn draft_integration(&mut self) -> Result<()> {
        let mut integration = integrations::new(self.ws, INTEGRATION)?;
        integrations::set_source(self.ws, &mut integration, CREDENTIAL, Some("members"))?;
        integrations::set_kind(self.ws, &mut integration, IntegrationKind::UserAndSaasUser)?;
        integration.saas_application = Some(APPLICATION.to_owned());
        integration.deactivate = true;
        let saved = integrations::save(self.ws, &integration)?;
        let linked = data::query(self.ws, Table::Applications, &DataQuery { limit: 10, ..DataQuery::default() })?;
        match saved.state {
            IntegrationState::Draft if linked.records.iter().any(|record| record.key == APPLICATION) => Ok(()),
            _ => Err(unexpected("applications", linked.total)),
        }
    }

    async fn sample(&mut self) -> Result<()> {
        self.sample = mappings::sample(self.ws, &self.integration()?, 50, self.sink).await?;
        if self.sample.records.len() == 50 { Ok(()) } else { Err(unexpected("sample", self.sample.records.len())) }
    }

    fn suggest(&mut self) -> Result<()> {
        let mut integration = self.integration()?;
        // The type of a user is for a person to say, and what the next step is refused for.
        for suggestion in mappings::suggest(self.ws, &integration, &self.sample)?.into_iter().filter(|suggestion| suggestion.field != "user_type") {
            mappings::set(self.ws, &mut integration, &suggestion.field, suggestion.from)?;
        }
        let mapped = |field: &str| integration.mappings.iter().any(|mapping| mapping.field == field);
        if !mapped("email") || !mapped("full_name") {
            return Err(unexpected("suggestions", integration.mappings.len()));
        }
        integrations::save(self.ws, &integration).map(|_| ())
    }

    async fn refused_launch(&mut self) -> Result<()> {
        let findings = integrations::validate(self.ws, &self.integration()?)?;
        let named = findings.iter().any(|finding| finding.severity == Severity::Error && finding.place == "mapping.user_type");
        match integrations::launch(self.ws, INTEGRATION, self.sink).await {
            Err(_) if named && self.integration()?.state == IntegrationState::Draft => Ok(()),
            Err(problem) => Err(problem),
            Ok(launched) => Err(unexpected("launch", format!("{:?}", launched.state))),
        }
    }

    fn map(&mut self) -> Result<()> {
        let mut integration = self.integration()?;
        mappings::set(self.ws, &mut integration, "user_type", Mapped::Constant("employee".to_owned()))?;
        mappings::add_tracking_fields(self.ws, &mut integration)?;
        let saved = integrations::save(self.ws, &integration)?;
        match integrations::validate(self.ws, &saved)?.into_iter().find(|finding| finding.severity == Severity::Error) {
            Some(finding) => Err(finding.problem),
            None => Ok(()),
        }
    }

    fn preview(&mut self) -> Result<()> {
        let preview = mappings::preview(self.ws, &self.integration()?, &self.sample)?;
        let wrong = preview.records.iter().find(|record| record.fate != Fate::Created || record.cells.iter().any(|cell| cell.error.is_some()));
        match wrong {
            None if !preview.records.is_empty() => Ok(()),
            _ => Err(unexpected("preview", wrong.map_or(0, |record| record.number))),
        }
    }

    fn grant(&mut self) -> Result<()> {
        let mut integration = self.integration()?;
        let entity = |name: &str| Entity { kind: EntityKind::Application, name: name.to_owned() };
        permissions::grant(&mut integration, None, Some(entity(APPLICATION)))?;
        let saved = integrations::save(self.ws, &integration)?;
        let allowed = |name| permissions::check(&saved, Action::AppMembershipWrite, &entity(name)).allowed;
        if allowed(APPLICATION) && !allowed("Another") { Ok(()) } else { Err(unexpected("permission check", allowed("Another"))) }
    }

    async fn launch(&mut self) -> Result<()> {
        let launched = integrations::launch(self.ws, INTEGRATION, self.sink).await?;
        if launched.state == IntegrationState::Active { Ok(()) } else { Err(unexpected("launch", format!("{:?}", launched.state))) }
    }

    /// Runs it, and compares the counts with what the vendor served.
    async fn run(&mut self) -> Result<()> {
        let expected = self.expected()?;
        let run = runs::start(self.ws, INTEGRATION, &RunOptions::default(), self.sink).await?;
        self.walked.runs.push(run.clone());
        if run.state != RunState::Succeeded {
            return Err(run.problem.unwrap_or_else(|| unexpected("run", format!("{:?}", run.state))));
        }
        let found = counts(&run);
        if found == expected { Ok(()) } else { Err(problem!(Failed, "demo.miscounted", found = listed(found), expected = listed(expected))) }
    }

    /// What a run has to do, from the people that the vendor lists now and those that the inventory holds.
    fn expected(&mut self) -> Result<Counts> {
        let integration = self.integration()?;
        let mapped = |path: &str| {
            integration.mappings.iter().any(|mapping| match &mapping.from {
                Mapped::Path(from) => from == path,
                Mapped::Expression(text) => text.contains(path),
                _ => false,
            })
        };
        let differs = |a: &Person, b: &Person| {
            (mapped("id") && a.id != b.id)
                || (mapped("name") && a.name != b.name)
                || (mapped("locale") && a.locale != b.locale)
                || (mapped("time_zone") && a.time_zone != b.time_zone)
                || (mapped("verified") && a.verified != b.verified)
                || (mapped("verified_time") && a.verified_time != b.verified_time)
        };
        let now = self.demo.practice.expected();
        let mut counts = Counts { read: now.len() as u64, ..Counts::default() };
        let mut present = HashMap::new();
        for person in now {
            // The inventory's sync key does not tell upper from lower case.
            let key = person.email.to_lowercase();
            match self.kept.get(&key) {
                None => counts.created += 1,
                Some((_, false)) => counts.reactivated += 1,
                Some((before, true)) if differs(before, &person) => counts.updated += 1,
                Some(_) => counts.unchanged += 1,
            }
            present.insert(key, (person, true));
        }
        for (key, (_, active)) in &mut self.kept {
            if *active && !present.contains_key(key) {
                *active = false;
                counts.deactivated += 1;
            }
        }
        self.kept.extend(present);
        Ok(counts)
    }

    fn look(&mut self) -> Result<()> {
        let count = |table, where_: Option<&str>| {
            let query = DataQuery { where_: where_.map(str::to_owned), ..DataQuery::default() };
            data::query(self.ws, table, &query).map(|page| page.total)
        };
        self.walked.people = count(Table::People, None)?;
        let active = count(Table::People, Some("active = true"))?;
        let there = self.demo.practice.people();
        if self.walked.people != self.kept.len() as u64 || active != there {
            return Err(unexpected("data people", format!("{} ({active})", self.walked.people)));
        }
        let users = count(Table::SaasUsers, Some("active = true"))?;
        if users != there {
            return Err(unexpected("data saas-users", users));
        }
        // One of them in full, as the vendor has it.
        let Some(person) = self.demo.practice.expected().into_iter().next_back() else { return Err(unexpected("practice", 0)) };
        let record = data::get(self.ws, Table::People, &person.email)?;
        let name = record.values.get("full_name").map(ToString::to_string).unwrap_or_default();
        if record.active && name == person.name { Ok(()) } else { Err(unexpected("data people", name)) }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    read: u64,
    created: u64,
    updated: u64,
    unchanged: u64,
    deactivated: u64,
    reactivated: u64,
    failed: u64,
}

fn counts(run: &Run) -> Counts {
    let Run { read, created, updated, unchanged, deactivated, reactivated, failed, .. } = *run;
    Counts { read, created, updated, unchanged, deactivated, reactivated, failed }
}

fn listed(counts: Counts) -> String {
    let Counts { read, created, updated, unchanged, deactivated, reactivated, failed } = counts;
    t!(
        "demo.counts",
        read = read,
        created = created,
        updated = updated,
        unchanged = unchanged,
        deactivated = deactivated,
        reactivated = reactivated,
        failed = failed
    )
}
