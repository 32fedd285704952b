//! What lies above the panes: a stack. The top one gets the keys; `esc` takes it off.

use super::effect::{Effect, Effects};
use crate::model::Problem;
use crate::tui::ui::field::Field;
use crate::tui::ui::palette::Palette;
use crate::tui::ui::qr::Qr;
use crate::tui::ui::terms::Row;
use crate::tui::wizard;
use std::cell::Cell;

#[derive(Debug)]
pub enum Layer {
    Help(Scrolled),
    Palette(Palette),
    Tasks(Scrolled),
    Confirm(Confirm),
    Prompt(Prompt),
    Problem(Problem),
    /// Lines to read: details, explanations.
    Reader(Reader),
    Qr(Qr),
    Page(Page),
    /// What connecting takes; its text is the catalog pane's.
    Needs(Needs),
    /// The filter of the catalog.
    Facets(FacetBox),
    Wizard(Box<wizard::Wizard>),
}

/// Which layer, for the commands that belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    Help,
    Palette,
    Tasks,
    Confirm,
    Prompt,
    Problem,
    Reader,
    Qr,
    Page,
    Needs,
    Facets,
    Wizard(wizard::Kind),
}

impl Layer {
    #[must_use]
    pub fn kind(&self) -> LayerKind {
        match self {
            Self::Help(_) => LayerKind::Help,
            Self::Palette(_) => LayerKind::Palette,
            Self::Tasks(_) => LayerKind::Tasks,
            Self::Confirm(_) => LayerKind::Confirm,
            Self::Prompt(_) => LayerKind::Prompt,
            Self::Problem(_) => LayerKind::Problem,
            Self::Reader(_) => LayerKind::Reader,
            Self::Qr(_) => LayerKind::Qr,
            Self::Page(_) => LayerKind::Page,
            Self::Needs(_) => LayerKind::Needs,
            Self::Facets(_) => LayerKind::Facets,
            Self::Wizard(wizard) => LayerKind::Wizard(wizard.kind()),
        }
    }
}

/// A layer of lines that can be scrolled.
#[derive(Debug, Default)]
pub struct Scrolled {
    pub top: usize,
}

/// The checklist of the catalog, scrolled. Only the view writes how far it goes and how much of it is in sight.
#[derive(Debug, Default)]
pub struct Needs {
    pub top: usize,
    pub last: Cell<usize>,
    pub page: Cell<usize>,
}

/// Which facet is in front, and which of its values the cursor is on.
#[derive(Debug, Default)]
pub struct FacetBox {
    pub facet: usize,
    pub value: usize,
    pub offset: Cell<usize>,
}

#[derive(Debug)]
pub struct Reader {
    pub title: String,
    /// Clean text; wrapped when drawn.
    pub lines: Vec<Line>,
    pub scroll: Scrolled,
}

/// A page to read, with tones; what is worth taking along from it is copied, opened or shown as a QR code.
#[derive(Debug, Default)]
pub struct Page {
    pub title: String,
    /// Clean text; wrapped when drawn.
    pub rows: Vec<Row>,
    pub scroll: Scrolled,
    /// An address.
    pub link: Option<String>,
    /// Something else to copy: a redirect URI.
    pub copy: Option<String>,
}

/// A line of a reader: an optional term on the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub term: String,
    pub text: String,
}

/// Asks before something that cannot be brought back. Cancel is what enter does until the user chooses otherwise.
#[derive(Debug)]
pub struct Confirm {
    /// Names the object: "Delete the credential “Icertis dev”?"
    pub question: String,
    /// What follows from it.
    pub consequence: String,
    /// The verb on the button.
    pub verb: String,
    pub confirmed: bool,
    /// Something that can be done with it: what it is, whether it is wanted, and the task that does both.
    pub with: Option<Box<(String, bool, super::effect::TaskSpec)>>,
    pub then: Effects,
    /// Started through the task list when confirmed.
    pub task: Option<super::effect::TaskSpec>,
}

impl Confirm {
    #[must_use]
    pub fn task(question: String, consequence: String, verb: &str, task: super::effect::TaskSpec) -> Layer {
        Layer::Confirm(Self { question, consequence, verb: verb.to_owned(), confirmed: false, with: None, then: Vec::new(), task: Some(task) })
    }

    #[must_use]
    pub fn effect(question: String, consequence: String, verb: &str, then: Effect) -> Layer {
        Layer::Confirm(Self { question, consequence, verb: verb.to_owned(), confirmed: false, with: None, then: vec![then], task: None })
    }

    /// The same question, with something that space adds to what is done.
    #[must_use]
    pub fn with(layer: Layer, label: &str, both: super::effect::TaskSpec) -> Layer {
        match layer {
            Layer::Confirm(confirm) => Layer::Confirm(Self { with: Some(Box::new((label.to_owned(), false, both))), ..confirm }),
            other => other,
        }
    }
}

/// Asks for one line of text.
pub struct Prompt {
    pub title: String,
    pub help: String,
    pub field: Field,
    pub error: Option<String>,
    /// What to do with it; `Err` is shown at the field and the prompt stays.
    pub then: fn(&mut super::state::State, &str) -> Result<Effects, String>,
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prompt").field("title", &self.title).finish_non_exhaustive()
    }
}
