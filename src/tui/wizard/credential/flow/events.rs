//! What each event does to the flow.

use super::*;

impl Flow {
    pub fn handle(&mut self, event: &Event, context: Context) -> Handled {
        match event {
            Event::Key(key) => self.key(*key, context),
            Event::Paste(text) => {
                self.paste(text);
                self.note(context);
                Some(Vec::new())
            }
            Event::Command(id) => self.command(id),
            Event::Answer(answer) => self.answer(answer),
            Event::Consent { task, view } => {
                if let Consent::Waiting(waiting) = &mut self.consent
                    && waiting.task == *task
                {
                    // Its address has ended, and another one took its place.
                    waiting.view = view.clone();
                    return Some(vec![Request::Toast(Tone::Notice, crate::t!("auth.push.renewed").to_owned())]);
                }
                if !matches!(self.consent, Consent::Starting) {
                    return None;
                }
                let open = view.browser_here && !view.authorize_url.is_empty() && !std::mem::take(&mut self.quietly);
                self.consent = Consent::Waiting(Box::new(Waiting::new(*task, view.clone(), open)));
                let open = open.then(|| Request::Do(Effect::OpenUrl(view.authorize_url.clone())));
                Some(open.into_iter().collect())
            }
            Event::OfferRefused(problem) => {
                let waiting = self.consent.waiting_mut()?;
                waiting.offered = false;
                waiting.focused = true;
                waiting.refused = Some(problem.clone());
                Some(Vec::new())
            }
            Event::Failed { key, problem } => self.failed(key, problem),
            Event::Cancelled { key } => match key.as_str() {
                CONSENT => {
                    self.consent = Consent::Idle;
                    Some(Vec::new())
                }
                TEST => {
                    self.test = Test::Untested;
                    Some(Vec::new())
                }
                SAVE => Some(self.settle()),
                _ => None,
            },
            Event::Wake => Some(self.wake(context)),
            Event::Ending => Some(self.end()),
        }
    }

    /// Something was typed that is not saved yet.
    fn note(&mut self, context: Context) {
        if !matches!(&self.entry, Entry::Text(typed) if typed.field.secret) && self.saved.is_none() {
            self.unsaved_since = Some(context.now);
        }
    }

    fn wake(&mut self, context: Context) -> Vec<Request> {
        if self.unsaved_since.is_none_or(|since| context.now.as_millisecond() - since.as_millisecond() < REST) {
            return Vec::new();
        }
        let mut requests = self.commit(false);
        requests.push(self.save());
        if *self.step() == Step::Name {
            // Whether the name is taken is known only outside.
            let draft = self.draft.clone();
            requests.push(self.write(Job::DraftCheck(draft)));
        }
        requests
    }

    /// What was typed last is kept, also a secret, before the console ends. A draft that nobody touched, or that is saved already, needs nothing.
    fn end(&mut self) -> Vec<Request> {
        if self.saved.is_some() {
            return Vec::new();
        }
        let mut requests = self.commit(true);
        if !self.untouched {
            requests.push(self.save());
        }
        requests
    }

    /// Milliseconds until something changes by itself.
    #[must_use]
    pub fn next_wake(&self, now: Time) -> Option<i64> {
        let rest = self.unsaved_since.map(|since| (REST - (now.as_millisecond() - since.as_millisecond())).max(0));
        // To the next whole second of the time left.
        let second = self.consent.waiting().map(|waiting| {
            let left = waiting.view.expires.as_millisecond() - now.as_millisecond();
            match left.rem_euclid(1000) {
                0 => 1000,
                rest => rest.max(20),
            }
        });
        rest.into_iter().chain(second).min()
    }

