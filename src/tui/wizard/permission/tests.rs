use super::*;
use crate::model::Integration;
use crate::tui::harness::Harness;
use crate::tui::wizard::fixture;
use proptest::prelude::*;

fn entity(kind: EntityKind, name: &str) -> Entity {
    Entity { kind, name: name.to_owned() }
}

fn integration() -> Integration {
    let permissions = PermissionSet {
        global: vec![Action::AppRoleRead, Action::CsvAppUserUpload],
        granted: vec![entity(EntityKind::Application, "Advanced Targeting"), entity(EntityKind::DataSource, "Entra ID")],
        known: vec![entity(EntityKind::Application, "Billing")],
    };
    Integration { name: "ServiceNow joiners".into(), permissions, ..fixture::integration() }
}

fn opened_with(columns: u16, rows: u16, integration: &Integration) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.act(|state| open(state, "int_1"));
    fixture::loaded(&mut harness, integration, Vec::new());
    let found =
        [entity(EntityKind::Application, "Slack"), entity(EntityKind::Application, "billing"), entity(EntityKind::DataSource, "Clickwrap prod")];
    let rows = found.into_iter().map(|entity| MatrixRow { entity: Some(entity), cells: [Reason::None; 4] }).collect();
    harness.answer(|job| matches!(job, Job::Matrix(_)), Answer::Matrix { integration: "int_1".into(), rows });
    harness
}

fn opened(columns: u16, rows: u16) -> Harness {
    opened_with(columns, rows, &integration())
}

fn machine(harness: &Harness) -> &Machine {
    match harness.state.wizard() {
        Some(Wizard::Permission(machine)) => machine,
        other => panic!("no matrix: {other:?}"),
    }
}

fn set(harness: &Harness) -> &PermissionSet {
    &machine(harness).draft.as_ref().unwrap().integration.permissions
}

#[test]
fn grants_add_up_and_each_entity_stands_once() {
    let harness = opened(80, 24);
    let names: Vec<String> = machine(&harness).list.items().iter().map(Listed::text).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["Advanced Targeting", "Billing", "Slack", "Clickwrap prod", "Entra ID"]);
    let targeting = Row::Entity(entity(EntityKind::Application, "Advanced Targeting"));
    let reasons = Action::ALL.map(|action| machine(&harness).reason(&targeting, action));
    assert_eq!(reasons, [Reason::Both, Reason::Both, Reason::Entity, Reason::Entity]);
    let billing = Row::Entity(entity(EntityKind::Application, "Billing"));
    assert_eq!(machine(&harness).reason(&billing, Action::AppRoleRead), Reason::Global);
    assert_eq!(machine(&harness).reason(&billing, Action::AppMembershipWrite), Reason::None);
}

#[test]
fn space_grants_an_action_on_all_and_all_actions_on_one() {
    let mut harness = opened(80, 24);
    harness.keys("<right><right> ");
    assert_eq!(set(&harness).global, [Action::AppRoleRead, Action::CsvAppUserUpload, Action::UpdateDataSourceUsers]);
    harness.keys(" ");
    assert_eq!(set(&harness).global.len(), 2);
    harness.keys("jj ");
    assert!(set(&harness).granted.contains(&entity(EntityKind::Application, "Billing")));
    harness.keys(" ");
    assert!(!set(&harness).granted.contains(&entity(EntityKind::Application, "Billing")));
    harness.keys("<left><left>g");
    assert_eq!(set(&harness).global, [Action::CsvAppUserUpload]);
    fixture::saved(&mut harness);
    let last = harness.jobs().into_iter().find_map(|job| if let Job::IntegrationSave(saved) = job { Some(saved.permissions.clone()) } else { None });
    assert_eq!(last.as_ref(), Some(set(&harness)), "what changed meanwhile is saved, too");
}

#[test]
fn entities_are_added_and_filtered() {
    let mut harness = opened(80, 24);
    harness.keys("aZendesk<enter>");
    assert!(set(&harness).known.contains(&entity(EntityKind::Application, "Zendesk")));
    assert_eq!(machine(&harness).list.selected().map(Listed::text).as_deref(), Some("Zendesk"));
    harness.keys("A <enter>");
    assert!(harness.screen().contains("Give its name."));
    harness.keys("<esc>/entr");
    assert_eq!(machine(&harness).list.len(), 1);
    harness.keys("<enter> ");
    assert!(!set(&harness).granted.contains(&entity(EntityKind::DataSource, "Entra ID")), "the one that was found is revoked");
    harness.keys("<esc>");
    assert!(machine(&harness).list.len() > 1);
}

#[test]
fn the_cell_is_explained() {
    let mut harness = opened(80, 24);
    harness.keys("j");
    insta::assert_snapshot!("explained_80x24", harness.keys("x").screen());
    harness.keys("<esc>v");
    assert!(harness.jobs().into_iter().any(|job| matches!(job, Job::Advise(_))));
}

#[test]
fn headings_are_stepped_over() {
    let mut harness = opened(80, 24);
    for _ in 0..8 {
        harness.keys("j");
        assert!(!matches!(machine(&harness).list.selected(), Some(Row::Heading(_))));
    }
    assert_eq!(machine(&harness).list.selected().map(Listed::text).as_deref(), Some("Entra ID"));
    harness.keys("kkkkkkkk");
    assert_eq!(machine(&harness).list.selected(), Some(&Row::All));
    let mut none = opened_with(80, 24, &Integration { permissions: PermissionSet::default(), ..integration() });
    none.keys("jjjj G");
    let _ = none.screen();
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = opened(columns, rows);
        insta::assert_snapshot!(format!("permission_{columns}x{rows}"), harness.screen());
        harness.keys("j<right><right><right>");
        insta::assert_snapshot!(format!("permission_entity_{columns}x{rows}"), harness.screen());
    }
}

#[test]
fn every_size_is_drawn() {
    for (columns, rows) in [(0, 0), (1, 1), (2, 2), (5, 3), (9, 9), (20, 4), (35, 6), (59, 24), (60, 8), (76, 7), (160, 50)] {
        let mut harness = opened(columns, rows);
        for keys in ["", "G", "/zz", "<esc>x", "<esc>aX"] {
            harness.keys(keys);
            let _ = harness.screen();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_grants_can_be_undone(edits in proptest::collection::vec(0_usize..7, 1..20)) {
        let mut harness = opened(80, 24);
        let start = set(&harness).clone();
        for edit in &edits {
            harness.keys(["j", "k", " ", "g", "<right>", "<left>", "aNew<enter>"][*edit]);
        }
        let end = set(&harness).clone();
        harness.keys(&"<ctrl-z>".repeat(edits.len()));
        prop_assert_eq!(set(&harness), &start);
        harness.keys(&"<ctrl-y>".repeat(edits.len()));
        prop_assert_eq!(set(&harness), &end);
    }
}
