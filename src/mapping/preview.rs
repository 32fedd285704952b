//! What a run would make of sampled records.

use super::compile::{Compiled, SAAS};
use super::convert::shown;
use super::path::Path;
use crate::model::{Fate, Integration, Mapped, Preference, PreviewCell, PreviewRecord, Record, Value};
use serde_json::Value as Json;

/// What decides the fate of a record whose values are all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Situation {
    pub preference: Preference,
    /// Whether the integration deactivates and reactivates.
    pub deactivate: bool,
    /// Whether the source calls the record active.
    pub active: bool,
    pub stored: Option<Stored>,
}

/// The record that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub active: bool,
    /// Brought by this integration: only such records does it deactivate and reactivate.
    pub own: bool,
    /// Every mapped field already has its value; one that tracks the time of the run does not count.
    pub same: bool,
}

/// What becomes of a record that passed the filter and converted: what the engine does with it, told beforehand.
#[must_use]
pub fn fate(situation: Situation) -> Fate {
    let Situation { preference, deactivate, active, stored } = situation;
    match stored {
        None if preference == Preference::UpdateOnly => Fate::Skipped,
        None => Fate::Created,
        Some(stored) if deactivate && stored.own && stored.active && !active => Fate::Deactivated,
        Some(_) if preference == Preference::CreateOnly => Fate::Skipped,
        Some(stored) if deactivate && stored.own && !stored.active && active => Fate::Reactivated,
        Some(stored) if stored.same => Fate::Unchanged,
        Some(_) => Fate::Updated,
    }
}

/// Previews one record. `find` gives the stored record that these values would meet.
pub fn record<E>(
    compiled: &Compiled,
    integration: &Integration,
    (number, source): (u64, &Json),
    mut find: impl FnMut(&[(&str, &Value)]) -> Result<Option<Record>, E>,
) -> Result<PreviewRecord, E> {
    let Ok(slots) = compiled.projection().record(source) else {
        return Ok(PreviewRecord { number, source: source.clone(), cells: Vec::new(), fate: Fate::Failed });
    };
    let values = compiled.evaluate(&slots);
    let samples = compiled.samples(&slots);
    let Integration { mappings, sync_key, .. } = integration;
    let key: Vec<(&str, &Value)> = sync_key
        .iter()
        .filter_map(|key| {
            let at = compiled.columns().iter().position(|column| column.field.key == *key)?;
            values[at].as_ref().ok().filter(|value| !value.is_null()).map(|value| (key.as_str(), value))
        })
        .collect();
    let whole_key = !sync_key.is_empty() && key.len() == sync_key.len();
    let stored = if whole_key { find(&key)? } else { None };
    let saas = compiled.evaluate_saas(&slots);
    let saas_failed = saas.iter().any(Result::is_err);
    let fate = match compiled.takes(&slots) {
        Ok(false) => Fate::Filtered,
        Err(_) => Fate::Failed,
        Ok(true) if !whole_key || saas_failed || values.iter().any(Result::is_err) => Fate::Failed,
        Ok(true) => {
            let tracks = |key: &str| mappings.iter().any(|mapping| mapping.field == key && mapping.from == Mapped::SyncTime);
            let same = |record: &Record| {
                let mut columns = compiled.columns().iter().zip(&values).filter(|(column, _)| !tracks(&column.field.key));
                columns.all(|(column, value)| {
                    value.as_ref().is_ok_and(|value| equal(record.values.get(&column.field.key).unwrap_or(&Value::Null), value))
                })
            };
            let stored =
                stored.as_ref().map(|record| Stored { active: record.active, own: record.integration == integration.id, same: same(record) });
            self::fate(Situation { preference: integration.preference, deactivate: integration.deactivate, active: compiled.active(&slots), stored })
        }
    };
    let mut cells = Vec::with_capacity(values.len());
    for ((column, value), sample) in compiled.columns().iter().zip(values).zip(samples) {
        let key = &column.field.key;
        // Beside an expression stands what it comes to; its ingredients are on the source side.
        let sample = match mappings.iter().find(|mapping| mapping.field == *key).map(|mapping| &mapping.from) {
            Some(Mapped::Path(path)) => Path::parse(path).ok().and_then(|path| path.get(source)).map_or(sample, shown),
            _ => sample,
        };
        let (result, error) = match value {
            Ok(value) => (value, None),
            Err(error) => (Value::Null, Some(error)),
        };
        let stored = stored.as_ref().map(|record| record.values.get(key).cloned().unwrap_or(Value::Null));
        cells.push(PreviewCell { field: key.clone(), sample, result, stored, error });
    }
    // Of the SaaS user record only what has a mapping of its own, and what fails; the rest is as above.
    for (column, value) in compiled.saas_columns().iter().zip(saas) {
        let field = format!("{SAAS}{}", column.field.key);
        if value.is_ok() && mappings.iter().all(|mapping| mapping.field != field) {
            continue;
        }
        let sample = column.sample(&slots);
        let (result, error) = match value {
            Ok(value) => (value, None),
            Err(error) => (Value::Null, Some(error)),
        };
        cells.push(PreviewCell { field, sample, result, stored: None, error });
    }
    Ok(PreviewRecord { number, source: source.clone(), cells, fate })
}

