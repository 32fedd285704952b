use crate::model::{DataPage, DestinationField, FieldType, Record, Table, Time, Value};
use crate::tui::app::effect::{Effect, Job};
use crate::tui::app::msg::Answer;
use crate::tui::harness::Harness;

fn columns() -> Vec<DestinationField> {
    let field = |key: &str, label: &str, kind, mandatory| DestinationField { key: key.into(), label: label.into(), kind, mandatory, custom: false };
    vec![
        field("email", "Email", FieldType::Email, true),
        field("full_name", "Full name", FieldType::Text, true),
        field("verified", "Verified", FieldType::Boolean, false),
        field("last_login", "Last login", FieldType::Time, false),
    ]
}

fn page(offset: u64, total: u64) -> DataPage {
    let records = (offset..(offset + 300).min(total))
        .map(|i| Record {
            id: i64::try_from(i).unwrap(),
            key: format!("p{i}@example.org"),
            active: i % 7 != 0,
            integration: "int_1".into(),
            run: "run_1".into(),
            created: Time::UNIX_EPOCH,
            changed: Time::UNIX_EPOCH,
            values: [
                ("email".to_owned(), Value::Text(format!("p{i}@example.org"))),
                ("full_name".to_owned(), Value::Text(format!("Person {i}\u{1b}[31m"))),
                ("verified".to_owned(), Value::Boolean(i % 2 == 0)),
            ]
            .into_iter()
            .collect(),
        })
        .collect();
    DataPage { total, offset, records }
}

fn shown(columns_: u16, rows: u16, total: u64) -> Harness {
    let mut harness = Harness::new(columns_, rows);
    harness.keys("6");
    harness.answer(|job| matches!(job, Job::LoadColumns(_)), Answer::Columns { table: Table::People, columns: columns() });
    harness.answer(|job| matches!(job, Job::LoadData { .. }), Answer::Data { table: Table::People, page: page(0, total) });
    harness
}

fn asked(harness: &Harness) -> Vec<u64> {
    harness.jobs().iter().filter_map(|job| if let Job::LoadData { query, .. } = job { Some(query.offset) } else { None }).collect()
}

#[test]
fn rows_are_fetched_as_the_cursor_comes_near_them() {
    let mut harness = shown(80, 24, 100_000);
    harness.keys("jjj");
    assert!(asked(&harness).is_empty());
    harness.keys("G");
    assert_eq!(asked(&harness), [99_999 - 150]);
    assert!(harness.screen().contains('…'), "rows that are not here yet are placeholders");
    harness.answer(|job| matches!(job, Job::LoadData { .. }), Answer::Data { table: Table::People, page: page(99_849, 100_000) });
    assert!(harness.screen().contains("p99999@example.org"));
    harness.keys("gg");
    assert_eq!(asked(&harness), [0]);
}

#[test]
fn a_search_asks_again_and_keeps_the_old_rows_until_the_answer() {
    let mut harness = shown(80, 24, 500);
    harness.keys("/ann");
    assert_eq!(asked(&harness).len(), 1, "the latest search wins");
    assert!(harness.screen().contains("p1@example.org"));
    harness.answer(|job| matches!(job, Job::LoadData { .. }), Answer::Data { table: Table::People, page: page(0, 0) });
    assert!(harness.screen().contains("No record matches"));
    harness.keys("<esc>");
    assert_eq!(asked(&harness).len(), 1);
}

#[test]
fn an_export_takes_all_that_match_and_asks_where() {
    let mut harness = shown(80, 24, 500);
    harness.keys("e<ctrl-u>/tmp/x.csv<enter>");
    assert!(harness.jobs().iter().any(|job| matches!(job, Job::Export { path, query, .. } if path == "/tmp/x.csv" && query.limit == u64::MAX)));
}

#[test]
fn nothing_that_a_record_holds_reaches_the_terminal_as_it_is() {
    let mut harness = shown(80, 24, 10);
    assert!(!harness.screen().contains('\u{1b}'));
    harness.keys("<enter>");
    assert!(harness.screen().contains("Person 0␛[31m"));
    assert!(!harness.effects.iter().any(|effect| matches!(effect, Effect::Copy(_))));
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = shown(columns, rows, 5_000);
        insta::assert_snapshot!(format!("people_{columns}x{rows}"), harness.screen());
        harness.keys("]");
        harness.answer(|job| matches!(job, Job::LoadData { .. }), Answer::Data { table: Table::SaasUsers, page: page(0, 0) });
        insta::assert_snapshot!(format!("empty_{columns}x{rows}"), harness.screen());
    }
}
