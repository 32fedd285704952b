//! Fuzzy search over the rows: names first, then what a row is about.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::ConnectorRow;

/// The rows that match, best first; all of them, as they are, when the query is blank.
#[must_use]
pub fn matching(rows: Vec<ConnectorRow>, query: &str) -> Vec<ConnectorRow> {
    let query = query.trim();
    if query.is_empty() {
        return rows;
    }
    let lower = query.to_lowercase();
    let pattern = Pattern::new(query, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
    let words: Vec<&str> = lower.split_whitespace().collect();
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut scored: Vec<(u32, ConnectorRow)> =
        rows.into_iter().filter_map(|row| score(&row, &lower, &pattern, &words, &mut matcher).map(|score| (score, row))).collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, row)| row).collect()
}

/// Tiers keep a stray fuzzy hit in one name from standing before another row's exact one.
fn score(row: &ConnectorRow, lower: &str, pattern: &Pattern, words: &[&str], matcher: &mut Matcher) -> Option<u32> {
    const TIER: u32 = 1 << 20;
    let mut buffer = Vec::new();
    let mut best = None;
    let names = [&row.name, &row.id].into_iter().map(|name| (name, 1)).chain(row.aliases.iter().map(|name| (name, 0)));
    for (name, own) in names {
        let name_lower = name.to_lowercase();
        let tier = if name_lower == lower {
            6 + own
        } else if name_lower.starts_with(lower) || initials(name).starts_with(lower) {
            4 + own
        } else if name_lower.contains(lower) {
            2 + own
        } else {
            0
        };
        if let Some(score) = pattern.score(Utf32Str::new(name, &mut buffer), matcher) {
            best = best.max(Some(tier * TIER + score * 2 + own));
        }
    }
    if best.is_none_or(|best| best < TIER) {
        // What a row is about matches by whole beginnings of words: “gh” is not in “through”.
        let about = format!("{} {} {} {}", row.name, row.aliases.join(" "), row.categories.join(" "), row.summary).to_lowercase();
        let begins = |word: &&str| about.split(|c: char| !c.is_alphanumeric()).any(|one| one.starts_with(*word));
        if words.iter().all(begins) {
            best = best.max(Some(TIER));
        }
    }
    best
}

/// What people shorten a name to: the first letters of its words and humps. “gh” for GitHub, “ad” for Active Directory.
fn initials(name: &str) -> String {
    let mut before = ' ';
    let mut initials = String::new();
    for letter in name.chars() {
        if letter.is_alphanumeric() && (!before.is_alphanumeric() || (letter.is_uppercase() && before.is_lowercase())) {
            initials.extend(letter.to_lowercase());
        }
        before = letter;
    }
    initials
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ConnectorStatus, Origin};

    fn row(id: &str, name: &str, aliases: &[&str], category: &str) -> ConnectorRow {
        ConnectorRow {
            id: id.to_owned(),
            name: name.to_owned(),
            status: ConnectorStatus::Available,
            category: category.to_owned(),
            categories: vec![category.to_owned()],
            auth: vec![],
            resources: vec![],
            origin: Origin::BuiltIn,
            summary: String::new(),
            aliases: aliases.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    fn found(query: &str) -> Vec<String> {
        let rows = vec![
            row("microsoft-365", "Microsoft 365", &["Entra ID", "Azure AD", "Graph"], "identity"),
            row("okta", "Okta", &[], "identity"),
            row("insightly-crm", "Insightly CRM", &[], "crm"),
            row("github", "GitHub", &[], "development"),
            row("ironclad-clickwrap", "Ironclad Clickwrap", &["PactSafe"], "contracts"),
            row("icertis", "Icertis", &["ICI"], "contracts"),
        ];
        matching(rows, query).into_iter().map(|row| row.id).collect()
    }

    #[test]
    fn the_best_hit_comes_first() {
        for (query, first) in [
            ("okta", "okta"),
            ("OKTA", "okta"),
            ("gh", "github"),
            ("clickwrap", "ironclad-clickwrap"),
            ("pactsafe", "ironclad-clickwrap"),
            ("azure", "microsoft-365"),
            ("entra", "microsoft-365"),
            ("icert", "icertis"),
            ("ici", "icertis"),
            ("iron click", "ironclad-clickwrap"),
        ] {
            assert_eq!(found(query).first().map(String::as_str), Some(first), "{query}");
        }
    }

    #[test]
    fn categories_are_found_and_nonsense_is_not() {
        assert_eq!(found("contracts").len(), 2);
        assert_eq!(found("identity").len(), 2);
        assert!(found("zzzzqq").is_empty());
        assert_eq!(found("  ").len(), 6);
    }
}
