//! What the tests of the editors work on: an integration with a few mappings, its fields, records and previews.

use crate::model::{
    Connector, Credential, DestinationField, Fate, FieldMapping, FieldType, Finding, Integration, IntegrationState, Mapped, Preview, PreviewCell,
    PreviewRecord, Problem, ProblemKind, SampledField, Severity, Table, Time, Value,
};
use crate::ops::mappings::Sample;
use crate::tui::app::effect::Job;
use crate::tui::app::msg::Answer;
use crate::tui::harness::Harness;

pub fn now() -> Time {
    Time::from_second(1_795_000_000).unwrap()
}

pub fn integration() -> Integration {
    let mapping = |field: &str, from: Mapped| FieldMapping { field: field.to_owned(), from };
    let mappings = vec![
        mapping("email", Mapped::Expression("email | lower".to_owned())),
        mapping("full_name", Mapped::Path("name".to_owned())),
        mapping("locale", Mapped::Path("locale".to_owned())),
        mapping("verified", Mapped::Path("verified".to_owned())),
        mapping("custom_connect_credentials", Mapped::CredentialName),
    ];
    Integration {
        credential: "cred_1".to_owned(),
        connector: "ironclad-clickwrap".to_owned(),
        resource: "members".to_owned(),
        saas_application: Some("Ironclad Clickwrap".to_owned()),
        sync_key: vec!["email".to_owned()],
        contacts: vec!["ada@example.org".to_owned()],
        ..Integration::draft("int_1", "Clickwrap", mappings, now())
    }
}

pub fn field(key: &str, label: &str, kind: FieldType, mandatory: bool) -> DestinationField {
    DestinationField { key: key.to_owned(), label: label.to_owned(), kind, mandatory, custom: key.starts_with("custom_") }
}

pub fn people() -> Vec<DestinationField> {
    vec![
        field("email", "Email", FieldType::Email, true),
        field("full_name", "Full name", FieldType::Text, true),
        field("user_type", "User type", FieldType::Text, true),
        field("username", "User name", FieldType::Text, false),
        field("locale", "Locale", FieldType::Text, false),
        field("time_zone", "Time zone", FieldType::Text, false),
        field("verified", "Verified", FieldType::Boolean, false),
        field("verified_time", "Verified time", FieldType::Time, false),
        field("custom_connect_credentials", "Connect: Credentials", FieldType::Text, false),
    ]
}

pub fn saas_users() -> Vec<DestinationField> {
    vec![
        field("user_name", "User name", FieldType::Text, true),
        field("email", "Email", FieldType::Email, false),
        field("role", "Role", FieldType::Text, false),
        field("last_activity", "Last activity", FieldType::Time, false),
    ]
}

pub fn sample() -> Sample {
    let record = |email: &str, name: &str| serde_json::json!({ "email": email, "name": name, "locale": "en-GB", "verified": true });
    Sample {
        records: vec![record("Ada@Example.org", "Ada King"), record("grace@example.org", "Grace Hopper"), record("nobody", "")],
        total: Some(250),
    }
}

