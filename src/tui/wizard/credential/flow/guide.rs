//! What is needed before it can be done: everything on one page, to be got ready or sent to who can.

use super::{Flow, steps};
use crate::model::AuthKind;
use crate::tui::app::layers::{Layer, Page};
use crate::tui::ui::terms::Row;
use crate::tui::ui::text;
use crate::tui::ui::theme::Tone;

impl Flow {
    /// What a person reads to get what is asked for, in full.
    pub(super) fn guide(&self) -> Layer {
        let mut rows = Vec::new();
        if let Some(input) = self.asked() {
            rows.push(Row::whole(Tone::Strong, text::clean(&input.label)));
            rows.push(Row::whole(Tone::Plain, text::clean(&input.help)).indent(2));
            rows.push(Row::gap());
        }
        let key = self.method_key();
        let inputs = self.connector.inputs_for(&key);
        rows.push(Row::whole(Tone::Strong, crate::t!("wizard.credential.prepare.needs")));
        for input in inputs.iter().filter(|input| !input.optional && input.default.is_none()) {
            let kept = self.draft.secrets.contains(&input.key)
                || self.draft.references.contains_key(&input.key)
                || self.draft.settings.get(&input.key).is_some_and(|value| !value.is_empty());
            let mark = if kept { "[x]" } else { "[ ]" };
            rows.push(Row::whole(if kept { Tone::Dim } else { Tone::Plain }, format!("{mark} {}", text::clean(&input.label))).indent(2));
        }
        let method = self.method();
        if let Some(method) = method.filter(|method| method.needs_consent()) {
            let who = if method.kind == AuthKind::Device {
                crate::t!("wizard.credential.prepare.device")
            } else {
                crate::t!("wizard.credential.prepare.person")
            };
            rows.push(Row::whole(Tone::Plain, format!("[ ] {who}")).indent(2));
        }
        if let Some(method) = method.filter(|method| !method.setup.is_empty()) {
            rows.push(Row::gap());
            rows.push(Row::whole(Tone::Strong, crate::t!("wizard.credential.prepare.there", connector = text::clean(&self.connector.name))));
            if !method.role.is_empty() {
                rows.push(Row::new(crate::t!("checklist.role"), text::clean(&method.role)).indent(2));
            }
            for (i, step) in method.setup.iter().enumerate() {
                rows.push(Row::new(&format!("{}", i + 1), text::clean(step)).indent(2));
            }
        }
        let redirect = self.redirect_uri();
        if let Some(redirect) = &redirect {
            rows.push(Row::gap());
            rows.push(Row::whole(Tone::Strong, crate::t!("wizard.consent.redirect")));
            rows.push(Row::whole(Tone::Plain, text::clean(&redirect.uri)).middle().indent(2));
            rows.push(Row::whole(Tone::Dim, text::clean(&redirect.rule)).indent(2));
            if let Some(breaks) = &redirect.breaks {
                rows.push(Row::whole(Tone::Notice, text::clean(&breaks.what)).indent(2));
                rows.push(Row::whole(Tone::Notice, text::clean(&breaks.why)).indent(2));
                rows.push(Row::whole(Tone::Plain, text::clean(&breaks.next_step)).indent(2));
            }
        }
        if let Some(method) = method.filter(|method| !method.scopes.default.is_empty()) {
            let scopes: Vec<String> =
                method.scopes.default.iter().map(|scope| text::clean(&steps::shown(&self.connector, &self.draft, scope))).collect();
            rows.push(Row::gap());
            rows.push(Row::whole(Tone::Strong, crate::t!("wizard.credential.step.scopes")));
            rows.push(Row::whole(Tone::Plain, scopes.join(", ")).indent(2));
        }
        if !self.connector.notes.is_empty() {
            rows.push(Row::gap());
            rows.push(Row::whole(Tone::Strong, crate::t!("wizard.credential.note")));
            rows.extend(self.connector.notes.iter().map(|note| Row::whole(Tone::Plain, text::clean(note)).indent(2)));
        }
        if let Some(page) = self.page() {
            rows.push(Row::gap());
            rows.push(Row::new(crate::t!("wizard.credential.page"), text::clean(page)).middle());
        }
        Layer::Page(Page {
            title: crate::t!("wizard.credential.guide", connector = text::clean(&self.connector.name)),
            rows,
            link: self.page().map(str::to_owned),
            copy: redirect.map(|redirect| redirect.uri),
            ..Page::default()
        })
    }
}
