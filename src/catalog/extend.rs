//! `extends`: a definition that is another one, but for what it says itself. Merged as TOML, before anything gives it a meaning.
//!
//! - A key at the top of the file replaces the base's, whole: an `[[input]]` list, `[request]`, the checks.
//! - `[auth.KEY]` is merged with the base's method of that key, key by key; the base's other methods stay, behind the file's own.
//! - `[[resource]]`, where the file has any, is the whole list; one with an identifier of the base's takes over the keys that it does not
//!   set, so that `id = "users"` alone is the base's resource as it stands.
//! - `[text.LANG]` is merged, key by key.
//! - What a connector is called is never taken over: `id`, `name`, `names`, `aliases`, `status`, `summary`.
//! - What `remove` names is not taken over either: a key, a table or one of a list, by its place in the base: `limit`, `auth.device`,
//!   `resource.groups`, `resource.users.changed`, `check.2`. What is in a list is named by its `id`, `key` or `path`, or by its number, from 1.
//!   Its texts in other languages go with it. The file may set it anew, and then has it as it stands there.
//!
//! The build script includes this file as well, for the index of the built-in definitions; nothing in it may name another part of the house.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The longest chain of definitions that extend one another.
const DEEPEST: usize = 4;

const OWN: [&str; 9] = ["remove", "schema", "id", "name", "names", "aliases", "status", "summary", "extends"];
const OWN_TEXTS: [&str; 2] = ["name", "summary"];

/// Why there is nothing to extend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// There is no definition of that identifier.
    Unknown(String),
    /// The base cannot be read itself.
    Broken(String),
    /// More definitions in a row than anybody can follow, or one that comes back to itself.
    Endless,
}

/// The text of a definition, and whether it is a built-in one, for an identifier; only a built-in one when asked so.
pub type Find<'f> = dyn Fn(&str, bool) -> Option<(Cow<'static, str>, bool)> + 'f;

/// The texts that a definition builds on, nearest first; none for one that stands alone. A built-in definition builds on built-in ones, and
/// a file of a built-in one's name may extend that one.
pub fn bases(tree: &DeTable<'_>, built_in: bool, find: &Find<'_>) -> Result<Vec<Cow<'static, str>>, Missing> {
    let (mut texts, mut built_in): (Vec<Cow<'static, str>>, bool) = (Vec::new(), built_in);
    let mut next = extended(tree);
    while let Some((id, base)) = next {
        if texts.len() == DEEPEST {
            return Err(Missing::Endless);
        }
        let Some((text, is_built_in)) = find(&base, built_in || id == base) else { return Err(Missing::Unknown(base)) };
        next = match DeTable::parse(&text) {
            Ok(tree) => extended(tree.get_ref()),
            Err(_) => return Err(Missing::Broken(base)),
        };
        built_in = is_built_in;
        texts.push(text);
    }
    Ok(texts)
}

/// The identifier of a definition that extends another, and of that one.
fn extended(tree: &DeTable<'_>) -> Option<(String, String)> {
    Some((text(tree, "id").unwrap_or_default().to_owned(), text(tree, "extends")?.to_owned()))
}

/// A definition merged with `bases`, the nearest first, and what it removes that none of them has. What it takes over stands where `extends`
/// stands.
pub fn merged<'t>(own: DeTable<'t>, bases: &'t [Cow<'static, str>]) -> (DeTable<'t>, Vec<String>) {
    let at = own.iter().find(|(key, _)| key.get_ref() == "extends").map_or(0..0, |(key, _)| key.span());
    let mut nothing = removals(&own);
    let mut removed = nothing.clone();
    let mut whole = own;
    for base in bases.iter().filter_map(|text| DeTable::parse(text).ok()) {
        let mut base = base.into_inner();
        // What is not taken over from anybody is not there to be removed.
        let further = removals(&base);
        base = base.into_iter().filter(|(key, _)| !OWN.contains(&key.get_ref().as_ref())).collect();
        for path in &removed {
            if take(&mut base, path) {
                nothing.retain(|known| known != path);
                without_texts(&mut base, path);
            }
        }
        removed.extend(further);
        whole = merge(whole, base, &at);
    }
    (whole, nothing)
}

