//! Search over the rows: by name, by the name in other languages, by other names, identifier and category, and last by what a row is about.
//!
//! Accents, case and what stands between letters and digits are nothing to it: “sante” finds “Santé”, “hyperv” finds “Hyper-V”.

use nucleo_matcher::chars::normalize;

use super::ConnectorRow;
use crate::model::ConnectorStatus;

/// A row that was found, and what of it matched, so that a list can show why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its place among the rows that were searched.
    pub row: usize,
    pub place: Place,
    /// The characters of that text that matched, by their place in it, in order.
    pub at: Vec<usize>,
}

/// What of a row matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Name,
    /// The name in another language, by its place among `names`.
    OtherName(usize),
    Alias(usize),
    Id,
    Category(usize),
    /// Words of all of it and of the summary, each from its beginning.
    About,
}

/// How well a text matches, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    About,
    Scattered,
    /// Nearly, with a letter wrong, missing or swapped.
    Nearly,
    Inside,
    Initials,
    /// From the beginning of a later word, or each word from the beginning of one.
    Words,
    /// From its beginning, or with the initials of all its words.
    Begins,
    Whole,
}

/// The rows that match, best first; none when nothing does, all of them, as they are, when the query is blank.
#[must_use]
pub fn search(rows: &[ConnectorRow], query: &str) -> Vec<Found> {
    let query = Query::new(query);
    if query.letters.is_empty() {
        return (0..rows.len()).map(|row| Found { row, place: Place::Name, at: Vec::new() }).collect();
    }
    let mut text = Text::default();
    let mut scored: Vec<(u32, Found)> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some(found) = best(row, at, &query, &mut text) {
            scored.push(found);
        }
    }
    // Slips are looked for where no word begins so: “drip” is not meant to be “drop”.
    if scored.iter().all(|(score, _)| *score < rank(Way::Words)) {
        for (at, row) in rows.iter().enumerate() {
            let Some(found) = nearly(row, at, &query, &mut text) else { continue };
            match scored.iter_mut().find(|(_, known)| known.row == at) {
                Some(known) if known.0 < found.0 => *known = found,
                Some(_) => {}
                None => scored.push(found),
            }
        }
    }
    scored.sort_by_key(|(score, found)| (std::cmp::Reverse(*score), found.row));
    scored.into_iter().map(|(_, found)| found).collect()
}

/// The same, as rows.
#[must_use]
pub fn matching(rows: Vec<ConnectorRow>, query: &str) -> Vec<ConnectorRow> {
    if query.trim().is_empty() {
        return rows;
    }
    search(&rows, query).into_iter().filter_map(|found| rows.get(found.row).cloned()).collect()
}

struct Query {
    /// Letters and digits, folded.
    letters: Vec<char>,
    words: Vec<Vec<char>>,
}

impl Query {
    fn new(query: &str) -> Self {
        // Nobody types more than that; whoever pastes a page does not wait for it.
        let query: Vec<char> = query.trim().chars().take(80).collect();
        let words: Vec<Vec<char>> = query
            .split(|c| c.is_whitespace())
            .map(|word| word.iter().filter(|c| c.is_alphanumeric()).map(|c| fold(*c)).collect::<Vec<char>>())
            .filter(|word| !word.is_empty())
            .collect();
        // What nearly everybody shortens: “ms teams”.
        let short = words.len() > 1 && words.first().is_some_and(|word| word[..] == ['m', 's']);
        let words = if short { std::iter::once("microsoft".chars().collect()).chain(words.into_iter().skip(1)).collect() } else { words };
        Self { letters: words.concat(), words }
    }
}

/// A text as it is compared: its letters and digits, folded, where each stands in the text, and which of them begin a word.
#[derive(Default)]
struct Text {
    letters: Vec<char>,
    at: Vec<usize>,
    begins: Vec<bool>,
}

