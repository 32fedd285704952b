//! A whole integration from a file, through the use cases alone.

use super::*;
use crate::model::{DataQuery, Fate, Installation, Mapped, RunOptions, RunState, Value};
use crate::ops::{Config, data, mappings, runs};

struct Here {
    dir: tempfile::TempDir,
    ws: Workspace,
}

const PEOPLE: &str = "Mail;Given Name;Surname;Seen;Status\n";

impl Here {
    /// A workspace with a credential “People” on a file.
    async fn new(content: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(&dir.path().join("workspace"), Config::default());
        let here = Self { dir, ws };
        here.write(content);
        let mut draft = credentials::draft_new(&here.ws, "file", None).unwrap();
        draft.name = "People".into();
        draft.settings.insert("path".into(), here.file());
        credentials::draft_save(&here.ws, &draft).unwrap();
        credentials::draft_finish(&here.ws, &draft.id).unwrap();
        here
    }

    fn file(&self) -> String {
        self.dir.path().join("people.jsonl").display().to_string()
    }

    fn write(&self, content: &str) {
        std::fs::write(self.file(), content).unwrap();
    }

    fn errors(&self, integration: &Integration) -> Vec<String> {
        let findings = validate(&self.ws, integration).unwrap();
        findings.into_iter().filter(|finding| finding.severity == Severity::Error).map(|finding| finding.place).collect()
    }
}

const THREE: &str = r#"{"mail": "ada@example.com", "profile": {"firstName": "Ada", "lastName": "Lovelace"}, "lastLogin": 1740823200, "role": "owner"}
{"mail": "alan@example.com", "profile": {"firstName": "Alan", "lastName": "Turing"}, "lastLogin": null, "role": "user"}
{"mail": "nobody", "profile": {"firstName": "No", "lastName": "Body"}}
"#;

