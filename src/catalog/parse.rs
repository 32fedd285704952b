//! From text to a definition, with the line of everything that is wrong.

use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::extend::{self, Find};
use super::faults::{self, DefinitionFault, Place};
use crate::model::Connector;

/// Unknown keys that are reported at once.
const MOST_UNKNOWN: usize = 30;

/// A definition's text, and where the ones that it extends are found.
#[derive(Clone, Copy)]
pub struct Text<'t> {
    pub text: &'t str,
    /// Whether it is a built-in one, which extends built-in ones only.
    pub built_in: bool,
    pub find: &'t Find<'t>,
}

/// Reads a definition, or says what keeps it from being read. Faults have no `file`.
pub fn connector(text: &Text<'_>) -> Result<Connector, Vec<DefinitionFault>> {
    // The usual case: no tree is kept.
    if let Ok(connector) = toml::from_str::<Connector>(text.text)
        && connector.extends.is_none()
        && connector.remove.is_empty()
    {
        return Ok(connector);
    }
    let (connector, faults) = lenient(text);
    match connector {
        Some(connector) if faults.is_empty() => Ok(connector),
        _ => Err(faults),
    }
}

/// Reads as much as possible: unknown keys are faults, and left out.
pub fn lenient(definition: &Text<'_>) -> (Option<Connector>, Vec<DefinitionFault>) {
    let text = definition.text;
    let (tree, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let faults = errors.iter().take(MOST_UNKNOWN).map(|error| faults::syntax(line_of(text, error), error.message())).collect();
        return (None, faults);
    }
    let bases = match extend::bases(tree.get_ref(), definition.built_in, definition.find) {
        Ok(bases) => bases,
        Err(missing) => return (None, vec![faults::no_base(Lines::of(text, Some(tree)).line(&[Place::Key("extends")]), &missing)]),
    };
    let span = tree.span();
    let (tree, nothing) = extend::merged(tree.into_inner(), &bases);
    let mut tree = Spanned::new(span, tree);
    let at = if nothing.is_empty() { 0 } else { Lines::new(text).line(&[Place::Key("remove")]) };
    let mut faults: Vec<DefinitionFault> = nothing.iter().map(|path| faults::nothing_removed(at, path)).collect();
    loop {
        match Connector::deserialize(toml::de::Deserializer::from(tree.clone())) {
            Ok(connector) => return (Some(connector), faults),
            Err(error) => {
                faults.push(faults::shape(line_of(text, &error), error.message()));
                let removed = error.message().starts_with("unknown field")
                    && faults.len() < MOST_UNKNOWN
                    && error.span().is_some_and(|span| remove(tree.get_mut(), &span));
                if !removed {
                    return (None, faults);
                }
            }
        }
    }
}

/// Takes the key that stands exactly there out of the tree.
fn remove(table: &mut DeTable<'_>, span: &std::ops::Range<usize>) -> bool {
    let key = table.keys().find(|key| key.span() == *span).cloned();
    if let Some(key) = key {
        return table.remove(&key).is_some();
    }
    table.iter_mut().any(|(_, value)| remove_in(value, span))
}

fn remove_in(value: &mut Spanned<DeValue<'_>>, span: &std::ops::Range<usize>) -> bool {
    match value.get_mut() {
        DeValue::Table(table) => remove(table, span),
        DeValue::Array(list) => list.iter_mut().any(|one| remove_in(one, span)),
        _ => false,
    }
}

fn line_of(text: &str, error: &toml::de::Error) -> usize {
    error.span().map_or(1, |span| line_at(text, span.start))
}

/// The 1-based line of a byte.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.as_bytes().iter().take(byte).filter(|b| **b == b'\n').count()
}

/// Finds lines in a text that parses.
pub struct Lines<'t> {
    text: &'t str,
    tree: Option<Spanned<DeTable<'t>>>,
}

impl<'t> Lines<'t> {
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        Self::of(text, DeTable::parse(text).ok())
    }

    fn of(text: &'t str, tree: Option<Spanned<DeTable<'t>>>) -> Self {
        Self { text, tree }
    }

    /// The line of a place, or of the nearest thing around it that is in the file.
    #[must_use]
    pub fn line(&self, place: &[Place<'_>]) -> usize {
        let Some(tree) = &self.tree else { return 1 };
        // What is not in the file at all is taken over from another.
        let extends = tree.get_ref().iter().find(|(name, _)| name.get_ref() == "extends");
        let mut at = extends.map_or(0, |(name, _)| name.span().start);
        let mut table = Some(tree.get_ref());
        let mut list: Option<&[Spanned<DeValue<'_>>]> = None;
        for step in place {
            let value = match step {
                Place::Key(key) => {
                    let Some((found, value)) = table.and_then(|table| table.iter().find(|(name, _)| name.get_ref() == key)) else { break };
                    // A table's own span may be its header; the key is where people look.
                    at = found.span().start;
                    value
                }
                Place::Index(index) => {
                    let Some(value) = list.and_then(|list| list.get(*index)) else { break };
                    at = value.span().start;
                    value
                }
            };
            (table, list) = match value.get_ref() {
                DeValue::Table(inner) => (Some(inner), None),
                DeValue::Array(inner) => (None, Some(inner.as_ref())),
                _ => (None, None),
            };
        }
        line_at(self.text, at)
    }
}
