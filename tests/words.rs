//! The message table against the source: no key unused, no placeholder without its argument, no argument without its placeholder.
//! (An unknown key does not compile.)

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use intertie::words;
use regex::Regex;

fn source_files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            source_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    source_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn every_key_is_used() {
    let (text, problem) = (Regex::new(r#""([a-z][a-z0-9_.]*)""#).unwrap(), Regex::new(r#"problem!\(\s*\w+,\s*"([^"]+)""#).unwrap());
    let mut used = BTreeSet::new();
    for (_, source) in sources() {
        for found in text.captures_iter(&source) {
            // The registry of commands makes the keys of a command's texts from its id.
            used.extend(["title", "about"].map(|part| format!("cmd.{}.{part}", &found[1])));
            // A fault of a connector's definition is made of the first and the last, a row of a table of refusals of the others.
            used.extend(["what", "why", "next", "mend"].map(|part| format!("{}.{part}", &found[1])));
            used.insert(found[1].to_owned());
        }
        for found in problem.captures_iter(&source) {
            used.extend(["what", "why", "next"].map(|part| format!("{}.{part}", &found[1])));
        }
    }
    let unused: Vec<_> = words::keys().iter().filter(|key| !used.contains(**key)).collect();
    assert!(unused.is_empty(), "nothing uses these keys:\n{unused:#?}");
}

fn placeholders(key: &str) -> BTreeSet<String> {
    let names = Regex::new(r"\{([a-z_][a-z0-9_]*)\}").unwrap();
    names.captures_iter(words::get(words::id(key))).map(|found| found[1].to_owned()).collect()
}

/// The names given in a macro call, from after the key to its closing parenthesis.
fn arguments(rest: &str) -> BTreeSet<String> {
    let name = Regex::new(r"^\s*([a-z_][a-z0-9_]*)\s*=[^=>]").unwrap();
    let (mut names, mut depth, mut chars) = (BTreeSet::new(), 0_usize, rest.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => break,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => names.extend(name.captures(&rest[at + 1..]).map(|found| found[1].to_owned())),
            '"' => {
                while let Some((_, c)) = chars.next() {
                    match c {
                        '\\' => drop(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    names
}

#[test]
fn every_placeholder_has_its_argument() {
    let call = Regex::new(r#"\b(?:(t)!\(\s*|problem!\(\s*\w+,\s*)"([^"]+)""#).unwrap();
    let placeholder = Regex::new(r"(?:^|[^{])\{[a-z_]+\}").unwrap();
    let mut wrong = BTreeMap::new();
    for (file, source) in sources() {
        // The table's own documentation has examples.
        if file.ends_with("words/mod.rs") {
            continue;
        }
        for found in call.captures_iter(&source) {
            let given = arguments(&source[found.get(0).unwrap().end()..]);
            let keys: Vec<String> = if found.get(1).is_some() {
                vec![found[2].to_owned()]
            } else {
                ["what", "why", "next"].map(|part| format!("{}.{part}", &found[2])).to_vec()
            };
            if keys.iter().any(|key| !words::keys().contains(&key.as_str())) {
                continue;
            }
            // A text without arguments is shown as it stands, braces and all.
            if found.get(1).is_some() && given.is_empty() {
                let text = words::get(words::id(&keys[0]));
                if placeholder.is_match(text) {
                    wrong.insert(format!("{}: {}", file.display(), &found[2]), "it has placeholders and is given no argument".to_owned());
                }
                continue;
            }
            let wanted: BTreeSet<String> = keys.iter().flat_map(|key| placeholders(key)).collect();
            // `n` may only choose between the forms of a plural.
            let superfluous: Vec<_> = given.iter().filter(|name| !wanted.contains(*name) && *name != "n").collect();
            let missing: Vec<_> = wanted.difference(&given).collect();
            if !superfluous.is_empty() || !missing.is_empty() {
                wrong.insert(format!("{}: {}", file.display(), &found[2]), format!("missing {missing:?}, superfluous {superfluous:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn messages_are_written_as_agreed() {
    let wrong: Vec<_> = words::keys()
        .iter()
        .filter(|key| {
            let text = words::get(words::id(key));
            text.trim().is_empty() || text.replace("!=", "").replace("“!”", "").contains('!') || text.ends_with(' ')
        })
        .collect();
    assert!(wrong.is_empty(), "empty, exclaiming, or ending in a space:\n{wrong:#?}");
}
