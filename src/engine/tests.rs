//! Whole runs against pages made here: what is stored, what is counted, who is deactivated.

use std::collections::VecDeque;

use super::*;
use crate::model::{DataQuery, IntegrationKind, IntegrationState, Preference, RecordError, Severity};
use crate::store::{inventory, notices};
use serde_json::json;

struct Pages {
    pages: VecDeque<Result<Page, Problem>>,
    /// After the last page: wait for ever, as a vendor that does not answer.
    hang: bool,
}

impl Read for Pages {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Problem>> {
        Box::pin(async move {
            match self.pages.pop_front() {
                Some(page) => page.map(Some),
                None if self.hang => std::future::pending().await,
                None => Ok(None),
            }
        })
    }
}

/// Rows are `[email, full_name, active]`; the name "!" cannot be mapped, and "-" is filtered.
struct Plain(bool);

fn fields() -> Vec<String> {
    ["email", "full_name"].map(str::to_owned).to_vec()
}

impl Take for Plain {
    fn fields(&self) -> Vec<Vec<String>> {
        let saas = vec!["user_name".to_owned()];
        if self.0 { vec![fields(), saas] } else { vec![fields()] }
    }

    fn take(&self, row: &mut Row) -> Taken {
        let text = |i: usize| row.slots[i].as_str().map_or(Value::Null, |text| Value::Text(text.to_owned()));
        let sides = |name| if self.0 { vec![vec![text(0), name], vec![text(0)]] } else { vec![vec![text(0), name]] };
        match row.slots[1].as_str() {
            Some("-") => Taken::Filtered,
            Some("!") => Taken::Failed { values: sides(Value::Null), field: Some("full_name".to_owned()), message: "no such thing".to_owned() },
            _ => Taken::Values { values: sides(text(1)), active: row.slots[2].as_bool().unwrap_or(true) },
        }
    }
}

struct Bench {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    integration: Integration,
    tables: &'static [Table],
    options: RunOptions,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let integration = serde_json::from_value(json!({
        "id": "int_a", "name": "Clickwrap", "state": "active", "credential": "cred_a", "connector": "practice", "resource": "members",
        "kind": "user", "installation": "local", "preference": "create_and_update", "deactivate": true, "contacts": ["ada@example.com"],
        "schedule": {"every": "daily", "at": "02:00", "time_zone": "UTC"}, "sync_key": ["email"], "mappings": [],
        "created": "2026-01-01T00:00:00Z", "changed": "2026-01-01T00:00:00Z"
    }))
    .unwrap();
    Bench { _dir: dir, store, integration, tables: &[Table::People], options: RunOptions::default() }
}

type Row3<'a> = (&'a str, &'a str, bool);

impl Bench {
    async fn run_pages(&self, pages: Vec<Result<Page, Problem>>, hang: bool, sink: &Sink) -> Run {
        let job = Job { integration: self.integration.clone(), tables: self.tables, options: self.options.clone(), share: 30 };
        let saas = self.tables.len() > 1;
        let open = move |_: &Run, _: &Sink| Ok(Opened { read: Box::new(Pages { pages: pages.into(), hang }), take: Box::new(Plain(saas)) });
        run(&self.store, job, open, sink).await.unwrap()
    }

