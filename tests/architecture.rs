//! The rules of the house, read from the source, so that a stranger sees them fail, not rot.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;

/// Who may import whom. A room may always use itself; `main.rs` and `lib.rs` are outside the rooms.
const ROOMS: &[(&str, &[&str])] = &[
    ("words", &[]),
    ("model", &["words"]),
    ("vault", &["model", "words"]),
    ("store", &["model", "words"]),
    ("catalog", &["model", "words"]),
    ("mapping", &["model", "words"]),
    ("permission", &["model", "words"]),
    ("practice", &["model", "words"]),
    ("vendor", &["model", "words", "vault", "store", "catalog", "mapping", "permission"]),
    ("auth", &["model", "words", "vault", "store", "catalog", "mapping", "permission", "vendor"]),
    ("engine", &["model", "words", "vault", "store", "catalog", "mapping", "permission", "vendor", "auth"]),
    ("ops", &["model", "words", "vault", "store", "catalog", "mapping", "permission", "vendor", "auth", "engine", "practice"]),
    ("prompt", &["model", "words", "ops"]),
    ("cli", &["model", "words", "ops", "prompt"]),
    ("plain", &["model", "words", "ops", "prompt"]),
    ("tui", &["model", "words", "ops"]),
];

/// Where a dependency may be named: directories and files under `src`, or with a slash before it a file name anywhere.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    // The event loop owns the terminal that is drawn on, the harness the buffer that stands for it in tests and pictures.
    ("ratatui", &["tui/ui/", "tui/term/", "/view.rs", "tui/runtime/event_loop.rs", "tui/harness.rs"]),
    ("tui_textarea", &["tui/ui/", "tui/term/", "/view.rs"]),
    ("crossterm", &["tui/term/", "tui/runtime/"]),
    ("reqwest", &["vendor/", "auth/"]),
    ("ldap3", &["vendor/"]),
    ("async_imap", &["vendor/"]),
    ("lettre", &["vendor/"]),
    ("rusqlite", &["store/"]),
    ("clap", &["cli/"]),
    ("hyper", &["practice/", "auth/"]),
];

struct Source {
    /// Under `src`, with slashes: `ops/runs.rs`.
    path: String,
    /// Without comments, texts and tests.
    code: String,
    /// As it is.
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(dir: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { files_below(&path, into) } else { into.push(path) }
    }
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    files_below(&root().join("src"), &mut files);
    let mut sources = Vec::new();
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        let path = file.strip_prefix(root().join("src")).unwrap().to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        // A file that is only compiled for tests is no part of the house.
        if path.ends_with("tests.rs") {
            continue;
        }
        sources.push(Source { path, code: without_tests(&bare(&text)), text });
    }
    assert!(sources.len() > 40, "the sources were not found");
    sources
}

/// Blanks comments and texts, so that only code is left.
fn bare(text: &str) -> String {
    let parts = Regex::new(r##"(?s)//[^\n]*|/\*.*?\*/|b?r#+".*?"#+|b?"(?:\\.|[^"\\])*"|'(?:\\.[^']*|[^'\\])'"##).unwrap();
    parts.replace_all(text, "\"\"").into_owned()
}

/// Cuts the test module, which stands at the end.
fn without_tests(code: &str) -> String {
    let start = Regex::new(r"#\[cfg\((?:all\()?test\b[^\]]*\]\s*(?:pub(?:\([a-z]+\))? )?mod \w+ \{").unwrap();
    start.find(code).map_or(code, |found| &code[..found.start()]).to_owned()
}

/// The rooms that a file names: `crate::room`, `crate::{room, …}` and `super::` paths that lead to the root.
fn named_rooms(source: &Source) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    let depth = source.path.matches('/').count() + usize::from(!source.path.ends_with("mod.rs"));
    let way = format!(r"\b(?:crate|super(?:::super){{{}}})::(\w+|\{{)", depth.saturating_sub(1));
    for found in Regex::new(&way).unwrap().captures_iter(&source.code) {
        let whole = found.get(0).unwrap();
        // `$crate` in a macro stands for whoever uses it; a longer chain of `super` starts before this one.
        let before = &source.code[..whole.start()];
        if before.ends_with('$') || before.ends_with("::") {
            continue;
        }
        if &found[1] == "{" {
            named.extend(heads(&source.code[whole.end()..]));
        } else {
            named.insert(found[1].to_owned());
        }
    }
    named.retain(|name| ROOMS.iter().any(|(room, _)| room == name));
    named
}

/// The first names in the rest of a group, up to its closing brace: `a::b, c` gives `a`, `c`.
fn heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut fresh) = (Vec::new(), 0, true);
    let mut word = String::new();
    for c in group.chars() {
        if (c.is_alphanumeric() || c == '_') && depth == 0 && fresh {
            word.push(c);
            continue;
        }
        if !word.is_empty() {
            heads.push(std::mem::take(&mut word));
            fresh = false;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ => {}
        }
    }
    heads
}

