use super::*;
use std::collections::HashMap;

/// Judged in full by `ops`, which knows the syntax of paths; here only that there is one.
fn any_path(path: &str) -> Result<(), String> {
    if path.is_empty() { Err("empty".to_owned()) } else { Ok(()) }
}

const SMALL: &str = r#"
schema = 1
id = "acme"
name = "Acme"
[[input]]
key = "host"
label = "Host"
help = "The host of your account."
[auth.token]
kind = "bearer"
name = "Token"
[[auth.token.input]]
key = "token"
label = "Token"
help = "Made under Settings."
secret = true
[request]
base_url = "https://{{ input.host }}/api"
[[check]]
path = "/me"
proves = "The token works."
[[resource]]
id = "users"
name = "Users"
kind = "users"
path = "/users"
key = "id"
"#;

fn check(text: &str, stem: &str, path: &dyn Fn(&str) -> Result<(), String>) -> Vec<DefinitionFault> {
    Catalog::open(Path::new("/nonexistent")).check(text, stem, path)
}

fn faults(text: &str) -> Vec<(usize, String)> {
    check(text, "acme", &any_path).into_iter().map(|fault| (fault.line, fault.what)).collect()
}

fn line_with(text: &str, needle: &str) -> usize {
    1 + text.lines().position(|line| line.contains(needle)).unwrap()
}

#[test]
fn every_built_in_definition_parses_and_passes() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    for id in built_in_ids() {
        let connector = catalog.get(id).unwrap();
        assert_eq!(connector.id, id, "the id equals the file's name");
        let faults = catalog.check_built_in(id, &any_path);
        assert!(faults.is_empty(), "{id}: {faults:#?}");
    }
}

/// What the check tolerates in a user's own file, the built-in ones have nevertheless.
#[test]
fn every_built_in_definition_is_complete() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    for id in built_in_ids() {
        let c = catalog.get(id).unwrap();
        assert!(!c.summary.is_empty() && !c.categories.is_empty(), "{id}: summary and categories");
        // A vendor without a list that intertie has a place for says so in a note.
        assert!(!c.resources.is_empty() || !c.notes.is_empty(), "{id}: neither resources nor a note");
        for (key, method) in &c.auth {
            assert!(!method.setup.is_empty(), "{id}.{key}: setup");
            for input in c.inputs_for(key) {
                assert!(!input.help.is_empty(), "{id}.{key}.{}: help", input.key);
                assert!(input.secret || !input.example.is_empty() || !input.options.is_empty(), "{id}.{key}.{}: example", input.key);
                assert!(!input.secret || input.example.is_empty(), "{id}.{key}.{}: a secret needs no example", input.key);
                assert!(input.help.ends_with('.'), "{id}.{key}.{}: help is a sentence", input.key);
            }
        }
        for check in &c.checks {
            assert!(check.proves.ends_with('.'), "{id}: proves is a sentence");
        }
        // Nothing is known of the fields there, by nature or for want of a public document.
        let generic = ["http", "file", "apporetum"].contains(&id);
        for resource in &c.resources {
            assert!(generic || !resource.fields.is_empty(), "{id}.{}: fields", resource.id);
        }
        // A language key that no text of the file uses is a typing mistake.
        assert_eq!(c.lang, "en", "{id}");
    }
}

/// What the check leaves to the user in a file of their own. Duplicate identifiers and inputs, plain http, unknown names in templates, inputs
/// without help, methods without a test, resources without a key are faults anyway.
#[test]
fn every_built_in_definition_names_its_source() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    let mut names = HashMap::new();
    for id in built_in_ids() {
        let c = catalog.get(id).unwrap();
        assert!(!c.docs.is_empty() || !c.notes.is_empty(), "{id}: neither docs nor a note that says why there are none");
        assert!(cites(&c), "{id}: no comment names the sources of its facts");
        if let Some(other) = names.insert(c.name.to_lowercase(), id) {
            panic!("{id} and {other} have one name");
        }
        for (lang, texts) in &c.text {
            for (key, text) in texts {
                assert!(!text.trim().is_empty(), "{id}: [text.{lang}] {key} is empty");
            }
        }
    }
}

