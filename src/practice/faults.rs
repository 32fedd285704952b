//! Faults on demand: what vendors do to those who read them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::lock;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// 429 with `Retry-After` in seconds.
    TooMany { retry_after: u64 },
    /// 500 with a message.
    ServerError,
    /// 403: the token lacks a right.
    Forbidden,
    /// The body ends in the middle, and the connection with it.
    Truncated,
    /// The connection ends without an answer.
    Reset,
    /// The answer comes after this time.
    Slow(Duration),
    /// The access tokens issued so far have ended.
    Expired,
    /// 200 with a body that is no JSON.
    Malformed,
    /// 200 with a web page, as from a sign-in page that got in between.
    WebPage,
    /// Names that try to take over the terminal, and one that is a megabyte long.
    Hostile,
    /// 200 with nobody in the list.
    Empty,
}

/// On which of the requests to the API or SCIM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    Once,
    /// The next so many requests.
    Times(u64),
    /// Every nth request, counted from when it was set.
    EveryNth(u64),
    /// Each time that this page is asked for; for SCIM, a page is as long as what is asked for.
    Page(u64),
    /// The first time that this page is asked for.
    PageOnce(u64),
}

/// The faults that are set. Clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<Vec<Set>>>);

struct Set {
    fault: Fault,
    when: When,
    /// Requests seen since it was set.
    seen: u64,
}

impl Faults {
    /// Adds a fault; when several apply to a request, the one set first does.
    pub fn set(&self, fault: Fault, when: When) {
        lock(&self.0).push(Set { fault, when, seen: 0 });
    }

    /// All is well again.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// The fault of a request for a page. Counts the request.
    pub(super) fn next(&self, page: u64) -> Option<Fault> {
        let mut found = None;
        lock(&self.0).retain_mut(|set| {
            set.seen += 1;
            let (applies, last) = match set.when {
                When::Always => (true, false),
                When::Once => (true, true),
                When::Times(n) => (n > 0, n <= 1),
                When::EveryNth(n) => (set.seen.is_multiple_of(n.max(1)), false),
                When::Page(n) => (n == page, false),
                When::PageOnce(n) => (n == page, true),
            };
            if !applies || found.is_some() {
                return true;
            }
            found = Some(set.fault.clone());
            if let When::Times(n) = &mut set.when {
                *n = n.saturating_sub(1);
            }
            !last
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(when: When, pages: &[u64]) -> Vec<bool> {
        let faults = Faults::default();
        faults.set(Fault::ServerError, when);
        pages.iter().map(|page| faults.next(*page).is_some()).collect()
    }

    #[test]
    fn when_they_happen() {
        let (yes, no) = (true, false);
        assert_eq!(hits(When::Always, &[1, 2]), [yes, yes]);
        assert_eq!(hits(When::Once, &[1, 2]), [yes, no]);
        assert_eq!(hits(When::Times(2), &[1, 2, 3]), [yes, yes, no]);
        assert_eq!(hits(When::EveryNth(3), &[1, 2, 3, 4, 5, 6]), [no, no, yes, no, no, yes]);
        assert_eq!(hits(When::Page(2), &[1, 2, 2]), [no, yes, yes]);
        assert_eq!(hits(When::PageOnce(2), &[1, 2, 2]), [no, yes, no]);
    }

    #[test]
    fn the_one_set_first_goes_first() {
        let faults = Faults::default();
        faults.set(Fault::Empty, When::Once);
        faults.set(Fault::Malformed, When::Once);
        assert_eq!(faults.next(1), Some(Fault::Empty));
        assert_eq!(faults.next(1), Some(Fault::Malformed));
        assert_eq!(faults.next(1), None);
    }
}
