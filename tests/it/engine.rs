//! Whole runs, through the use cases, against the practice vendor and against files.

use std::collections::BTreeMap;
use std::time::Duration;

use intertie::model::{
    CancellationToken, DataQuery, Every, Integration, IntegrationKind, Mapped, ProblemKind, Run, RunOptions, RunState, Secret, Sink, Sort, Table,
    Value,
};
use intertie::ops::data::ExportFormat;
use intertie::ops::overview::NextStepKind;
use intertie::ops::{Config, Workspace, credentials, data, integrations, mappings, notices, overview, runs, schedule};
use intertie::practice::{self, Fault, Options, Practice, When};

struct Stage {
    _dir: crate::searched::Place,
    ws: Workspace,
    practice: Practice,
    name: String,
}

impl Stage {
    /// A workspace with a launched integration for the practice vendor's members.
    async fn new(people: u64, change: impl FnOnce(&Workspace, &mut Integration)) -> Self {
        let practice = practice::start(Options { people, ..Options::default() }).await.unwrap();
        let dir = crate::searched::place();
        let ws = Workspace::open(dir.path(), Config::default());
        let mut draft = credentials::draft_new(&ws, "practice-clickwrap", Some("client_credentials")).unwrap();
        draft.name = "Practice".to_owned();
        draft.settings.insert("address".to_owned(), practice.base_url.clone());
        draft.settings.insert("client_id".to_owned(), practice::CLIENT_ID.to_owned());
        credentials::draft_save(&ws, &draft).unwrap();
        credentials::draft_secret(&ws, &draft.id, "client_secret", Secret::new(practice::CLIENT_SECRET)).unwrap();
        credentials::draft_finish(&ws, &draft.id).unwrap();
        let mut integration = integrations::new(&ws, "Members").unwrap();
        integrations::set_source(&ws, &mut integration, "Practice", Some("members")).unwrap();
        integration.kind = IntegrationKind::UserAndSaasUser;
        integration.deactivate = true;
        integration.sync_key = vec!["external_id".to_owned()];
        for (field, from) in [
            ("external_id", "id"),
            ("email", "email"),
            ("full_name", "name"),
            ("user_type", "=member"),
            ("locale", "locale"),
            ("time_zone", "time_zone"),
            ("verified", "verified"),
            ("verified_time", "verified_time"),
        ] {
            mappings::set(&ws, &mut integration, field, mappings::parse(from)).unwrap();
        }
        change(&ws, &mut integration);
        integrations::save(&ws, &integration).unwrap();
        integrations::launch(&ws, "Members", &Sink::none()).await.unwrap();
        Self { _dir: dir, ws, practice, name: "Members".to_owned() }
    }

    async fn run(&self) -> Run {
        runs::start(&self.ws, &self.name, &RunOptions::default(), &Sink::none()).await.unwrap()
    }

    /// Name and address of those who are active, by identifier at the vendor.
    fn active(&self) -> BTreeMap<String, (String, String)> {
        let query = DataQuery { where_: Some("active = true".to_owned()), limit: 100_000, ..DataQuery::default() };
        let text = |value: &Value| value.to_string();
        let page = data::query(&self.ws, Table::People, &query).unwrap();
        assert_eq!(page.total, page.records.len() as u64);
        page.records.iter().map(|record| (record.key.clone(), (text(&record.values["full_name"]), text(&record.values["email"])))).collect()
    }

    fn expected(&self) -> BTreeMap<String, (String, String)> {
        self.practice.expected().into_iter().map(|person| (person.id.to_string(), (person.name, person.email))).collect()
    }
}

