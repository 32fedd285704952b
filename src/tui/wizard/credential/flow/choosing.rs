//! What only the vendor's answer makes possible to ask: which site, which account.

use super::{After, Flow, TEST, Test};
use crate::ops::discover::Choice;
use crate::tui::app::effect::Job;
use crate::tui::app::key::Key;
use crate::tui::app::tasks::{NETWORK, watched};
use crate::tui::ui::picker::{Item, Picked, Picker};
use crate::tui::ui::text;
use crate::tui::wizard::Request;

#[derive(Debug)]
pub struct Choosing {
    /// The setting that holds the answer.
    id: String,
    pub picker: Picker,
}

impl Flow {
    /// Looks up what has to be known before the test.
    pub(super) fn look_up(&mut self) -> Vec<Request> {
        self.test = Test::Running;
        let title = crate::t!("wizard.credential.looking_up", connector = text::clean(&self.connector.name));
        vec![Request::Start(watched(TEST, title, NETWORK, Job::Discover(self.draft.id.clone())))]
    }

    /// The first question that is open, or the test when there is none.
    pub(super) fn looked_up(&mut self, choices: &[Choice]) -> Vec<Request> {
        let Some(choice) = choices.first() else { return self.begin_test() };
        self.test = Test::Untested;
        let items = choice.options.iter().map(|option| Item {
            value: option.value.clone(),
            label: text::clean(&option.label),
            note: if option.label == option.value { String::new() } else { text::clean(&option.value) },
        });
        let chosen = self.draft.settings.get(&choice.id).cloned().unwrap_or_default();
        let title = crate::t!("wizard.credential.which", title = text::clean(&choice.title));
        self.choosing = Some(Choosing { id: choice.id.clone(), picker: Picker::new(title, items.collect(), &chosen) });
        Vec::new()
    }

    pub(super) fn choosing_key(&mut self, key: Key) -> Vec<Request> {
        let Some(choosing) = &mut self.choosing else { return Vec::new() };
        match choosing.picker.key(key) {
            Picked::Value(value) => {
                let id = choosing.id.clone();
                self.choosing = None;
                self.set(&id, &value);
                let mut requests = vec![self.save()];
                requests.extend(self.prepare(After::Test));
                requests
            }
            Picked::Closed => {
                self.choosing = None;
                Vec::new()
            }
            Picked::Stay => Vec::new(),
        }
    }
}