fn removals(tree: &DeTable<'_>) -> Vec<String> {
    let list = tree.iter().find(|(key, _)| key.get_ref() == "remove").and_then(|(_, value)| value.get_ref().as_array());
    list.map(|list| list.iter().filter_map(|path| path.get_ref().as_str().map(str::to_owned)).collect()).unwrap_or_default()
}

/// What follows a name in a path: nothing, or the rest of it behind the dot. Names may have dots of their own.
fn behind<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(name)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

/// Takes what a path names out of a table.
fn take(table: &mut DeTable<'_>, path: &str) -> bool {
    let exact = table.keys().find(|key| key.get_ref() == path).cloned();
    match exact {
        Some(key) => table.remove(&key).is_some(),
        None => table.iter_mut().any(|(key, value)| behind(path, key.get_ref()).is_some_and(|rest| take_from(value.get_mut(), rest))),
    }
}

fn take_from<'t>(value: &mut DeValue<'t>, path: &str) -> bool {
    match value {
        DeValue::Table(table) => take(table, path),
        DeValue::Array(list) => {
            let exact = list.iter().enumerate().position(|(i, one)| called(one.get_ref(), i).iter().any(|name| name == path));
            if let Some(at) = exact {
                let all = std::mem::replace(list, DeArray::new()).into_iter().enumerate();
                *list = all.filter(|(i, _)| *i != at).map(|(_, one)| one).collect();
                return true;
            }
            list.iter_mut().enumerate().any(|(i, one)| {
                let names = called(one.get_ref(), i);
                names.iter().filter_map(|name| behind(path, name)).any(|rest| take_from(one.get_mut(), rest))
            })
        }
        _ => false,
    }
}

/// What one of a list is called: by its identifier, and by its number.
fn called(one: &DeValue<'_>, i: usize) -> Vec<String> {
    let name = one.as_table().and_then(|one| ["id", "key", "path"].iter().find_map(|key| text(one, key)));
    name.map(str::to_owned).into_iter().chain([(i + 1).to_string()]).collect()
}

/// Takes the texts of something removed out of every language; those of a whole list, where its members are known by numbers that change.
fn without_texts(base: &mut DeTable<'_>, path: &str) {
    let path = match path.rsplit_once('.') {
        Some((list, number)) if number.bytes().all(|b| b.is_ascii_digit()) => list,
        _ => path,
    };
    let Some((_, texts)) = base.iter_mut().find(|(key, _)| key.get_ref() == "text") else { return };
    let DeValue::Table(languages) = texts.get_mut() else { return };
    for (_, language) in languages.iter_mut() {
        if let DeValue::Table(keys) = language.get_mut() {
            *keys = std::mem::take(keys).into_iter().filter(|(key, _)| behind(key.get_ref(), path).is_none()).collect();
        }
    }
}

fn merge<'t>(mut own: DeTable<'t>, base: DeTable<'t>, at: &Range<usize>) -> DeTable<'t> {
    for (key, value) in base {
        let name = key.get_ref().clone().into_owned();
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let mut value = moved(value, at);
        if name == "text" {
            without_names(&mut value);
        }
        match own.iter_mut().find(|(known, _)| *known.get_ref() == name.as_str()) {
            None => {
                own.insert(Spanned::new(at.clone(), key.into_inner()), value);
            }
            Some((_, known)) => match (name.as_str(), known.get_mut(), value.into_inner()) {
                ("auth" | "text", DeValue::Table(known), DeValue::Table(base)) => add_tables(known, base),
                ("resource", DeValue::Array(known), DeValue::Array(base)) => {
                    for one in known.iter_mut() {
                        let DeValue::Table(one) = one.get_mut() else { continue };
                        let same = |other: &&Spanned<DeValue<'_>>| matches!(other.get_ref(), DeValue::Table(other) if text(other, "id").is_some_and(|id| text(one, "id") == Some(id)));
                        if let Some(DeValue::Table(other)) = base.iter().find(same).map(Spanned::get_ref) {
                            add(one, other.clone());
                        }
                    }
                }
                _ => {}
            },
        }
    }
    own
}

