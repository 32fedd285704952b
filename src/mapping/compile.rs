//! From the mappings of an integration to what a run executes for every record.
//!
//! Paths and constants, which most mappings are, are looked up and converted without a template engine.
//!
//! ## SaaS users
//!
//! For user plus SaaS user the mappings fill People, and the SaaS user record follows from them: each of its fields takes the mapping of
//! the People field of the same name (`email`, `full_name`, `external_id`, `verified`), `user_name` that of `username` and, where that comes
//! out empty or is not mapped, of `email`; `last_activity` that of `last_login`. A mapping for a field key with the prefix [`SAAS`], such as
//! `saas.role`, fills the SaaS user's field itself and goes before what would follow.

use super::convert::{convert, converted, shown};
use super::expression::{Expression, RECORD, lower};
use super::path::{Path, Step};
use super::projection::Projection;
use crate::model::{ActiveRule, DestinationField, FieldMapping, Mapped, Problem, Time, Value};
use crate::words::clean;
use crate::{problem, t};
use serde_json::Value as Json;

/// Before the field's key in a mapping that fills the SaaS user record.
pub const SAAS: &str = "saas.";

/// SaaS user fields that take the mapping of a People field of another name, in order of preference.
const FOLLOWS: [(&str, &[&str]); 2] = [("user_name", &["username", "email"]), ("last_activity", &["last_login"])];

/// What to compile.
#[derive(Debug, Clone, Copy)]
pub struct Spec<'a> {
    pub mappings: &'a [FieldMapping],
    /// The fields of the table that the mappings fill.
    pub fields: &'a [DestinationField],
    /// For user plus SaaS user: the fields of SaaS users.
    pub saas_fields: Option<&'a [DestinationField]>,
    pub filter: Option<&'a str>,
    pub active: Option<&'a ActiveRule>,
    /// Name of the credential, for the tracking field.
    pub credential: &'a str,
    /// When the run started, for the tracking field.
    pub sync_time: Time,
}

/// Why something does not compile, and where: `mapping.FIELD`, `filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub place: String,
    pub problem: Problem,
}

/// Compiled mappings.
#[derive(Debug)]
pub struct Compiled {
    projection: Projection,
    columns: Vec<Column>,
    saas: Vec<Column>,
    filter: Option<Program>,
    active: Option<(usize, ActiveRule)>,
}

/// A field that is filled.
#[derive(Debug)]
pub struct Column {
    pub field: DestinationField,
    /// The first whose value is not empty counts.
    sources: Vec<Source>,
    /// The slot that nothing but this column looks at.
    alone: Option<usize>,
}

#[derive(Debug, Clone)]
enum Source {
    Slot(usize),
    Fixed(Json),
    Program(std::sync::Arc<Program>),
}

#[derive(Debug)]
struct Program {
    expression: Expression,
    slots: Vec<usize>,
}

/// The value of one field, or a sentence that says why there is none.
pub type Cell = Result<Value, String>;