#[test]
fn a_missing_source_is_noticed() {
    for (text, named) in [
        ("schema = 1\n# Sources: developer.acme.example (paging).\n", true),
        ("schema = 1\n# Sources, all of the same page:\n# developer.acme.example/users\n", true),
        ("schema = 1\n# Source: RFC 7644 of www.rfc-editor.org\n", true),
        ("schema = 1\n", false),
        ("schema = 1\n# Sources: none.\n", false),
        ("schema = 1\ndocs = \"https://developer.acme.example\"\n# Common knowledge.\n", false),
        ("# Sources:\nbase_url = \"https://developer.acme.example\"\n", false),
    ] {
        assert_eq!(sources(text), named, "{text}");
    }
    // A definition without one may stand on the one that it extends; one that is no vendor's has nothing to cite.
    let catalog = Catalog::open(Path::new("/nonexistent"));
    assert!(!sources(built_in("sugar-sell").unwrap()) && cites(&catalog.get("sugar-sell").unwrap()));
    let mut file = (*catalog.get("file").unwrap()).clone();
    assert!(cites(&file));
    file.categories.clear();
    assert!(!cites(&file));
}

#[test]
fn rows_say_what_the_definitions_say() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    let rows = catalog.rows();
    assert_eq!(rows.len(), built_in_ids().count());
    for row in rows {
        assert_eq!(row, row_of(&catalog.get(&row.id).unwrap()));
    }
}

#[test]
fn the_small_definition_is_right() {
    assert_eq!(faults(SMALL), []);
}

#[test]
fn faults_have_their_line_and_what_to_do() {
    for (from, to, line, what) in [
        ("schema = 1", "schema = 2", "schema = 2", "schema 2"),
        ("name = \"Acme\"", "name = \"Acme\"\nnmae = \"x\"", "nmae", "nmae"),
        ("id = \"acme\"", "id = \"other\"", "id = \"other\"", "other"),
        ("help = \"Made under Settings.\"", "", "[[auth.token.input]]", "no help"),
        ("secret = true", "", "[auth.token]", "secret input"),
        ("[[check]]\npath = \"/me\"\nproves = \"The token works.\"", "", "[auth.token]", "No check"),
        ("https://{{ input.host }}/api", "http://api.example", "base_url", "https"),
        ("https://{{ input.host }}/api", "https://{{ input.hots }}/api", "base_url", "input.hots"),
        ("https://{{ input.host }}/api", "https://{{ input.host /api", "base_url", "cannot be read"),
        (
            "path = \"/users\"",
            "path = \"/users\"\n[resource.paging]\nkind = \"page\"\nparam = \"p\"\nsize = 0\n[[resource.field]]\npath=\"id\"\nlabel=\"Id\"",
            "[resource.paging]",
            "never ends",
        ),
        ("proves = \"The token works.\"", "proves = \"It works.\"\nok = \"bodi.ok\"", "ok = ", "bodi"),
        ("proves = \"The token works.\"", "proves = \"It works.\"\nauth = [\"tokn\"]", "auth = ", "tokn"),
        ("label = \"Host\"", "label = \"Host\"\npattern = \"[\"", "pattern", "regular expression"),
        ("label = \"Host\"", "label = \"Host\"\npattern = \"[0-9]+\"\nexample = \"abc\"", "example", "does not match"),
        ("key = \"id\"", "key = \"\"", "key = \"\"", "no key"),
        ("kind = \"bearer\"", "kind = \"oauth2_code\"", "[auth.token]", "authorize_url"),
        ("kind = \"bearer\"", "kind = \"saml\"", "kind = \"saml\"", "saml"),
        ("[request]", "[request", "[request", "TOML"),
        // Twice the same input, of the connector and of a method.
        ("[auth.token]", "[[input]]\nkey = \"host\" # again\nlabel = \"Again\"\nhelp = \"The same.\"\n[auth.token]", "# again", "twice"),
        (
            "[request]",
            "[[auth.token.input]]\nkey = \"token\" # again\nlabel = \"Again\"\nhelp = \"The same.\"\nsecret = true\n[request]",
            "# again",
            "twice",
        ),
        // Plain http, and names that nothing has, wherever a request goes.
        ("path = \"/me\"", "path = \"http://acme.example/me\"", "path = \"http://", "https"),
        ("path = \"/users\"", "path = \"/users/{{ input.hots }}\"", "path = \"/users/", "input.hots"),
        ("kind = \"bearer\"", "kind = \"bearer\"\nsetup_url = \"http://acme.example\"", "setup_url", "https"),
        ("id = \"acme\"", "id = \"acme\"\nremove = [\"limit\"]", "remove", "nothing"),
        (
            "path = \"/users\"",
            "path = \"/users\"\npaging = { kind = \"offset\", param = \"q\", value = \"limit {{ size }}\", size = 10 }",
            "paging",
            "place in the list",
        ),
        (
            "path = \"/users\"",
            "path = \"/users\"\npaging = { kind = \"offset\", param = \"q\", value = \"limit {{ size }} offset {{ ofset }}\", size = 10 }",
            "paging",
            "ofset",
        ),
    ] {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        let text = if what == "never ends" {
            text.replacen("key = \"id\"\n", "", 1).replacen("path = \"/users\"", "path = \"/users\"\nkey = \"id\"", 1)
        } else {
            text
        };
        let found = faults(&text);
        assert!(
            found.iter().any(|(l, w)| *l == line_with(&text, line) && w.to_lowercase().contains(&what.to_lowercase())),
            "{to}: {found:?} in line {}",
            line_with(&text, line)
        );
        assert!(check(&text, "acme", &any_path).iter().all(|fault| !fault.mend.is_empty()));
    }
}