/// Adds the keys that are missing, and in tables of both the keys that are missing there.
fn add_tables<'t>(known: &mut DeTable<'t>, base: DeTable<'t>) {
    for (key, value) in base {
        match known.iter_mut().find(|(name, _)| name.get_ref() == key.get_ref()) {
            None => {
                known.insert(key, value);
            }
            Some((_, known)) => {
                if let (DeValue::Table(known), DeValue::Table(base)) = (known.get_mut(), value.into_inner()) {
                    add(known, base);
                }
            }
        }
    }
}

fn add<'t>(known: &mut DeTable<'t>, base: DeTable<'t>) {
    for (key, value) in base {
        if !known.iter().any(|(name, _)| name.get_ref() == key.get_ref()) {
            known.insert(key, value);
        }
    }
}

fn without_names(texts: &mut Spanned<DeValue<'_>>) {
    let DeValue::Table(languages) = texts.get_mut() else { return };
    for (_, language) in languages.iter_mut() {
        if let DeValue::Table(keys) = language.get_mut() {
            let names: Vec<_> = keys.keys().filter(|key| OWN_TEXTS.contains(&key.get_ref().as_ref())).cloned().collect();
            for name in names {
                keys.remove(&name);
            }
        }
    }
}

fn text<'v>(table: &'v DeTable<'_>, name: &str) -> Option<&'v str> {
    table.iter().find(|(key, _)| key.get_ref() == name).and_then(|(_, value)| value.get_ref().as_str())
}

