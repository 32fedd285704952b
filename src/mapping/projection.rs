//! Which parts of a record are needed: only these are materialised when a page of records is read.
//!
//! The paths are merged into a tree; a record is read along it, and whatever the tree does not name is skipped without being built. On
//! pages of five hundred records, five fields of ten, this takes a third more time than parsing into a typed struct, and a third of the time
//! of building each record's whole [`serde_json::Value`].

use super::path::{Path, Step, element_is};
use crate::t;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// The paths a run needs; slot `i` of a row holds the value at `paths()[i]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    paths: Vec<Path>,
    root: Node,
}

/// One source record, cut down to what is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line in a file, or place in the whole read; 1-based.
    pub number: u64,
    /// `Null` where the record has nothing.
    pub slots: Vec<Value>,
}

/// What a body held.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Records {
    /// Each record's place in the list, from 0, and its slots.
    pub rows: Vec<(usize, Vec<Value>)>,
    /// Elements that are no records: their place in the list, from 0, and why.
    pub bad: Vec<(usize, String)>,
    /// Whether there was a list at all: SCIM leaves an empty one out (RFC 7644 §3.4.2). `null` counts as none.
    pub found: bool,
    /// What lies beside the list, by the slots of the projection given for it.
    pub beside: Vec<Value>,
}

impl Projection {
    #[must_use]
    pub fn new(paths: Vec<Path>) -> Self {
        let mut root = Node::default();
        for (slot, path) in paths.iter().enumerate() {
            root.insert(&path.steps, Some(slot));
        }
        Self { paths, root }
    }

    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Reads one record from a deserializer, skipping what no path names. A record that is not an object is an error.
    pub fn record<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Vec<Value>, D::Error> {
        RecordSeed(self).deserialize(deserializer)?.map_err(D::Error::custom)
    }

    /// Reads all records of a JSON body: the list at `records` (the body itself when none), and in the same pass what `beside` names in
    /// the body around it (a cursor, a total). A body that is cut short is an error, and so is something else where the list should be; a
    /// missing list is not. An element that is not an object is an entry of [`Records::bad`].
    pub fn body(&self, body: &[u8], records: Option<&Path>, beside: &Projection) -> Result<Records, serde_json::Error> {
        let mut root = beside.root.clone();
        root.insert(records.map_or(&[], |path| &path.steps), None);
        let mut out = Records { beside: vec![Value::Null; beside.paths.len()], ..Records::default() };
        // A byte-order mark is no JSON, but some servers send one.
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let mut target =
            Target { slots: &mut out.beside, list: Some(List { projection: self, rows: &mut out.rows, bad: &mut out.bad, found: &mut out.found }) };
        Walk { node: &root, target: &mut target }.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(out)
    }
}

/// A place in a record, and what is wanted there and below.
#[derive(Debug, Clone, Default, PartialEq)]
struct Node {
    /// Slots that take the whole value here.
    slots: Vec<usize>,
    /// The list of records is here.
    list: bool,
    /// Sorted by name.
    keys: Vec<(String, Node)>,
    /// Sorted by place.
    indexes: Vec<(usize, Node)>,
    conditions: Vec<(String, String, Node)>,
    /// Every slot below this place.
    below: Vec<usize>,
}

impl Node {
    /// `None` marks the list of records.
    fn insert(&mut self, steps: &[Step], slot: Option<usize>) {
        let Some((step, rest)) = steps.split_first() else {
            match slot {
                Some(slot) => self.slots.push(slot),
                None => self.list = true,
            }
            return;
        };
        self.below.extend(slot);
        let child = match step {
            Step::Key(key) => {
                let at = self.keys.binary_search_by(|(known, _)| known.as_str().cmp(key)).unwrap_or_else(|at| {
                    self.keys.insert(at, (key.clone(), Self::default()));
                    at
                });
                &mut self.keys[at].1
            }
            Step::Index(index) => {
                let at = self.indexes.binary_search_by_key(index, |(known, _)| *known).unwrap_or_else(|at| {
                    self.indexes.insert(at, (*index, Self::default()));
                    at
                });
                &mut self.indexes[at].1
            }
            Step::Where { key, value } => {
                let at = self.conditions.iter().position(|(k, v, _)| k == key && v == value).unwrap_or_else(|| {
                    self.conditions.push((key.clone(), value.clone(), Self::default()));
                    self.conditions.len() - 1
                });
                &mut self.conditions[at].2
            }
        };
        child.insert(rest, slot);
    }

    fn is_leaf(&self) -> bool {
        self.keys.is_empty() && self.indexes.is_empty() && self.conditions.is_empty() && !self.list
    }
}

/// Where values go.
struct Target<'t> {
    slots: &'t mut [Value],
    list: Option<List<'t>>,
}

struct List<'t> {
    projection: &'t Projection,
    rows: &'t mut Vec<(usize, Vec<Value>)>,
    bad: &'t mut Vec<(usize, String)>,
    found: &'t mut bool,
}

