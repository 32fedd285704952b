//! Consent: how far it is. Several ways race; the first that is finished wins.

pub mod view;

use crate::model::Problem;
use crate::ops::consent::Route;
use crate::ops::credentials::ConsentView;
use crate::tui::app::effect::TaskId;
use crate::tui::app::layers::Layer;
use crate::tui::ui::field::Field;
use crate::tui::ui::qr::{Code, Qr};
use crate::tui::ui::text;

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
    /// The browser was opened by itself.
    pub opened: bool,
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
    pub fn new(task: TaskId, view: ConsentView, opened: bool) -> Self {
        // Without a listener and without a code, the pasted answer is the only way back.
        let focused = !view.listening && !view.browser_here && view.device.is_none() && view.request.is_none();
        Self { task, view, opened, field: Field::new(""), focused, offered: false, refused: None }
    }

    /// Whether there is an address to sign in at: a device code alone has none.
    #[must_use]
    pub fn has_link(&self) -> bool {
        !self.view.authorize_url.is_empty()
    }

    /// Whether an answer can be pasted: where a browser is sent back to somewhere.
    #[must_use]
    pub fn can_paste(&self) -> bool {
        self.has_link()
    }

    /// What a camera can read: the page for the code first, because nothing has to come back from there.
    #[must_use]
    pub fn codes(&self) -> Layer {
        let mut codes = Vec::new();
        if let Some(device) = &self.view.device {
            let address = device.verification_uri_complete.as_ref().unwrap_or(&device.verification_uri);
            let code = text::clean(&device.user_code);
            let note = match &device.verification_uri_complete {
                Some(_) => crate::t!("wizard.consent.qr_compare", code = code),
                None => crate::t!("wizard.consent.qr_type", code = code),
            };
            codes.push(Code::new(crate::t!("wizard.consent.device"), address, vec![note]));
        }
        if self.has_link() {
            let notes = vec![crate::t!("wizard.consent.qr_link").to_owned()];
            codes.push(Code::new(crate::t!("wizard.consent.yours"), &self.view.authorize_url, notes));
        }
        Layer::Qr(Qr::new(codes))
    }
}

/// The way on which the answer came, for people.
#[must_use]
pub fn came(route: Route) -> &'static str {
    match route {
        Route::Browser => crate::t!("wizard.consent.came.browser"),
        Route::Pasted => crate::t!("wizard.consent.came.pasted"),
        Route::Device => crate::t!("wizard.consent.came.device"),
    }
}

/// The letters of a code apart, so that they can be read across a room.
#[must_use]
pub fn spaced(code: &str) -> String {
    let clean = text::clean(code);
    if clean.chars().count() > 20 {
        return clean;
    }
    let letters: Vec<String> = clean.chars().filter(|c| *c != ' ').map(String::from).collect();
    letters.join(" ")
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