    fn key(&mut self, key: Key, context: Context) -> Handled {
        if self.saved.is_some() {
            return None;
        }
        if self.choosing.is_some() {
            // Control keys are commands everywhere; everything else narrows or chooses.
            return if key.ctrl { None } else { Some(self.choosing_key(key)) };
        }
        if let Some(form) = &mut self.addresses {
            return match form.key(key) {
                Outcome::Ignored => None,
                Outcome::Moved => Some(Vec::new()),
                Outcome::Changed(name) => {
                    let error = address_error(&name, &form.value(&name));
                    if let Some(field) = form.field_mut(&name) {
                        field.error = error;
                    }
                    Some(Vec::new())
                }
                Outcome::Entered(_) => Some(self.close_addresses()),
            };
        }
        if !self.typing() && key == Key::char('?') {
            return Some(vec![Request::Open(Layer::Help(Scrolled::default()))]);
        }
        let length = self.choices();
        match &mut self.entry {
            Entry::Text(typed) => {
                if !typed.field.key(key) {
                    return None;
                }
                typed.insisted = false;
                typed.refilled = false;
                self.recheck();
                self.note(context);
                Some(Vec::new())
            }
            Entry::Choice { cursor } => {
                *cursor = walked(*cursor, length, key)?;
                Some(Vec::new())
            }
            Entry::Scopes { adding: Some(field), .. } => {
                if key.code == Code::Enter {
                    self.add_scope();
                    return Some(vec![self.save()]);
                }
                field.key(key).then(Vec::new)
            }
            Entry::Scopes { cursor, .. } => {
                *cursor = walked(*cursor, length, key)?;
                Some(Vec::new())
            }
            Entry::Nothing if matches!(self.steps.get(self.at), Some(Step::Consent)) => {
                let waiting = self.consent.waiting_mut().filter(|waiting| waiting.focused)?;
                waiting.field.key(key).then(|| {
                    waiting.refused = None;
                    Vec::new()
                })
            }
            Entry::Nothing => None,
        }
    }

    fn choices(&self) -> usize {
        match (&self.entry, self.step()) {
            (Entry::Choice { .. }, Step::Method) => self.connector.auth.len(),
            (Entry::Choice { .. }, _) => self.options().len(),
            (Entry::Scopes { rows, .. }, _) => rows.len(),
            _ => 0,
        }
    }

    fn paste(&mut self, pasted: &str) {
        if let Some(form) = &mut self.addresses {
            if let Some(name) = form.paste(pasted) {
                let error = address_error(&name, &form.value(&name));
                if let Some(field) = form.field_mut(&name) {
                    field.error = error;
                }
            }
            return;
        }
        let asked = self.asked().cloned();
        match &mut self.entry {
            Entry::Text(typed) => {
                typed.insisted = false;
                typed.refilled = false;
                if typed.field.secret {
                    // Its line breaks submit nothing.
                    typed.field.paste(&secret::joined(pasted));
                } else {
                    let was_empty = typed.field.is_empty();
                    if secret::is_pem(pasted) {
                        typed.field.paste(&secret::joined(pasted));
                    } else {
                        typed.field.paste(pasted);
                    }
                    if let Some(input) = asked.filter(|_| was_empty) {
                        let meant = tidy_input(&input, typed.field.text());
                        typed.field.set(&meant);
                    }
                }
                self.recheck();
            }
            Entry::Scopes { adding, .. } => adding.get_or_insert_with(Box::default).paste(pasted),
            Entry::Choice { .. } => {}
            Entry::Nothing => {
                if matches!(self.steps.get(self.at), Some(Step::Consent))
                    && let Some(waiting) = self.consent.waiting_mut()
                {
                    if !waiting.focused || waiting.refused.is_some() {
                        waiting.field.clear();
                    }
                    waiting.focused = true;
                    waiting.refused = None;
                    // Wrapped addresses come with line breaks and blanks at the joints; an answer has neither.
                    let joined: String = pasted.lines().map(str::trim).collect();
                    waiting.field.paste(&joined);
                }
            }
        }
    }

