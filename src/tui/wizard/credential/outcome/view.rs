//! How the last step is drawn, and what comes after it.

use super::Test;
use crate::tui::app::state::State;
use crate::tui::ui::terms::{self, Row};
use crate::tui::ui::text;
use crate::tui::ui::theme::{Symbol, Tone, spinner};
use crate::tui::wizard::credential::flow::{Flow, TEST};
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let bad = theme.symbol(Symbol::Bad);
    let mut rows = Vec::new();
    if flow.errors().next().is_some() {
        rows.push(Row::whole(Tone::Strong, crate::t!("wizard.credential.not_complete")));
        for finding in flow.errors() {
            rows.push(Row::whole(Tone::Bad, format!("{bad} {}", text::clean(&finding.problem.what))));
            rows.push(Row::whole(Tone::Dim, text::clean(&finding.problem.next_step)).indent(2));
        }
        rows.push(Row::gap());
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.mend_do")));
    } else if flow.needs_consent() {
        let notice = theme.symbol(Symbol::Notice);
        rows.push(Row::whole(Tone::Notice, format!("{notice} {}", crate::t!("wizard.credential.consent_missing"))));
        rows.push(Row::gap());
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.consent_missing_do")));
    } else {
        match &flow.test {
            Test::Waiting => rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.test_waiting"))),
            Test::Running => {
                let elapsed = state.tasks.find(TEST).map_or(0, |task| state.now.as_millisecond() - task.started.as_millisecond());
                let turning = spinner(elapsed, theme.unicode);
                rows.push(Row::whole(
                    Tone::Accent,
                    format!("{turning} {}", crate::t!("wizard.credential.testing", name = text::clean(&flow.draft.name))),
                ));
                rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.test_running")).indent(2));
            }
            Test::Untested => rows.push(Row::whole(Tone::Plain, crate::t!("wizard.credential.test_untested"))),
            Test::Done(outcome) => {
                rows.extend(terms::outcome(outcome, theme));
                rows.push(Row::gap());
                let next = if outcome.ok { crate::t!("wizard.credential.test_passed_do") } else { crate::t!("wizard.credential.test_failed_do") };
                rows.push(Row::whole(Tone::Dim, next));
            }
            Test::Failed(problem) => {
                rows.extend(terms::problem(problem, theme));
                rows.push(Row::gap());
                rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.test_failed_do")));
            }
        }
    }
    terms::draw(frame, narrow(area), area.y, &rows, theme);
}

/// The credential is there: what it is good for, and what comes next.
pub fn draw_saved(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let Some(saved) = &flow.saved else { return };
    let good = theme.symbol(Symbol::Good);
    let mut rows = vec![Row::whole(Tone::Good, format!("{good} {}", crate::t!("wizard.credential.saved_title", name = text::clean(&saved.name))))];
    match &saved.last_test {
        Some(test) if test.ok => rows.push(Row::whole(Tone::Plain, text::clean(&test.proves)).indent(2)),
        Some(_) => rows.push(Row::whole(Tone::Notice, crate::t!("wizard.credential.saved_failing")).indent(2)),
        None => rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.saved_untested")).indent(2)),
    }
    if let Some(remark) = &flow.remark {
        rows.push(Row::gap());
        rows.push(Row::whole(Tone::Notice, text::clean(remark)));
    }
    rows.push(Row::gap());
    rows.push(Row::whole(Tone::Plain, crate::t!("wizard.credential.saved_next")));
    terms::draw(frame, narrow(area), area.y, &rows, theme);
}

/// Prose is not read across a whole wide screen.
fn narrow(area: Rect) -> Rect {
    Rect { width: area.width.min(90), ..area }
}