pub fn preview() -> Preview {
    let text = |value: &str| Value::Text(value.to_owned());
    let cell = |field: &str, sample: &str, result: Value, stored: Option<Value>| PreviewCell {
        field: field.to_owned(),
        sample: sample.to_owned(),
        result,
        stored,
        error: None,
    };
    let sampled = |path: &str, kind: FieldType, samples: &[&str], present: u64| SampledField {
        path: path.to_owned(),
        label: path.to_owned(),
        kind,
        samples: samples.iter().map(|sample| (*sample).to_owned()).collect(),
        present,
    };
    let records = sample().records;
    Preview {
        fields: vec![
            sampled("email", FieldType::Email, &["Ada@Example.org", "grace@example.org"], 3),
            sampled("name", FieldType::Text, &["Ada King", "Grace Hopper"], 2),
            sampled("locale", FieldType::Text, &["en-GB"], 3),
            sampled("verified", FieldType::Boolean, &["true"], 3),
            sampled("organisation.department.name", FieldType::Text, &["Research and development"], 1),
        ],
        records: vec![
            PreviewRecord {
                number: 1,
                source: records[0].clone(),
                cells: vec![
                    cell("email", "Ada@Example.org", text("ada@example.org"), Some(text("ada@example.org"))),
                    cell("full_name", "Ada King", text("Ada King"), Some(text("Ada King"))),
                    cell("locale", "en-GB", text("en-GB"), Some(text("en-US"))),
                    cell("verified", "true", Value::Boolean(true), Some(Value::Null)),
                    cell("custom_connect_credentials", "", text("Clickwrap prod"), Some(text("Clickwrap prod"))),
                ],
                fate: Fate::Updated,
            },
            PreviewRecord {
                number: 2,
                source: records[1].clone(),
                cells: vec![
                    cell("email", "grace@example.org", text("grace@example.org"), None),
                    cell("full_name", "Grace Hopper", text("Grace Hopper"), None),
                ],
                fate: Fate::Created,
            },
            PreviewRecord {
                number: 3,
                source: records[2].clone(),
                cells: vec![PreviewCell {
                    error: Some("“nobody” is not an email address".to_owned()), ..cell("email", "nobody", Value::Null, None)
                }],
                fate: Fate::Failed,
            },
        ],
        total: Some(250),
    }
}

pub fn finding(severity: Severity, place: &str, what: &str, next: &str) -> Finding {
    let problem = Problem::new(ProblemKind::Usage, what, "It is needed for every record.", next);
    Finding { severity, place: place.to_owned(), problem }
}

pub fn findings() -> Vec<Finding> {
    vec![
        finding(Severity::Error, "mapping.user_type", "User type is mandatory and not mapped", "Map it, or give a constant."),
        finding(Severity::Error, "schedule.time_zone", "“Europe/Pariss” is no time zone", "Use an IANA name such as Europe/Paris."),
        finding(Severity::Hint, "saas_application", "Ironclad Clickwrap will be linked when it is saved", "Nothing has to be done."),
    ]
}

pub fn credential(id: &str, name: &str) -> Credential {
    serde_json::from_value(serde_json::json!({
        "id": id, "name": name, "connector": "ironclad-clickwrap", "method": "client_credentials", "settings": {}, "secrets": [],
        "status": "valid", "created": "2026-11-01T00:00:00Z",
    }))
    .unwrap()
}

pub fn connector() -> Connector {
    let text = r#"
        schema = 1
        id = "ironclad-clickwrap"
        name = "Ironclad Clickwrap"
        [[resource]]
        id = "members"
        name = "Members"
        kind = "users"
        path = "/members"
        key = "id"
    "#;
    toml::from_str(text).unwrap()
}

/// Answers the first open task for which `fits` holds, where there is one.
pub fn answered(harness: &mut Harness, fits: impl Fn(&Job) -> bool, answer: Answer) {
    if harness.jobs().into_iter().any(&fits) {
        harness.answer(fits, answer);
    }
}

/// Lets the save under way end well.
pub fn saved(harness: &mut Harness) {
    let Some(integration) =
        harness.jobs().into_iter().find_map(|job| if let Job::IntegrationSave(integration) = job { Some((**integration).clone()) } else { None })
    else {
        return;
    };
    harness.answer(|job| matches!(job, Job::IntegrationSave(_)), Answer::IntegrationChanged(integration));
}

/// Gives the integration that was asked for, and what is found in it.
pub fn loaded(harness: &mut Harness, integration: &Integration, findings: Vec<Finding>) {
    harness.answer(|job| matches!(job, Job::LoadIntegration(_)), Answer::Integration(integration.clone()));
    harness.answer(|job| matches!(job, Job::IntegrationValidate(_)), Answer::Findings { integration: integration.id.clone(), findings });
}

/// Gives the fields that were asked for.
pub fn fields(harness: &mut Harness) {
    answered(harness, |job| *job == Job::DestinationFields(Table::People), Answer::Columns { table: Table::People, columns: people() });
    answered(harness, |job| *job == Job::DestinationFields(Table::SaasUsers), Answer::Columns { table: Table::SaasUsers, columns: saas_users() });
}

pub fn active() -> Integration {
    Integration { state: IntegrationState::Active, launched: Some(now()), ..integration() }
}