/// The same value, standing elsewhere.
fn moved<'t>(value: Spanned<DeValue<'t>>, at: &Range<usize>) -> Spanned<DeValue<'t>> {
    let value = match value.into_inner() {
        DeValue::Table(table) => {
            DeValue::Table(table.into_iter().map(|(key, value)| (Spanned::new(at.clone(), key.into_inner()), moved(value, at))).collect())
        }
        DeValue::Array(list) => DeValue::Array(list.into_iter().map(|one| moved(one, at)).collect()),
        other => other,
    };
    Spanned::new(at.clone(), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize as _;

    const BASE: &str = r#"
        schema = 1
        id = "base"
        name = "Base"
        names = { fr = "La base" }
        aliases = ["B"]
        docs = "https://base.example/docs"
        request = { base_url = "https://base.example" }
        [auth.a]
        kind = "bearer"
        name = "A"
        setup = ["One."]
        [auth.b]
        kind = "basic"
        name = "B"
        [[resource]]
        id = "users"
        path = "/users"
        key = "id"
        [[resource]]
        id = "groups"
        path = "/groups"
        [text.fr]
        name = "La base"
        "auth.a.name" = "Un"
        "auth.b.name" = "Deux"
    "#;

    fn find(id: &str, built_in: bool) -> Option<(Cow<'static, str>, bool)> {
        let text = match id {
            "base" => BASE.to_owned(),
            "loop" => "id = 'loop'\nextends = 'loop2'".to_owned(),
            "loop2" => "id = 'loop2'\nextends = 'loop'".to_owned(),
            "broken" => "id = [".to_owned(),
            "less" => "id = 'less'\nextends = 'base'\nremove = ['auth.b']\nhomepage = 'https://less.example'".to_owned(),
            "own" if built_in => "id = 'own'\nextends = 'base'\ndocs = 'https://own.example'".to_owned(),
            "own" => "id = 'own'\nextends = 'own'\nhomepage = 'https://ours.example'".to_owned(),
            _ => return None,
        };
        Some((text.into(), built_in || id != "own"))
    }

    fn whole(text: &str) -> Result<toml::Table, Missing> {
        let tree = DeTable::parse(text).unwrap();
        let bases = bases(tree.get_ref(), false, &find)?;
        let span = tree.span();
        let (tree, nothing) = merged(tree.into_inner(), &bases);
        let mut table = toml::Table::deserialize(toml::de::Deserializer::from(Spanned::new(span, tree))).unwrap();
        table.insert("nothing".to_owned(), nothing.into());
        Ok(table)
    }

    #[test]
    fn what_is_taken_over() {
        let table = whole(
            "schema = 1\nid = 'x'\nname = 'X'\nextends = 'base'\n[auth.c]\nkind = 'none'\n[auth.a]\nname = 'Ours'\n\
             [[resource]]\nid = 'users'\npath = '/people'\n[text.fr]\n'auth.a.name' = 'Le nôtre'",
        )
        .unwrap();
        assert_eq!(table["name"].as_str(), Some("X"));
        assert!(!table.contains_key("names") && !table.contains_key("aliases"));
        assert_eq!(table["docs"].as_str(), Some("https://base.example/docs"));
        let auth = table["auth"].as_table().unwrap();
        assert_eq!(auth.keys().collect::<Vec<_>>(), ["c", "a", "b"]);
        assert_eq!((auth["a"]["name"].as_str(), auth["a"]["kind"].as_str()), (Some("Ours"), Some("bearer")));
        let resources = table["resource"].as_array().unwrap();
        assert_eq!(resources.len(), 1);
        assert_eq!((resources[0]["path"].as_str(), resources[0]["key"].as_str()), (Some("/people"), Some("id")));
        let fr = table["text"]["fr"].as_table().unwrap();
        assert_eq!(fr.len(), 2, "{fr:?}");
        assert_eq!((fr["auth.a.name"].as_str(), fr["auth.b.name"].as_str()), (Some("Le nôtre"), Some("Deux")));
    }

    #[test]
    fn what_is_removed() {
        let table = whole(
            "id = 'x'\nextends = 'base'\nremove = ['auth.b', 'docs', 'auth.a.setup', 'resource.users.key', 'resource.groups', 'auth.c', 'name']\n\
             [auth.a]\nname = 'Ours'",
        )
        .unwrap();
        let auth = table["auth"].as_table().unwrap();
        assert_eq!(auth.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!((auth["a"].get("setup"), auth["a"]["kind"].as_str(), auth["a"]["name"].as_str()), (None, Some("bearer"), Some("Ours")));
        assert!(!table.contains_key("docs") && table.contains_key("request"));
        let resources = table["resource"].as_array().unwrap();
        assert_eq!((resources.len(), resources[0]["id"].as_str(), resources[0].get("key")), (1, Some("users"), None));
        // Texts go with what they are of; what was not there to be taken over is told.
        assert_eq!(table["text"]["fr"].as_table().unwrap().keys().collect::<Vec<_>>(), ["auth.a.name"]);
        assert_eq!(table["nothing"], toml::Value::from(vec!["auth.c", "name"]));
        // Removed and set anew, it is as it stands here.
        let anew = whole("id = 'x'\nextends = 'base'\nremove = ['auth.a']\n[auth.a]\nkind = 'none'").unwrap();
        assert_eq!(anew["auth"]["a"].as_table().unwrap().len(), 1);
        // What a definition in between removes stays removed, and a removal reaches through the whole chain.
        let chain = whole("id = 'x'\nextends = 'less'\nremove = ['resource.users', 'homepage']").unwrap();
        assert!(!chain.contains_key("homepage") && !chain["auth"].as_table().unwrap().contains_key("b"));
        assert_eq!((chain["resource"].as_array().unwrap().len(), &chain["nothing"]), (1, &toml::Value::Array(Vec::new())));
        assert_eq!(whole("id = 'x'\nremove = ['limit']").unwrap()["nothing"], toml::Value::from(vec!["limit"]));
    }

    #[test]
    fn chains() {
        // A file of the workspace extends another of the workspace, which extends the built-in one of its own name, which extends the base.
        let table = whole("id = 'x'\nextends = 'own'").unwrap();
        assert_eq!((table["homepage"].as_str(), table["docs"].as_str()), (Some("https://ours.example"), Some("https://own.example")));
        assert_eq!(table["resource"].as_array().unwrap().len(), 2);
        assert_eq!(whole("id = 'x'\nextends = 'nothing'"), Err(Missing::Unknown("nothing".into())));
        assert_eq!(whole("id = 'x'\nextends = 'broken'"), Err(Missing::Broken("broken".into())));
        assert_eq!(whole("id = 'x'\nextends = 'loop'"), Err(Missing::Endless));
    }
}
