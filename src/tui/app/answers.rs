//! What a wizard was answered, saved as a file: where it goes is asked, and a file that is there is replaced only when that was said.

use super::effect::{Effects, Job};
use super::layers::{Confirm, Layer, Prompt};
use super::msg::Answer;
use super::state::State;
use super::tasks::write;
use crate::ops::answers::Of;
use crate::tui::ui::field::Field;
use crate::tui::ui::text;
use crate::tui::ui::theme::Tone;

const KEY: &str = "answers";

/// Asks for the path.
pub fn ask(state: &mut State, of: Of, name: &str) -> Effects {
    let layer = prompt(&of, name);
    state.saving = Some(of);
    state.push(layer)
}

/// The question for the path; [`State::saving`] says whose answers it is about.
#[must_use]
pub fn prompt(of: &Of, name: &str) -> Layer {
    let file: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let file = file.trim_matches('-');
    let (file, help) = match of {
        Of::Credential(_) => (format!("{file}.answers.toml"), crate::t!("answers.ask.help")),
        Of::Integration(_) => (format!("{file}.integration.toml"), crate::t!("answers.ask.help_integration")),
    };
    Layer::Prompt(Prompt {
        title: crate::t!("answers.ask.title", name = text::clean(name)),
        help: help.to_owned(),
        field: Field::new(&file),
        error: None,
        then: |state, path| {
            if path.is_empty() {
                return Err(crate::t!("answers.ask.empty").to_owned());
            }
            let Some(of) = state.saving.take() else { return Ok(Vec::new()) };
            Ok(state.start(write(KEY, Job::SaveAnswers { of, path: path.to_owned(), over: false })))
        },
    })
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    match answer {
        Answer::AnswersSaved(path) => {
            state.toast(Tone::Good, crate::t!("answers.ask.saved", path = text::clean(path)));
            Vec::new()
        }
        Answer::AnswersThere { of, path } => {
            let over = Job::SaveAnswers { of: of.clone(), path: path.clone(), over: true };
            let layer = Confirm::task(
                crate::t!("answers.there.question", path = text::clean(path)),
                crate::t!("answers.there.consequence").to_owned(),
                crate::t!("answers.there.verb"),
                write(KEY, over),
            );
            state.push(layer)
        }
        _ => Vec::new(),
    }
}