impl Text {
    fn read(&mut self, text: &str) {
        self.letters.clear();
        self.at.clear();
        self.begins.clear();
        // Nearly every text is ASCII, and each is read anew at every key.
        if text.is_ascii() {
            let mut before = b' ';
            for (at, c) in text.bytes().enumerate() {
                if c.is_ascii_alphanumeric() {
                    let hump = (c.is_ascii_uppercase() && before.is_ascii_lowercase()) || (c.is_ascii_digit() && before.is_ascii_alphabetic());
                    self.letters.push(char::from(c.to_ascii_lowercase()));
                    self.at.push(at);
                    self.begins.push(!before.is_ascii_alphanumeric() || hump);
                }
                before = c;
            }
            return;
        }
        let mut before = ' ';
        for (at, c) in text.chars().enumerate() {
            if c.is_alphanumeric() {
                self.letters.push(fold(c));
                self.at.push(at);
                // A word, or a hump within one: “gh” for GitHub, “365” in Office365.
                let hump = (c.is_uppercase() && before.is_lowercase()) || (c.is_numeric() && before.is_alphabetic());
                self.begins.push(!before.is_alphanumeric() || hump);
            }
            before = c;
        }
    }

    fn starts(&self) -> impl Iterator<Item = usize> {
        self.begins.iter().enumerate().filter(|(_, begins)| **begins).map(|(at, _)| at)
    }

    fn begins_at(&self, at: usize, letters: &[char]) -> bool {
        self.letters.get(at..).is_some_and(|rest| rest.starts_with(letters))
    }

    fn places(&self, letters: impl IntoIterator<Item = usize>) -> Vec<usize> {
        letters.into_iter().filter_map(|letter| self.at.get(letter).copied()).collect()
    }

    /// The best way in which the query is in the text, how loosely, and the characters that it is made of.
    fn find(&self, query: &Query) -> Option<(Way, usize, Vec<usize>)> {
        let wanted = &query.letters;
        let run = |start: usize| self.places(start..start + wanted.len());
        if self.begins_at(0, wanted) {
            let way = if self.letters.len() == wanted.len() { Way::Whole } else { Way::Begins };
            return Some((way, 0, run(0)));
        }
        if let Some(start) = self.starts().find(|start| self.begins_at(*start, wanted)) {
            return Some((Way::Words, start, run(start)));
        }
        if query.words.len() > 1 {
            let found: Option<Vec<usize>> = query.words.iter().map(|word| self.starts().find(|start| self.begins_at(*start, word))).collect();
            if let Some(starts) = found {
                let mut letters: Vec<usize> = starts.iter().zip(&query.words).flat_map(|(start, word)| *start..start + word.len()).collect();
                letters.sort_unstable();
                letters.dedup();
                return Some((Way::Words, 0, self.places(letters)));
            }
        }
        let mut starts = self.starts();
        if wanted.len() > 1 && wanted.iter().all(|letter| starts.next().is_some_and(|start| self.letters.get(start) == Some(letter))) {
            let more = starts.count();
            let way = if more == 0 { Way::Begins } else { Way::Initials };
            return Some((way, more, self.places(self.starts().take(wanted.len()))));
        }
        if wanted.len() > 2
            && let Some(start) = self.letters.windows(wanted.len()).position(|window| window == wanted)
        {
            return Some((Way::Inside, start, run(start)));
        }
        let scattered = self.starts().filter_map(|start| self.scattered(start, wanted)).min_by_key(|(loose, _)| *loose);
        scattered.map(|(loose, letters)| (Way::Scattered, loose, self.places(letters)))
    }

    /// Letters left out within a word, or the beginnings of words: “zndsk” in Zendesk, “gspeech” in Google Speech-to-Text.
    fn scattered(&self, start: usize, wanted: &[char]) -> Option<(usize, Vec<usize>)> {
        const WIDEST: usize = 3;
        let (first, rest) = wanted.split_first()?;
        if wanted.len() < 4 || self.letters.get(start) != Some(first) {
            return None;
        }
        let (mut at, mut loose, mut letters) = (start, 0, vec![start]);
        for letter in rest {
            let ahead = at + 1..self.letters.len();
            let within = ahead.clone().take(WIDEST).take_while(|place| !self.begins[*place]).find(|place| self.letters[*place] == *letter);
            let next = within.or_else(|| ahead.clone().find(|place| self.begins[*place] && self.letters[*place] == *letter))?;
            loose += next - at - 1;
            letters.push(next);
            at = next;
        }
        Some((loose, letters))
    }
}