#[tokio::test]
async fn from_nothing_to_people() {
    let here = Here::new(THREE).await;
    let ws = &here.ws;
    let mut draft = new(ws, "Files").unwrap();
    assert_eq!(new(ws, "files").unwrap().name, "files 2");
    assert!(here.errors(&draft).contains(&"credential".to_owned()));
    set_source(ws, &mut draft, "people", None).unwrap();
    assert_eq!((draft.resource.as_str(), draft.sync_key.clone()), ("users", vec!["email".to_owned()]));
    set_kind(ws, &mut draft, IntegrationKind::UserAndSaasUser).unwrap();
    draft.saas_application = Some("Payroll".into());
    let mut draft = save(ws, &draft).unwrap();
    assert_eq!(data::saas_applications(ws).unwrap(), [("Payroll".to_owned(), 0)]);
    let findings = validate(ws, &draft).unwrap();
    let hint = findings.iter().find(|finding| finding.place == "saas_application").unwrap();
    assert_eq!(hint.severity, Severity::Hint);
    let errors = here.errors(&draft);
    for place in ["mapping.email", "mapping.full_name", "mapping.user_type", "mapping.saas.user_name", "sync_key"] {
        assert!(errors.contains(&place.to_owned()), "{place}: {errors:?}");
    }
    let refused = launch(ws, "Files", &Sink::none()).await.unwrap_err();
    assert!(refused.what.contains("not mapped"), "{refused:?}");
    assert_eq!(refused.exit_code(), 3);
    let all = mappings::fields(ws, &draft).unwrap();
    assert!(all.iter().any(|field| field.key == "saas.role" && !field.mandatory) && all[0].key == "email");

    let sample = mappings::sample(ws, &draft, 50, &Sink::none()).await.unwrap();
    assert_eq!(sample.records.len(), 3);
    for suggestion in mappings::suggest(ws, &draft, &sample).unwrap() {
        mappings::set(ws, &mut draft, &suggestion.field, suggestion.from).unwrap();
    }
    mappings::add_tracking_fields(ws, &mut draft).unwrap();
    let from = |field: &str| draft.mappings.iter().find(|mapping| mapping.field == field).map(|mapping| mapping.from.clone());
    assert_eq!(from("last_login"), Some(Mapped::Path("lastLogin".into())));
    assert_eq!(from("saas.role"), Some(Mapped::Path("role".into())));
    assert_eq!(from("full_name"), Some(Mapped::Expression("profile.firstName ~ ' ' ~ profile.lastName".into())));
    // One of the three is no address, which does not make the field another.
    assert_eq!(from("email"), Some(Mapped::Path("mail".into())));
    let draft = save(ws, &draft).unwrap();
    assert_eq!(here.errors(&draft), Vec::<String>::new());

    let preview = mappings::preview(ws, &draft, &sample).unwrap();
    let fates: Vec<Fate> = preview.records.iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::Created, Fate::Created, Fate::Failed]);
    let role = preview.records[0].cells.iter().find(|cell| cell.field == "saas.role").unwrap();
    assert_eq!((role.sample.as_str(), &role.result), ("owner", &Value::Text("owner".into())));

    let active = launch(ws, "Files", &Sink::none()).await.unwrap();
    assert_eq!(active.state, IntegrationState::Active);
    assert!(next_run(&active, None, Time::now()).is_some());
    let run = runs::start(ws, "Files", &RunOptions::default(), &Sink::none()).await.unwrap();
    assert_eq!((run.state, run.read, run.created, run.failed), (RunState::Partial, 3, 2, 1), "{run:?}");
    let ada = data::get(ws, Table::People, "ada@example.com").unwrap();
    assert_eq!(ada.values["full_name"], Value::Text("Ada Lovelace".into()));
    assert_eq!(ada.values["last_login"], Value::Text("2025-03-01T10:00:00Z".into()));
    assert_eq!(ada.values["custom_connect_credentials"], Value::Text("People".into()));
    let query = DataQuery { application: Some("payroll".into()), limit: 10, ..DataQuery::default() };
    let users = data::query(ws, Table::SaasUsers, &query).unwrap();
    assert_eq!((users.total, users.records[0].values["user_name"].clone()), (2, Value::Text("ada@example.com".into())));
    assert_eq!(
        (users.records[0].values["role"].clone(), users.records[0].values["last_activity"].clone()),
        (Value::Text("owner".into()), Value::Text("2025-03-01T10:00:00Z".into()))
    );

    // What the preview says of stored records is what the run then does.
    here.write(&THREE.replace("Turing", "Mathison").replace("nobody", "grace@example.com"));
    let sample = mappings::sample(ws, &active, 50, &Sink::none()).await.unwrap();
    let preview = mappings::preview(ws, &active, &sample).unwrap();
    let fates: Vec<Fate> = preview.records.iter().map(|record| record.fate).collect();
    assert_eq!(fates, [Fate::Unchanged, Fate::Updated, Fate::Created]);
    let changed = preview.records[1].cells.iter().find(|cell| cell.field == "full_name").unwrap();
    assert_eq!((changed.stored.clone(), changed.result.clone()), (Some(Value::Text("Alan Turing".into())), Value::Text("Alan Mathison".into())));
    let run = runs::start(ws, "Files", &RunOptions::default(), &Sink::none()).await.unwrap();
    assert_eq!((run.unchanged, run.updated, run.created, run.failed), (1, 1, 1, 0), "{run:?}");

    let paused = pause(ws, "Files").unwrap();
    assert_eq!((paused.state, next_run(&paused, None, Time::now())), (IntegrationState::Paused, None));
    delete(ws, "Files").unwrap();
    assert!(get(ws, "Files").is_err() && runs::list(ws, None, 10).unwrap().is_empty());
    assert!(data::get(ws, Table::People, "ada@example.com").is_ok(), "the records stay");
}

