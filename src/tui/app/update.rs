//! The only place where state changes. No I/O: what has to be done outside is returned.

use super::effect::{Effect, Effects, TaskId};
use super::key::{Code, Key};
use super::layers::Layer;
use super::msg::{Answer, Msg, TaskEvent, Toasted};
use super::navigate::{go, refresh};
use super::state::{Hit, State};
use super::{answers, command, global};
use crate::model::{Problem, Time};
use crate::ops::vault;
use crate::tui::ui::palette::Picked;
use crate::tui::ui::qr::Did;
use crate::tui::ui::theme::Tone;
use crate::tui::wizard::{self, Event};
use crate::tui::{panes, ui};

/// Handles one message at the moment `now`.
pub fn update(state: &mut State, msg: Msg, now: Time) -> Effects {
    state.now = now;
    state.toasts.retain(|toast| toast.until > now);
    let mut effects = handle(state, msg);
    if !effects.contains(&Effect::Quit) {
        effects.extend(state.ended());
    }
    effects
}

fn handle(state: &mut State, msg: Msg) -> Effects {
    match msg {
        Msg::Key(key) => on_key(state, key),
        Msg::Paste(text) => on_paste(state, &text),
        Msg::Click { column, row } => on_click(state, column, row),
        Msg::Scroll(lines) => on_key(state, Key::plain(if lines > 0 { Code::Down } else { Code::Up })),
        Msg::Resize(columns, rows) => {
            state.size = (columns, rows);
            Vec::new()
        }
        Msg::FocusGained => refresh(state),
        Msg::Task { id, event } => on_task(state, id, event),
        Msg::Wake => wizard::event(state, &Event::Wake).unwrap_or_default(),
        Msg::Told(Toasted::Good(text)) => {
            state.toast(Tone::Good, text);
            Vec::new()
        }
        Msg::Told(Toasted::Problem(problem)) => {
            state.show(problem);
            Vec::new()
        }
        Msg::Suspend => vec![Effect::Suspend],
        Msg::Terminate => state.end(),
    }
}

fn on_key(state: &mut State, key: Key) -> Effects {
    if let Some(effects) = layer_key(state, key) {
        return effects;
    }
    if state.layers.is_empty() && panes::typing(state) && panes::key(state, key) {
        return panes::moved(state);
    }
    if let Some(found) = command::for_key(state, key) {
        return (found.run)(state);
    }
    if state.layers.is_empty() && panes::key(state, key) {
        return panes::moved(state);
    }
    // One step back, always: from a pane, to the overview.
    if state.layers.is_empty() && key == Key::plain(Code::Esc) {
        return panes::back(state);
    }
    Vec::new()
}

