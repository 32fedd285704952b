//! What keys and commands do to the mappings.

use super::*;
use crate::model::FieldType;
use crate::tui::app::layers::Prompt;
use crate::tui::ui::picker::Item;

/// Suggestions below this are guesses: they are offered for one field, never taken for all.
const SURE: u8 = 60;

impl Machine {
    pub(super) fn key(&mut self, key: Key) -> Handled {
        if let Some((label, picker)) = &mut self.picker {
            return Some(match picker.key(key) {
                Picked::Stay => Vec::new(),
                Picked::Closed => {
                    self.picker = None;
                    Vec::new()
                }
                Picked::Value(kind) => {
                    let label = std::mem::take(label);
                    self.picker = None;
                    let kind = words::FIELD_TYPES.into_iter().find(|known| format!("{known:?}") == kind).unwrap_or_default();
                    self.add(label, kind, None)
                }
            });
        }
        if self.editing.is_some() {
            return self.editing_key(key);
        }
        match self.focus {
            Focus::Source => self.source_key(key),
            Focus::Destination => {
                let before = self.list.selected_index();
                if !self.list.typing && matches!(key.code, Code::Esc) && self.list.filter.is_empty() {
                    return None;
                }
                if !self.list.key(key) {
                    return None;
                }
                self.skip_heading(before);
                Some(Vec::new())
            }
        }
    }

    /// The heading between the groups is stepped over.
    fn skip_heading(&mut self, before: usize) {
        if matches!(self.list.selected(), Some(Row::Heading(_))) {
            let by = if self.list.selected_index() >= before { 1 } else { -1 };
            self.list.step(by);
        }
    }

    fn source_key(&mut self, key: Key) -> Handled {
        if !self.source.typing {
            match key.code {
                Code::Enter => return Some(self.take_source()),
                Code::Esc if self.source.filter.is_empty() => {
                    self.focus = Focus::Destination;
                    return Some(Vec::new());
                }
                _ => {}
            }
        } else if key.code == Code::Enter {
            self.source.typing = false;
            return Some(self.take_source());
        }
        self.source.key(key).then(Vec::new)
    }

    /// Maps the source field under the cursor to the destination field.
    fn take_source(&mut self) -> Vec<Request> {
        let (Some(path), Some(key)) = (self.source.selected().map(|field| field.path.clone()), self.field().map(|field| field.key.clone())) else {
            return Vec::new();
        };
        self.focus = Focus::Destination;
        self.source.set_filter("");
        self.map(&key, Some(Mapped::Path(path)))
    }

    fn editing_key(&mut self, key: Key) -> Handled {
        match key.code {
            Code::Esc => {
                self.editing = None;
                Some(self.look())
            }
            Code::Enter => Some(self.commit()),
            Code::Up | Code::Down => {
                let requests = self.commit();
                if self.editing.is_none() {
                    let before = self.list.selected_index();
                    self.list.key(key);
                    self.skip_heading(before);
                }
                Some(requests)
            }
            Code::Tab => {
                let completed = self.completions().first().cloned();
                if let (Some(editing), Some(path)) = (&mut self.editing, completed) {
                    editing.field.set(&path);
                }
                Some(self.live())
            }
            // In the text, undoing is going back to what was there.
            Code::Char('z') if key.ctrl => {
                let written = self.editing.as_ref().map(|editing| self.written(&editing.target)).unwrap_or_default();
                if let Some(editing) = &mut self.editing {
                    editing.field.set(&written);
                }
                Some(self.live())
            }
            _ => {
                let editing = self.editing.as_mut()?;
                editing.field.key(key).then(|| self.live())
            }
        }
    }

    pub(super) fn paste(&mut self, pasted: &str) -> Handled {
        if let Some((_, picker)) = &mut self.picker {
            picker.paste(pasted);
            return Some(Vec::new());
        }
        if let Some(editing) = &mut self.editing {
            editing.field.paste(pasted);
            return Some(self.live());
        }
        match self.focus {
            Focus::Destination => self.list.paste(pasted),
            Focus::Source => self.source.paste(pasted),
        };
        Some(Vec::new())
    }

    /// Source paths that what is being typed may become.
    pub(super) fn completions(&self) -> Vec<String> {
        let Some(Editing { target: Target::Mapping(_), field, .. }) = &self.editing else { return Vec::new() };
        let typed = field.text().trim().to_lowercase();
        if typed.starts_with(['=', '{', '@']) {
            return Vec::new();
        }
        let paths = || self.source.items().iter().map(|field| &field.path);
        let begins = paths().filter(|path| path.to_lowercase().starts_with(&typed));
        let holds = paths().filter(|path| !path.to_lowercase().starts_with(&typed) && path.to_lowercase().contains(&typed));
        begins.chain(holds).filter(|path| path.to_lowercase() != typed).take(6).cloned().collect()
    }

