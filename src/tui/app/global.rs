//! Commands that hold everywhere, and those of the small layers.

use super::command::{Command, Scope, always};
use super::effect::{Effect, Effects, Job, Masked};
use super::layers::{Confirm, Layer, LayerKind, Page, Prompt, Scrolled};
use super::navigate::{go, refresh};
use super::state::{Pane, State};
use super::tasks::{QUICK, watched};
use crate::command;
use crate::model::{Problem, Secret};
use crate::tui::ui::field::Field;
use crate::tui::ui::palette::Palette;
use crate::tui::ui::qr::{Code, Qr};
use crate::tui::ui::terms::Row;
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::{text, when};

pub const COMMANDS: &[&[Command]] = &[&[
    command!("help", ["?", "f1"], Scope::Global, always, help),
    command!("palette", [":"], Scope::Global, always, palette),
    Command { quiet: true, ..command!("palette.anywhere", ["ctrl-p"], Scope::Always, no_question, palette) },
    Command { quiet: true, ..command!("tasks", ["ctrl-t"], Scope::Always, has_tasks, tasks) },
    Command { quiet: true, ..command!("refresh", ["ctrl-l", "f5"], Scope::Always, always, redraw) },
    Command { quiet: true, ..command!("pane.next", ["tab"], Scope::Global, always, next_pane) },
    Command { quiet: true, ..command!("pane.previous", ["shift-tab"], Scope::Global, always, previous_pane) },
    Command { quiet: true, ..command!("pane.overview", ["1"], Scope::Global, always, |state| go(state, Pane::Overview)) },
    Command { quiet: true, ..command!("pane.connectors", ["2"], Scope::Global, always, |state| go(state, Pane::Connectors)) },
    Command { quiet: true, ..command!("pane.credentials", ["3"], Scope::Global, always, |state| go(state, Pane::Credentials)) },
    Command { quiet: true, ..command!("pane.integrations", ["4"], Scope::Global, always, |state| go(state, Pane::Integrations)) },
    Command { quiet: true, ..command!("pane.runs", ["5"], Scope::Global, always, |state| go(state, Pane::Runs)) },
    Command { quiet: true, ..command!("pane.data", ["6"], Scope::Global, always, |state| go(state, Pane::Data)) },
    Command { quiet: true, ..command!("pane.inbox", ["7"], Scope::Global, always, |state| go(state, Pane::Inbox)) },
    Command { quiet: true, ..command!("vault.unlock", ["f9"], Scope::Always, can_unlock, unlock) },
    Command { quiet: true, ..command!("vault.status", ["f10"], Scope::Global, always, vault_status) },
    Command { quiet: true, ..command!("vault.lock", ["f8"], Scope::Global, always, lock) },
    command!("page.copy", ["c"], Scope::Layer(LayerKind::Page), has_link, copy_link),
    command!("page.open", ["o"], Scope::Layer(LayerKind::Page), has_link, open_link),
    command!("page.qr", ["v"], Scope::Layer(LayerKind::Page), has_link, show_link),
    command!("page.other", ["y"], Scope::Layer(LayerKind::Page), has_other, copy_other),
    Command { quiet: true, ..command!("page.help", ["f1"], Scope::Layer(LayerKind::Page), always, help) },
    Command { quiet: true, ..command!("suspend", ["ctrl-z"], Scope::Always, always, |_| vec![Effect::Suspend]) },
    command!("quit", ["q"], Scope::Global, always, quit),
    Command { quiet: true, ..command!("quit.now", ["ctrl-c"], Scope::Always, always, quit) },
    Command { quiet: true, ..command!("help.here", ["f1"], Scope::Layer(LayerKind::Reader), always, help) },
    command!("tasks.cancel", ["x"], Scope::Layer(LayerKind::Tasks), has_tasks, cancel_task),
]];

/// A question or a palette that is open is answered first.
fn no_question(state: &State) -> bool {
    !matches!(state.layers.last().map(Layer::kind), Some(LayerKind::Palette | LayerKind::Confirm | LayerKind::Prompt | LayerKind::Problem))
}

fn has_tasks(state: &State) -> bool {
    state.tasks.visible().next().is_some()
}

pub fn help(state: &mut State) -> Effects {
    state.push(Layer::Help(Scrolled::default()))
}

pub fn palette(state: &mut State) -> Effects {
    let palette = Palette::new(state);
    state.push(Layer::Palette(palette))
}

fn tasks(state: &mut State) -> Effects {
    state.push(Layer::Tasks(Scrolled::default()))
}

fn redraw(state: &mut State) -> Effects {
    let mut effects = refresh(state);
    effects.push(Effect::Redraw);
    effects
}

fn next_pane(state: &mut State) -> Effects {
    step_pane(state, 1)
}

fn previous_pane(state: &mut State) -> Effects {
    step_pane(state, Pane::ALL.len() - 1)
}

fn step_pane(state: &mut State, by: usize) -> Effects {
    let at = Pane::ALL.iter().position(|pane| *pane == state.pane).unwrap_or(0);
    go(state, Pane::ALL[(at + by) % Pane::ALL.len()])
}

/// Key of the task that unlocks the vault.
pub const UNLOCK: &str = "vault.unlock";

fn can_unlock(state: &State) -> bool {
    !matches!(state.layers.last(), Some(Layer::Prompt(_))) && state.tasks.find(UNLOCK).is_none()
}

