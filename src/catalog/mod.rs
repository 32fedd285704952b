//! Connector definitions: the built-in ones, compiled in, and the user's own in the workspace's `connectors/` directory, which override
//! and extend them.
//!
//! A definition is the file `ID.toml`, so that one is found without reading the others. A broken file of the user's breaks nothing but
//! itself: it is a fault that [`Catalog::faults`] reports.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{AuthKind, Connector, ConnectorStatus, Origin, Problem, ResourceKind};
use crate::problem;
use crate::words::clean;

pub mod addresses;
mod extend;
mod faults;
pub mod input;
mod localised;
mod parse;
mod rendered;
mod search;
pub mod template;

pub use faults::DefinitionFault;
pub use localised::localised;
pub use rendered::{list_and_member, resource, since};
pub use search::{Found, Place, matching, search};

/// A built-in definition: its row, made by the build script, and the text that is parsed when somebody asks for it.
struct BuiltIn {
    row: ConnectorRow,
    text: &'static str,
}

include!(concat!(env!("OUT_DIR"), "/connectors.rs"));

/// The longest definition that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// How many parsed definitions are kept: enough for whoever walks back and forth, and not all 169 of whoever walks through all of them.
const KEPT: usize = 8;

/// A text of the index, compiled in or read from a file of the user's.
pub type Str = Cow<'static, str>;

/// A row of the catalog: what lists, search and filters need, known without parsing whole definitions. A copy of a built-in one costs no
/// memory of its own.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConnectorRow {
    pub id: Str,
    pub name: Str,
    /// The name in other languages, by language, where it is another one.
    #[serde(serialize_with = "by_key")]
    pub names: Cow<'static, [(Str, Str)]>,
    pub status: ConnectorStatus,
    /// The first one, for grouping.
    pub category: Str,
    pub categories: Cow<'static, [Str]>,
    pub auth: Cow<'static, [AuthRow]>,
    pub resources: Cow<'static, [Str]>,
    /// What kinds of records it reads.
    pub reads: Cow<'static, [ResourceKind]>,
    pub origin: Origin,
    pub summary: Str,
    /// Other names it is found by.
    pub aliases: Cow<'static, [Str]>,
}