#[test]
fn rooms_import_only_what_they_may() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((room, _)) = source.path.split_once('/') else { continue };
        let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            wrong.push(format!("src/{}: the room {room} is not on the map in tests/architecture.rs", source.path));
            continue;
        };
        for named in named_rooms(&source) {
            if named != room && !allowed.contains(&named.as_str()) {
                wrong.push(format!("src/{}: {room} must not know {named}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn dependencies_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (dependency, places) in DEPENDENCIES {
            let named = Regex::new(&format!(r"(?:^|[^\w:]){dependency}::")).unwrap().is_match(&source.code)
                || Regex::new(&format!(r"\buse {dependency};")).unwrap().is_match(&source.code);
            let fits = |place: &&str| if place.starts_with('/') { source.path.ends_with(*place) } else { source.path.starts_with(*place) };
            if named && !places.iter().any(fits) {
                wrong.push(format!("src/{}: {dependency} belongs in {}", source.path, places.join(", ")));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn panes_do_not_import_each_other() {
    let mut wrong = Vec::new();
    let panes = Regex::new(r"\bpanes::(\w+)").unwrap();
    for source in sources() {
        let Some(own) = source.path.strip_prefix("tui/panes/").and_then(|rest| rest.split('/').next()).filter(|own| *own != "mod.rs") else {
            continue;
        };
        for found in panes.captures_iter(&source.code) {
            let pane = &found[1];
            if pane != own.trim_end_matches(".rs") && root().join("src/tui/panes").join(pane).is_dir() {
                wrong.push(format!("src/{}: it names the pane {pane}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn only_the_front_ends_print() {
    let mut wrong = Vec::new();
    let printing = Regex::new(r"\b(?:e?println|e?print|dbg)!").unwrap();
    for source in sources() {
        if !source.path.starts_with("cli/") && !source.path.starts_with("tui/term/") && printing.is_match(&source.code) {
            wrong.push(format!("src/{}: it prints", source.path));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn files_stay_small_enough_to_read() {
    let long: Vec<_> = sources()
        .iter()
        .map(|source| (source.text.lines().count(), source.path.clone()))
        .filter(|(lines, _)| *lines > 900)
        .map(|(lines, path)| format!("src/{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "\n{}\n", long.join("\n"));
}

#[test]
fn nothing_is_left_half_done() {
    let marks = Regex::new(r"\b(?:todo|unimplemented)!|#!?\[(?:expect|allow)\((?:dead_code|unused)").unwrap();
    let wrong: Vec<_> = sources().iter().filter(|source| marks.is_match(&source.code)).map(|source| format!("src/{}", source.path)).collect();
    assert!(wrong.is_empty(), "unfinished or silenced:\n{}\n", wrong.join("\n"));
}

/// The project speaks of itself alone: it names no machine that it was written or is built on.
#[test]
fn no_place_of_ours_is_named() {
    let mut files = Vec::new();
    for dir in ["src", "tests", "assets", "benches", ".ci"] {
        files_below(&root().join(dir), &mut files);
    }
    for file in ["Cargo.toml", "README.md", "CHANGELOG.md", "config.example.toml", "clippy.toml", "deny.toml", "build.rs"] {
        files.push(root().join(file));
    }
    // Put together here, so that this file does not name them.
    let places =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/home/", "user"], ["crates", ".io"], ["registry.np", "mjs"], ["py", "pi.org"]].map(|parts| parts.concat());
    let mut wrong = Vec::new();
    for file in files {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        // npm writes the address of each package there, and checks it.
        if file.ends_with("package-lock.json") {
            continue;
        }
        for place in &places {
            if let Some(at) = text.find(place.as_str()) {
                let line = text[..at].matches('\n').count() + 1;
                wrong.push(format!("{}:{line}: {place}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_licence_is_allowed() {
    let deny: toml::Table = fs::read_to_string(root().join("deny.toml")).unwrap().parse().unwrap();
    let allowed: BTreeSet<&str> = deny["licenses"]["allow"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    let banned: BTreeSet<&str> = deny["bans"]["deny"].as_array().unwrap().iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    // Of the platforms that we build for: a lock file also lists what others would need.
    let mut wrong = Vec::new();
    let mut seen = 0;
    for package in metadata()["packages"].as_array().unwrap() {
        seen += 1;
        let (name, licence) = (package["name"].as_str().unwrap(), package["license"].as_str().unwrap_or_default());
        if !allows(licence, &allowed) {
            wrong.push(format!("{name}: {licence:?}"));
        }
        if banned.contains(name) {
            wrong.push(format!("{name} is banned"));
        }
    }
    assert!(seen > 100 && wrong.is_empty(), "of {seen} packages:\n{}\n", wrong.join("\n"));
}

fn metadata() -> serde_json::Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether an SPDX expression can be met with what is allowed. Old packages write `/` for `OR`.
fn allows(expression: &str, allowed: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<&str>) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let met = any(words, at, allowed);
        *at += 1;
        return met;
    }
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).copied().unwrap_or_default();
        *at += 2;
        return allowed.contains(format!("{word} WITH {exception}").as_str());
    }
    allowed.contains(word)
}

/// The reader above, read by examples: a rule that cannot fail is none.
#[test]
fn the_rules_see_what_they_look_for() {
    let source = |path: &str, text: &str| Source { path: path.into(), code: without_tests(&bare(text)), text: text.into() };
    let named = |path: &str, text: &str| named_rooms(&source(path, text)).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(named("cli/run.rs", "use crate::{store::Store, model::{self, Run}, t};"), "model store");
    assert_eq!(named("cli/run.rs", "fn f() { crate::vendor::client::go() }"), "vendor");
    assert_eq!(named("cli/mod.rs", "use super::tui;"), "tui");
    assert_eq!(named("cli/run.rs", "use super::super::tui;"), "tui");
    assert_eq!(named("ops/runs.rs", "use super::vault;"), "", "ops has a vault of its own");
    assert_eq!(named("cli/run.rs", "// crate::store\nlet a = \"crate::store\";\n#[cfg(test)]\nmod tests { use crate::store; }"), "");
    assert_eq!(named("words/mod.rs", "($crate::model::Problem)"), "");
    let allowed = BTreeSet::from(["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR GPL-3.0) AND Apache-2.0", true),
        ("Apache-2.0 WITH LLVM-exception OR GPL-3.0", true),
        ("", false),
    ] {
        assert_eq!(allows(expression, &allowed), met, "{expression}");
    }
}
