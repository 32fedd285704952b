//! The texts of a definition in a person's language: `[text.fr]`.

use crate::model::{Connector, Input};

/// The definition with its texts in `lang` (`fr`, `fr-CA`), as far as it has them; the others stay.
#[must_use]
pub fn localised(connector: &Connector, lang: &str) -> Connector {
    let mut out = connector.clone();
    let tag = lang.replace('_', "-").to_ascii_lowercase();
    let wanted = [tag.split('-').next().unwrap_or_default().to_owned(), tag.clone()];
    // The language first, so that a region's own texts replace it.
    for tag in wanted {
        let find = |map_key: &&String| map_key.to_ascii_lowercase() == tag;
        if let Some(name) = connector.names.keys().find(find).and_then(|key| connector.names.get(key)) {
            out.name.clone_from(name);
        }
        if let Some(texts) = connector.text.keys().find(find).and_then(|key| connector.text.get(key)) {
            for (key, text) in texts {
                if let Some(place) = place(&mut out, key) {
                    place.clone_from(text);
                }
            }
        }
    }
    out
}

/// Whether each text of a definition has its place: those that have not, by language and key.
pub fn every_text(connector: &Connector) -> (usize, Vec<(String, String)>) {
    let mut scratch = connector.clone();
    let (mut placed, mut unknown) = (0, Vec::new());
    for (lang, texts) in &connector.text {
        for key in texts.keys() {
            match place(&mut scratch, key) {
                Some(_) => placed += 1,
                None => unknown.push((lang.clone(), key.clone())),
            }
        }
    }
    (placed, unknown)
}

/// The text that a key names: `name`, `summary`, `notes.N`, `input.KEY.label`, `auth.KEY.name`, `auth.KEY.setup.N`,
/// `auth.KEY.input.KEY.help`, `auth.KEY.scope.ID`, `auth.KEY.discover.ID`, `check.N`, `error.N`, `resource.ID`, `resource.ID.field.PATH`,
/// `resource.ID.field.PATH.help`. Places in a list count from 1.
fn place<'c>(c: &'c mut Connector, key: &str) -> Option<&'c mut String> {
    let (head, rest) = key.split_once('.').unwrap_or((key, ""));
    match head {
        "name" if rest.is_empty() => Some(&mut c.name),
        "summary" if rest.is_empty() => Some(&mut c.summary),
        "notes" => nth(&mut c.notes, rest),
        "input" => input(&mut c.inputs, rest),
        "check" => nth(&mut c.checks, rest).map(|check| &mut check.proves),
        "error" => nth(&mut c.errors, rest).and_then(|rule| rule.message.as_mut()),
        "auth" => {
            let (method, rest) = rest.split_once('.')?;
            let method = c.auth.get_mut(method)?;
            let (head, rest) = rest.split_once('.').unwrap_or((rest, ""));
            match head {
                "name" if rest.is_empty() => Some(&mut method.name),
                "setup" => nth(&mut method.setup, rest),
                "input" => input(&mut method.inputs, rest),
                "scope" => method.scopes.catalog.iter_mut().find(|scope| scope.id == rest).map(|scope| &mut scope.meaning),
                "discover" => method.discover.iter_mut().find(|one| one.id == rest).map(|one| &mut one.title),
                _ => None,
            }
        }
        "resource" => {
            let (id, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let resource = c.resources.iter_mut().find(|resource| resource.id == id)?;
            match rest.strip_prefix("field.") {
                None => rest.is_empty().then_some(&mut resource.name),
                // A path may end in `.help` itself; the field of that path goes first.
                Some(path) => match resource.fields.iter().position(|field| field.path == path) {
                    Some(at) => resource.fields.get_mut(at).map(|field| &mut field.label),
                    None => {
                        let path = path.strip_suffix(".help")?;
                        resource.fields.iter_mut().find(|field| field.path == path).map(|field| &mut field.help)
                    }
                },
            }
        }
        _ => None,
    }
}