/// Compiles; the errors are all there are, one a place.
pub fn compile(spec: &Spec<'_>) -> Result<Compiled, Vec<Fault>> {
    let mut paths = Paths(Vec::new());
    let mut faults = Vec::new();
    let mut columns: Vec<Column> = Vec::new();
    let mut saas: Vec<Column> = Vec::new();
    for mapping in spec.mappings {
        let (fields, into, key) = match mapping.field.strip_prefix(SAAS) {
            Some(key) => (spec.saas_fields.unwrap_or(&[]), &mut saas, key),
            None => (spec.fields, &mut columns, mapping.field.as_str()),
        };
        let place = format!("mapping.{}", mapping.field);
        let Some(field) = fields.iter().find(|field| field.key == key) else {
            faults.push(Fault { place, problem: problem!(Failed, "mapping.unknown_field", field = clean::line(&mapping.field, 60)) });
            continue;
        };
        match source(&mapping.from, spec, &mut paths) {
            Ok(source) => {
                // A second mapping of the same field replaces the first.
                into.retain(|column| column.field.key != key);
                into.push(Column { field: field.clone(), sources: vec![source], alone: None });
            }
            Err(problem) => faults.push(Fault { place, problem }),
        }
    }
    if let Some(fields) = spec.saas_fields {
        for field in fields {
            if saas.iter().any(|column| column.field.key == field.key) {
                continue;
            }
            let same: &[&str] = &[field.key.as_str()];
            let named = FOLLOWS.iter().find(|(key, _)| *key == field.key).map_or(same, |(_, from)| from);
            let sources: Vec<Source> = named
                .iter()
                .filter_map(|key| columns.iter().find(|column| column.field.key == *key))
                .flat_map(|column| column.sources.clone())
                .collect();
            if !sources.is_empty() {
                saas.push(Column { field: field.clone(), sources, alone: None });
            }
        }
    }
    let filter = match spec.filter.filter(|text| !text.trim().is_empty()).map(|text| program(text, &mut paths)) {
        None => None,
        Some(Ok(program)) => Some(program),
        Some(Err(problem)) => {
            faults.push(Fault { place: "filter".to_owned(), problem });
            None
        }
    };
    let active = match spec.active.map(|rule| (Path::parse(&rule.path), rule)) {
        None => None,
        Some((Ok(path), rule)) => Some((paths.slot(path), rule.clone())),
        Some((Err(error), rule)) => {
            faults.push(Fault { place: "resource".to_owned(), problem: bad_path(&rule.path, &error) });
            None
        }
    };
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut uses = vec![0_usize; paths.0.len()];
    let programs = columns.iter().chain(&saas).flat_map(|column| &column.sources).filter_map(|source| match source {
        Source::Program(program) => Some(&**program),
        _ => None,
    });
    let looked_at = programs.chain(&filter).flat_map(|program| program.slots.iter().copied()).chain(active.iter().map(|(slot, _)| *slot));
    let direct = columns.iter().chain(&saas).flat_map(|column| &column.sources).filter_map(|source| match source {
        Source::Slot(slot) => Some(*slot),
        _ => None,
    });
    for slot in looked_at.chain(direct) {
        uses[slot] += 1;
    }
    for column in &mut columns {
        column.alone = match column.sources[..] {
            [Source::Slot(slot)] if uses[slot] == 1 => Some(slot),
            _ => None,
        };
    }
    Ok(Compiled { projection: Projection::new(paths.0), columns, saas, filter, active })
}

/// Whether one mapping compiles.
pub fn check(from: &Mapped) -> Result<(), Problem> {
    match from {
        Mapped::Path(path) => Path::parse(path).map(drop).map_err(|error| bad_path(path, &error)),
        Mapped::Expression(text) => Expression::parse(text).map(drop).map_err(|error| bad_expression(text, &error)),
        Mapped::Constant(_) | Mapped::CredentialName | Mapped::SyncTime => Ok(()),
    }
}

/// Whether a filter compiles.
pub fn check_filter(text: &str) -> Result<(), Problem> {
    Expression::parse(text).map(drop).map_err(|error| bad_expression(text, &error))
}

fn bad_path(path: &str, error: &super::path::PathError) -> Problem {
    problem!(Usage, "mapping.bad_path", path = clean::line(path, 100), at = error.at, reason = error.reason)
}

fn bad_expression(text: &str, error: &super::expression::ExpressionError) -> Problem {
    let text = clean::line(text, 100);
    match error.at {
        Some(at) => problem!(Usage, "mapping.bad_expression_at", text = text, at = at, reason = error.reason),
        None => problem!(Usage, "mapping.bad_expression", text = text, reason = error.reason),
    }
}

/// Paths that are needed, each once.
struct Paths(Vec<Path>);