/// Asks for the passphrase of a vault.
pub fn unlock(state: &mut State) -> Effects {
    if can_unlock(state) { ask_passphrase(state, None) } else { Vec::new() }
}

/// Asks again, and says at the field why the last one did not do.
pub fn unlock_again(state: &mut State, problem: &Problem) -> Effects {
    ask_passphrase(state, Some(format!("{} {}", sentence(&problem.what), problem.why)))
}

fn sentence(text: &str) -> String {
    format!("{}.", text.trim_end_matches('.'))
}

fn ask_passphrase(state: &mut State, error: Option<String>) -> Effects {
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("vault.unlock.title").to_owned(),
        help: crate::t!("vault.unlock.help").to_owned(),
        field: Field::secret(),
        error,
        then: |state, passphrase| {
            if passphrase.is_empty() {
                return Err(crate::t!("vault.unlock.empty").to_owned());
            }
            let job = Job::VaultUnlock(Masked(Secret::new(passphrase)));
            Ok(state.start(watched(UNLOCK, crate::t!("vault.unlock.task"), QUICK, job)))
        },
    }))
}

fn vault_status(state: &mut State) -> Effects {
    state.start(super::tasks::write("vault.status", Job::VaultStatus))
}

fn lock(state: &mut State) -> Effects {
    state.start(super::tasks::write("vault.lock", Job::VaultLock))
}

/// How the vault stands, and who can open it.
#[must_use]
pub fn vault_page(state: &State, status: &crate::ops::vault::VaultStatus) -> Layer {
    let mut rows = Vec::new();
    let standing = match (status.exists, status.unlocked) {
        (false, _) => Row::whole(Tone::Plain, crate::t!("vault.page.none")),
        (true, true) => Row::whole(Tone::Good, format!("{} {}", state.theme.symbol(Symbol::Good), crate::t!("vault.page.open"))),
        (true, false) => Row::whole(Tone::Notice, format!("{} {}", state.theme.symbol(Symbol::Notice), crate::t!("vault.page.locked"))),
    };
    rows.push(standing);
    if let Some(until) = status.unlocked_until {
        rows.push(Row::new(crate::t!("vault.page.until"), when::relative(until, state.now)).indent(2));
    }
    rows.push(Row::new(crate::t!("vault.page.secrets"), crate::words::number(status.secrets)).indent(2));
    if let Some(path) = &status.key_file {
        rows.push(Row::new(crate::t!("vault.page.key_file"), text::clean(path)).middle().indent(2));
    }
    rows.push(Row::gap());
    rows.push(Row::whole(Tone::Strong, crate::t!("vault.page.recipients")));
    for one in &status.recipients {
        let kind = match one.kind.as_str() {
            "passphrase" => crate::t!("vault.page.kind.passphrase"),
            "key_file" => crate::t!("vault.page.kind.key_file"),
            "age" => crate::t!("vault.page.kind.age"),
            "ssh" => crate::t!("vault.page.kind.ssh"),
            _ => crate::t!("vault.page.kind.systemd_creds"),
        };
        let public = one.public.as_deref().map(|public| format!("  {}", text::clean(public))).unwrap_or_default();
        rows.push(Row::new(&text::clean(&one.name), format!("{kind}{public}")).middle().indent(2));
    }
    rows.push(Row::gap());
    rows.push(Row::whole(Tone::Dim, crate::t!("vault.page.how")));
    Layer::Page(Page { title: crate::t!("vault.page.title").to_owned(), rows, ..Page::default() })
}

fn page(state: &State) -> Option<&Page> {
    if let Some(Layer::Page(page)) = state.layers.last() { Some(page) } else { None }
}

fn has_link(state: &State) -> bool {
    page(state).is_some_and(|page| page.link.is_some())
}

fn has_other(state: &State) -> bool {
    page(state).is_some_and(|page| page.copy.is_some())
}

fn link(state: &State) -> Option<String> {
    page(state)?.link.clone()
}

fn copy_link(state: &mut State) -> Effects {
    link(state).map(Effect::Copy).into_iter().collect()
}

fn open_link(state: &mut State) -> Effects {
    link(state).map(Effect::OpenUrl).into_iter().collect()
}

fn show_link(state: &mut State) -> Effects {
    let Some(link) = link(state) else { return Vec::new() };
    let code = Code::new(crate::t!("page.link"), &link, vec![text::clean(&link)]);
    state.push(Layer::Qr(Qr::new(vec![code])))
}

fn copy_other(state: &mut State) -> Effects {
    page(state).and_then(|page| page.copy.clone()).map(Effect::Copy).into_iter().collect()
}

/// Quits; asks first while something runs that would be cancelled.
pub fn quit(state: &mut State) -> Effects {
    let running: Vec<String> = state.tasks.visible().map(|task| task.title.clone()).collect();
    if running.is_empty() || state.quitting {
        return state.end();
    }
    state.quitting = true;
    let layer = Confirm::effect(
        crate::t!("quit.question", n = running.len()),
        crate::t!("quit.consequence", tasks = running.join(", ")),
        crate::t!("quit.verb"),
        Effect::Quit,
    );
    state.push(layer)
}

fn cancel_task(state: &mut State) -> Effects {
    let top = match state.layers.last() {
        Some(Layer::Tasks(scrolled)) => scrolled.top,
        _ => 0,
    };
    let Some(key) = state.tasks.visible().nth(top).map(|task| task.key.clone()) else { return Vec::new() };
    state.tasks.cancel_visibly(&key)
}
