//! What sampled records hold: the fields that the connector declares first, then those that are found in the records, nested ones by
//! their paths.

use super::convert::{convert, is_email, looks_like_time, shown};
use super::path::{Path, Step};
use crate::model::{FieldType, SampledField, SourceField};
use crate::words::clean;
use indexmap::IndexMap;
use serde_json::Value as Json;

/// Records that are looked through for fields that nobody declared.
const RECORDS: usize = 200;
const DEPTH: usize = 5;
/// Fields that are found, at most: a vendor's attribute bags can hold thousands.
const FIELDS: usize = 400;
/// Elements of a list that are told apart by their `type`.
const TYPES: usize = 6;
const SAMPLES: usize = 3;

/// The source side of the mapping editor.
#[must_use]
pub fn fields(declared: &[SourceField], records: &[Json]) -> Vec<SampledField> {
    let mut found: IndexMap<Path, Seen> = IndexMap::new();
    for field in declared {
        // What does not parse is the definition's fault and told there.
        if let Ok(path) = Path::parse(&field.path) {
            found.entry(path).or_insert_with(|| Seen { declared: Some(field.clone()), ..Seen::default() });
        }
    }
    for (path, seen) in &mut found {
        for value in records.iter().filter_map(|record| path.get(record)) {
            seen.take(value);
        }
    }
    let declared_paths = found.len();
    for record in records.iter().take(RECORDS) {
        walk(record, &mut Vec::new(), &mut |steps, value| {
            let path = Path { steps: steps.to_vec() };
            if let Some((index, _, seen)) = found.get_full_mut(&path) {
                if index >= declared_paths {
                    seen.take(value);
                }
            } else if found.len() < declared_paths + FIELDS {
                found.entry(path).or_default().take(value);
            }
        });
    }
    found
        .into_iter()
        .filter(|(_, seen)| seen.present > 0 || seen.declared.as_ref().is_some_and(|field| field.listed))
        .map(|(path, seen)| seen.field(&path))
        .collect()
}

#[derive(Default)]
struct Seen {
    declared: Option<SourceField>,
    present: u64,
    samples: Vec<String>,
    /// Guesses that every value so far agrees with.
    not: [bool; 5],
}

const GUESSES: [FieldType; 5] = [FieldType::Boolean, FieldType::Integer, FieldType::Number, FieldType::Email, FieldType::Time];

impl Seen {
    fn take(&mut self, value: &Json) {
        if value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return;
        }
        self.present += 1;
        if self.samples.len() < SAMPLES {
            let sample = shown(value);
            if !self.samples.contains(&sample) {
                self.samples.push(sample);
            }
        }
        for (guess, not) in GUESSES.iter().zip(&mut self.not) {
            *not |= !fits(value, *guess);
        }
    }

    fn field(self, path: &Path) -> SampledField {
        let guess = || {
            let agreed = GUESSES.iter().zip(&self.not).find(|(_, not)| !**not).map(|(guess, _)| *guess);
            agreed.filter(|_| self.present > 0).unwrap_or_default()
        };
        let (label, kind) = match &self.declared {
            Some(field) => (field.label.clone(), field.kind),
            None => (label(path), guess()),
        };
        SampledField { path: path.to_string(), label, kind, samples: self.samples, present: self.present }
    }
}

/// Whether a value is of a type as it stands, and not merely convertible to it.
fn fits(value: &Json, kind: FieldType) -> bool {
    match (kind, value) {
        (FieldType::Boolean, value) => value.is_boolean(),
        (FieldType::Integer, value) => value.is_i64() || value.is_u64(),
        (FieldType::Number, value) => value.is_number(),
        (FieldType::Email, Json::String(text)) => is_email(text.trim()) && text.contains('.'),
        (FieldType::Time, Json::String(text)) => looks_like_time(text) && convert(value, FieldType::Time).is_ok(),
        _ => false,
    }
}