    fn command(&mut self, id: &str) -> Handled {
        Some(match id {
            "wizard.credential.next" => match &self.entry {
                _ if self.addresses.is_some() => self.close_addresses(),
                _ => self.next(),
            },
            "wizard.credential.back" | "wizard.consent.back" | "wizard.mend.back" | "wizard.test.back" => match self.back() {
                Some(requests) => requests,
                None => self.leave(),
            },
            "wizard.credential.keep" | "wizard.consent.keep" | "wizard.mend.keep" | "wizard.test.keep" => self.leave(),
            "wizard.saved.close" => vec![Request::Close],
            "wizard.credential.reveal" => {
                if let Entry::Text(typed) = &mut self.entry {
                    let revealed = typed.field.revealed;
                    typed.field.reveal(!revealed);
                }
                Vec::new()
            }
            "wizard.credential.literal" => {
                if let Entry::Text(typed) = &mut self.entry {
                    typed.literal = !typed.literal;
                }
                Vec::new()
            }
            "wizard.credential.page" => self.page().map(|page| Request::Do(Effect::OpenUrl(page.to_owned()))).into_iter().collect(),
            "wizard.credential.guide" | "wizard.consent.guide" => vec![Request::Open(self.guide())],
            "wizard.credential.addresses" | "wizard.mend.addresses" | "wizard.test.addresses" => {
                if self.addresses.is_some() {
                    self.close_addresses()
                } else {
                    let requests = self.commit(false);
                    self.open_addresses();
                    requests
                }
            }
            "wizard.credential.toggle" => {
                self.toggle();
                vec![self.save()]
            }
            "wizard.credential.scope" => {
                if let Entry::Scopes { adding, .. } = &mut self.entry {
                    *adding = Some(Box::default());
                }
                Vec::new()
            }
            "wizard.consent.enter" => self.consent_enter(),
            "wizard.consent.paste" => {
                if let Some(waiting) = self.consent.waiting_mut() {
                    waiting.focused = !waiting.focused;
                }
                Vec::new()
            }
            "wizard.consent.copy" => self.with_view(|view| Effect::Copy(view.authorize_url.clone())),
            "wizard.consent.whole" => self.with_view(|view| match (&view.device, view.authorize_url.as_str()) {
                (Some(device), "") => Effect::ShowPlain(device.verification_uri_complete.clone().unwrap_or_else(|| device.verification_uri.clone())),
                (_, address) => Effect::ShowPlain(address.to_owned()),
            }),
            "wizard.consent.qr" => self.consent.waiting().map(|waiting| Request::Open(waiting.codes())).into_iter().collect(),
            "wizard.consent.device" => {
                let code = self.consent.waiting().and_then(|waiting| waiting.view.device.as_ref()).map(|device| device.user_code.clone());
                code.map(|code| Request::Do(Effect::Copy(code))).into_iter().collect()
            }
            "wizard.consent.request" => {
                let request = self.consent.waiting().and_then(|waiting| waiting.view.request.clone());
                request.map(|request| Request::Do(Effect::Copy(format!("intertie authorize {request}")))).into_iter().collect()
            }
            "wizard.consent.open" => self.with_view(|view| Effect::OpenUrl(view.authorize_url.clone())),
            "wizard.consent.ssh" => {
                let line = self.consent.waiting().and_then(|waiting| waiting.view.ssh_line.clone());
                line.map(|line| Request::Do(Effect::Copy(line))).into_iter().collect()
            }
            "wizard.consent.redirect" => self.with_view(|view| Effect::Copy(view.redirect_uri.clone())),
            "wizard.consent.again" => self.begin_consent_again(),
            "wizard.consent.later" => {
                let mut requests = self.go(self.at + 1);
                requests.extend(self.prepare(After::Test));
                requests
            }
            "wizard.choose.pick" => self.choosing_key(Key::plain(Code::Enter)),
            "wizard.choose.back" => self.choosing_key(Key::plain(Code::Esc)),
            "wizard.mend.go" => self.mend(),
            "wizard.test.again" => self.prepare(After::Test),
            "wizard.test.save" | "wizard.mend.save" => self.finish(),
            _ => return None,
        })
    }

    fn with_view(&self, effect: impl Fn(&crate::ops::credentials::ConsentView) -> Effect) -> Vec<Request> {
        self.consent.waiting().map(|waiting| Request::Do(effect(&waiting.view))).into_iter().collect()
    }

    fn begin_consent_again(&mut self) -> Vec<Request> {
        let mut requests = vec![Request::Stop(CONSENT.to_owned())];
        self.consent = Consent::Idle;
        requests.extend(self.prepare(After::Consent));
        requests
    }

    /// Enter at the consent: offers what was pasted, goes on when it was given, tries again when it failed.
    fn consent_enter(&mut self) -> Vec<Request> {
        let incomplete = self.errors().any(|finding| finding.place != "name");
        match &mut self.consent {
            Consent::Given => self.next(),
            Consent::Idle | Consent::Failed(_) if incomplete => self.mend(),
            Consent::Idle | Consent::Failed(_) => self.begin_consent_again(),
            Consent::Starting => Vec::new(),
            Consent::Waiting(waiting) => {
                let text = waiting.field.text().trim().to_owned();
                if text.is_empty() || waiting.offered {
                    return Vec::new();
                }
                waiting.offered = true;
                waiting.refused = None;
                vec![Request::Do(Effect::Offer { task: waiting.task, text })]
            }
        }
    }