/// What the top layer makes of a key; `None` when it leaves it to the commands.
fn layer_key(state: &mut State, key: Key) -> Option<Effects> {
    let (columns, rows) = state.size;
    let page = usize::from(rows).saturating_sub(6).max(1);
    let close = matches!(key.code, Code::Esc) || key == Key::char('q');
    match state.layers.last()? {
        Layer::Needs(_) => return panes::connectors::update::needs_key(state, key),
        Layer::Facets(_) => return panes::connectors::facets::key(state, key),
        _ => {}
    }
    match state.layers.last_mut()? {
        Layer::Needs(_) | Layer::Facets(_) => None,
        Layer::Wizard(_) => wizard::event(state, &Event::Key(key)),
        Layer::Palette(palette) => match palette.key(key) {
            Some(Picked::Command(id)) => {
                state.layers.pop();
                command::find(id).map(|found| (found.run)(state))
            }
            Some(Picked::Go(pane, id)) => {
                state.layers.pop();
                panes::select(state, pane, &id);
                Some(go(state, pane))
            }
            Some(Picked::Closed) => {
                state.layers.pop();
                Some(Vec::new())
            }
            Some(Picked::Nothing) => Some(Vec::new()),
            None => None,
        },
        Layer::Confirm(confirm) => match key.code {
            Code::Esc | Code::Char('n') if !key.ctrl => {
                state.layers.pop();
                state.quitting = false;
                Some(Vec::new())
            }
            Code::Tab | Code::Left | Code::Right => {
                confirm.confirmed = !confirm.confirmed;
                Some(Vec::new())
            }
            Code::Char(' ') if confirm.with.is_some() => {
                if let Some(with) = &mut confirm.with {
                    with.1 = !with.1;
                }
                Some(Vec::new())
            }
            Code::Enter | Code::Char('y') if !key.ctrl => {
                if key.code == Code::Char('y') {
                    confirm.confirmed = true;
                }
                let Some(Layer::Confirm(confirm)) = state.layers.pop() else { return None };
                state.quitting = false;
                if !confirm.confirmed {
                    return Some(Vec::new());
                }
                if confirm.then.contains(&Effect::Quit) {
                    return Some(state.end());
                }
                let mut effects = confirm.then;
                let both = confirm.with.and_then(|with| with.1.then_some(with.2));
                if let Some(task) = both.or(confirm.task) {
                    effects.extend(state.start(task));
                }
                Some(effects)
            }
            _ => None,
        },
        Layer::Prompt(prompt) => match key.code {
            Code::Esc => {
                state.layers.pop();
                Some(Vec::new())
            }
            Code::Enter => {
                let Some(Layer::Prompt(mut prompt)) = state.layers.pop() else { return None };
                // A secret may begin or end with a space.
                let text = if prompt.field.secret { prompt.field.text() } else { prompt.field.text().trim() };
                match (prompt.then)(state, text) {
                    Ok(effects) => Some(effects),
                    Err(error) => {
                        prompt.error = Some(error);
                        state.layers.push(Layer::Prompt(prompt));
                        Some(Vec::new())
                    }
                }
            }
            _ => {
                prompt.error = None;
                prompt.field.key(key).then(Vec::new)
            }
        },
        Layer::Qr(qr) => match qr.key(key)? {
            Did::Closed => {
                state.layers.pop();
                Some(Vec::new())
            }
            Did::Copy(text) => Some(vec![Effect::Copy(text)]),
            Did::Nothing => Some(Vec::new()),
        },
        Layer::Problem(_) => {
            if close || key.code == Code::Enter {
                state.layers.pop();
                return Some(Vec::new());
            }
            None
        }
        Layer::Help(scrolled)
        | Layer::Tasks(scrolled)
        | Layer::Reader(super::layers::Reader { scroll: scrolled, .. })
        | Layer::Page(super::layers::Page { scroll: scrolled, .. }) => {
            match key.code {
                Code::Char('?') | Code::Enter => {
                    state.layers.pop();
                }
                _ if close => {
                    state.layers.pop();
                }
                Code::Down | Code::Char('j') if !key.ctrl => scrolled.top += 1,
                Code::Up | Code::Char('k') if !key.ctrl => scrolled.top = scrolled.top.saturating_sub(1),
                Code::PageDown | Code::Char(' ') => scrolled.top += page,
                Code::PageUp => scrolled.top = scrolled.top.saturating_sub(page),
                Code::Home | Code::Char('g') => scrolled.top = 0,
                _ => return None,
            }
            let last = ui::view::lines_of_top(state, columns).saturating_sub(1);
            if let Some(
                Layer::Help(scrolled)
                | Layer::Tasks(scrolled)
                | Layer::Reader(super::layers::Reader { scroll: scrolled, .. })
                | Layer::Page(super::layers::Page { scroll: scrolled, .. }),
            ) = state.layers.last_mut()
            {
                scrolled.top = scrolled.top.min(last);
            }
            Some(Vec::new())
        }
    }
}

fn on_paste(state: &mut State, text: &str) -> Effects {
    match state.layers.last_mut() {
        Some(Layer::Wizard(_)) => wizard::event(state, &Event::Paste(text.to_owned())).unwrap_or_default(),
        Some(Layer::Prompt(prompt)) => {
            prompt.error = None;
            prompt.field.paste(text);
            Vec::new()
        }
        Some(Layer::Palette(palette)) => {
            palette.paste(text);
            Vec::new()
        }
        Some(_) => Vec::new(),
        None => {
            panes::paste(state, text);
            panes::moved(state)
        }
    }
}