/// Each text of a row that it is found by, and how much it counts: names before other names before categories.
fn texts(row: &ConnectorRow) -> impl Iterator<Item = (Place, &str, u32)> {
    std::iter::once((Place::Name, &*row.name, 4))
        .chain(row.names.iter().enumerate().map(|(i, (_, name))| (Place::OtherName(i), &**name, 3)))
        .chain(row.aliases.iter().enumerate().map(|(i, alias)| (Place::Alias(i), &**alias, 2)))
        .chain(std::iter::once((Place::Id, &*row.id, 1)))
        .chain(row.categories.iter().enumerate().map(|(i, category)| (Place::Category(i), &**category, 0)))
}

/// The least score of a way.
fn rank(way: Way) -> u32 {
    (way as u32) << 20
}

/// One number to sort by: the way, then which text it was, then how close.
fn score(way: Way, weight: u32, loose: usize, length: usize, row: &ConnectorRow) -> u32 {
    let near = |n: usize, most: u32| most.saturating_sub(u32::try_from(n).unwrap_or(most));
    let practice = u32::from(row.status != ConnectorStatus::Practice);
    rank(way) | weight << 16 | near(loose, 63) << 9 | near(length, 127) << 1 | practice
}

fn best(row: &ConnectorRow, at: usize, query: &Query, text: &mut Text) -> Option<(u32, Found)> {
    let mut best: Option<(u32, Found)> = None;
    for (place, content, weight) in texts(row) {
        text.read(content);
        let Some((way, loose, letters)) = text.find(query) else { continue };
        // A category is a whole word or the beginning of one, and never stands before a name that is meant.
        let way = match place {
            Place::Category(_) if way < Way::Begins => continue,
            Place::Category(_) => Way::Inside,
            _ => way,
        };
        let score = score(way, weight, loose, text.letters.len(), row);
        if best.as_ref().is_none_or(|(known, _)| *known < score) {
            best = Some((score, Found { row: at, place, at: letters }));
        }
    }
    best.or_else(|| {
        // What a row is about matches by whole beginnings of words: “gh” is not in “through”.
        let mut left: Vec<&Vec<char>> = query.words.iter().filter(|word| word.len() > 1).collect();
        if left.len() < query.words.len() {
            return None;
        }
        for content in texts(row).map(|(_, content, _)| content).chain(std::iter::once(&*row.summary)) {
            text.read(content);
            left.retain(|word| !text.starts().any(|start| text.begins_at(start, word)));
            if left.is_empty() {
                return Some((score(Way::About, 0, 0, 0, row), Found { row: at, place: Place::About, at: Vec::new() }));
            }
        }
        None
    })
}

/// The names that begin nearly so, with one letter wrong, missing, too many, or two swapped.
fn nearly(row: &ConnectorRow, at: usize, query: &Query, text: &mut Text) -> Option<(u32, Found)> {
    if query.letters.len() < 4 {
        return None;
    }
    for (place, content, weight) in texts(row).filter(|(_, _, weight)| *weight > 1) {
        text.read(content);
        for start in text.starts() {
            // The first letter is right, as a rule; without it too much would be found.
            if text.letters.get(start) != query.letters.first() {
                continue;
            }
            for length in (query.letters.len() - 1..=query.letters.len() + 1).rev() {
                let Some(part) = text.letters.get(start..start + length) else { continue };
                if one_off(part, &query.letters) {
                    let found = Found { row: at, place, at: text.places(start..start + length) };
                    return Some((score(Way::Nearly, weight, start, text.letters.len(), row), found));
                }
            }
        }
    }
    None
}

/// Whether two texts differ by one letter, one letter more or less, or two neighbours swapped.
fn one_off(a: &[char], b: &[char]) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    match (a, b) {
        ([x, y, a @ ..], [v, w, b @ ..]) if x == w && y == v && a == b => true,
        ([_, a @ ..], [_, b @ ..]) if a == b => true,
        ([_, a @ ..], b) if a == b => true,
        (a, [_, b @ ..]) => a == b,
        _ => a.is_empty() && b.is_empty(),
    }
}

