//! How the inbox changes.

use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::layers::{Layer, Line, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::navigate::go;
use crate::tui::app::state::{Pane, State};
use crate::tui::app::tasks::{read, write};
use crate::tui::panes;
use crate::tui::ui::when;

pub fn load(state: &mut State) -> Effects {
    state.start(read("read.notices", Job::LoadNotices))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    match answer {
        Answer::Notices(notices) => {
            state.panes.inbox.list.set(notices.clone());
            Vec::new()
        }
        Answer::NoticesMarked => load(state),
        _ => Vec::new(),
    }
}

pub fn selected(state: &State) -> bool {
    state.panes.inbox.list.selected().is_some()
}

pub fn any_unread(state: &State) -> bool {
    state.panes.inbox.list.items().iter().any(|notice| !notice.read)
}

/// Reads it, and marks it as read.
pub fn open(state: &mut State) -> Effects {
    let Some(notice) = state.panes.inbox.list.selected().cloned() else { return Vec::new() };
    let line = |term: &str, text: &str| Line { term: term.to_owned(), text: text.to_owned() };
    let mut lines = vec![line(crate::t!("inbox.when"), &when::absolute(notice.at)), line(crate::t!("inbox.notice"), &notice.body)];
    if !notice.contacts.is_empty() {
        lines.push(line(crate::t!("inbox.contacts"), &notice.contacts.join(", ")));
    }
    state.layers.push(Layer::Reader(Reader { title: notice.title, lines, scroll: Scrolled::default() }));
    if notice.read { Vec::new() } else { state.start(write("notice.mark", Job::MarkNotice { id: Some(notice.id), read: true })) }
}

pub fn mark(state: &mut State) -> Effects {
    let Some((id, read)) = state.panes.inbox.list.selected().map(|notice| (notice.id, notice.read)) else { return Vec::new() };
    state.start(write("notice.mark", Job::MarkNotice { id: Some(id), read: !read }))
}

pub fn mark_all(state: &mut State) -> Effects {
    state.start(write("notice.mark", Job::MarkNotice { id: None, read: true }))
}

/// Goes to what the notice is about.
pub fn go_there(state: &mut State) -> Effects {
    let Some(about) = state.panes.inbox.list.selected().map(|notice| notice.about.clone()) else { return Vec::new() };
    let Some((kind, id)) = about.split_once(':') else { return Vec::new() };
    let pane = match kind {
        "integration" => Pane::Integrations,
        "credential" => Pane::Credentials,
        "run" => Pane::Runs,
        _ => return Vec::new(),
    };
    panes::select(state, pane, id);
    go(state, pane)
}