    fn answer(&mut self, answer: &Answer) -> Handled {
        match answer {
            Answer::DraftSaved => Some(self.settle()),
            Answer::Draft { draft, needs_consent, .. } if draft.id == self.draft.id => {
                // What is typed here is newer; only what the vault has is told from outside.
                self.unsealed.retain(|(key, _)| !draft.secrets.contains(key) && !draft.references.contains_key(key));
                self.draft.references.clone_from(&draft.references);
                self.forget_sealed();
                if self.steps.contains(&Step::Consent) {
                    match (&self.consent, needs_consent) {
                        (Consent::Given, true) => self.consent = Consent::Idle,
                        (Consent::Idle | Consent::Failed(_), false) => self.consent = Consent::Given,
                        _ => {}
                    }
                }
                Some(self.settle())
            }
            Answer::DraftChecked { draft, findings } if *draft == self.draft.id => {
                self.findings.clone_from(findings);
                self.recheck();
                Some(self.settle())
            }
            Answer::Consented(route) => {
                self.consent = Consent::Given;
                self.route = Some(*route);
                let said = crate::t!("wizard.credential.consented", came = consent::came(*route));
                let mut requests = vec![Request::Toast(Tone::Good, said)];
                if *self.step() == Step::Consent {
                    requests.extend(self.next());
                }
                Some(requests)
            }
            Answer::Choices { draft, choices } if *draft == self.draft.id => Some(self.looked_up(choices)),
            Answer::Tested { name, outcome } if *name == self.draft.id => {
                self.test = Test::Done(Box::new(outcome.clone()));
                // The panes hear of it too.
                None
            }
            Answer::CredentialSaved { credential, remark } if self.saved.is_none() => {
                self.saved = Some(credential.clone());
                self.remark.clone_from(remark);
                Some(vec![
                    Request::Toast(Tone::Good, crate::t!("wizard.credential.saved", name = text::clean(&credential.name))),
                    Request::Go(Pane::Credentials),
                ])
            }
            _ => None,
        }
    }

    fn failed(&mut self, key: &str, problem: &Problem) -> Handled {
        match key {
            CONSENT => {
                self.consent = Consent::Failed(problem.clone());
                Some(Vec::new())
            }
            TEST => {
                self.test = Test::Failed(problem.clone());
                Some(Vec::new())
            }
            SAVE => {
                self.finishing = false;
                let mut requests = vec![Request::Show(problem.clone())];
                // A secret that the vault did not take is asked for again, with what was typed still in the field.
                if let Some((key, _)) = self.unsealed.first() {
                    let key = key.clone();
                    self.draft.secrets.retain(|known| *known != key);
                    self.draft.references.shift_remove(&key);
                    self.lengths.shift_remove(&key);
                    if let Some(place) = self.steps.iter().position(|step| *step == Step::Input(key.clone())) {
                        self.after = None;
                        self.test = Test::Untested;
                        self.at = place;
                        self.enter();
                        if let Entry::Text(typed) = &mut self.entry {
                            typed.refilled = false;
                        }
                    }
                    self.unsealed.retain(|(known, _)| *known != key);
                }
                requests.extend(self.settle());
                Some(requests)
            }
            _ => None,
        }
    }
}

/// Where the cursor goes; `None` when the key is not one of walking.
fn walked(cursor: usize, length: usize, key: Key) -> Option<usize> {
    let last = length.saturating_sub(1);
    Some(match key.code {
        Code::Down => (cursor + 1).min(last),
        Code::Up => cursor.saturating_sub(1),
        Code::Char('j') if !key.ctrl && !key.alt => (cursor + 1).min(last),
        Code::Char('k') if !key.ctrl && !key.alt => cursor.saturating_sub(1),
        Code::Home => 0,
        Code::End => last,
        Code::Char(c @ '1'..='9') if !key.ctrl && !key.alt => usize::try_from(u32::from(c) - u32::from('1')).ok().filter(|place| *place <= last)?,
        _ => return None,
    })
}
