//! Narrowing the catalog: what a connector reads, its category, its methods, its status, whether this workspace is connected, whose it is.
//! Within a facet any of the chosen values will do; every facet that has some must have one that fits. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::connectors::{ConnectorRow, Used};
use crate::model::Origin;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    Reads,
    Category,
    Method,
    Status,
    Connected,
    Origin,
}

/// The values of [`Facet::Connected`] and [`Facet::Origin`].
pub const YES: &str = "yes";
pub const NO: &str = "no";
pub const BUILT_IN: &str = "built_in";
pub const OWN: &str = "own";

impl Facet {
    pub const ALL: [Self; 6] = [Self::Reads, Self::Category, Self::Method, Self::Status, Self::Connected, Self::Origin];

    /// The word under which it is kept, and which the command line knows.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Category => "category",
            Self::Method => "method",
            Self::Status => "status",
            Self::Connected => "connected",
            Self::Origin => "origin",
        }
    }

    /// What a row has of it, in the words of JSON: `users`, `identity`, `oauth2_code`, `preview`, `yes`, `built_in`.
    #[must_use]
    pub fn values<'r>(self, row: &'r ConnectorRow, used: Option<&Used>) -> Vec<Cow<'r, str>> {
        match self {
            Self::Reads => row.reads.iter().map(|kind| word(kind).into()).collect(),
            Self::Category => row.categories.iter().map(|category| Cow::Borrowed(&**category)).collect(),
            Self::Method => row.auth.iter().map(|method| word(&method.kind).into()).collect(),
            Self::Status => vec![word(&row.status).into()],
            Self::Connected => vec![if used.is_some_and(|used| used.credentials > 0) { YES } else { NO }.into()],
            Self::Origin => vec![if row.origin == Origin::BuiltIn { BUILT_IN } else { OWN }.into()],
        }
    }
}

fn word<T: Serialize>(value: &T) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What was chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facets(BTreeSet<(Facet, String)>);

impl Facets {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn has(&self, facet: Facet, value: &str) -> bool {
        self.0.iter().any(|(known, chosen)| *known == facet && chosen == value)
    }

    pub fn add(&mut self, facet: Facet, value: &str) {
        self.0.insert((facet, value.to_owned()));
    }