impl Paths {
    fn slot(&mut self, path: Path) -> usize {
        self.0.iter().position(|known| *known == path).unwrap_or_else(|| {
            self.0.push(path);
            self.0.len() - 1
        })
    }
}

fn source(from: &Mapped, spec: &Spec<'_>, paths: &mut Paths) -> Result<Source, Problem> {
    Ok(match from {
        Mapped::Path(text) => Source::Slot(paths.slot(Path::parse(text).map_err(|error| bad_path(text, &error))?)),
        Mapped::Constant(text) => Source::Fixed(Json::from(text.as_str())),
        Mapped::Expression(text) => Source::Program(std::sync::Arc::new(program(text, paths)?)),
        Mapped::CredentialName => Source::Fixed(Json::from(spec.credential)),
        Mapped::SyncTime => Source::Fixed(Json::from(super::convert::rfc3339(spec.sync_time))),
    })
}

fn program(text: &str, paths: &mut Paths) -> Result<Program, Problem> {
    let expression = Expression::parse(text).map_err(|error| bad_expression(text, &error))?;
    // An expression gets whole members: what it does with them is its own affair. `record` is everything: a path without steps.
    let path = |name: &String| Path { steps: if name == RECORD { Vec::new() } else { vec![Step::Key(name.clone())] } };
    let slots = expression.names().iter().map(|name| paths.slot(path(name))).collect();
    Ok(Program { expression, slots })
}

impl Program {
    fn run(&self, slots: &[Json]) -> Result<minijinja::Value, String> {
        self.expression.evaluate(|i| slots.get(self.slots[i]).unwrap_or(&Json::Null))
    }
}

impl Column {
    /// The value as the source has it, before it is converted.
    fn raw<'s>(&self, slots: &'s [Json]) -> Result<std::borrow::Cow<'s, Json>, String>
    where
        Self: 's,
    {
        use std::borrow::Cow;
        let mut found = Cow::Owned(Json::Null);
        for source in &self.sources {
            found = match source {
                Source::Slot(slot) => Cow::Borrowed(slots.get(*slot).unwrap_or(&Json::Null)),
                Source::Fixed(value) => Cow::Owned(value.clone()),
                Source::Program(program) => Cow::Owned(lower(&program.run(slots)?)?),
            };
            if !matches!(&*found, Json::Null) && found.as_str().is_none_or(|text| !text.trim().is_empty()) {
                break;
            }
        }
        Ok(found)
    }

    /// What the source holds for this field, as text for people.
    #[must_use]
    pub fn sample(&self, slots: &[Json]) -> String {
        self.raw(slots).map_or_else(|_| String::new(), |value| shown(&value))
    }

    fn cell(&self, slots: &[Json]) -> Cell {
        self.checked(convert(&*self.raw(slots)?, self.field.kind)?)
    }

    fn checked(&self, value: Value) -> Cell {
        if value.is_null() && self.field.mandatory { Err(t!("mapping.mandatory_empty", field = self.field.label)) } else { Ok(value) }
    }
}

impl Compiled {
    /// The paths that a run has to read; [`Compiled`]'s other functions take the slots it fills.
    #[must_use]
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The fields that are filled, in the order of the mappings.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The fields of the SaaS user record that are filled; empty when the integration makes none.
    #[must_use]
    pub fn saas_columns(&self) -> &[Column] {
        &self.saas
    }

    /// Whether the filter takes the record. `Err` is a whole sentence.
    pub fn takes(&self, slots: &[Json]) -> Result<bool, String> {
        self.filter.as_ref().map_or(Ok(true), |program| Ok(program.run(slots)?.is_true()))
    }

