//! A wizard as a file: everything that was answered, secrets as references only. The same file gives the same credential or integration again.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use indexmap::IndexMap;

use super::{Result, Workspace, credentials, integrations};
use crate::model::{Connector, Problem};
use crate::words::clean;
use crate::{problem, t};

/// Whose answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A draft or a credential, by id or name; `intertie credential add --answers` reads the file.
    Credential(String),
    /// An integration, by id or name; `intertie integration apply` reads the file.
    Integration(String),
}

/// What the file is made of, from a draft or from a credential.
struct Given {
    connector: String,
    method: String,
    name: String,
    settings: IndexMap<String, String>,
    secrets: Vec<String>,
    references: IndexMap<String, String>,
    scopes: Vec<String>,
}

/// The answers of a draft or of a credential, as TOML: connector, method, name, settings, scopes. Secrets become references to be filled in
/// (`env:NAME`), or the references that they are already.
pub fn of(ws: &Workspace, draft_or_credential: &str) -> Result<String> {
    let given = match credentials::draft_get(ws, draft_or_credential) {
        Ok(draft) => Given {
            connector: draft.connector,
            method: draft.method,
            name: draft.name,
            settings: draft.settings,
            secrets: draft.secrets,
            references: draft.references,
            scopes: draft.scopes,
        },
        Err(_) => {
            let credential = credentials::get(ws, draft_or_credential)?;
            Given {
                connector: credential.connector,
                method: credential.method,
                name: credential.name,
                settings: credential.settings,
                secrets: credential.secrets,
                references: credential.references,
                scopes: credential.scopes,
            }
        }
    };
    let connector = ws.catalog().get(&given.connector)?;
    Ok(written(&connector, &given))
}

/// Writes the answers to a file that only its owner can read, in the place of one that is there.
pub fn save(ws: &Workspace, of: &Of, path: &Path) -> Result<()> {
    let text = match of {
        Of::Credential(name) => self::of(ws, name)?,
        Of::Integration(name) => integrations::export(ws, name)?,
    };
    let failed = |error: std::io::Error| -> Problem {
        problem!(Failed, "answers.failed", path = clean::line(&path.display().to_string(), 200), reason = error)
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is made with mode 0600, and takes its place in one step.
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

fn written(connector: &Connector, given: &Given) -> String {
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    let mut out = String::new();
    let _ = writeln!(out, "# {}", t!("answers.head", connector = clean::line(&given.connector, 80)));
    let _ = writeln!(out, "connector = {}", text(&given.connector));
    let _ = writeln!(out, "method = {}", text(&given.method));
    let _ = writeln!(out, "name = {}", text(&given.name));
    if !given.scopes.is_empty() {
        let scopes: Vec<String> = given.scopes.iter().map(|scope| text(scope)).collect();
        let _ = writeln!(out, "scopes = [{}]", scopes.join(", "));
    }
    let settings: Vec<_> = given.settings.iter().filter(|(_, value)| !value.is_empty()).collect();
    if !settings.is_empty() {
        out.push_str("\n[settings]\n");
        for (key, value) in settings {
            let _ = writeln!(out, "{} = {}", quoted(key), text(value));
        }
    }
    let inputs = connector.inputs_for(&given.method);
    // Every secret that has a value, and every one that needs one.
    let wanted = inputs.iter().filter(|input| input.secret).filter(|input| {
        given.references.contains_key(&input.key) || given.secrets.contains(&input.key) || (!input.optional && input.default.is_none())
    });
    let (mut references, mut secrets) = (String::new(), String::new());
    for input in wanted {
        if let Some(reference) = given.references.get(&input.key) {
            let _ = writeln!(references, "{} = {}", quoted(&input.key), text(reference));
            continue;
        }
        let _ = writeln!(secrets, "# {}", t!("answers.placeholder", label = clean::line(&input.label, 80)));
        let _ = writeln!(secrets, "{} = {}", quoted(&input.key), text(&format!("env:{}", placeholder(&given.name, &input.key))));
    }
    // Read each time, and copied once.
    for (table, lines) in [("references", references), ("secrets", secrets)] {
        if !lines.is_empty() {
            let _ = write!(out, "\n[{table}]\n{lines}");
        }
    }
    out
}

/// A key, in quotation marks where TOML wants them.
fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}

/// `INTERTIE_CLICKWRAP_PROD_CLIENT_SECRET`: the environment variable that is asked for a secret.
fn placeholder(name: &str, key: &str) -> String {
    let mut out = String::from("INTERTIE");
    for part in [name, key] {
        out.push('_');
        for c in part.chars() {
            match c {
                c if c.is_ascii_alphanumeric() => out.push(c.to_ascii_uppercase()),
                _ if out.ends_with('_') => {}
                _ => out.push('_'),
            }
        }
        while out.ends_with('_') {
            out.pop();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::ops::Config;

    #[test]
    fn the_file_says_everything_but_the_secret_and_says_it_again_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        let mut draft = credentials::draft_new(&ws, "practice-clickwrap", Some("client_credentials")).unwrap();
        draft.name = "Clickwrap \"prod\" 2".to_owned();
        draft.settings.insert("client_id".to_owned(), "practice-client".to_owned());
        credentials::draft_save(&ws, &draft).unwrap();
        credentials::draft_secret(&ws, &draft.id, "client_secret", Secret::new("tell-nobody")).unwrap();
        let text = of(&ws, &draft.id).unwrap();
        assert!(!text.contains("tell-nobody"), "{text}");
        assert_eq!(of(&ws, &draft.id).unwrap(), text);
        let read: toml::Table = text.parse().unwrap();
        assert_eq!(read["connector"].as_str(), Some("practice-clickwrap"));
        assert_eq!(read["name"].as_str(), Some("Clickwrap \"prod\" 2"));
        assert_eq!(read["settings"]["client_id"].as_str(), Some("practice-client"));
        assert_eq!(read["secrets"]["client_secret"].as_str(), Some("env:INTERTIE_CLICKWRAP_PROD_2_CLIENT_SECRET"));
        let path = dir.path().join("x.answers.toml");
        std::fs::write(&path, "old").unwrap();
        save(&ws, &Of::Credential(draft.id.clone()), &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn names_of_variables_have_only_what_a_shell_takes() {
        assert_eq!(placeholder("Ärger & Söhne!", "api-key"), "INTERTIE_RGER_S_HNE_API_KEY");
        assert_eq!(placeholder("", "k"), "INTERTIE_K");
    }
}
