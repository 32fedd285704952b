//! How fast the catalog is: the rows of all connectors, the whole of it parsed (which only a check of everything does), a search at each key,
//! and the filter.
//!
//! `cargo bench --bench catalog`

use std::hint::black_box;
use std::time::{Duration, Instant};

use intertie::catalog::{self, Catalog};
use intertie::ops::facets::{Facet, Facets};

const ROUNDS: u32 = 20;
/// What people type, key by key.
const QUERIES: [&str; 5] = ["microsoft", "ironclad clickwrap", "cloud confluence", "identity", "zzz nothing"];

fn main() {
    let nowhere = std::env::temp_dir().join("no-such-workspace");
    let n = catalog::built_in_ids().count();
    println!("{n} definitions, the median and the slowest of {ROUNDS} rounds\n");
    tell("open and list", (0..ROUNDS).map(|_| timed(|| Catalog::open(&nowhere).rows())).collect(), Some(Duration::from_millis(10)));
    let whole = || {
        let catalog = Catalog::open(&nowhere);
        catalog::built_in_ids().map(|id| catalog.get(id).is_ok()).filter(|sound| *sound).count()
    };
    assert_eq!(whole(), n, "every definition parses");
    tell("parse everything", (0..ROUNDS).map(|_| timed(whole)).collect(), None);
    let rows = Catalog::open(&nowhere).rows();
    let keys = QUERIES.iter().flat_map(|query| (1..=query.chars().count()).map(|end| query.chars().take(end).collect::<String>()));
    let keys: Vec<Duration> = keys.flat_map(|typed| (0..ROUNDS).map(|_| timed(|| catalog::search(&rows, &typed))).collect::<Vec<_>>()).collect();
    tell("search, one key", keys, Some(Duration::from_millis(1)));
    let mut facets = Facets::default();
    facets.add(Facet::Reads, "users");
    facets.add(Facet::Method, "oauth2_code");
    tell("filter", (0..ROUNDS).map(|_| timed(|| rows.iter().filter(|row| facets.admit(row, None)).count())).collect(), None);
    let tally = || facets.tally(Facet::Category, rows.iter().map(|row| (row, None))).len();
    tell("count what is left", (0..ROUNDS).map(|_| timed(tally)).collect(), None);
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

fn tell(what: &str, mut times: Vec<Duration>, bound: Option<Duration>) {
    times.sort_unstable();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    let wanted = bound.map_or_else(String::new, |bound| format!("   wanted: under {bound:?}"));
    println!("{what:18} {median:>10.1?} {slowest:>10.1?}{wanted}");
}