fn by_key<S: serde::Serializer>(pairs: &[(Str, Str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().map(|(key, value)| (key, value)))
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AuthRow {
    pub method: Str,
    pub kind: AuthKind,
    pub default: bool,
}

/// All definitions a workspace can see. Opening it reads nothing; rows and definitions are parsed when they are asked for.
pub struct Catalog {
    user_dir: PathBuf,
    /// The definitions that were asked for last, the last one at the end.
    parsed: Mutex<Vec<Arc<Connector>>>,
}

impl Catalog {
    #[must_use]
    pub fn open(user_dir: &Path) -> Self {
        Self { user_dir: user_dir.to_owned(), parsed: Mutex::new(Vec::new()) }
    }

    /// The definition: the user's own when there is one. A user's definition that is broken is a Problem that names the file and line; the
    /// built-in one that it would replace is not used in its stead.
    pub fn get(&self, id: &str) -> Result<Arc<Connector>, Problem> {
        let unknown = || problem!(Usage, "catalog.unknown", id = clean::line(id, 80));
        if !is_id(id) {
            return Err(unknown());
        }
        let path = self.user_dir.join(format!("{id}.toml"));
        match std::fs::symlink_metadata(&path) {
            Ok(_) => return self.read_user(&path, id).map(Arc::new).map_err(|fault| broken(&path, &fault)),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound && error.kind() != std::io::ErrorKind::NotADirectory => {
                return Err(problem!(Failed, "catalog.unreadable", file = clean::line(&path.display().to_string(), 200), reason = error));
            }
            Err(_) => {}
        }
        let built_in = BUILT_IN.iter().find(|one| one.row.id == id).ok_or_else(unknown)?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = parsed.iter().position(|connector| connector.id == id) {
            parsed[place..].rotate_left(1);
            return Ok(parsed[parsed.len() - 1].clone());
        }
        let text = parse::Text { text: built_in.text, built_in: true, find: &|id, own| self.find(id, own) };
        let connector = parse::connector(&text).map_err(|faults| match faults.first() {
            Some(fault) => broken(Path::new(&built_in_file(id)), fault),
            None => unknown(),
        })?;
        let connector = Arc::new(connector);
        if parsed.len() == KEPT {
            parsed.remove(0);
        }
        parsed.push(connector.clone());
        Ok(connector)
    }

    /// The definition with its texts in a language (`fr`), as far as it has them.
    pub fn get_in(&self, id: &str, lang: &str) -> Result<Arc<Connector>, Problem> {
        let connector = self.get(id)?;
        let known = |tag: &String| tag.split(['-', '_']).next() == lang.split(['-', '_']).next();
        let has = connector.names.keys().chain(connector.text.keys()).any(known);
        Ok(if has { Arc::new(localised::localised(&connector, lang)) } else { connector })
    }

    /// One row for each connector, by name. A user's file that cannot be read has no row; see [`Catalog::faults`].
    #[must_use]
    pub fn rows(&self) -> Vec<ConnectorRow> {
        // The built-in ones are in order already.
        let mut rows: Vec<ConnectorRow> = BUILT_IN.iter().map(|one| one.row.clone()).collect();
        let mut own = false;
        for (path, id) in self.user_files() {
            if let Ok(connector) = self.read_user(&path, &id) {
                rows.retain(|row| row.id != id);
                rows.push(row_of(&connector));
                own = true;
            }
        }
        if own {
            rows.sort_by_cached_key(|row| (row.status == ConnectorStatus::Practice, row.name.to_lowercase()));
        }
        rows
    }

    /// What is wrong with the user's own definitions, as far as loading them goes.
    #[must_use]
    pub fn faults(&self) -> Vec<DefinitionFault> {
        let mut faults = Vec::new();
        for (path, id) in self.user_files() {
            if let Err(fault) = self.read_user(&path, &id) {
                faults.push(DefinitionFault { file: path.display().to_string(), ..fault });
            }
        }
        faults
    }

    /// Everything that is wrong with a text as the definition `stem` of this workspace. `path` judges a path into a record.
    #[must_use]
    pub fn check(&self, text: &str, stem: &str, path: &dyn Fn(&str) -> Result<(), String>) -> Vec<DefinitionFault> {
        faults::check(&parse::Text { text, built_in: false, find: &|id, own| self.find(id, own) }, stem, path)
    }

    /// Everything that is wrong with a built-in definition; nothing when there is none of that identifier.
    #[must_use]
    pub fn check_built_in(&self, id: &str, path: &dyn Fn(&str) -> Result<(), String>) -> Vec<DefinitionFault> {
        let find = |id: &str, own: bool| self.find(id, own);
        built_in(id).map(|text| faults::check(&parse::Text { text, built_in: true, find: &find }, id, path)).unwrap_or_default()
    }

    /// The text of a definition that another one extends, and whether it is a built-in one.
    fn find(&self, id: &str, built_in_only: bool) -> Option<(Cow<'static, str>, bool)> {
        let own = || read(&self.user_dir.join(format!("{id}.toml"))).ok();
        let own = if built_in_only || !is_id(id) { None } else { own() };
        own.map(|text| (Cow::Owned(text), false)).or_else(|| built_in(id).map(|text| (Cow::Borrowed(text), true)))
    }

    fn read_user(&self, path: &Path, id: &str) -> Result<Connector, DefinitionFault> {
        let text = read(path)?;
        let definition = parse::Text { text: &text, built_in: false, find: &|id, own| self.find(id, own) };
        let mut connector = parse::connector(&definition).map_err(|faults| faults.into_iter().next().unwrap_or_else(|| faults::unreadable("")))?;
        if connector.id != id {
            return Err(faults::wrong_id(&text, &connector.id, id));
        }
        connector.origin = Origin::Workspace(path.display().to_string());
        Ok(connector)
    }

    /// The user's files, by name: path and identifier.
    #[must_use]
    pub fn user_files(&self) -> Vec<(PathBuf, String)> {
        let Ok(entries) = std::fs::read_dir(&self.user_dir) else { return Vec::new() };
        let mut files: Vec<(PathBuf, String)> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .filter_map(|path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).map(|id| (path, id)))
            .collect();
        files.sort();
        files
    }
}

/// The text of a built-in definition, and the name of its file in the source tree.
#[must_use]
pub fn built_in(id: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|one| one.row.id == id).map(|one| one.text)
}

