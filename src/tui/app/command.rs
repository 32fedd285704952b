//! The registry: every command exists once. Footer, help, palette, key map and documentation derive from it.

use super::effect::Effects;
use super::key::Key;
use super::layers::LayerKind;
use super::state::{Pane, State};
use crate::tui::{panes, wizard};

/// Where a command can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere, also above a layer.
    Always,
    /// On every pane, while no layer is open.
    Global,
    Pane(Pane),
    Layer(LayerKind),
}

pub struct Command {
    /// `credential.test`. Its texts are `cmd.credential.test.title` and `.about`.
    pub id: &'static str,
    /// The word beside its key in the footer.
    pub title: fn() -> &'static str,
    /// What it does, a whole sentence, for help and palette.
    pub about: fn() -> &'static str,
    /// Default keys; the first one is shown.
    pub keys: &'static [&'static str],
    pub scope: Scope,
    /// Changes or deletes what cannot be brought back: asks first, by name.
    pub dangerous: bool,
    /// Not in the footer.
    pub quiet: bool,
    pub available: fn(&State) -> bool,
    pub run: fn(&mut State) -> Effects,
}

pub fn always(_: &State) -> bool {
    true
}

/// `command!("credential.test", ["t"], Scope::Pane(Pane::Credentials), available, run)`; further fields by struct update.
#[macro_export]
macro_rules! command {
    ($id:literal, [$($key:literal),*], $scope:expr, $available:expr, $run:expr) => {
        $crate::tui::app::command::Command {
            id: $id,
            title: || $crate::t!(concat!("cmd.", $id, ".title")),
            about: || $crate::t!(concat!("cmd.", $id, ".about")),
            keys: &[$($key),*],
            scope: $scope,
            dangerous: false,
            quiet: false,
            available: $available,
            run: $run,
        }
    };
}

/// All commands, in the order in which the footer shows them.
pub fn all() -> impl Iterator<Item = &'static Command> {
    panes::COMMANDS.iter().chain(wizard::COMMANDS).chain(super::global::COMMANDS).flat_map(|commands| commands.iter())
}

#[must_use]
pub fn find(id: &str) -> Option<&'static Command> {
    all().find(|command| command.id == id)
}

/// Which keys do what: the defaults, and the user's own bindings over them.
#[derive(Debug, Default)]
pub struct Keymap {
    bindings: Vec<(&'static str, Vec<Key>)>,
    /// What is wrong with the user's bindings, for people.
    pub conflicts: Vec<String>,
}

impl Keymap {
    /// `custom` maps command ids to keys, several separated by spaces; an empty text unbinds.
    #[must_use]
    pub fn new<'a>(custom: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut map = Self::default();
        for command in all() {
            map.bindings.push((command.id, command.keys.iter().filter_map(|key| Key::parse(key)).collect()));
        }
        for (id, keys) in custom {
            let Some((_, bound)) = map.bindings.iter_mut().find(|(known, _)| *known == id) else {
                map.conflicts.push(crate::t!("keys.unknown_command", id = crate::words::clean::line(id, 60)));
                continue;
            };
            let mut parsed = Vec::new();
            for text in keys.split_whitespace() {
                match Key::parse(text) {
                    Some(key) => parsed.push(key),
                    None => map.conflicts.push(crate::t!("keys.unknown_key", id = id, key = crate::words::clean::line(text, 30))),
                }
            }
            *bound = parsed;
        }
        map.find_conflicts();
        map
    }

    fn find_conflicts(&mut self) {
        let commands: Vec<&Command> = all().collect();
        let mut found = Vec::new();
        for (i, a) in commands.iter().enumerate() {
            for b in &commands[i + 1..] {
                if !meet(a.scope, b.scope) {
                    continue;
                }
                for key in self.keys(a.id) {
                    if self.keys(b.id).contains(key) {
                        found.push(crate::t!("keys.conflict", key = key, a = a.id, b = b.id));
                    }
                }
            }
        }
        self.conflicts.extend(found);
    }

    #[must_use]
    pub fn keys(&self, id: &str) -> &[Key] {
        self.bindings.iter().find(|(known, _)| *known == id).map_or(&[], |(_, keys)| keys)
    }
}

/// Whether two commands can be meant by one key at the same time. A pane's or layer's own command goes before one that holds everywhere, on
/// purpose (`ctrl-z` undoes in an editor and suspends elsewhere), so only equal scopes conflict.
fn meet(a: Scope, b: Scope) -> bool {
    a == b
}

/// The commands that can be used now, most specific first.
pub fn usable(state: &State) -> Vec<&'static Command> {
    let scopes: &[Scope] = match state.layers.last() {
        Some(layer) => &[Scope::Layer(layer.kind()), Scope::Always],
        None => &[Scope::Pane(state.pane), Scope::Global, Scope::Always],
    };
    let mut found = Vec::new();
    for scope in scopes {
        found.extend(all().filter(|command| command.scope == *scope && (command.available)(state)));
    }
    found
}

/// The command that a key means now.
#[must_use]
pub fn for_key(state: &State, key: Key) -> Option<&'static Command> {
    usable(state).into_iter().find(|command| state.keymap.keys(command.id).contains(&key))
}