    /// Whether the vendor calls the record active. A record that does not say counts as active.
    #[must_use]
    pub fn active(&self, slots: &[Json]) -> bool {
        self.active.as_ref().is_none_or(|(slot, rule)| {
            let text = match slots.get(*slot) {
                None | Some(Json::Null) => return true,
                Some(Json::String(text)) => std::borrow::Cow::Borrowed(text.trim()),
                Some(other) => std::borrow::Cow::Owned(other.to_string()),
            };
            match rule.unless_bits {
                // What is no number says nothing.
                Some(bits) => text.parse::<i64>().map_or(true, |number| number.cast_unsigned() & bits == 0),
                None => rule.values.iter().any(|value| value.eq_ignore_ascii_case(&text)),
            }
        })
    }

    /// The values of [`Compiled::columns`], in their order.
    #[must_use]
    pub fn evaluate(&self, slots: &[Json]) -> Vec<Cell> {
        self.columns.iter().map(|column| column.cell(slots)).collect()
    }

    /// As [`Compiled::evaluate`], but takes what nothing else looks at out of the slots instead of copying it.
    #[must_use]
    pub fn evaluate_taking(&self, slots: &mut [Json]) -> Vec<Cell> {
        let cell = |column: &Column| match column.alone.and_then(|slot| slots.get_mut(slot)) {
            Some(value) => column.checked(converted(value.take(), column.field.kind)?),
            None => column.cell(slots),
        };
        self.columns.iter().map(cell).collect()
    }

    /// The values of [`Compiled::saas_columns`], in their order.
    #[must_use]
    pub fn evaluate_saas(&self, slots: &[Json]) -> Vec<Cell> {
        self.saas.iter().map(|column| column.cell(slots)).collect()
    }

    /// What the source holds for each of [`Compiled::columns`], as text for people.
    #[must_use]
    pub fn samples(&self, slots: &[Json]) -> Vec<String> {
        self.columns.iter().map(|column| column.sample(slots)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FieldType;
    use proptest::prelude::*;
    use serde_json::json;

    fn field(key: &str, kind: FieldType, mandatory: bool) -> DestinationField {
        DestinationField { key: key.to_owned(), label: key.to_owned(), kind, mandatory, custom: false }
    }

    fn people() -> Vec<DestinationField> {
        vec![
            field("email", FieldType::Email, true),
            field("full_name", FieldType::Text, true),
            field("username", FieldType::Text, false),
            field("verified", FieldType::Boolean, false),
            field("last_login", FieldType::Time, false),
            field("custom_credential", FieldType::Text, false),
            field("custom_sync", FieldType::Time, false),
        ]
    }

    fn saas() -> Vec<DestinationField> {
        vec![
            field("user_name", FieldType::Text, true),
            field("email", FieldType::Email, false),
            field("role", FieldType::Text, false),
            field("last_activity", FieldType::Time, false),
        ]
    }

    fn mapping(field: &str, from: Mapped) -> FieldMapping {
        FieldMapping { field: field.to_owned(), from }
    }

    fn path(text: &str) -> Mapped {
        Mapped::Path(text.to_owned())
    }

    fn expression(text: &str) -> Mapped {
        Mapped::Expression(text.to_owned())
    }

    fn spec<'a>(mappings: &'a [FieldMapping], fields: &'a [DestinationField], saas: Option<&'a [DestinationField]>) -> Spec<'a> {
        let sync_time = "2025-03-01T10:00:00.5Z".parse().unwrap();
        Spec { mappings, fields, saas_fields: saas, filter: None, active: None, credential: "Clickwrap", sync_time }
    }

    fn cells(columns: &[Column], cells: Vec<Cell>) -> Vec<(String, Cell)> {
        columns.iter().map(|column| column.field.key.clone()).zip(cells).collect()
    }

    fn text(value: &str) -> Cell {
        Ok(Value::Text(value.to_owned()))
    }

