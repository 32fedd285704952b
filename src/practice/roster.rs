//! Who is there: how many people, and what is different about some of them. Nobody is kept that can be made again.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::people::{self, Person, mix, person};

/// What changed in a day, by the members' identifiers, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Day {
    pub left: Vec<u64>,
    /// Of those who left the day before.
    pub returned: Vec<u64>,
    pub renamed: Vec<u64>,
    pub joined: Vec<u64>,
    /// Verified now and not before, or the other way round.
    pub verified: Vec<u64>,
}

pub struct Roster {
    seed: u64,
    /// Everybody there ever was.
    ever: u64,
    gone: BTreeSet<u64>,
    left_yesterday: Vec<u64>,
    renamed: HashMap<u64, u64>,
    flipped: HashSet<u64>,
    days: u64,
}

impl Roster {
    pub fn new(seed: u64, people: u64) -> Self {
        Self { seed, ever: people, gone: BTreeSet::new(), left_yesterday: Vec::new(), renamed: HashMap::new(), flipped: HashSet::new(), days: 0 }
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn count(&self) -> u64 {
        self.ever - self.gone.len() as u64
    }

    fn person(&self, index: u64) -> Person {
        person(self.seed, index, self.renamed.get(&index).copied().unwrap_or(0), self.flipped.contains(&index))
    }

    /// Everybody who is there, by identifier.
    pub fn present(&self) -> impl Iterator<Item = Person> + '_ {
        self.from(0)
    }

    /// Those who are there, after the first `skip`.
    pub fn from(&self, skip: u64) -> impl Iterator<Item = Person> + '_ {
        // Each one gone before moves the start on by one.
        let mut start = skip;
        for gone in &self.gone {
            if *gone > start {
                break;
            }
            start += 1;
        }
        (start..self.ever).filter(|index| !self.gone.contains(index)).map(|index| self.person(index))
    }

    /// A member who is there.
    pub fn get(&self, id: u64) -> Option<Person> {
        let index = people::index(id).filter(|index| *index < self.ever && !self.gone.contains(index))?;
        Some(self.person(index))
    }

    pub fn pass_a_day(&mut self) -> Day {
        self.days += 1;
        let some = |share: u64| self.count().div_ceil(share).min(40);
        let (leave, rename, verify, join) = (some(50), some(60), some(45), some(80));
        let mut taken: HashSet<u64> = self.left_yesterday.iter().copied().collect();
        let mut draw = 0;
        // Draws somebody who is there and was not drawn today. Gives up in a company that is too small.
        let mut pick = |roster: &Self, n: u64| {
            let mut picked = Vec::new();
            for _ in 0..n * 20 {
                if picked.len() as u64 >= n || roster.ever == 0 {
                    break;
                }
                draw += 1;
                let index = mix(roster.seed ^ (roster.days << 32), draw) % roster.ever;
                if !roster.gone.contains(&index) && taken.insert(index) {
                    picked.push(index);
                }
            }
            picked.sort_unstable();
            picked
        };
        let left = pick(self, leave);
        let renamed = pick(self, rename);
        let flipped = pick(self, verify);
        // Half of those who left yesterday come back, at least one.
        let back = self.left_yesterday.len().div_ceil(2);
        let returned: Vec<u64> = self.left_yesterday.iter().copied().take(back).collect();
        let joined: Vec<u64> = (self.ever..self.ever + join).collect();
        self.gone.extend(&left);
        for index in &returned {
            self.gone.remove(index);
        }
        for index in &renamed {
            *self.renamed.entry(*index).or_default() += 1;
        }
        for index in &flipped {
            if !self.flipped.remove(index) {
                self.flipped.insert(*index);
            }
        }
        self.ever += join;
        self.left_yesterday.clone_from(&left);
        let ids = |indexes: Vec<u64>| indexes.into_iter().map(people::id).collect();
        Day { left: ids(left), returned: ids(returned), renamed: ids(renamed), joined: ids(joined), verified: ids(flipped) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(roster: &Roster) -> HashMap<u64, Person> {
        roster.present().map(|person| (person.id, person)).collect()
    }

    #[test]
    fn what_a_day_says_is_what_happened() {
        let mut roster = Roster::new(1, 250);
        let mut before = snapshot(&roster);
        assert_eq!(before.len(), 250);
        let mut ever: HashSet<u64> = before.keys().copied().collect();
        for day in 1..=20 {
            let told = roster.pass_a_day();
            let after = snapshot(&roster);
            let sorted = |ids: Vec<u64>| {
                let mut ids = ids;
                ids.sort_unstable();
                ids
            };
            assert_eq!(sorted(before.keys().filter(|id| !after.contains_key(id)).copied().collect()), told.left);
            assert_eq!(sorted(after.keys().filter(|id| !ever.contains(id)).copied().collect()), told.joined);
            assert_eq!(sorted(after.keys().filter(|id| ever.contains(id) && !before.contains_key(id)).copied().collect()), told.returned);
            let both = || after.values().filter_map(|now| before.get(&now.id).map(|then| (then, now)));
            assert_eq!(sorted(both().filter(|(then, now)| then.name != now.name).map(|(_, now)| now.id).collect()), told.renamed);
            assert_eq!(sorted(both().filter(|(then, now)| then.verified != now.verified).map(|(_, now)| now.id).collect()), told.verified);
            assert!(!told.left.is_empty() && !told.renamed.is_empty() && !told.joined.is_empty() && !told.verified.is_empty());
            assert_eq!(told.returned.is_empty(), day == 1);
            assert_eq!(roster.count(), after.len() as u64);
            ever.extend(after.keys());
            before = after;
        }
    }

    #[test]
    fn pages_are_slices_of_everybody() {
        let mut roster = Roster::new(3, 100);
        for _ in 0..5 {
            roster.pass_a_day();
        }
        let all: Vec<u64> = roster.present().map(|person| person.id).collect();
        for skip in 0..=all.len() {
            let page: Vec<u64> = roster.from(skip as u64).take(7).map(|person| person.id).collect();
            assert_eq!(page, all.iter().copied().skip(skip).take(7).collect::<Vec<_>>());
        }
        assert!(all.iter().all(|id| roster.get(*id).is_some()));
    }

    #[test]
    fn small_companies_live_too() {
        for people in 0..5 {
            let mut roster = Roster::new(1, people);
            for _ in 0..10 {
                roster.pass_a_day();
                assert_eq!(roster.present().count() as u64, roster.count());
            }
        }
    }
}