fn nothing(_: &Workspace, _: &mut Integration) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_counts_of_each_run_are_what_changed_at_the_vendor() {
    let stage = Stage::new(250, nothing).await;
    let first = stage.run().await;
    assert_eq!((first.state, first.read, first.created, first.pages), (RunState::Succeeded, 250, 250, 3), "{first:?}");
    assert!(first.bytes > 10_000 && first.requests >= 3);
    assert_eq!(stage.active(), stage.expected());
    let again = stage.run().await;
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 250));
    for _ in 0..5 {
        let day = stage.practice.pass_a_day();
        let run = stage.run().await;
        let changed = [run.created, run.updated, run.deactivated, run.reactivated].map(|count| count as usize);
        assert_eq!(changed, [day.joined.len(), day.renamed.len() + day.verified.len(), day.left.len(), day.returned.len()], "{run:?}");
        assert_eq!(run.created + run.updated + run.unchanged + run.reactivated, run.read);
        assert_eq!((run.state, run.failed), (RunState::Succeeded, 0));
        assert_eq!(stage.active(), stage.expected());
    }
    // Each person has a SaaS user of the linked application.
    assert_eq!(data::saas_applications(&stage.ws).unwrap(), [("Practice Clickwrap".to_owned(), stage.practice.people())]);
    assert_eq!(runs::list(&stage.ws, Some("Members"), 3).unwrap().len(), 3);
    let summary = overview::summary(&stage.ws).unwrap();
    assert_eq!((summary.credentials, summary.running.len(), summary.failed.len(), summary.unread), (1, 0, 0, 0));
    assert_eq!(summary.next_steps.iter().map(|step| step.kind).collect::<Vec<_>>(), [NextStepKind::LookAtData]);
    assert!(integrations::get(&stage.ws, "Members").unwrap().last_run.unwrap().ends_with(" succeeded"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_only_tracked_changes_nobody() {
    let stage = Stage::new(30, |ws, integration| {
        let synced = mappings::add_field(ws, Table::People, "Connector: Sync Time", intertie::model::FieldType::Time).unwrap();
        let with = mappings::add_field(ws, Table::People, "Connect: Credentials", intertie::model::FieldType::Text).unwrap();
        mappings::set(ws, integration, &synced.key, Mapped::SyncTime).unwrap();
        mappings::set(ws, integration, &with.key, Mapped::CredentialName).unwrap();
    })
    .await;
    let first = stage.run().await;
    // Sync times are kept to the second.
    let second = loop {
        let run = stage.run().await;
        if run.started.as_second() > first.started.as_second() {
            break run;
        }
    };
    assert_eq!((second.state, second.unchanged, second.updated), (RunState::Succeeded, 30, 0));
    let page = data::query(&stage.ws, Table::People, &DataQuery { limit: 30, ..DataQuery::default() }).unwrap();
    let columns = data::columns(&stage.ws, Table::People).unwrap();
    let key = |label: &str| columns.iter().find(|column| column.label == label).unwrap().key.clone();
    let time = |run: &Run| intertie::model::Time::from_second(run.started.as_second()).unwrap().to_string();
    for record in page.records {
        assert_eq!(record.values[&key("Connector: Sync Time")], Value::Text(time(&second)));
        assert_eq!(record.values[&key("Connect: Credentials")], Value::Text("Practice".to_owned()));
        assert_eq!(record.run, first.run, "it was last changed by the run that made it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_faults_are_got_over() {
    let faults = [
        Fault::TooMany { retry_after: 1 },
        Fault::ServerError,
        Fault::Truncated,
        Fault::Reset,
        Fault::Expired,
        Fault::Slow(Duration::from_millis(50)),
    ];
    let all = faults.map(async |fault| {
        let stage = Stage::new(250, nothing).await;
        stage.run().await;
        stage.practice.pass_a_day();
        stage.practice.faults.set(fault.clone(), When::PageOnce(2));
        let run = stage.run().await;
        assert_eq!((run.state, run.failed), (RunState::Succeeded, 0), "{fault:?}: {run:?}");
        assert_eq!(stage.active(), stage.expected(), "{fault:?}");
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_fails_stores_whole_pages_and_deactivates_nobody() {
    let faults = [Fault::ServerError, Fault::Truncated, Fault::Malformed, Fault::WebPage, Fault::Forbidden, Fault::Reset];
    let all = faults.map(async |fault| {
        let stage = Stage::new(250, nothing).await;
        stage.run().await;
        let before = stage.active();
        let day = stage.practice.pass_a_day();
        assert!(!day.left.is_empty());
        stage.practice.faults.set(fault.clone(), When::Page(2));
        let run = stage.run().await;
        assert_eq!((run.state, run.deactivated, run.pages, run.read), (RunState::Failed, 0, 1, 100), "{fault:?}: {run:?}");
        assert_eq!(run.created + run.updated + run.unchanged + run.reactivated, 100, "{fault:?}: {run:?}");
        let problem = run.problem.unwrap();
        assert!(!problem.why.is_empty() && !problem.next_step.is_empty());
        let active = stage.active();
        assert!(before.keys().all(|id| active.contains_key(id)), "{fault:?}: somebody was deactivated");
        // Everybody is told, and once all is well again it ends right.
        let told = notices::list(&stage.ws, true, 10).unwrap();
        assert_eq!(told.len(), 1, "{fault:?}: {told:?}");
        assert_eq!(overview::summary(&stage.ws).unwrap().next_steps[0].kind, NextStepKind::LookAtFailedRun);
        stage.practice.faults.clear();
        let run = runs::resume(&stage.ws, &run.run, &Sink::none()).await.unwrap();
        assert_eq!((run.state, run.deactivated), (RunState::Succeeded, day.left.len() as u64), "{fault:?}: {run:?}");
        assert_eq!(stage.active(), stage.expected(), "{fault:?}");
        assert_eq!(notices::list(&stage.ws, true, 10).unwrap().len(), 2);
    });
    futures_util::future::join_all(all).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_answer_and_a_strange_one() {
    let stage = Stage::new(120, nothing).await;
    stage.run().await;
    stage.practice.faults.set(Fault::Empty, When::Always);
    let run = stage.run().await;
    assert_eq!((run.state, run.read, run.deactivated), (RunState::Partial, 0, 0));
    assert_eq!(run.problem.unwrap().kind, ProblemKind::PersonMustAct);
    assert_eq!(stage.active().len(), 120);
    stage.practice.faults.clear();
    // Names with escape sequences and one of a megabyte are data like any other.
    stage.practice.faults.set(Fault::Hostile, When::Always);
    let run = stage.run().await;
    assert_eq!((run.read, run.failed + run.updated + run.unchanged, run.deactivated), (120, 120, 0), "{run:?}");
    for error in runs::errors(&stage.ws, &run.run, 0, 1_000).unwrap() {
        assert!(intertie::words::clean::is_clean(&error.message) && error.message.chars().count() <= 300);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rehearsal_a_limit_and_a_draft() {
    let stage = Stage::new(150, nothing).await;
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let rehearsed = runs::start(&stage.ws, "Members", &options, &Sink::none()).await.unwrap();
    assert_eq!((rehearsed.state, rehearsed.created, stage.active().len()), (RunState::Succeeded, 150, 0));
    let options = RunOptions { limit: Some(7), ..RunOptions::default() };
    let limited = runs::start(&stage.ws, "Members", &options, &Sink::none()).await.unwrap();
    assert_eq!((limited.read, limited.created, stage.active().len()), (7, 7, 7));
    integrations::new(&stage.ws, "Half").unwrap();
    let refused = runs::start(&stage.ws, "Half", &RunOptions::default(), &Sink::none()).await.unwrap_err();
    assert_eq!(refused.kind, ProblemKind::PersonMustAct);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_cancelled_from_another_process() {
    let stage = Stage::new(250, nothing).await;
    stage.practice.faults.set(Fault::Slow(Duration::from_secs(120)), When::Page(2));
    let other = Workspace::open(stage.ws.dir(), Config::default());
    let cancel = async {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        let run = loop {
            if let Some(run) = overview::summary(&other).unwrap().running.into_iter().find(|run| run.pages == 1) {
                break run;
            }
            assert!(tokio::time::Instant::now() < deadline, "no run is seen");
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        runs::cancel(&other, &run.run).unwrap();
    };
    let (run, ()) = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(stage.run(), cancel) }).await.unwrap();
    assert_eq!((run.state, run.created), (RunState::Cancelled, 100));
    assert!(runs::cancel(&other, &run.run).is_err(), "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_due_runs_once() {
    let stage = Stage::new(20, |_, integration| integration.schedule.every = Every::Minutes(5)).await;
    assert!(schedule::due(&stage.ws).unwrap().is_empty(), "just launched");
    assert_eq!(schedule::upcoming(&stage.ws).unwrap().len(), 1);
    // As if it had been launched three hours ago.
    let earlier = intertie::model::Time::now() - Duration::from_secs(3 * 3600);
    let sql = "update integrations set doc = json_set(doc, '$.launched', ?)";
    intertie::store::Store::open(stage.ws.dir()).unwrap().write(|tx| Ok(tx.execute(sql, [earlier.to_string()])?)).unwrap();
    assert_eq!(schedule::due(&stage.ws).unwrap().len(), 1);
    let cancel = CancellationToken::new();
    let (sink, seen) = (Sink::new(|_| {}, cancel.clone()), std::sync::Mutex::new(Vec::new()));
    let on_run = |run: &Run| {
        seen.lock().unwrap().push(run.clone());
        cancel.cancel();
    };
    tokio::time::timeout(Duration::from_secs(20), schedule::stay(&stage.ws, &sink, &on_run)).await.unwrap().unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!((seen.len(), seen[0].state, seen[0].created), (1, RunState::Succeeded, 20));
    assert!(schedule::run_due(&stage.ws, &Sink::none()).await.unwrap().is_empty());
    let told = notices::list(&stage.ws, true, 9).unwrap();
    assert!(told.len() == 1 && told[0].title.contains("missed"), "{told:?}");
    notices::mark(&stage.ws, None, true).unwrap();
    assert!(notices::list(&stage.ws, true, 9).unwrap().is_empty());
    assert!(notices::mark(&stage.ws, Some(99), true).is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_hundred_thousand_lines() {
    let dir = crate::searched::place();
    let file = dir.path().join("people.csv");
    let mut text = String::from("\u{feff}mail,name,note\r\n");
    for i in 0..100_000 {
        match i {
            // Line 1 is the header: these are lines 502 and 70,002.
            500 => text.push_str("\"no address here\",\"Nobody, at all\",x\r\n"),
            70_000 => text.push_str("p7@example.com,Twin,x\r\n"),
            _ => text.push_str(&format!("p{i}@example.com,\"Person \"\"{i}\"\", =Esq.\",\"-1\"\r\n")),
        }
    }
    std::fs::write(&file, text).unwrap();
    let ws = Workspace::open(&dir.path().join("workspace"), Config::default());
    let mut draft = credentials::draft_new(&ws, "file", None).unwrap();
    draft.name = "File".to_owned();
    draft.settings.insert("path".to_owned(), file.display().to_string());
    credentials::draft_save(&ws, &draft).unwrap();
    credentials::draft_finish(&ws, &draft.id).unwrap();
    let mut integration = integrations::new(&ws, "People").unwrap();
    integrations::set_source(&ws, &mut integration, "File", Some("users")).unwrap();
    for (field, from) in [("email", "mail"), ("full_name", "name"), ("user_type", "=person"), ("position", "note")] {
        mappings::set(&ws, &mut integration, field, mappings::parse(from)).unwrap();
    }
    integrations::save(&ws, &integration).unwrap();
    integrations::launch(&ws, "People", &Sink::none()).await.unwrap();
    let run = runs::start(&ws, "People", &RunOptions::default(), &Sink::none()).await.unwrap();
    assert_eq!((run.state, run.read, run.created, run.failed), (RunState::Partial, 100_000, 99_998, 2), "{run:?}");
    let errors = runs::errors(&ws, &run.run, 0, 10).unwrap();
    assert_eq!(errors.iter().map(|error| error.number).collect::<Vec<_>>(), [502, 70_002], "{errors:?}");
    assert!(errors[1].message.contains("record 9"), "{errors:?}");
    let found = data::get(&ws, Table::People, "P99999@example.com").unwrap();
    assert_eq!(found.values["full_name"], Value::Text("Person \"99999\", =Esq.".to_owned()));
    // A page in any order.
    let sort = Some(Sort { field: "email".to_owned(), descending: true });
    let page = data::query(&ws, Table::People, &DataQuery { sort, limit: 1, search: "person".to_owned(), ..DataQuery::default() }).unwrap();
    assert_eq!((page.total, page.records[0].key.as_str()), (99_998, "p9@example.com"));
    // Out again, as CSV and as JSON lines.
    let mut out = Vec::new();
    let query = DataQuery { where_: Some("email = p3@example.com".to_owned()), ..DataQuery::default() };
    assert_eq!(data::export(&ws, Table::People, &query, ExportFormat::Csv, &mut out, &Sink::none()).unwrap(), 1);
    let text = String::from_utf8(out).unwrap();
    assert!(text.starts_with("email,full_name,user_type,") && text.contains("\"Person \"\"3\"\", =Esq.\"") && text.contains(",'-1,"), "{text}");
    let mut out = Vec::new();
    assert_eq!(data::export(&ws, Table::People, &DataQuery::default(), ExportFormat::Jsonl, &mut out, &Sink::none()).unwrap(), 99_998);
    let first: serde_json::Value = serde_json::from_slice(out.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!((first["email"].as_str(), first["active"].as_bool()), (Some("p0@example.com"), Some(true)));
    assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 99_998);
}