#[test]
fn several_unknown_keys_are_all_named() {
    let text = SMALL.replace("name = \"Token\"", "name = \"Token\"\nfoo = 1\nbar = { a = 2 }").replace("path = \"/me\"", "path = \"/me\"\nbaz = []");
    let found = faults(&text);
    for key in ["foo", "bar", "baz"] {
        assert!(found.iter().any(|(line, what)| what.contains(key) && *line == line_with(&text, key)), "{key}: {found:?}");
    }
    let twice = format!("{SMALL}[[resource]]\nid = \"users\"\nname = \"Again\"\nkind = \"users\"\npath = \"/x\"\nkey = \"id\"\n");
    assert!(faults(&twice).iter().any(|(_, what)| what.contains("twice")), "{:?}", faults(&twice));
}

#[test]
fn users_files_override_and_extend_and_break_only_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path());
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let built_in = catalog.rows().len();
    write("acme.toml", SMALL);
    write("github.toml", &SMALL.replace("\"acme\"", "\"github\"").replace("\"Acme\"", "\"Our GitHub\""));
    write("broken.toml", "schema = 1\nid = [");
    write("okta.toml", &SMALL.replace("schema = 1", "schema = 1\nextra = true"));
    write("liar.toml", SMALL);
    write("notes.txt", "nothing");
    let rows = catalog.rows();
    assert_eq!(rows.len(), built_in + 1);
    assert_eq!(rows.iter().find(|row| row.id == "github").unwrap().name, "Our GitHub");
    assert!(matches!(rows.iter().find(|row| row.id == "acme").unwrap().origin, Origin::Workspace(_)));
    assert_eq!(catalog.get("github").unwrap().name, "Our GitHub");
    assert_eq!(catalog.get("slack").unwrap().origin, Origin::BuiltIn);
    // A broken override is not replaced in silence by what it was to override.
    assert!(catalog.get("okta").unwrap_err().why.contains("Line 3"), "{:?}", catalog.get("okta").unwrap_err());
    assert!(catalog.get("broken").is_err());
    assert!(catalog.get("liar").unwrap_err().why.contains("acme"));
    let faults = catalog.faults();
    assert_eq!(faults.len(), 3, "{faults:?}");
    assert!(faults.iter().all(|fault| fault.file.ends_with(".toml") && fault.line >= 1));
}

