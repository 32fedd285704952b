//! `extends`: a definition that is another one, but for what it says itself. Merged as TOML, before anything gives it a meaning.
//!
//! - A key at the top of the file replaces the base's, whole: an `[[input]]` list, `[request]`, the checks.
//! - `[auth.KEY]` is merged with the base's method of that key, key by key; the base's other methods stay, behind the file's own.
//! - `[[resource]]`, where the file has any, is the whole list; one with an identifier of the base's takes over the keys that it does not
//!   set, so that `id = "users"` alone is the base's resource as it stands.
//! - `[text.LANG]` is merged, key by key.
//! - What a connector is called is never taken over: `id`, `name`, `names`, `aliases`, `status`, `summary`.
//!
//! The build script includes this file as well, for the index of the built-in definitions; nothing in it may name another part of the house.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The longest chain of definitions that extend one another.
const DEEPEST: usize = 4;

const OWN: [&str; 8] = ["schema", "id", "name", "names", "aliases", "status", "summary", "extends"];
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

/// A definition merged with `bases`, the nearest first. What it takes over stands where `extends` stands.
pub fn merged<'t>(own: DeTable<'t>, bases: &'t [Cow<'static, str>]) -> DeTable<'t> {
    let at = own.iter().find(|(key, _)| key.get_ref() == "extends").map_or(0..0, |(key, _)| key.span());
    bases.iter().filter_map(|text| DeTable::parse(text).ok()).fold(own, |own, base| merge(own, base.into_inner(), &at))
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
            "own" if built_in => "id = 'own'\nextends = 'base'\ndocs = 'https://own.example'".to_owned(),
            "own" => "id = 'own'\nextends = 'own'\nhomepage = 'https://ours.example'".to_owned(),
            _ => return None,
        };
        Some((text.into(), built_in || id != "own"))
    }

    fn whole(text: &str) -> Result<toml::Table, Missing> {
        let tree = DeTable::parse(text).unwrap();
        let bases = bases(tree.get_ref(), false, &find)?;
        let tree = Spanned::new(tree.span(), merged(tree.into_inner(), &bases));
        Ok(toml::Table::deserialize(toml::de::Deserializer::from(tree)).unwrap())
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