fn nth<'l, T>(list: &'l mut [T], number: &str) -> Option<&'l mut T> {
    list.get_mut(number.parse::<usize>().ok()?.checked_sub(1)?)
}

fn input<'i>(inputs: &'i mut [Input], key: &str) -> Option<&'i mut String> {
    let (key, part) = key.split_once('.')?;
    let input = inputs.iter_mut().find(|input| input.key == key)?;
    match part {
        "label" => Some(&mut input.label),
        "help" => Some(&mut input.help),
        "example" => Some(&mut input.example),
        _ => nth(&mut input.warnings, part.strip_prefix("warning.")?).map(|warning| &mut warning.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: &str = r#"
        schema = 1
        id = "acme"
        name = "Acme"
        names = { fr = "Acmé" }
        summary = "People."
        [[input]]
        key = "host"
        label = "Host"
        help = "Where it is."
        [auth.token]
        kind = "bearer"
        name = "Token"
        setup = ["Open Settings.", "Make one."]
        [[auth.token.input]]
        key = "token"
        label = "Token"
        secret = true
        [auth.token.scopes]
        catalog = [{ id = "users.read", meaning = "Reads users." }]
        [[check]]
        path = "/me"
        proves = "It works."
        [[resource]]
        id = "users"
        name = "Users"
        kind = "users"
        path = "/users"
        key = "id"
        field = [{ path = "id", label = "Id" }, { path = "profile.help", label = "Help text" }]
        [text.fr]
        summary = "Les personnes."
        "input.host.label" = "Hôte"
        "auth.token.name" = "Jeton"
        "auth.token.setup.2" = "Créez-en un."
        "auth.token.input.token.help" = "Affiché une seule fois."
        "auth.token.scope.users.read" = "Lit les utilisateurs."
        "check.1" = "Le jeton est accepté."
        "resource.users" = "Utilisateurs"
        "resource.users.field.id" = "Identifiant"
        "resource.users.field.id.help" = "Ne change jamais."
        "resource.users.field.profile.help" = "Texte d'aide"
        "auth.token.setup.3" = "…"
        "resource.groups" = "…"
        [text.fr-CA]
        "input.host.label" = "Serveur"
    "#;

    #[test]
    fn texts_take_their_places() {
        let acme: Connector = toml::from_str(ACME).unwrap();
        let fr = localised(&acme, "fr");
        assert_eq!((fr.name.as_str(), fr.summary.as_str(), fr.inputs[0].label.as_str()), ("Acmé", "Les personnes.", "Hôte"));
        // What has no text in the language stays.
        assert_eq!(fr.inputs[0].help, "Where it is.");
        let method = &fr.auth["token"];
        assert_eq!((method.name.as_str(), method.setup.as_slice()), ("Jeton", &["Open Settings.".to_owned(), "Créez-en un.".to_owned()][..]));
        assert_eq!((method.inputs[0].help.as_str(), method.scopes.catalog[0].meaning.as_str()), ("Affiché une seule fois.", "Lit les utilisateurs."));
        assert_eq!(fr.checks[0].proves, "Le jeton est accepté.");
        let users = &fr.resources[0];
        assert_eq!(
            (users.name.as_str(), users.fields[0].label.as_str(), users.fields[0].help.as_str()),
            ("Utilisateurs", "Identifiant", "Ne change jamais.")
        );
        assert_eq!(users.fields[1].label, "Texte d'aide");
        assert_eq!(localised(&acme, "fr_CA").inputs[0].label, "Serveur");
        assert_eq!(localised(&acme, "fr-BE").inputs[0].label, "Hôte");
        assert_eq!(localised(&acme, "de"), acme);
        assert_eq!(localised(&acme, ""), acme);
    }

    #[test]
    fn texts_without_a_place_are_known() {
        let (placed, unknown) = every_text(&toml::from_str(ACME).unwrap());
        assert_eq!(placed, 12);
        assert_eq!(unknown.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>(), ["auth.token.setup.3", "resource.groups"]);
    }
}