fn on_click(state: &mut State, column: u16, row: u16) -> Effects {
    let hit = state.hits.borrow().iter().rev().find(|(area, _)| area.holds(column, row)).map(|(_, hit)| *hit);
    match hit {
        Some(Hit::Pane(pane)) if state.layers.is_empty() => go(state, pane),
        Some(Hit::Command(id)) => match command::usable(state).into_iter().find(|known| known.id == id) {
            Some(found) => (found.run)(state),
            None => Vec::new(),
        },
        Some(Hit::Row(index)) if state.layers.is_empty() => {
            panes::select_row(state, index);
            panes::moved(state)
        }
        _ => Vec::new(),
    }
}

fn on_task(state: &mut State, id: TaskId, event: TaskEvent) -> Effects {
    // A task that was replaced by a newer one of its key may still report: nobody wants to hear it.
    let Some(task) = state.tasks.running.iter().find(|task| task.id == id) else { return Vec::new() };
    let (key, title) = (task.key.clone(), task.title.clone());
    match event {
        TaskEvent::Progress(progress) => {
            state.tasks.progress(id, progress);
            Vec::new()
        }
        TaskEvent::Consent(view) => {
            state.tasks.waits(id);
            wizard::event(state, &Event::Consent { task: id, view: *view }).unwrap_or_default()
        }
        TaskEvent::OfferRefused(problem) => wizard::event(state, &Event::OfferRefused(problem)).unwrap_or_default(),
        TaskEvent::Done(answer) => {
            let mut effects = state.tasks.end(id, state.now);
            effects.extend(on_answer(state, &answer));
            effects
        }
        TaskEvent::Failed(problem) => {
            let mut effects = state.tasks.end(id, state.now);
            effects.extend(on_failure(state, &key, &title, problem));
            effects
        }
        TaskEvent::Cancelled => {
            let mut effects = state.tasks.end(id, state.now);
            if !title.is_empty() {
                state.toast(Tone::Notice, crate::t!("task.cancelled", title = title));
            }
            effects.extend(wizard::event(state, &Event::Cancelled { key }).unwrap_or_default());
            effects
        }
    }
}

fn on_answer(state: &mut State, answer: &Answer) -> Effects {
    let mut effects = panes::answer(state, answer);
    effects.extend(wizard::event(state, &Event::Answer(answer.clone())).unwrap_or_default());
    effects.extend(answers::answer(state, answer));
    // What a passphrase would mend is met by asking for it.
    let problem = match answer {
        Answer::Ran(run) => run.problem.as_ref(),
        Answer::Tested { outcome, .. } => outcome.problem.as_ref(),
        Answer::VaultUnlocked(kept) => {
            let said = match kept.until {
                Some(until) => crate::t!("vault.unlock.done_until", time = ui::when::relative(until, state.now)),
                None => crate::t!("vault.unlock.done").to_owned(),
            };
            state.toast(Tone::Good, said);
            None
        }
        Answer::VaultLocked => {
            state.toast(Tone::Good, crate::t!("vault.locked_again"));
            None
        }
        Answer::Vault(status) => {
            let layer = global::vault_page(state, status);
            state.layers.push(layer);
            None
        }
        _ => None,
    };
    if problem.is_some_and(vault::is_locked) {
        effects.extend(global::unlock(state));
    }
    effects
}

/// A wizard shows its own failures; what a person started and watches is shown in full; a quick read that failed says so in passing.
fn on_failure(state: &mut State, key: &str, title: &str, problem: Problem) -> Effects {
    if key == global::UNLOCK {
        return global::unlock_again(state, &problem);
    }
    let told = wizard::event(state, &Event::Failed { key: key.to_owned(), problem: problem.clone() });
    // What a passphrase would mend is met by asking for it; a read that repeats by itself does not interrupt.
    if vault::is_locked(&problem) && !key.starts_with(READ) {
        let mut effects = told.unwrap_or_default();
        effects.extend(global::unlock(state));
        return effects;
    }
    if let Some(effects) = told {
        return effects;
    }
    if title.is_empty() && key.starts_with(READ) {
        state.toast(Tone::Bad, format!("{} {}", problem.what, problem.why));
    } else {
        state.show(problem);
    }
    Vec::new()
}

/// Prefix of the keys of reads that repeat by themselves.
pub const READ: &str = "read.";
