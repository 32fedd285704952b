//! Compiles the message table and the list of built-in connector definitions into the binary, so that neither costs anything at start.
//!
//! Messages: `assets/messages/<language>/*.toml`. Tables nest and make dotted keys; a table with exactly `one` and `other` is a plural.
//! The files of one language are merged; a key written twice is an error.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde::Deserialize as _;

#[allow(dead_code)]
#[path = "src/catalog/extend.rs"]
mod extend;

enum Text {
    Plain(String),
    Plural { one: String, other: String },
}

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    println!("cargo::rerun-if-changed=assets/messages");
    println!("cargo::rerun-if-changed=assets/connectors");
    println!("cargo::rerun-if-changed=src/catalog/extend.rs");

    let mut messages = BTreeMap::new();
    for file in toml_files(&root.join("assets/messages/en")) {
        let text = fs::read_to_string(&file).expect("a readable message file");
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        flatten("", &table, &file, &mut messages);
    }
    let mut code = String::new();
    let n = messages.len();
    writeln!(code, "static KEYS: [&str; {n}] = [").unwrap();
    for key in messages.keys() {
        writeln!(code, "    {key:?},").unwrap();
    }
    writeln!(code, "];\nstatic EN: [Text; {n}] = [").unwrap();
    for text in messages.values() {
        match text {
            Text::Plain(text) => writeln!(code, "    Text::Plain({text:?}),").unwrap(),
            Text::Plural { one, other } => {
                writeln!(code, "    Text::Plural {{ one: {one:?}, other: {other:?} }},").unwrap();
            }
        }
    }
    code.push_str("];\n");
    fs::write(out.join("messages.rs"), code).expect("a writable OUT_DIR");

    let mut rows: Vec<(bool, String, String)> = toml_files(&root.join("assets/connectors")).iter().map(|file| built_in(file)).collect();
    // The order in which they are listed: by name, the practice vendor at the end.
    rows.sort();
    let mut code = format!("static BUILT_IN: [BuiltIn; {}] = [\n", rows.len());
    for (_, _, row) in rows {
        code.push_str(&row);
    }
    code.push_str("];\n");
    fs::write(out.join("connectors.rs"), code).expect("a writable OUT_DIR");
}