    /// A mapping or the filter as people write it.
    fn written(&self, target: &Target) -> String {
        let Some(draft) = &self.draft else { return String::new() };
        match target {
            Target::Mapping(key) => rows::mapped(&draft.integration, key).map(mappings::written).unwrap_or_default(),
            Target::Filter => draft.integration.filter.clone().unwrap_or_default(),
        }
    }

    pub(super) fn edit(&mut self, target: Target) -> Vec<Request> {
        let field = Field::new(&self.written(&target));
        self.editing = Some(Editing { target, field, error: None });
        self.live()
    }

    /// Checks what is being typed, and shows what it would make of the record.
    fn live(&mut self) -> Vec<Request> {
        let Some(editing) = &mut self.editing else { return Vec::new() };
        let text = editing.field.text();
        let checked = match &editing.target {
            Target::Mapping(_) => typed(text).map(|from| mappings::check(&from)),
            Target::Filter => typed_filter(text).map(|filter| mappings::check_filter(&filter)),
        };
        editing.error = checked.and_then(Result::err).map(|problem| problem.why);
        if editing.error.is_some() { Vec::new() } else { self.look() }
    }

    /// Takes what was typed; what does not compile stays in the field with its error.
    fn commit(&mut self) -> Vec<Request> {
        let Some(editing) = self.editing.take() else { return Vec::new() };
        if editing.error.is_some() {
            self.editing = Some(editing);
            return Vec::new();
        }
        match editing.target {
            Target::Mapping(key) => self.map(&key, typed(editing.field.text())),
            Target::Filter => {
                let filter = typed_filter(editing.field.text());
                self.change(|_, now| *now = filter)
            }
        }
    }

    pub(super) fn map(&mut self, key: &str, from: Option<Mapped>) -> Vec<Request> {
        self.change(|mappings, _| rows::set(mappings, key, from))
    }