    #[test]
    fn a_record_becomes_values() {
        let fields = people();
        let mappings = [
            mapping("email", path("email")),
            mapping("full_name", expression("first ~ ' ' ~ profile.last")),
            mapping("verified", Mapped::Constant("yes".into())),
            mapping("custom_credential", Mapped::CredentialName),
            mapping("custom_sync", Mapped::SyncTime),
            mapping("last_login", path("profile.seen")),
        ];
        let compiled = compile(&spec(&mappings, &fields, None)).unwrap();
        let paths: Vec<String> = compiled.projection().paths().iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["email", "first", "profile", "profile.seen"]);
        let record = json!({"email": "a@example.com", "first": "Ada", "profile": {"last": "L", "seen": "soon"}, "noise": 1});
        let slots = compiled.projection().record(&record).unwrap();
        let found = cells(compiled.columns(), compiled.evaluate(&slots));
        assert_eq!(found[0], ("email".into(), text("a@example.com")));
        assert_eq!(found[1], ("full_name".into(), text("Ada L")));
        assert_eq!(found[2], ("verified".into(), Ok(Value::Boolean(true))));
        assert_eq!(found[3], ("custom_credential".into(), text("Clickwrap")));
        assert_eq!(found[4], ("custom_sync".into(), text("2025-03-01T10:00:00Z")));
        assert!(found[5].1.is_err(), "“soon” is no time");
        let slots = compiled.projection().record(&json!({"first": null})).unwrap();
        let found = compiled.evaluate(&slots);
        assert!(found[0].is_err() && found[1].is_err(), "mandatory and empty");
        assert_eq!(found[5], Ok(Value::Null));
    }

    #[test]
    fn saas_users_follow() {
        let (fields, saas) = (people(), saas());
        let mappings = [
            mapping("email", path("mail")),
            mapping("username", path("login")),
            mapping("last_login", path("seen")),
            mapping("saas.role", path("role")),
        ];
        let compiled = compile(&spec(&mappings, &fields, Some(&saas))).unwrap();
        let evaluate = |record: Json| {
            let slots = compiled.projection().record(&record).unwrap();
            cells(compiled.saas_columns(), compiled.evaluate_saas(&slots)).into_iter().collect::<std::collections::BTreeMap<_, _>>()
        };
        let found = evaluate(json!({"mail": "a@example.com", "login": "ada", "seen": 0, "role": "owner"}));
        assert_eq!(found["user_name"], text("ada"));
        assert_eq!(found["email"], text("a@example.com"));
        assert_eq!(found["role"], text("owner"));
        assert_eq!(found["last_activity"], text("1970-01-01T00:00:00Z"));
        assert_eq!(evaluate(json!({"mail": "a@example.com", "login": " "}))["user_name"], text("a@example.com"));
        let explicit = [mapping("email", path("mail")), mapping("saas.user_name", path("id"))];
        let compiled = compile(&spec(&explicit, &fields, Some(&saas))).unwrap();
        let slots = compiled.projection().record(&json!({"mail": "a@example.com", "id": 7})).unwrap();
        assert_eq!(cells(compiled.saas_columns(), compiled.evaluate_saas(&slots))[0], ("user_name".into(), text("7")));
    }

    #[test]
    fn faults_are_all_told_with_their_places() {
        let fields = people();
        let mappings = [
            mapping("email", path("a..b")),
            mapping("nope", path("a")),
            mapping("full_name", expression("x | nope")),
            mapping("saas.role", path("a")),
            mapping("username", path("ok")),
        ];
        let faults = compile(&Spec { filter: Some("x |"), ..spec(&mappings, &fields, None) }).unwrap_err();
        let places: Vec<&str> = faults.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, ["mapping.email", "mapping.nope", "mapping.full_name", "mapping.saas.role", "filter"]);
    }

    #[test]
    fn filter_and_activity() {
        let fields = people();
        let mappings = [mapping("email", path("email"))];
        let rule = ActiveRule { path: "status".into(), values: vec!["ACTIVE".into(), "true".into()], unless_bits: None };
        let compiled =
            compile(&Spec { filter: Some("email is endingwith('@example.com')"), active: Some(&rule), ..spec(&mappings, &fields, None) }).unwrap();
        for (record, takes, active) in [
            (json!({"email": "a@example.com"}), true, true),
            (json!({"email": "a@example.org", "status": "active"}), false, true),
            (json!({"status": "SUSPENDED"}), false, false),
            (json!({"status": true}), false, true),
            (json!({"status": false}), false, false),
            (json!({"status": null}), false, true),
        ] {
            let slots = compiled.projection().record(&record).unwrap();
            assert_eq!((compiled.takes(&slots), compiled.active(&slots)), (Ok(takes), active), "{record}");
        }
        let rule = ActiveRule { path: "status".into(), values: Vec::new(), unless_bits: Some(2) };
        let compiled = compile(&Spec { active: Some(&rule), ..spec(&mappings, &fields, None) }).unwrap();
        for (status, active) in [(json!(512), true), (json!("514"), false), (json!(-2_147_483_646_i64), false), (json!("unreadable"), true)] {
            let slots = compiled.projection().record(&json!({"email": "a@example.com", "status": status})).unwrap();
            assert_eq!(compiled.active(&slots), active, "{status}");
        }
    }

    #[test]
    fn taking_gives_the_same_values_and_leaves_what_others_need() {
        let fields = people();
        let mappings = [
            mapping("email", path("mail")),
            mapping("full_name", path("name")),
            mapping("username", expression("login | lower")),
            mapping("verified", path("ok")),
            mapping("last_login", path("login")),
            mapping("custom_credential", path("note")),
        ];
        for saas in [None, Some(&saas()[..])] {
            let compiled = compile(&spec(&mappings, &fields, saas)).unwrap();
            for record in [
                json!({"mail": "a@example.com", "name": "Ada", "login": "2025-03-01T10:00:00Z", "ok": "yes", "note": " spaced "}),
                json!({"mail": "no address", "name": "\u{a0}Ada\u{a0}", "login": "ADA", "ok": 1, "note": ["a", 1]}),
                json!({"mail": " ", "name": "", "note": {"a": 1}}),
            ] {
                let slots = compiled.projection().record(&record).unwrap();
                let mut taken = slots.clone();
                assert_eq!(compiled.evaluate_taking(&mut taken), compiled.evaluate(&slots), "{record}");
                assert_eq!(compiled.evaluate_saas(&taken), compiled.evaluate_saas(&slots), "{record}");
            }
        }
    }

    #[test]
    fn the_whole_record() {
        let fields = people();
        let mappings = [mapping("username", expression("record['User Name']")), mapping("email", path("e"))];
        let compiled = compile(&spec(&mappings, &fields, None)).unwrap();
        let slots = compiled.projection().record(&json!({"User Name": "ada", "e": "a@example.com"})).unwrap();
        assert_eq!(compiled.evaluate(&slots), [text("ada"), text("a@example.com")]);
        let body = br#"[{"User Name": "ada", "e": "a@example.com"}]"#;
        assert_eq!(compiled.projection().body(body, None, &Projection::default()).unwrap().rows, [(0, slots)]);
    }

    proptest! {
        #[test]
        fn compiling_never_panics(a in "\\PC{0,20}", b in "\\PC{0,20}|[a-c|. ~]{0,12}", filter in "[a-c|. ~()']{0,12}", record in super::super::path::tests::value()) {
            let fields = people();
            let mappings = [mapping("email", path(&a)), mapping("full_name", expression(&b)), mapping("verified", Mapped::Constant(a))];
            if let Ok(compiled) = compile(&Spec { filter: Some(&filter), ..spec(&mappings, &fields, Some(&saas())) }) {
                let slots = compiled.projection().record(&json!({"a": record})).unwrap();
                let _ = (compiled.takes(&slots), compiled.active(&slots), compiled.evaluate(&slots), compiled.evaluate_saas(&slots), compiled.samples(&slots));
            }
        }
    }
}