#[test]
fn a_users_file_extends_a_built_in_one() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path());
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let head = |id: &str, base: &str| format!("schema = 1\nid = \"{id}\"\nname = \"Ours\"\nextends = \"{base}\"\n");
    write("github.toml", &format!("{}[limit]\nconcurrency = 1\n", head("github", "github")));
    write("ours.toml", &format!("{}[[resource]]\nid = \"members\"\nname = \"Own people\"\n", head("ours", "slack")));
    write("lost.toml", &head("lost", "nothing-like-it"));
    write("less.toml", &format!("{}remove = [\"auth.bearer\", \"limit.nothing\"]\n", head("less", "slack")));
    write("fewest.toml", &format!("{}remove = [\"auth.bearer\", \"auth.oauth2_user\", \"check.2\"]\n", head("fewest", "slack")));
    write("typo.toml", &format!("{}[auth.user]\nnmae = \"x\"\n", head("typo", "slack")));
    let ours = catalog.get("github").unwrap();
    let built_in = Catalog::open(Path::new("/nonexistent")).get("github").unwrap();
    assert_eq!((ours.name.as_str(), ours.limit.concurrency), ("Ours", Some(1)));
    assert_eq!((&ours.auth, &ours.resources, &ours.checks), (&built_in.auth, &built_in.resources, &built_in.checks));
    assert!(matches!(ours.origin, Origin::Workspace(_)));
    assert!(catalog.rows().iter().any(|row| row.id == "ours" && !row.auth.is_empty()));
    let text = read(&dir.path().join("github.toml")).unwrap();
    assert_eq!(catalog.check(&text, "github", &any_path), []);
    let less = catalog.get("less").unwrap_err();
    assert!(less.why.contains("limit.nothing") && less.why.contains("Line 5"), "{less:?}");
    let fewest = catalog.get("fewest").unwrap();
    let slack = catalog.get("slack").unwrap();
    assert_eq!(fewest.auth.keys().collect::<Vec<_>>(), ["oauth2_code"]);
    assert_eq!((fewest.checks.len(), &fewest.checks[0]), (slack.checks.len() - 1, &slack.checks[0]));
    let text = read(&dir.path().join("fewest.toml")).unwrap();
    assert_eq!(catalog.check(&text, "fewest", &any_path), []);
    let lost = catalog.get("lost").unwrap_err();
    assert!(lost.why.contains("nothing-like-it") && lost.why.contains("Line 4"), "{lost:?}");
    let typo = catalog.get("typo").unwrap_err();
    assert!(typo.why.contains("nmae") && typo.why.contains("Line 6"), "{typo:?}");
}

#[test]
fn a_language_has_its_own_texts() {
    let dir = tempfile::tempdir().unwrap();
    let catalog = Catalog::open(dir.path());
    let fr = "[text.fr]\nsummary = \"Des gens.\"\n\"auth.token.setup.1\" = \"Ouvrez.\"\n\"auth.token.input.token.help\" = \"Là-bas.\"\n[[check]]";
    let text = SMALL.replace("name = \"Token\"", "name = \"Token\"\nsetup = [\"Open.\"]").replacen("[[check]]", fr, 1);
    std::fs::write(dir.path().join("acme.toml"), text.replace("name = \"Acme\"", "name = \"Acme\"\nnames = { fr = \"Sommet\" }")).unwrap();
    let (english, french) = (catalog.get_in("acme", "de").unwrap(), catalog.get_in("acme", "fr").unwrap());
    assert_eq!((english.name.as_str(), french.name.as_str(), french.summary.as_str()), ("Acme", "Sommet", "Des gens."));
    assert_eq!((french.auth["token"].setup[0].as_str(), french.auth["token"].inputs[0].help.as_str()), ("Ouvrez.", "Là-bas."));
    let found = matching(catalog.rows(), "sommet");
    assert_eq!(found[0].id, "acme");
}

#[test]
fn strange_identifiers_are_just_unknown() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    for id in ["", "..", "../etc/passwd", "a/b", "A", "nothing-like-it", "-", "x\0y", "é"] {
        assert_eq!(catalog.get(id).unwrap_err().kind, crate::model::ProblemKind::Usage, "{id:?}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,200}") {
        let _ = check(&text, "acme", &any_path);
    }

    #[test]
    fn a_damaged_definition_never_panics(at in 0usize..600, with in "[\\[\\]\"={}a-z.\n]{0,6}", cut in 0usize..20) {
        let mut text = SMALL.to_owned();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.replace_range(at..end, &with);
        for fault in check(&text, "acme", &any_path) {
            proptest::prop_assert!(fault.line >= 1 && fault.line <= text.lines().count() + 1);
        }
    }
}

/// Not a measurement, which is a benchmark's affair: a bound that holds even unoptimised, and breaks when listing parses definitions.
#[test]
fn rows_cost_next_to_nothing() {
    let catalog = Catalog::open(Path::new("/nonexistent"));
    let started = std::time::Instant::now();
    for _ in 0..20 {
        assert!(!catalog.rows().is_empty());
    }
    let rows = started.elapsed() / 20;
    let started = std::time::Instant::now();
    for id in built_in_ids() {
        catalog.get(id).unwrap();
    }
    let parsing = started.elapsed();
    assert!(rows * 4 < parsing, "rows {rows:?}, parsing {parsing:?}");
}

#[test]
fn a_pipe_in_the_directory_is_a_fault_and_not_a_wait() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let catalog = Catalog::open(dir.path());
    assert!(catalog.get("pipe").is_err());
    assert_eq!(catalog.faults().len(), 1);
}