    /// Changes mappings and filter as one step that can be undone; nothing happens when nothing changes.
    fn change(&mut self, change: impl FnOnce(&mut Vec<FieldMapping>, &mut Option<String>)) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let integration = &mut draft.integration;
        let before = (integration.mappings.clone(), integration.filter.clone());
        change(&mut integration.mappings, &mut integration.filter);
        if (&integration.mappings, &integration.filter) == (&before.0, &before.1) {
            return self.look();
        }
        self.history.record(before);
        self.changed()
    }

    fn changed(&mut self) -> Vec<Request> {
        let mut requests = self.draft.as_mut().map(Draft::changed).unwrap_or_default();
        requests.extend(self.look());
        requests
    }

    fn travel(&mut self, way: fn(&mut History<Undoable>, Undoable) -> Option<Undoable>, nothing: &'static str) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let integration = &mut draft.integration;
        let now = (integration.mappings.clone(), integration.filter.clone());
        match way(&mut self.history, now) {
            Some((mappings, filter)) => {
                integration.mappings = mappings;
                integration.filter = filter;
                self.changed()
            }
            None => vec![Request::Toast(Tone::Dim, nothing.to_owned())],
        }
    }

    pub(super) fn command(&mut self, id: &str) -> Vec<Request> {
        if id == "mapping.close" {
            let mut requests = self.draft.as_mut().map(Draft::flush).unwrap_or_default();
            requests.extend([Request::Stop(sample_key(&self.id)), Request::Close]);
            return requests;
        }
        let Some(draft) = &mut self.draft else { return Vec::new() };
        match id {
            "mapping.edit" => match self.field().map(|field| field.key.clone()) {
                Some(key) => self.edit(Target::Mapping(key)),
                None => Vec::new(),
            },
            "mapping.filter" => self.edit(Target::Filter),
            "mapping.clear" => match self.field().map(|field| field.key.clone()) {
                Some(key) => self.map(&key, None),
                None => Vec::new(),
            },
            "mapping.undo" => self.travel(History::undo, crate::t!("tui.nothing_to_undo")),
            "mapping.redo" => self.travel(History::redo, crate::t!("tui.nothing_to_redo")),
            "mapping.suggest" => self.suggest(None),
            "mapping.suggest_one" => match self.field().map(|field| field.key.clone()) {
                Some(key) => self.suggest(Some(key)),
                None => Vec::new(),
            },
            "mapping.tracking" => self.track(),
            "mapping.source" => {
                self.focus = if self.focus == Focus::Destination && self.field().is_some() { Focus::Source } else { Focus::Destination };
                Vec::new()
            }
            "mapping.record_next" | "mapping.record_previous" => {
                let last = self.preview.as_ref().map_or(0, |preview| preview.records.len().saturating_sub(1));
                self.record = if id == "mapping.record_next" { (self.record + 1).min(last) } else { self.record.saturating_sub(1) };
                Vec::new()
            }
            "mapping.changes" => self.what_changes().into_iter().map(Request::Open).collect(),
            "mapping.sample" => self.fetch(),
            "mapping.launch" => draft.launch(),
            "mapping.answers" => draft.save_answers(),
            "mapping.findings" => {
                let title = crate::t!("tui.findings.title", name = draft.integration.name);
                vec![Request::Open(words::findings_reader(title, draft.findings.as_deref().unwrap_or_default(), &self.fields))]
            }
            "mapping.details" | "mapping.permissions" => {
                let mut requests = draft.flush();
                let (next, first) = if id == "mapping.details" { integration::begin(&self.id) } else { permission::begin(&self.id) };
                requests.push(Request::Stop(sample_key(&self.id)));
                requests.extend(first);
                requests.push(Request::Replace(Layer::Wizard(Box::new(next))));
                requests
            }
            _ => Vec::new(),
        }
    }

    /// Asks for suggestions: for all fields that are not mapped, or for one whatever it has.
    fn suggest(&mut self, only: Option<String>) -> Vec<Request> {
        let Some(mut integration) = self.draft.as_ref().map(|draft| draft.integration.clone()) else { return Vec::new() };
        if let Some(key) = &only {
            rows::set(&mut integration.mappings, key, None);
        }
        self.suggesting = Some(only);
        let job = Job::Suggest { integration: Box::new(integration), sample: self.sample() };
        vec![Request::Start(read(&self.key_of("suggest"), job))]
    }

    pub(super) fn suggested(&mut self, suggestions: &[Suggestion]) -> Vec<Request> {
        let Some(only) = self.suggesting.take() else { return Vec::new() };
        if let Some(key) = only {
            let Some(suggestion) = suggestions.iter().find(|suggestion| suggestion.field == key) else {
                return vec![Request::Toast(Tone::Notice, crate::t!("tui.mapping.no_suggestion").to_owned())];
            };
            let mut requests = self.map(&key, Some(suggestion.from.clone()));
            requests.push(Request::Toast(Tone::Good, suggestion.reason.clone()));
            return requests;
        }
        let open: Vec<&Suggestion> = {
            let Some(draft) = &self.draft else { return Vec::new() };
            let fits = |suggestion: &&Suggestion| suggestion.score >= SURE && rows::mapped(&draft.integration, &suggestion.field).is_none();
            suggestions.iter().filter(fits).collect()
        };
        if open.is_empty() {
            return vec![Request::Toast(Tone::Notice, crate::t!("tui.mapping.no_suggestions").to_owned())];
        }
        let n = open.len();
        let mut requests = self.change(|mappings, _| {
            for suggestion in open {
                rows::set(mappings, &suggestion.field, Some(suggestion.from.clone()));
            }
        });
        requests.push(Request::Toast(Tone::Good, crate::t!("tui.mapping.suggested", n = n)));
        requests
    }

    /// Maps the two fields that track where a record came from, and adds those that are not there.
    fn track(&mut self) -> Vec<Request> {
        let wanted = [
            (crate::t!("tui.mapping.tracking_credentials"), FieldType::Text, Mapped::CredentialName),
            (crate::t!("tui.mapping.tracking_sync_time"), FieldType::Time, Mapped::SyncTime),
        ];
        let known =
            wanted.clone().map(|(label, ..)| self.fields.iter().find(|field| field.label.eq_ignore_ascii_case(label)).map(|field| field.key.clone()));
        let mut requests = self.change(|mappings, _| {
            for ((.., from), key) in wanted.iter().zip(&known) {
                if let Some(key) = key {
                    rows::set(mappings, key, Some(from.clone()));
                }
            }
        });
        for ((label, kind, from), key) in wanted.into_iter().zip(known) {
            if key.is_none() {
                requests.extend(self.add_to(false, label.to_owned(), kind, Some(from)));
            }
        }
        requests
    }

    fn add(&mut self, label: String, kind: FieldType, from: Option<Mapped>) -> Vec<Request> {
        let saas = self.field().is_some_and(|field| field.saas);
        self.add_to(saas, label, kind, from)
    }

    fn add_to(&mut self, saas: bool, label: String, kind: FieldType, from: Option<Mapped>) -> Vec<Request> {
        let Some(table) = (if saas { Some(Table::SaasUsers) } else { self.table() }) else { return Vec::new() };
        self.awaited.push(Awaited { label: label.clone(), from });
        let mut spec = crate::tui::app::tasks::write(&self.key_of("field"), Job::AddField { table, label, kind });
        spec.title = String::new();
        vec![Request::Start(spec)]
    }

    /// Everything that differs for the record in view, to read.
    fn what_changes(&self) -> Option<Layer> {
        let record = self.previewed()?;
        let (fate, ..) = words::fate(record.fate);
        let mut lines = vec![Line { term: crate::t!("tui.mapping.would_be").to_owned(), text: fate.to_owned() }];
        let label = |key: &str| self.fields_shown().find(|field| field.key == key).map_or_else(|| key.to_owned(), |field| field.label.clone());
        let shown = |value: &crate::model::Value| {
            if value.is_null() { crate::t!("tui.mapping.nothing").to_owned() } else { crate::words::clean::line(&value.to_string(), 300) }
        };
        for cell in &record.cells {
            let text = match (&cell.error, &cell.stored) {
                (Some(error), _) => error.clone(),
                (None, Some(stored)) if *stored == cell.result => continue,
                (None, Some(stored)) => crate::t!("tui.mapping.becomes", before = shown(stored), after = shown(&cell.result)),
                (None, None) if cell.result.is_null() => continue,
                (None, None) => shown(&cell.result),
            };
            lines.push(Line { term: label(&cell.field), text });
        }
        if lines.len() == 1 {
            lines.push(Line { term: String::new(), text: crate::t!("tui.mapping.no_change").to_owned() });
        }
        let title = crate::t!("tui.mapping.changes_title", n = record.number);
        Some(Layer::Reader(Reader { title, lines, scroll: Scrolled::default() }))
    }
}