    pub fn toggle(&mut self, facet: Facet, value: &str) {
        let one = (facet, value.to_owned());
        if !self.0.remove(&one) {
            self.0.insert(one);
        }
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many values of a facet are chosen.
    #[must_use]
    pub fn chosen(&self, facet: Facet) -> usize {
        self.0.iter().filter(|(known, _)| *known == facet).count()
    }

    pub fn iter(&self) -> impl Iterator<Item = (Facet, &str)> {
        self.0.iter().map(|(facet, value)| (*facet, value.as_str()))
    }

    #[must_use]
    pub fn admit(&self, row: &ConnectorRow, used: Option<&Used>) -> bool {
        self.admit_but(None, row, used)
    }

    fn admit_but(&self, but: Option<Facet>, row: &ConnectorRow, used: Option<&Used>) -> bool {
        Facet::ALL.into_iter().filter(|facet| Some(*facet) != but && self.chosen(*facet) > 0).all(|facet| {
            let values = facet.values(row, used);
            values.iter().any(|value| self.has(facet, value))
        })
    }

    /// Each value of a facet that there is in the catalog, and how many rows would be left with it, everything else as it is chosen. Values
    /// that people count on stand in their own order, categories in that of the alphabet.
    #[must_use]
    pub fn tally<'r>(&self, facet: Facet, rows: impl Iterator<Item = (&'r ConnectorRow, Option<&'r Used>)>) -> Vec<(String, usize)> {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (row, used) in rows {
            let counted = usize::from(self.admit_but(Some(facet), row, used));
            let values: BTreeSet<Cow<'_, str>> = facet.values(row, used).into_iter().collect();
            for value in values {
                *counts.entry(value.into_owned()).or_default() += counted;
            }
        }
        let order: &[&str] = match facet {
            Facet::Reads => &["users", "groups", "applications", "hardware", "software"],
            Facet::Method => &["oauth2_code", "client_credentials", "api_key", "bearer", "basic"],
            Facet::Status => &["available", "preview", "practice"],
            Facet::Connected => &[YES, NO],
            Facet::Origin => &[OWN, BUILT_IN],
            Facet::Category => &[],
        };
        let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(value, _)| order.iter().position(|known| known == value).unwrap_or(order.len()));
        counts
    }

    /// For the console's memory: `{"category": ["hr"]}`.
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        let mut out = serde_json::Map::new();
        for (facet, value) in self.iter() {
            if let serde_json::Value::Array(values) = out.entry(facet.key()).or_insert_with(|| serde_json::json!([])) {
                values.push(value.into());
            }
        }
        out.into()
    }

    #[must_use]
    pub fn restored(remembered: &serde_json::Value) -> Self {
        let mut facets = Self::default();
        for facet in Facet::ALL {
            for value in remembered[facet.key()].as_array().into_iter().flatten().filter_map(serde_json::Value::as_str).take(100) {
                facets.add(facet, &crate::words::clean::line(value, 60));
            }
        }
        facets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn rows() -> Vec<ConnectorRow> {
        Catalog::open(std::path::Path::new("/nowhere")).rows()
    }

    fn facets(chosen: &[(Facet, &str)]) -> Facets {
        let mut facets = Facets::default();
        for (facet, value) in chosen {
            facets.add(*facet, value);
        }
        facets
    }

    #[test]
    fn values_of_one_facet_widen_and_those_of_another_narrow() {
        let rows = rows();
        let count = |chosen: &[(Facet, &str)]| {
            let facets = facets(chosen);
            rows.iter().filter(|row| facets.admit(row, None)).count()
        };
        let hr = count(&[(Facet::Category, "hr")]);
        let crm = count(&[(Facet::Category, "crm")]);
        let both = count(&[(Facet::Category, "hr"), (Facet::Category, "crm")]);
        assert!(hr > 2 && crm > 2 && both > hr.max(crm) && both <= hr + crm, "{hr} {crm} {both}");
        let narrowed = count(&[(Facet::Category, "hr"), (Facet::Method, "basic")]);
        assert!(narrowed > 0 && narrowed < hr, "{narrowed}");
        assert_eq!(count(&[]), rows.len());
        assert_eq!(count(&[(Facet::Connected, NO)]), rows.len());
        assert_eq!(count(&[(Facet::Connected, YES)]), 0);
        assert_eq!(count(&[(Facet::Origin, OWN)]), 0);
        assert_eq!(count(&[(Facet::Status, "preview")]) + count(&[(Facet::Status, "available")]) + 2, rows.len());
    }

    #[test]
    fn what_a_value_would_leave_is_counted_with_everything_else_as_it_is() {
        let rows = rows();
        let all = || rows.iter().map(|row| (row, None));
        let chosen = facets(&[(Facet::Category, "hr")]);
        let methods = chosen.tally(Facet::Method, all());
        for (value, n) in &methods {
            let with = facets(&[(Facet::Category, "hr"), (Facet::Method, value)]);
            assert_eq!(*n, rows.iter().filter(|row| with.admit(row, None)).count(), "{value}");
        }
        // The chosen facet's own values count as if none were chosen; each stays, though it may lead to nothing.
        let categories = chosen.tally(Facet::Category, all());
        assert!(categories.iter().any(|(value, n)| value == "crm" && *n > 2));
        assert_eq!(methods.first().map(|(value, _)| value.as_str()), Some("oauth2_code"));
        let statuses: Vec<String> = chosen.tally(Facet::Status, all()).into_iter().map(|(value, _)| value).collect();
        assert_eq!(statuses, ["available", "preview", "practice"]);
    }

    #[test]
    fn what_was_chosen_comes_back() {
        let chosen = facets(&[(Facet::Category, "hr"), (Facet::Category, "crm"), (Facet::Reads, "users")]);
        assert_eq!(Facets::restored(&chosen.remembered()), chosen);
        assert_eq!(Facets::restored(&serde_json::json!({"category": 3, "reads": [1, null]})), Facets::default());
        assert_eq!(Facets::restored(&serde_json::Value::Null), Facets::default());
    }
}