/// One row of the catalog's index, so that listing, searching and filtering parse no definition; before it, what it is sorted by. Whether the
/// definition is right is for a test to say.
fn built_in(file: &Path) -> (bool, String, String) {
    let id = file.file_stem().expect("a file name").to_string_lossy().into_owned();
    let text = fs::read_to_string(file).expect("a readable definition");
    let table = whole(file, &text);
    let string = |key: &str| table.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let list = |key: &str| -> Vec<String> {
        table.get(key).and_then(toml::Value::as_array).into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
    };
    let name = string("name");
    let names: Vec<String> = table
        .get("names")
        .and_then(toml::Value::as_table)
        .into_iter()
        .flatten()
        .filter_map(|(lang, v)| v.as_str().filter(|text| *text != name).map(|text| format!("({}, {})", borrowed(lang), borrowed(text))))
        .collect();
    let status = match string("status").as_str() {
        "" | "available" => "Available",
        "preview" => "Preview",
        "practice" => "Practice",
        other => panic!("{}: status {other:?}", file.display()),
    };
    let mut methods = Vec::new();
    let auth: Vec<(&String, &toml::Value)> = table.get("auth").and_then(toml::Value::as_table).into_iter().flatten().collect();
    let marked = |value: &toml::Value| value.get("default").and_then(toml::Value::as_bool).unwrap_or(false);
    let default = auth.iter().position(|(_, value)| marked(value)).unwrap_or(0);
    for (place, (method, value)) in auth.into_iter().enumerate() {
        let kind = match value.get("kind").and_then(toml::Value::as_str) {
            Some("oauth2_code") => "OAuth2Code",
            Some("device") => "Device",
            Some("client_credentials") => "ClientCredentials",
            Some("jwt_bearer") => "JwtBearer",
            Some("signed_jwt") => "SignedJwt",
            Some("password") => "Password",
            Some("login") => "Login",
            Some("oauth1") => "OAuth1",
            Some("aws_sigv4") => "AwsSigv4",
            Some("api_key") => "ApiKey",
            Some("bearer") => "Bearer",
            Some("basic") => "Basic",
            Some("mtls") => "Mtls",
            Some("none") => "None",
            other => panic!("{}: kind {other:?} of method {method:?}", file.display()),
        };
        methods.push(format!("AuthRow {{ method: {}, kind: AuthKind::{kind}, default: {} }}", borrowed(method), place == default));
    }
    let found: Vec<&toml::Value> = table.get("resource").and_then(toml::Value::as_array).into_iter().flatten().collect();
    let resources: Vec<String> = found.iter().filter_map(|r| r.get("id").and_then(toml::Value::as_str)).map(borrowed).collect();
    let mut reads: Vec<&str> = Vec::new();
    for resource in &found {
        let kind = match resource.get("kind").and_then(toml::Value::as_str) {
            Some("users") => "ResourceKind::Users",
            Some("groups") => "ResourceKind::Groups",
            Some("applications") => "ResourceKind::Applications",
            Some("hardware") => "ResourceKind::Hardware",
            Some("software") => "ResourceKind::Software",
            Some("other") => "ResourceKind::Other",
            other => panic!("{}: kind {other:?} of a resource", file.display()),
        };
        if !reads.contains(&kind) {
            reads.push(kind);
        }
    }
    let categories = list("categories");
    let texts = |texts: Vec<String>| slice(&texts.iter().map(|text| borrowed(text)).collect::<Vec<_>>(), "Str");
    let row = format!(
        "    BuiltIn {{ row: ConnectorRow {{ id: {}, name: {}, names: {}, status: ConnectorStatus::{status}, category: {}, categories: {}, \
         auth: {}, resources: {}, reads: {}, origin: Origin::BuiltIn, summary: {}, aliases: {} }}, text: include_str!({:?}) }},\n",
        borrowed(&id),
        borrowed(&name),
        slice(&names, "(Str, Str)"),
        borrowed(categories.first().map_or("", String::as_str)),
        texts(categories.clone()),
        slice(&methods, "AuthRow"),
        slice(&resources, "Str"),
        slice(&reads.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>(), "ResourceKind"),
        borrowed(&string("summary")),
        texts(list("aliases")),
        file.display().to_string(),
    );
    (status == "Practice", name.to_lowercase(), row)
}

fn borrowed(text: &str) -> String {
    format!("Cow::Borrowed({text:?})")
}

fn slice(items: &[String], of: &str) -> String {
    format!("Cow::Borrowed({{ const ITEMS: &[{of}] = &[{}]; ITEMS }})", items.join(", "))
}

/// A definition with what it takes over from the one that it extends.
fn whole(file: &Path, text: &str) -> toml::Table {
    let tree = toml::de::DeTable::parse(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let find = |id: &str, _: bool| fs::read_to_string(file.with_file_name(format!("{id}.toml"))).ok().map(|text| (Cow::Owned(text), true));
    let bases = extend::bases(tree.get_ref(), true, &find).unwrap_or_else(|missing| panic!("{}: extends: {missing:?}", file.display()));
    let span = tree.span();
    let (tree, nothing) = extend::merged(tree.into_inner(), &bases);
    assert!(nothing.is_empty(), "{}: remove names what is not there: {nothing:?}", file.display());
    let tree = toml::Spanned::new(span, tree);
    toml::Table::deserialize(toml::de::Deserializer::from(tree)).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn toml_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn flatten(prefix: &str, table: &toml::Table, file: &Path, into: &mut BTreeMap<String, Text>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let text = match value {
            toml::Value::String(text) => Text::Plain(text.clone()),
            toml::Value::Table(inner) if inner.len() == 2 && inner.contains_key("one") && inner.contains_key("other") => {
                let form = |name: &str| inner[name].as_str().unwrap_or_else(|| panic!("{}: {key}.{name} is not text", file.display())).to_owned();
                Text::Plural { one: form("one"), other: form("other") }
            }
            toml::Value::Table(inner) => {
                flatten(&key, inner, file, into);
                continue;
            }
            _ => panic!("{}: {key} is neither text nor a table", file.display()),
        };
        assert!(into.insert(key.clone(), text).is_none(), "{}: {key} is already defined in another file", file.display());
    }
}
