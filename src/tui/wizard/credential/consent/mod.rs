//! Consent: how far it is. Several ways race; the first that is finished wins.

pub mod view;

use crate::model::Problem;
use crate::ops::credentials::ConsentView;
use crate::tui::app::effect::TaskId;
use crate::tui::ui::field::Field;

#[derive(Debug)]
pub enum Consent {
    /// Nothing was begun: the wizard was opened again here, or the wait was cancelled.
    Idle,
    Starting,
    Waiting(Box<Waiting>),
    Failed(Problem),
    Given,
}

#[derive(Debug)]
pub struct Waiting {
    pub task: TaskId,
    pub view: ConsentView,
    /// The pasted answer.
    pub field: Field,
    /// The field has the keys; letters are commands otherwise.
    pub focused: bool,
    pub offered: bool,
    /// Why what was offered is no answer.
    pub refused: Option<Problem>,
}

impl Waiting {
    #[must_use]
    pub fn new(task: TaskId, view: ConsentView) -> Self {
        // Without a listener, the pasted answer is the only way back.
        let focused = !view.listening && !view.browser_here;
        Self { task, view, field: Field::new(""), focused, offered: false, refused: None }
    }
}

impl Consent {
    #[must_use]
    pub fn waiting(&self) -> Option<&Waiting> {
        if let Self::Waiting(waiting) = self { Some(waiting) } else { None }
    }

    pub fn waiting_mut(&mut self) -> Option<&mut Waiting> {
        if let Self::Waiting(waiting) = self { Some(waiting) } else { None }
    }
}