/// Reads a value along a node of the tree.
struct Walk<'n, 't, 's> {
    node: &'n Node,
    target: &'t mut Target<'s>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        let (node, target) = (self.node, self.target);
        if node.slots.is_empty() {
            // A member that is written twice counts as its last one, as it does for `Value`.
            for slot in &node.below {
                target.slots[*slot] = Value::Null;
            }
            return deserializer.deserialize_any(Inner { node, target });
        }
        let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
        if !node.is_leaf() {
            deserialize_again(&Node { slots: Vec::new(), ..node.clone() }, &value, target).map_err(D::Error::custom)?;
        }
        let (last, others) = node.slots.split_last().expect("checked above");
        for slot in others {
            target.slots[*slot] = value.clone();
        }
        target.slots[*last] = value;
        Ok(())
    }
}

/// Reads along the tree in a value that was built.
fn deserialize_again(node: &Node, value: &Value, target: &mut Target<'_>) -> Result<(), serde_json::Error> {
    Walk { node, target }.deserialize(value)
}

struct Inner<'n, 't, 's> {
    node: &'n Node,
    target: &'t mut Target<'s>,
}

impl Inner<'_, '_, '_> {
    fn scalar<E: serde::de::Error>(self, found: &'static str) -> Result<(), E> {
        if self.node.list { Err(E::custom(t!("mapping.read.not_list", found = found))) } else { Ok(()) }
    }
}

impl<'de> Visitor<'de> for Inner<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.scalar(t!("mapping.json.boolean"))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.scalar(t!("mapping.json.number"))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.scalar(t!("mapping.json.number"))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.scalar(t!("mapping.json.number"))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.scalar(t!("mapping.json.text"))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.node.list {
            return Err(A::Error::custom(t!("mapping.read.not_list", found = t!("mapping.json.object"))));
        }
        let node = self.node;
        while let Some(found) = map.next_key_seed(Name(&node.keys))? {
            match found {
                Some(at) => map.next_value_seed(Walk { node: &node.keys[at].1, target: self.target })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let node = self.node;
        if node.list
            && let Some(list) = &mut self.target.list
        {
            *list.found = true;
            list.rows.clear();
            list.bad.clear();
            let mut index = 0;
            while let Some(record) = seq.next_element_seed(RecordSeed(list.projection))? {
                match record {
                    Ok(slots) => list.rows.push((index, slots)),
                    Err(reason) => list.bad.push((index, reason)),
                }
                index += 1;
            }
            return Ok(());
        }
        let mut indexes = node.indexes.iter().peekable();
        let mut open: Vec<&(String, String, Node)> = node.conditions.iter().collect();
        for index in 0.. {
            let here = indexes.next_if(|(wanted, _)| *wanted == index).map(|(_, child)| child);
            if open.is_empty() {
                // Without conditions left, the element is read along the tree, or skipped.
                let more = match here {
                    Some(child) => seq.next_element_seed(Walk { node: child, target: self.target })?.is_some(),
                    None => seq.next_element::<IgnoredAny>()?.is_some(),
                };
                if !more {
                    break;
                }
                continue;
            }
            let Some(element) = seq.next_element::<Value>()? else { break };
            if let Some(child) = here {
                deserialize_again(child, &element, self.target).map_err(A::Error::custom)?;
            }
            let mut matched = Ok(());
            open.retain(|(key, value, child)| {
                let is = element_is(&element, key, value);
                if is && matched.is_ok() {
                    matched = deserialize_again(child, &element, self.target);
                }
                !is
            });
            matched.map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Up to so many names are gone through one by one.
const FEW: usize = 24;

/// Reads a member's name and finds it among those wanted, without building it.
struct Name<'n>(&'n [(String, Node)]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
        // Most names differ in length, so that going through a few costs less than searching among them.
        Ok(if self.0.len() <= FEW {
            self.0.iter().position(|(known, _)| known == name)
        } else {
            self.0.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()
        })
    }
}

/// Reads one record; the inner `Err` says why it is none.
struct RecordSeed<'p>(&'p Projection);

impl<'de> DeserializeSeed<'de> for RecordSeed<'_> {
    type Value = Result<Vec<Value>, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

fn no_object<T>(found: &'static str) -> Result<T, String> {
    Err(t!("mapping.read.not_object", found = found))
}