/// A name for people: `profile.firstName` is “profile first name”.
fn label(path: &Path) -> String {
    let mut words: Vec<String> = Vec::new();
    for step in &path.steps {
        match step {
            Step::Key(key) => words.push(super::suggest::words(key).join(" ")),
            Step::Index(0) => {}
            Step::Index(index) => words.push((index + 1).to_string()),
            Step::Where { value, .. } => words.push(value.clone()),
        }
    }
    clean::line(&words.join(" "), 80)
}

fn walk(value: &Json, steps: &mut Vec<Step>, leaf: &mut impl FnMut(&[Step], &Json)) {
    match value {
        Json::Object(object) if steps.len() < DEPTH => {
            for (key, value) in object {
                steps.push(Step::Key(key.clone()));
                walk(value, steps, leaf);
                steps.pop();
            }
        }
        Json::Array(list) if steps.len() < DEPTH && list.iter().any(Json::is_object) => {
            if let Some(first) = list.first() {
                steps.push(Step::Index(0));
                walk(first, steps, leaf);
                steps.pop();
            }
            for element in list.iter().take(TYPES) {
                let kind = element.get("type").and_then(Json::as_str).filter(|kind| !kind.is_empty() && kind.len() <= 30);
                let Some(kind) = kind else { continue };
                steps.push(Step::Where { key: "type".to_owned(), value: kind.to_owned() });
                walk(element, steps, leaf);
                steps.pop();
            }
        }
        Json::Object(_) | Json::Null => {}
        // A list of single values is one text when it is stored.
        value => {
            if !steps.is_empty() && !matches!(steps.as_slice(), [.., Step::Where { .. }, Step::Key(key)] if key == "type") {
                leaf(steps, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn declared_first_then_what_is_found() {
        let declared = [
            SourceField { path: "email".into(), label: "E-mail".into(), kind: FieldType::Email, help: String::new(), listed: true },
            SourceField { path: "phone".into(), label: "Phone".into(), kind: FieldType::Text, help: String::new(), listed: true },
            SourceField { path: "rare".into(), label: "Rare".into(), kind: FieldType::Text, help: String::new(), listed: false },
        ];
        let records = [
            json!({"id": 1, "ok": true, "email": "a@example.com", "profile": {"firstName": "Ada", "none": null}, "roles": ["x", "y"],
                "emails": [{"type": "home", "value": "h@example.com"}, {"type": "work", "value": "w@example.com"}]}),
            json!({"id": 2, "email": "b@example.com", "created": "2025-03-01T10:00:00Z", "odd.key": 1.5, "profile": {"firstName": ""}}),
            json!({"id": 2, "email": " ", "created": "soon"}),
        ];
        let found = fields(&declared, &records);
        let row = |path: &str| found.iter().find(|field| field.path == path).unwrap_or_else(|| panic!("{path}"));
        assert_eq!(found.iter().take(2).map(|field| field.path.as_str()).collect::<Vec<_>>(), ["email", "phone"]);
        assert_eq!((row("email").present, row("email").samples.clone()), (2, vec!["a@example.com".to_owned(), "b@example.com".to_owned()]));
        assert_eq!(row("phone").present, 0);
        assert!(found.iter().all(|field| field.path != "rare" && field.path != "profile.none"));
        assert_eq!((row("id").kind, row("id").present, row("id").samples.len()), (FieldType::Integer, 3, 2));
        assert_eq!(row("ok").kind, FieldType::Boolean);
        assert_eq!((row("created").kind, row("[\"odd.key\"]").kind), (FieldType::Text, FieldType::Number));
        assert_eq!((row("profile.firstName").label.as_str(), row("profile.firstName").present), ("profile first name", 1));
        assert_eq!(row("roles").samples, ["[\"x\",\"y\"]"]);
        assert_eq!(row("emails[type=work].value").samples, ["w@example.com"]);
        assert_eq!(row("emails[0].value").kind, FieldType::Email);
    }

    proptest! {
        #[test]
        fn every_path_found_leads_back(record in crate::mapping::path::tests::value()) {
            let record = json!({"a": record, "x.y": [{"type": "t", "v": 1}]});
            for field in fields(&[], std::slice::from_ref(&record)) {
                prop_assert!(Path::parse(&field.path).unwrap().get(&record).is_some(), "{}", field.path);
            }
        }
    }
}
