//! What is meant by what stands in a secret's field: the secret itself, a place where it is kept, or a file to take it from.

use super::{Entry, Flow, Typed};
use crate::model::Secret;
use crate::tui::app::effect::{Job, Masked};
use crate::tui::ui::text;
use crate::tui::wizard::Request;

/// How a line break inside a PEM block is written on one line, as in JSON.
const BREAK: &str = "\\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meant {
    Value,
    /// Read there each time it is needed.
    Reference(Place),
    /// Read once, and kept in the vault.
    File,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Environment,
    File,
    Pass,
    OnePassword,
    Vault,
}

/// What a text in a secret's field means.
#[must_use]
pub fn meant(typed: &str) -> Meant {
    let typed = typed.trim();
    if typed.starts_with("@/") || typed.starts_with("@~/") {
        return Meant::File;
    }
    let places =
        [("env:", Place::Environment), ("file:", Place::File), ("pass:", Place::Pass), ("op://", Place::OnePassword), ("vault://", Place::Vault)];
    let found = places.into_iter().find(|(start, _)| typed.len() > start.len() && typed.starts_with(start));
    found.map_or(Meant::Value, |(_, place)| Meant::Reference(place))
}

/// Where a reference is read, for people.
#[must_use]
pub fn place(place: Place) -> &'static str {
    match place {
        Place::Environment => crate::t!("wizard.credential.reference.environment"),
        Place::File => crate::t!("wizard.credential.reference.file"),
        Place::Pass => crate::t!("wizard.credential.reference.pass"),
        Place::OnePassword => crate::t!("wizard.credential.reference.op"),
        Place::Vault => crate::t!("wizard.credential.reference.vault"),
    }
}

/// Whether a text is the beginning of a PEM block.
#[must_use]
pub fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN")
}

/// Whether its end is there, too.
#[must_use]
pub fn is_whole(text: &str) -> bool {
    let end = text.rfind("-----END");
    end.is_some_and(|end| text[end + 8..].trim_end_matches(['\\', 'n', ' ']).ends_with("-----"))
}

/// Pasted text on one line: a PEM block keeps its line breaks as `\n`; of anything else, what a mail or a terminal wrapped is one word again.
#[must_use]
pub fn joined(pasted: &str) -> zeroize::Zeroizing<String> {
    let lines: Vec<&str> = pasted.lines().map(str::trim).collect();
    zeroize::Zeroizing::new(if is_pem(pasted) { lines.join(BREAK).trim_end_matches(BREAK).to_owned() } else { lines.concat() })
}

/// What stands in the field, with the lines of a PEM block apart again.
#[must_use]
pub fn parted(typed: &str) -> zeroize::Zeroizing<String> {
    zeroize::Zeroizing::new(if is_pem(typed) { typed.trim().trim_end_matches(BREAK).replace(BREAK, "\n") } else { typed.to_owned() })
}

impl Typed {
    /// What the text means here; a reference can be taken as it stands.
    #[must_use]
    pub fn meant(&self) -> Meant {
        if !self.field.secret || self.literal { Meant::Value } else { meant(self.field.text()) }
    }
}

impl Flow {
    /// Takes what stands in a secret's field: to the vault, as a reference, or out of a file.
    pub(super) fn take_secret(&mut self, key: &str, typed: &str, meant: Meant) -> Vec<Request> {
        let draft = self.draft.id.clone();
        let job = match meant {
            Meant::Value => return self.seal(key, &parted(typed)),
            Meant::Reference(_) => {
                self.draft.secrets.retain(|known| known != key);
                self.draft.references.insert(key.to_owned(), typed.to_owned());
                Job::DraftReference { draft, key: key.to_owned(), reference: typed.to_owned() }
            }
            Meant::File => {
                self.draft.references.shift_remove(key);
                if !self.draft.secrets.iter().any(|known| known == key) {
                    self.draft.secrets.push(key.to_owned());
                }
                Job::DraftSecretFile { draft, key: key.to_owned(), path: typed.trim_start_matches('@').to_owned() }
            }
        };
        self.lengths.shift_remove(key);
        // What could not be taken is found in the field again.
        self.unsealed.retain(|(known, _)| known != key);
        self.unsealed.push((key.to_owned(), Masked(Secret::new(typed))));
        self.changed();
        self.entry = Entry::Nothing;
        vec![self.write(job)]
    }

    /// The lines of a key came without being marked as pasted: enter between them is a line break. `true` when it was one.
    pub(super) fn breaks_line(&mut self) -> bool {
        let Entry::Text(typed) = &mut self.entry else { return false };
        let text = typed.field.text();
        if !is_pem(text) || is_whole(text) || text.ends_with(BREAK) {
            return false;
        }
        let longer = zeroize::Zeroizing::new(format!("{text}{BREAK}"));
        typed.field.set(&longer);
        true
    }

    /// The reference that stands for a secret, fit to show.
    #[must_use]
    pub fn reference(&self, key: &str) -> Option<String> {
        self.draft.references.get(key).map(|reference| text::clean(reference))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_and_files_are_told_from_secrets() {
        assert_eq!(meant("env:CLIENT_SECRET"), Meant::Reference(Place::Environment));
        assert_eq!(meant("op://it/icertis/secret"), Meant::Reference(Place::OnePassword));
        assert_eq!(meant(" vault://kv/data/icertis#secret"), Meant::Reference(Place::Vault));
        assert_eq!(meant("@/etc/keys/app.pem"), Meant::File);
        assert_eq!(meant("@~/app.pem"), Meant::File);
        for value in ["env:", "s3cret", "@handle", "envelope", "-----BEGIN PRIVATE KEY-----"] {
            assert_eq!(meant(value), Meant::Value, "{value}");
        }
    }

    #[test]
    fn a_key_keeps_its_lines_on_its_way_through_a_field_of_one_line() {
        let pem = "-----BEGIN PRIVATE KEY-----\r\nMIIE\r\nvQIB\r\n-----END PRIVATE KEY-----\r\n";
        let one = joined(pem);
        assert!(!one.contains('\n') && is_whole(&one));
        assert_eq!(*parted(&one), "-----BEGIN PRIVATE KEY-----\nMIIE\nvQIB\n-----END PRIVATE KEY-----");
        assert!(!is_whole(&joined("-----BEGIN PRIVATE KEY-----\nMIIE\n")));
        assert_eq!(*joined("abc\n def\n"), "abcdef");
        assert_eq!(*parted("not\\na key"), "not\\na key");
    }
}