    /// One page for each list.
    async fn run(&self, pages: &[&[Row3<'_>]]) -> Run {
        self.run_pages(numbered(pages), false, &Sink::none()).await
    }

    fn people(&self) -> Vec<(String, String, bool)> {
        let query = DataQuery { limit: 10_000, ..DataQuery::default() };
        let page = inventory::query(&self.store, Table::People, &query).unwrap();
        page.records.into_iter().map(|record| (record.key, record.values["full_name"].to_string(), record.active)).collect()
    }

    fn errors(&self, run: &Run) -> Vec<(u64, String, String)> {
        let errors = self.store.read(|c| runs::errors(c, &run.run, 0, 100)).unwrap();
        errors.into_iter().map(|error| (error.number, error.key, error.message)).collect()
    }

    fn notices(&self) -> Vec<String> {
        self.store.read(|c| notices::list(c, false, 100)).unwrap().into_iter().map(|notice| notice.title).collect()
    }
}

fn numbered(pages: &[&[Row3<'_>]]) -> Vec<Result<Page, Problem>> {
    let mut number = 0;
    let mut page = |rows: &&[Row3<'_>]| {
        let mut row = |(email, name, active): &Row3<'_>| {
            number += 1;
            let email = if email.is_empty() { json!(null) } else { json!(email) };
            Row { number, slots: vec![email, json!(name), json!(active)] }
        };
        Ok(Page { rows: rows.iter().map(&mut row).collect(), bytes: 100, requests: 1, ..Page::default() })
    };
    pages.iter().map(&mut page).collect()
}

fn counts(run: &Run) -> [u64; 9] {
    [run.read, run.filtered, run.created, run.updated, run.unchanged, run.deactivated, run.reactivated, run.skipped, run.failed]
}

const ADA: Row3<'_> = ("ada@example.com", "Ada", true);
const BOB: Row3<'_> = ("bob@example.com", "Bob", true);
const CID: Row3<'_> = ("cid@example.com", "Cid", true);

#[tokio::test]
async fn a_first_run_creates_and_the_next_stores_the_difference() {
    let bench = bench();
    let run = bench.run(&[&[ADA, BOB], &[CID, ("dan@example.com", "-", true)]]).await;
    assert_eq!(counts(&run), [4, 1, 3, 0, 0, 0, 0, 0, 0]);
    assert_eq!((run.state, run.pages, run.requests, run.bytes), (RunState::Succeeded, 2, 2, 200));
    assert!(run.ended.is_some() && run.problem.is_none());
    // Bob is renamed, Cid is gone, Eve is new, Ada's address changes its case.
    let run = bench.run(&[&[("ADA@example.com", "Ada", true), ("bob@example.com", "Robert", true)], &[("eve@example.com", "Eve", true)]]).await;
    assert_eq!(counts(&run), [3, 0, 1, 2, 0, 1, 0, 0, 0]);
    // Cid is back, with another name, and Bob is called inactive.
    let run = bench.run(&[&[ADA, ("bob@example.com", "Robert", false), ("cid@example.com", "Sid", true), ("eve@example.com", "Eve", true)]]).await;
    assert_eq!(counts(&run), [4, 0, 0, 1, 2, 1, 1, 0, 0]);
    let person = |email: &str, name: &str, active| (email.to_owned(), name.to_owned(), active);
    assert_eq!(
        bench.people(),
        [
            person("ada@example.com", "Ada", true),
            person("bob@example.com", "Robert", false),
            person("cid@example.com", "Sid", true),
            person("eve@example.com", "Eve", true)
        ]
    );
    assert_eq!(bench.notices(), Vec::<String>::new());
    assert_eq!(bench.store.read(|c| runs::get(c, &run.run)).unwrap(), Some(run));
}

#[tokio::test]
async fn nobody_is_deactivated_unless_asked_for() {
    let mut bench = bench();
    bench.integration.deactivate = false;
    bench.run(&[&[ADA, ("bob@example.com", "Bob", false)]]).await;
    let run = bench.run(&[&[ADA]]).await;
    assert_eq!((run.deactivated, run.unchanged), (0, 1));
    assert!(bench.people().iter().all(|(_, _, active)| *active));
}

#[tokio::test]
async fn a_read_that_failed_or_is_empty_deactivates_nobody() {
    let bench = bench();
    bench.run(&[&[ADA, BOB]]).await;
    let failure = || Problem::new(crate::model::ProblemKind::Failed, "The vendor is away", "It said 500", "Wait");
    let mut pages = numbered(&[&[CID]]);
    pages.push(Err(failure()));
    let run = bench.run_pages(pages, false, &Sink::none()).await;
    assert_eq!((run.state, run.created, run.deactivated), (RunState::Failed, 1, 0));
    assert_eq!(run.problem, Some(failure()));
    let run = bench.run(&[]).await;
    assert_eq!((run.state, run.deactivated), (RunState::Partial, 0));
    let run_filtered = bench.run(&[&[("x", "-", true)]]).await;
    assert_eq!((run_filtered.state, run_filtered.deactivated, run_filtered.filtered), (RunState::Partial, 0, 1));
    assert!(bench.people().iter().all(|(_, _, active)| *active));
    let run = bench.run(&[&[ADA, BOB, CID]]).await;
    assert_eq!((run.state, run.unchanged), (RunState::Succeeded, 3));
    let name = "“Clickwrap”";
    assert_eq!(bench.notices(), [format!("{name} works again"), format!("{name} was done only in part"), format!("{name} failed")]);
    let contacts = bench.store.read(|c| notices::list(c, false, 1)).unwrap().remove(0);
    assert_eq!((contacts.contacts, contacts.severity), (vec!["ada@example.com".to_owned()], Severity::Hint));
}

#[tokio::test]
async fn too_many_missing_deactivate_nobody() {
    let bench = bench();
    let emails: Vec<String> = (0..40).map(|i| format!("p{i}@example.com")).collect();
    let rows: Vec<Row3<'_>> = emails.iter().map(|email| (email.as_str(), "P", true)).collect();
    bench.run(&[&rows]).await;
    // 13 of 40 are more than 30 %.
    let run = bench.run(&[&rows[13..]]).await;
    assert_eq!((run.state, run.deactivated), (RunState::Partial, 0));
    let problem = run.problem.unwrap();
    assert_eq!(problem.kind, crate::model::ProblemKind::PersonMustAct);
    assert!(problem.why.contains("13 of 40") && problem.next_step.contains("deactivate_share = 33"), "{problem:?}");
    // 12 are exactly 30 %.
    assert_eq!(bench.run(&[&rows[12..]]).await.deactivated, 12);
    // 10 are few, whatever the share.
    assert_eq!(bench.run(&[&rows[22..]]).await.deactivated, 10);
    assert_eq!(bench.run(&[&rows[28..]]).await.deactivated, 6);
}

#[tokio::test]
async fn records_that_fail_are_reported_and_not_missed() {
    let bench = bench();
    bench.run(&[&[ADA, BOB, CID]]).await;
    let run = bench.run(&[&[ADA, ("bob@example.com", "!", true)], &[("ADA@example.com", "Imposter", true)]]).await;
    assert_eq!(counts(&run), [3, 0, 0, 0, 1, 1, 0, 0, 2]);
    assert_eq!(run.state, RunState::Partial);
    let text = |t: &str| t.to_owned();
    assert_eq!(
        bench.errors(&run),
        [(2, text("bob@example.com"), text("no such thing")), (3, text("ADA@example.com"), text("record 1 of the same read has the same sync key"))]
    );
    assert_eq!(bench.people()[0].1, "Ada");
    // Without its key, it cannot be known who is missing.
    let run = bench.run(&[&[ADA, ("", "Nobody", true)]]).await;
    assert_eq!((run.state, run.deactivated, run.failed), (RunState::Partial, 0, 1));
    assert!(run.problem.unwrap().why.contains("sync key"));
    // Nor when a record could not be read at all.
    let mut pages = numbered(&[&[ADA]]);
    let bad = RecordError { number: 2, key: String::new(), field: None, message: "not an object".to_owned() };
    pages.push(Ok(Page { bad: vec![bad], ..Page::default() }));
    let run = bench.run_pages(pages, false, &Sink::none()).await;
    assert_eq!((run.state, run.deactivated, run.read), (RunState::Partial, 0, 2));
    // When nothing at all can be taken, it failed.
    let run = bench.run(&[&[("a", "!", true), ("b", "!", true)]]).await;
    assert_eq!((run.state, run.failed, run.deactivated), (RunState::Failed, 2, 0));
}

#[tokio::test]
async fn preferences_are_kept() {
    let mut bench = bench();
    bench.integration.deactivate = false;
    bench.integration.preference = Preference::UpdateOnly;
    assert_eq!(counts(&bench.run(&[&[ADA]]).await), [1, 0, 0, 0, 0, 0, 0, 1, 0]);
    bench.integration.preference = Preference::CreateOnly;
    assert_eq!(counts(&bench.run(&[&[ADA]]).await), [1, 0, 1, 0, 0, 0, 0, 0, 0]);
    let renamed = ("ada@example.com", "Lady Ada", true);
    assert_eq!(counts(&bench.run(&[&[renamed, BOB]]).await), [2, 0, 1, 0, 0, 0, 0, 1, 0]);
    bench.integration.preference = Preference::UpdateOnly;
    assert_eq!(counts(&bench.run(&[&[renamed, CID]]).await), [2, 0, 0, 1, 0, 0, 0, 1, 0]);
    assert_eq!(bench.people().len(), 2);
}

#[tokio::test]
async fn a_rehearsal_counts_the_same_and_stores_nothing() {
    let mut bench = bench();
    bench.run(&[&[ADA, BOB]]).await;
    let pages: &[&[Row3<'_>]] = &[&[("ada@example.com", "Lady Ada", true), CID], &[("CID@example.com", "Twin", true), ("x@example.com", "!", true)]];
    let before = bench.people();
    bench.options.dry_run = true;
    let rehearsed = bench.run(pages).await;
    assert_eq!(bench.people(), before);
    bench.options.dry_run = false;
    let run = bench.run(pages).await;
    assert_eq!(counts(&rehearsed), counts(&run));
    assert_eq!(counts(&run), [4, 0, 1, 1, 0, 1, 0, 0, 2]);
    assert_eq!(rehearsed.state, run.state);
    assert_eq!(bench.errors(&rehearsed), bench.errors(&run));
    assert!(rehearsed.dry_run && !run.dry_run);
}

#[tokio::test]
async fn a_limit_takes_the_first_and_deactivates_nobody() {
    let mut bench = bench();
    bench.run(&[&[ADA, BOB, CID]]).await;
    bench.options.limit = Some(1);
    let run = bench.run(&[&[ADA, BOB], &[CID]]).await;
    assert_eq!(counts(&run), [1, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!((run.state, run.pages), (RunState::Succeeded, 1));
    bench.options.limit = Some(99);
    assert_eq!(bench.run(&[&[ADA]]).await.deactivated, 0);
}

#[tokio::test]
async fn whoever_did_not_change_is_not_missing() {
    let mut bench = bench();
    bench.run(&[&[ADA, BOB, CID]]).await;
    bench.options.since = Some(Time::now());
    assert_eq!(bench.run(&[&[ADA]]).await.deactivated, 0);
    bench.options.since = None;
    assert_eq!(bench.run(&[&[ADA, BOB]]).await.deactivated, 1);
}

#[tokio::test]
async fn a_saas_user_goes_with_each_person() {
    let mut bench = bench();
    bench.integration.kind = IntegrationKind::UserAndSaasUser;
    bench.integration.saas_application = Some("Ironclad".to_owned());
    bench.tables = &[Table::People, Table::SaasUsers];
    assert_eq!(bench.run(&[&[ADA, BOB]]).await.created, 2);
    let saas = || {
        let query = DataQuery { limit: 10, application: Some("Ironclad".to_owned()), ..DataQuery::default() };
        let page = inventory::query(&bench.store, Table::SaasUsers, &query).unwrap();
        page.records.into_iter().map(|record| (record.values["user_name"].to_string(), record.active)).collect::<Vec<_>>()
    };
    assert_eq!(saas(), [("ada@example.com".to_owned(), true), ("bob@example.com".to_owned(), true)]);
    let run = bench.run(&[&[ADA]]).await;
    assert_eq!((run.deactivated, run.unchanged), (1, 1));
    assert_eq!(saas()[1], ("bob@example.com".to_owned(), false));
    let run = bench.run(&[&[ADA, BOB]]).await;
    assert_eq!(counts(&run), [2, 0, 0, 0, 1, 0, 1, 0, 0]);
    assert!(saas()[1].1);
    assert_eq!(bench.store.saas_applications().unwrap(), [("Ironclad".to_owned(), 2)]);
}

#[tokio::test]
async fn records_of_another_integration_are_updated_and_left_alone_otherwise() {
    let bench = bench();
    let mut other = super::tests::bench();
    other.store = bench.store.clone();
    other.integration.id = "int_b".to_owned();
    bench.run(&[&[ADA, BOB]]).await;
    let run = other.run(&[&[("ada@example.com", "Ada L.", false), CID]]).await;
    assert_eq!(counts(&run), [2, 0, 1, 1, 0, 0, 0, 0, 0]);
    let run = other.run(&[&[CID]]).await;
    assert_eq!(run.deactivated, 0);
    assert!(bench.people().iter().all(|(_, _, active)| *active));
}

#[tokio::test]
async fn one_run_at_a_time_and_a_cancel_reaches_it() {
    let bench = Arc::new(bench());
    let (started, mut reports) = mpsc::unbounded_channel();
    let sink = Sink::new(move |progress| started.send(progress.records).unwrap_or_default(), crate::model::CancellationToken::new());
    let first = tokio::spawn({
        let bench = bench.clone();
        let sink = sink.clone();
        async move { bench.run_pages(numbered(&[&[ADA]]), true, &sink).await }
    });
    assert_eq!(reports.recv().await, Some(1));
    let job = Job { integration: bench.integration.clone(), tables: bench.tables, options: RunOptions::default(), share: 30 };
    let second = run(&bench.store, job, |_, _| unreachable!(), &Sink::none()).await;
    assert!(second.unwrap_err().what.contains("already running"));
    // A sweep leaves a living run alone.
    sweep(&bench.store).unwrap();
    let id = bench.store.read(|c| runs::running(c, None)).unwrap().remove(0).run;
    assert!(bench.store.write(|tx| runs::request_cancel(tx, &id)).unwrap());
    let run = tokio::time::timeout(Duration::from_secs(10), first).await.unwrap().unwrap();
    assert_eq!((run.state, run.created, run.deactivated), (RunState::Cancelled, 1, 0));
    assert!(!sink.cancelled(), "only the run is cancelled");
}

#[tokio::test]
async fn what_a_dead_process_left_is_found_and_completed() {
    let bench = bench();
    let mut dead = Run::begin("int_a", "Clickwrap", Time::now(), false);
    dead.run = "run_dead".to_owned();
    bench.store.write(|tx| runs::insert(tx, &dead)).unwrap();
    sweep(&bench.store).unwrap();
    let state = |id: &str| bench.store.read(|c| runs::get(c, id)).unwrap().unwrap().state;
    assert_eq!(state("run_dead"), RunState::Interrupted);
    dead.run = "run_dead_too".to_owned();
    bench.store.write(|tx| runs::insert(tx, &dead)).unwrap();
    let run = bench.run(&[&[ADA]]).await;
    assert_eq!((state("run_dead_too"), run.state), (RunState::Interrupted, RunState::Succeeded));
    assert_eq!(bench.notices().len(), 3, "two interruptions and a recovery");
}

#[tokio::test]
async fn what_does_not_open_is_a_failed_run() {
    let bench = bench();
    let job = Job { integration: bench.integration.clone(), tables: bench.tables, options: RunOptions::default(), share: 30 };
    let refused = Problem::new(crate::model::ProblemKind::PersonMustAct, "Refused", "The key has ended", "Renew it");
    let told = refused.clone();
    let run = run(&bench.store, job, move |_, _| Err(told), &Sink::none()).await.unwrap();
    assert_eq!((run.state, run.problem), (RunState::Failed, Some(refused)));
    assert_eq!(bench.integration.state, IntegrationState::Active);
}