impl<'de> Visitor<'de> for RecordSeed<'_> {
    type Value = Result<Vec<Value>, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let mut slots = vec![Value::Null; self.0.paths.len()];
        let mut target = Target { slots: &mut slots, list: None };
        if self.0.root.slots.is_empty() {
            Inner { node: &self.0.root, target: &mut target }.visit_map(map)?;
        } else {
            // A path without steps: the whole record is wanted.
            Walk { node: &self.0.root, target: &mut target }.deserialize(MapAccessDeserializer::new(map))?;
        }
        Ok(Ok(slots))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(no_object(t!("mapping.json.list")))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.boolean")))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.number")))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.number")))
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.number")))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.text")))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(no_object(t!("mapping.json.null")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::path::tests as gen_;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn of(paths: &[&str]) -> Projection {
        Projection::new(paths.iter().map(|path| Path::parse(path).unwrap()).collect())
    }

    #[test]
    fn only_what_is_named() {
        let projection = of(&["email", "profile.name", "emails[type=work].value", "emails[0].type", "profile", "emails[type=none].value", "email"]);
        let text = r#"{"id": 1, "email": "a", "profile": {"name": "Ada", "x": [1, {"y": 2}]}, "noise": [[[]]],
            "emails": [{"value": "h", "type": "home"}, {"value": "w", "type": "work"}, {"value": "w2", "type": "work"}]}"#;
        let slots = projection.record(&mut serde_json::Deserializer::from_str(text)).unwrap();
        let expected = [json!("a"), json!("Ada"), json!("w"), json!("home"), json!({"name": "Ada", "x": [1, {"y": 2}]}), json!(null), json!("a")];
        assert_eq!(slots, expected);
    }

    #[test]
    fn a_body_and_what_lies_beside_the_list() {
        let rows = of(&["id"]);
        let beside = of(&["meta.next", "total"]);
        let body = br#"{"total": 3, "data": {"list": [{"id": 1}, 7, {"x": 2}, null, "x", [], {"id": 3}]}, "meta": {"next": "abc"}}"#;
        let list = Path::parse("data.list").unwrap();
        let records = rows.body(body, Some(&list), &beside).unwrap();
        assert_eq!(records.rows, [(0, vec![json!(1)]), (2, vec![json!(null)]), (6, vec![json!(3)])]);
        assert_eq!(records.bad.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [1, 3, 4, 5]);
        assert_eq!(records.beside, [json!("abc"), json!(3)]);
        assert!(records.found);
    }

    #[test]
    fn bodies_that_are_lists_or_have_none() {
        let rows = of(&["id"]);
        let none = Projection::default();
        let list = Path::parse("data").unwrap();
        let found = |body: &str, at: Option<&Path>| rows.body(body.as_bytes(), at, &none).map(|records| (records.found, records.rows.len()));
        assert_eq!(found("[{\"id\":1},{\"id\":2}]", None).unwrap(), (true, 2));
        assert_eq!(found("\u{feff} []", None).unwrap(), (true, 0));
        assert_eq!(found("{}", Some(&list)).unwrap(), (false, 0));
        assert_eq!(found("{\"data\":null}", Some(&list)).unwrap(), (false, 0));
        assert!(found("{}", None).is_err());
        assert!(found("{\"data\":{}}", Some(&list)).is_err());
        assert!(found("{\"data\":\"x\"}", Some(&list)).is_err());
        assert!(found("[] trailing", None).is_err());
    }

    #[test]
    fn a_body_cut_short_is_an_error_wherever_it_is_cut() {
        let rows = of(&["id", "emails[type=work].value"]);
        let list = Path::parse("data").unwrap();
        let body = r#"{"a": [1, {"b": "c"}], "data": [{"id": 1, "emails": [{"type": "work", "value": "ä"}]}, {"id": 2}], "more": false}"#.as_bytes();
        assert!(rows.body(body, Some(&list), &Projection::default()).is_ok());
        for cut in 0..body.len() {
            assert!(rows.body(&body[..cut], Some(&list), &Projection::default()).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn the_last_of_two_members_counts() {
        let projection = of(&["a.b", "a.c"]);
        for (text, expected) in [
            (r#"{"a": {"b": 1, "c": 2}, "a": {"b": 3}}"#, [json!(3), json!(null)]),
            (r#"{"a": {"b": 1, "c": 2}, "a": 5}"#, [json!(null), json!(null)]),
        ] {
            assert_eq!(projection.record(&mut serde_json::Deserializer::from_str(text)).unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn the_same_as_walking_the_whole_value(paths in proptest::collection::vec(gen_::path(), 0..6), value in gen_::value()) {
            let record = json!({"a": value, "b": {"a": 1}});
            let projection = Projection::new(paths.clone());
            let expected: Vec<Value> = paths.iter().map(|path| path.get(&record).cloned().unwrap_or_default()).collect();
            prop_assert_eq!(&projection.record(&record).unwrap(), &expected);
            let text = record.to_string();
            prop_assert_eq!(&projection.record(&mut serde_json::Deserializer::from_str(&text)).unwrap(), &expected);
            let body = format!("{{\"x\": [{text}, {text}]}}");
            let records = projection.body(body.as_bytes(), Some(&Path::key("x")), &Projection::default()).unwrap();
            prop_assert_eq!(records.rows, vec![(0, expected.clone()), (1, expected)]);
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = of(&["a", "b[0]"]).body(&body, None, &Projection::default());
        }
    }
}