/// Where a fault is found, how grave it is, and what makes it.
type Check<'a> = (&'a str, Severity, &'a dyn Fn(&mut Integration));

#[tokio::test]
async fn findings_have_their_places() {
    let here = Here::new(PEOPLE).await;
    let ws = &here.ws;
    let mut fine = new(ws, "Fine").unwrap();
    set_source(ws, &mut fine, "People", Some("users")).unwrap();
    for (field, from) in [("email", "Mail"), ("full_name", "Surname"), ("user_type", "Status")] {
        mappings::set(ws, &mut fine, field, Mapped::Path(from.into())).unwrap();
    }
    assert_eq!(here.errors(&fine), Vec::<String>::new());
    new(ws, "Other").unwrap();
    let checks: [Check; 18] = [
        ("name", Severity::Error, &|i| i.name = " ".into()),
        ("name", Severity::Error, &|i| i.name = "OTHER".into()),
        ("credential", Severity::Error, &|i| i.credential.clear()),
        ("credential", Severity::Error, &|i| i.credential = "cred_gone".into()),
        ("credential", Severity::Error, &|i| i.connector = "okta".into()),
        ("resource", Severity::Error, &|i| i.resource = "nothing".into()),
        ("resource", Severity::Error, &|i| i.resource = "groups".into()),
        ("kind", Severity::Error, &|i| i.resource = "hardware".into()),
        ("installation", Severity::Hint, &|i| i.installation = Installation::Cloud),
        ("deactivate", Severity::Hint, &|i| i.deactivate = true),
        ("mapping.email", Severity::Error, &|i| mappings::unset(i, "email")),
        ("mapping.nope", Severity::Error, &|i| i.mappings.push(crate::model::FieldMapping { field: "nope".into(), from: Mapped::SyncTime })),
        ("filter", Severity::Error, &|i| i.filter = Some("a |".into())),
        ("sync_key", Severity::Error, &|i| i.sync_key = vec!["username".into()]),
        ("schedule.every", Severity::Error, &|i| i.schedule.every = crate::model::Every::Minutes(1)),
        ("schedule.at", Severity::Error, &|i| i.schedule.at = "2 o'clock".into()),
        ("schedule.time_zone", Severity::Error, &|i| i.schedule.time_zone = "Mars/Olympus".into()),
        ("contacts", Severity::Warning, &|i| i.contacts = vec!["ada".into()]),
    ];
    for (place, severity, change) in checks {
        let mut integration = fine.clone();
        change(&mut integration);
        let findings = validate(ws, &integration).unwrap();
        assert!(findings.iter().any(|finding| finding.place == place && finding.severity == severity), "{place}: {findings:?}");
        assert!(findings.is_sorted_by_key(|finding| finding.severity as u8));
        // Saved as typed, right or wrong; only a name that is taken cannot be.
        assert_eq!(save(ws, &integration).is_ok(), integration.name != "OTHER", "{place}");
    }
}

#[tokio::test]
async fn a_launch_proves_the_credential() {
    let here = Here::new(THREE).await;
    let ws = &here.ws;
    let mut draft = new(ws, "Files").unwrap();
    set_source(ws, &mut draft, "People", None).unwrap();
    for (field, from) in [("email", "mail"), ("full_name", "profile.lastName"), ("user_type", "role")] {
        mappings::set(ws, &mut draft, field, Mapped::Path(from.into())).unwrap();
    }
    save(ws, &draft).unwrap();
    std::fs::remove_file(here.file()).unwrap();
    let refused = launch(ws, "Files", &Sink::none()).await.unwrap_err();
    assert!(refused.what.contains("People"), "{refused:?}");
    assert_eq!(get(ws, "Files").unwrap().state, IntegrationState::Draft);
    // The next launch tests again, whatever the last test said.
    here.write(THREE);
    assert_eq!(launch(ws, "Files", &Sink::none()).await.unwrap().state, IntegrationState::Active);
}