/// Whether what is stored is what would be stored.
fn equal(stored: &Value, value: &Value) -> bool {
    match (stored, value) {
        #[expect(clippy::cast_precision_loss, reason = "beyond 2^53 both sides lose the same")]
        (Value::Integer(a), Value::Number(b)) | (Value::Number(b), Value::Integer(a)) => *a as f64 == *b,
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::compile::{Spec, compile};
    use crate::model::{DestinationField, FieldMapping, FieldType};
    use serde_json::json;

    #[test]
    fn fates() {
        use Fate::*;
        use Preference::*;
        let stored = |active, same| Some(Stored { active, own: true, same });
        let foreign = |active, same| Some(Stored { active, own: false, same });
        for (preference, deactivate, active, stored, expected) in [
            (CreateAndUpdate, false, true, None, Created),
            (CreateOnly, false, true, None, Created),
            (UpdateOnly, true, true, None, Skipped),
            (CreateAndUpdate, false, true, stored(true, true), Unchanged),
            (CreateAndUpdate, false, true, stored(true, false), Updated),
            (CreateOnly, false, true, stored(true, false), Skipped),
            (UpdateOnly, false, true, stored(true, false), Updated),
            (CreateAndUpdate, true, false, stored(true, true), Deactivated),
            (CreateAndUpdate, false, false, stored(true, true), Unchanged),
            (CreateAndUpdate, true, true, stored(false, true), Reactivated),
            (CreateOnly, true, true, stored(false, false), Skipped),
            (CreateOnly, true, false, stored(true, false), Deactivated),
            (CreateAndUpdate, true, false, foreign(true, true), Unchanged),
            (CreateAndUpdate, true, true, foreign(false, false), Updated),
            (CreateAndUpdate, false, true, stored(false, true), Unchanged),
            (CreateAndUpdate, true, false, stored(false, true), Unchanged),
        ] {
            assert_eq!(fate(Situation { preference, deactivate, active, stored }), expected, "{preference:?} {deactivate} {active} {stored:?}");
        }
    }

    #[test]
    fn cells_show_both_sides() {
        let field = |key: &str, kind, mandatory| DestinationField { key: key.into(), label: key.into(), kind, mandatory, custom: false };
        let fields = [field("email", FieldType::Email, true), field("verified", FieldType::Boolean, false)];
        let mappings = vec![
            FieldMapping { field: "email".into(), from: Mapped::Path("mail".into()) },
            FieldMapping { field: "verified".into(), from: Mapped::Path("ok".into()) },
        ];
        let sync_time = "2025-01-01T00:00:00Z".parse().unwrap();
        let compiled = compile(&Spec {
            mappings: &mappings,
            fields: &fields,
            saas_fields: None,
            filter: Some("not hidden"),
            active: None,
            credential: "c",
            sync_time,
        })
        .unwrap();
        let stored = Record {
            id: 1,
            key: "a@example.com".into(),
            active: true,
            integration: "int_a".into(),
            run: "run_a".into(),
            created: sync_time,
            changed: sync_time,
            values: [("email".to_owned(), Value::Text("a@example.com".into())), ("verified".to_owned(), Value::Boolean(false))].into_iter().collect(),
        };
        let integration = Integration { sync_key: vec!["email".to_owned()], ..Integration::draft("int_a", "I", mappings, sync_time) };
        let run = |source: Json| {
            record(&compiled, &integration, (1, &source), |key| {
                assert_eq!(key[0].0, "email");
                Ok::<_, ()>(if *key[0].1 == Value::Text("a@example.com".into()) { Some(stored.clone()) } else { None })
            })
            .unwrap()
        };
        let found = run(json!({"mail": " a@example.com ", "ok": "yes"}));
        assert_eq!(found.fate, Fate::Updated);
        assert_eq!(found.cells[0].sample, " a@example.com ");
        assert_eq!(found.cells[0].result, Value::Text("a@example.com".into()));
        assert_eq!((found.cells[1].stored.clone(), found.cells[1].result.clone()), (Some(Value::Boolean(false)), Value::Boolean(true)));
        assert_eq!(run(json!({"mail": "a@example.com", "ok": false})).fate, Fate::Unchanged);
        assert_eq!(run(json!({"mail": "b@example.com"})).fate, Fate::Created);
        assert_eq!(run(json!({"mail": "b@example.com", "hidden": true})).fate, Fate::Filtered);
        let failed = run(json!({"mail": "nobody", "ok": "perhaps"}));
        assert_eq!(failed.fate, Fate::Failed);
        assert!(failed.cells.iter().all(|cell| cell.error.is_some()));
        assert_eq!(run(json!([1])).fate, Fate::Failed);
        assert_eq!(run(json!({})).fate, Fate::Failed);
    }
}