/// A character as it is compared: small, without accent. One becomes one, so that places stay places.
fn fold(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { normalize(c).to_lowercase().next().unwrap_or(c) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Origin;
    use std::borrow::Cow;

    fn row(id: &'static str, name: &'static str, aliases: &[&'static str], category: &'static str) -> ConnectorRow {
        ConnectorRow {
            id: id.into(),
            name: name.into(),
            names: Cow::default(),
            status: ConnectorStatus::Available,
            category: category.into(),
            categories: vec![category.into()].into(),
            auth: Cow::default(),
            resources: Cow::default(),
            reads: Cow::default(),
            origin: Origin::BuiltIn,
            summary: "".into(),
            aliases: aliases.iter().map(|alias| Cow::Borrowed(*alias)).collect(),
        }
    }

    fn rows() -> Vec<ConnectorRow> {
        let mut rows = vec![
            row("microsoft-365", "Microsoft 365", &["Entra ID", "Azure AD", "Graph"], "identity"),
            row("okta", "Okta", &[], "identity"),
            row("insightly-crm", "Insightly CRM", &[], "crm"),
            row("github", "GitHub", &[], "development"),
            row("ironclad-clickwrap", "Ironclad Clickwrap", &["PactSafe"], "contracts"),
            row("icertis", "Icertis", &["ICI"], "contracts"),
            row("mail", "Mail", &[], "mail"),
            row("hyper-v", "Hyper-V", &[], "infrastructure"),
            row("zendesk", "Zendesk", &[], "support"),
            row("through", "Passthrough", &[], "generic"),
            row("salesforce", "Salesforce", &["SFDC"], "crm"),
            row("salesforce-marketing-cloud", "Salesforce Marketing Cloud", &[], "marketing"),
            row("clickup", "ClickUp", &[], "productivity"),
        ];
        rows[6].names = vec![("fr".into(), "Courrier santé".into())].into();
        rows[9].summary = "Records of a vendor without a connector.".into();
        rows
    }

    fn found(query: &str) -> Vec<String> {
        matching(rows(), query).into_iter().map(|row| row.id.into_owned()).collect()
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
            ("click iron", "ironclad-clickwrap"),
            // The beginning of a name goes before that of a later word in it.
            ("click", "clickup"),
            ("ic", "icertis"),
            // What stands between letters does not matter, nor do accents.
            ("hyperv", "hyper-v"),
            ("microsoft365", "microsoft-365"),
            ("m365", "microsoft-365"),
            ("sante", "mail"),
            ("SANTÉ", "mail"),
            ("courr", "mail"),
            // Letters left out, swapped, too many.
            ("zndsk", "zendesk"),
            ("slsfrc", "salesforce"),
            ("githbu", "github"),
            ("zzendesk", "zendesk"),
            ("zenndesk", "zendesk"),
            ("salesfroce", "salesforce"),
            ("salesforec", "salesforce"),
            ("ms 365", "microsoft-365"),
            ("hv", "hyper-v"),
            // Only the language makes it another text: the one with an accent is read letter by letter.
            ("courrier s", "mail"),
            ("sfdc", "salesforce"),
            ("vendor without", "through"),
            ("foo", ""),
        ] {
            assert_eq!(found(query).first().map_or("", String::as_str), first, "{query}");
        }
    }

    #[test]
    fn categories_are_found_and_nonsense_is_not() {
        assert_eq!(found("contracts").len(), 2);
        assert_eq!(found("identity").len(), 2);
        assert!(found("zzzzqq").is_empty());
        assert_eq!(found("  ").len(), rows().len());
        assert_eq!(found("&").len(), rows().len());
        assert_eq!(found(&"x".repeat(100_000)), Vec::<String>::new());
    }

    #[test]
    fn what_matched_can_be_shown() {
        let rows = rows();
        let first = |query: &str| search(&rows, query).into_iter().next().unwrap();
        let shown = |query: &str| {
            let found = first(query);
            let row = &rows[found.row];
            let text = match found.place {
                Place::Name => &row.name,
                Place::OtherName(i) => &row.names[i].1,
                Place::Alias(i) => &row.aliases[i],
                Place::Id => &row.id,
                Place::Category(i) => &row.categories[i],
                Place::About => &row.summary,
            };
            found.at.iter().filter_map(|at| text.chars().nth(*at)).collect::<String>()
        };
        assert_eq!(shown("hyperv"), "HyperV");
        assert_eq!(shown("gh"), "GH");
        assert_eq!(shown("sante"), "santé");
        assert_eq!(first("sante").place, Place::OtherName(0));
        assert_eq!(shown("zndsk"), "Zndsk");
        assert_eq!(shown("click iron"), "IronClick");
        assert_eq!(first("graph").place, Place::Alias(2));
        assert_eq!(first("infra").place, Place::Category(0));
        assert_eq!(shown("okta"), "Okta");
    }
}