/// Asks for the name of a new custom field; its type comes after.
pub fn ask_field(state: &mut State) -> Effects {
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("tui.mapping.add_title").to_owned(),
        help: crate::t!("tui.mapping.add_help").to_owned(),
        field: Field::default(),
        error: None,
        then: |state, label| {
            let label = label.trim().to_owned();
            let Some(Wizard::Mapping(machine)) = state.wizard_mut() else { return Ok(Vec::new()) };
            machine.free_label(&label, None)?;
            let items =
                words::FIELD_TYPES.map(|kind| Item { value: format!("{kind:?}"), label: words::field_type(kind).to_owned(), note: String::new() });
            let title = crate::t!("tui.mapping.add_type", label = label);
            machine.picker = Some((label, Picker::new(title, items.into(), "Text")));
            Ok(Vec::new())
        },
    }))
}

/// Asks for another name of the custom field under the cursor.
pub fn ask_name(state: &mut State) -> Effects {
    let Some(label) = on_top(state).and_then(Machine::field).map(|field| field.label.clone()) else { return Vec::new() };
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("tui.mapping.rename_title", label = label),
        help: crate::t!("tui.mapping.rename_help").to_owned(),
        field: Field::new(&label),
        error: None,
        then: |state, label| {
            let label = label.trim().to_owned();
            if let Some(Wizard::Mapping(machine)) = state.wizard_mut() {
                let key = machine.field().map(|field| field.key.clone());
                machine.free_label(&label, key.as_deref())?;
            }
            Ok(crate::tui::wizard::with_top(state, |wizard| {
                let Wizard::Mapping(machine) = wizard else { return Vec::new() };
                machine.rename(label)
            }))
        },
    }))
}

impl Machine {
    /// Refuses a name that is empty or taken by another field.
    fn free_label(&self, label: &str, own: Option<&str>) -> Result<(), String> {
        if label.is_empty() {
            return Err(crate::t!("tui.mapping.no_label").to_owned());
        }
        let taken = self.fields_shown().any(|field| field.label.eq_ignore_ascii_case(label) && Some(field.key.as_str()) != own);
        if taken { Err(crate::t!("tui.mapping.label_taken").to_owned()) } else { Ok(()) }
    }

    fn rename(&mut self, label: String) -> Vec<Request> {
        let Some(field) = self.field() else { return Vec::new() };
        let Some(table) = (if field.saas { Some(Table::SaasUsers) } else { self.table() }) else { return Vec::new() };
        let job = Job::RenameField { table, key: field.column().to_owned(), label };
        vec![Request::Start(crate::tui::app::tasks::write(&self.key_of("field"), job))]
    }
}