/// Whether the facts of a built-in definition have a source: a comment that begins with `# Sources` and names one, its own or that of the
/// definition that it extends. What stands for no vendor (the generic ones, the practice vendor) has nothing to cite.
#[must_use]
pub fn cites(connector: &Connector) -> bool {
    if connector.status == crate::model::ConnectorStatus::Practice || connector.categories.iter().any(|category| category == "generic") {
        return true;
    }
    let own = |id: &str| built_in(id).is_some_and(sources);
    own(&connector.id) || connector.extends.as_deref().is_some_and(own)
}

/// Whether a text has such a comment: a word with a dot in it (a host, a file, a section) somewhere in it.
fn sources(text: &str) -> bool {
    let mut lines = text.lines().skip_while(|line| !line.starts_with("# Source"));
    let comment: Vec<&str> = lines.by_ref().take_while(|line| line.starts_with('#')).collect();
    comment.join(" ").split_whitespace().any(|word| word.trim_end_matches(['.', ',', ':', ';', ')']).contains('.'))
}

/// The identifiers of the built-in definitions.
pub fn built_in_ids() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|one| &*one.row.id)
}

/// What a built-in definition's file is called where faults are reported.
#[must_use]
pub fn built_in_file(id: &str) -> String {
    format!("assets/connectors/{id}.toml")
}

/// Reads a definition from a file, at most a megabyte. The fault has no `file`.
pub fn read(path: &Path) -> Result<String, DefinitionFault> {
    use std::io::Read as _;
    let failed = |reason: &dyn std::fmt::Display| faults::unreadable(&clean::line(&reason.to_string(), 200));
    // Looked at before it is opened: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(|error| failed(&error))?.is_file() {
        return Err(failed(&crate::t!("catalog.not_a_file")));
    }
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(failed(&crate::t!("catalog.too_long")));
    }
    String::from_utf8(bytes).map_err(|_| failed(&crate::t!("catalog.not_utf8")))
}

fn broken(path: &Path, fault: &DefinitionFault) -> Problem {
    problem!(
        Failed,
        "catalog.broken",
        file = clean::line(&path.display().to_string(), 200),
        line = fault.line,
        reason = fault.what,
        mend = fault.mend
    )
}

/// Lower-case letters, digits and hyphens: what may be a file name and a word of a command.
fn is_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !id.starts_with('-')
        && !id.ends_with('-')
}

fn row_of(connector: &Connector) -> ConnectorRow {
    let default = connector.default_auth().map(|(key, _)| key);
    let owned = |texts: &[String]| texts.iter().cloned().map(Cow::Owned).collect();
    let mut reads = Vec::new();
    for resource in &connector.resources {
        if !reads.contains(&resource.kind) {
            reads.push(resource.kind);
        }
    }
    ConnectorRow {
        id: connector.id.clone().into(),
        name: connector.name.clone().into(),
        names: connector
            .names
            .iter()
            .filter(|(_, name)| **name != connector.name)
            .map(|(lang, name)| (lang.clone().into(), name.clone().into()))
            .collect(),
        status: connector.status,
        category: connector.categories.first().cloned().unwrap_or_default().into(),
        categories: owned(&connector.categories),
        auth: connector
            .auth
            .iter()
            .map(|(key, method)| AuthRow { method: key.clone().into(), kind: method.kind, default: Some(key.as_str()) == default })
            .collect(),
        resources: connector.resources.iter().map(|resource| resource.id.clone().into()).collect(),
        reads: reads.into(),
        origin: connector.origin.clone(),
        summary: connector.summary.clone().into(),
        aliases: owned(&connector.aliases),
    }
}

#[cfg(test)]
mod tests;
