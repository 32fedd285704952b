//! The console without a terminal: types keys into the real `update`, answers tasks, and draws into a buffer. Tests and the pictures use it.

use super::app::command::Keymap;
use super::app::effect::{Effect, Job, TaskSpec};
use super::app::key::{Code, Key};
use super::app::msg::{Answer, Msg, TaskEvent};
use super::app::navigate::refresh;
use super::app::state::State;
use super::app::update::update;
use super::runtime::effects::{Surroundings, perform};
use super::ui;
use super::ui::theme::Theme;
use crate::model::{Problem, Sink, Time};
use crate::ops::Workspace;
use crate::ops::credentials::Consent;
use crate::ops::demo::Demo;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use std::sync::{Arc, Mutex};

pub struct Harness {
    pub state: State,
    /// Everything that was asked of the outside, in order; started tasks move to `open`.
    pub effects: Vec<Effect>,
    /// Tasks that were started and not answered yet.
    pub open: Vec<(u64, TaskSpec)>,
    pub now: Time,
}

impl Harness {
    #[must_use]
    pub fn new(columns: u16, rows: u16) -> Self {
        let now = Time::from_second(1_795_000_000).expect("a time");
        let state = State::new("acme-prod".to_owned(), (columns, rows), now, Theme::built_in("dark", true), Keymap::new([]));
        let mut harness = Self { state, effects: Vec::new(), open: Vec::new(), now };
        let effects = refresh(&mut harness.state);
        harness.take(effects);
        harness
    }

    /// Takes effects as if a message had brought them: for what tests begin themselves.
    pub fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Start { id, spec } => self.open.push((id, *spec)),
                Effect::Cancel(id) => {
                    self.open.retain(|(open, _)| *open != id);
                    self.effects.push(effect);
                }
                effect => self.effects.push(effect),
            }
        }
    }

    pub fn send(&mut self, msg: Msg) -> &mut Self {
        let effects = update(&mut self.state, msg, self.now);
        self.take(effects);
        self
    }

    /// Does to the state what a command would do, and takes what it asks for.
    pub fn act(&mut self, act: impl FnOnce(&mut State) -> Vec<Effect>) -> &mut Self {
        let effects = act(&mut self.state);
        self.take(effects);
        self
    }

    /// Types: characters as they are, named keys in angle brackets: `j<enter><ctrl-p>`.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|inner| inner.split_once('>')).and_then(|(name, after)| Some((Key::parse(name)?, after)));
            let key = match named {
                Some((key, after)) => {
                    rest = after;
                    key
                }
                None => {
                    rest = &rest[c.len_utf8()..];
                    Key::plain(Code::Char(c))
                }
            };
            self.send(Msg::Key(key));
        }
        self
    }

    pub fn paste(&mut self, text: &str) -> &mut Self {
        self.send(Msg::Paste(text.to_owned()))
    }

    /// The jobs that wait for an answer.
    #[must_use]
    pub fn jobs(&self) -> Vec<&Job> {
        self.open.iter().map(|(_, spec)| &spec.job).collect()
    }

    /// Answers the oldest open task for which `fits` holds. Panics when there is none: the test expected one.
    pub fn answer(&mut self, fits: impl Fn(&Job) -> bool, answer: Answer) -> &mut Self {
        let id = self.close(fits);
        self.send(Msg::Task { id, event: TaskEvent::Done(Box::new(answer)) })
    }

    pub fn fail(&mut self, fits: impl Fn(&Job) -> bool, problem: Problem) -> &mut Self {
        let id = self.close(fits);
        self.send(Msg::Task { id, event: TaskEvent::Failed(problem) })
    }

    fn close(&mut self, fits: impl Fn(&Job) -> bool) -> u64 {
        let place = self.open.iter().position(|(_, spec)| fits(&spec.job)).unwrap_or_else(|| panic!("no such task is open: {:?}", self.jobs()));
        self.open.remove(place).0
    }

    /// Performs the open tasks for real, and those that they lead to, until none is open. Consents are given to `consent`, which has to
    /// see to it that they are answered.
    pub async fn settle(&mut self, ws: &Workspace, demo: Option<&Arc<Demo>>, consent: impl Fn(Arc<Consent>) + Clone + Send + Sync + 'static) {
        while !self.open.is_empty() {
            self.settle_next(ws, demo, consent.clone()).await;
        }
    }

    /// Performs the open tasks for real, and those that they lead to, but leaves those open that `leave` names.
    pub async fn settle_but(&mut self, ws: &Workspace, demo: Option<&Arc<Demo>>, leave: impl Fn(&Job) -> bool) {
        while let Some(place) = self.open.iter().position(|(_, spec)| !leave(&spec.job)) {
            self.open[..=place].rotate_right(1);
            self.settle_next(ws, demo, |_| ()).await;
        }
    }

    async fn settle_next(&mut self, ws: &Workspace, demo: Option<&Arc<Demo>>, consent: impl Fn(Arc<Consent>) + Send + Sync + 'static) {
        let (id, spec) = self.open.remove(0);
        let shown = Arc::new(Mutex::new(None));
        let keep = shown.clone();
        let around = Surroundings {
            workspace: ws.clone(),
            demo: demo.cloned(),
            sink: Sink::none(),
            on_consent: Box::new(move |given: &Arc<Consent>, view| {
                let first = keep.lock().expect("not poisoned").replace(view).is_none();
                if first {
                    consent(Arc::clone(given));
                }
            }),
        };
        let result = perform(spec.job, around).await;
        self.now = Time::now();
        if let Some(view) = shown.lock().expect("not poisoned").take() {
            self.send(Msg::Task { id, event: TaskEvent::Consent(Box::new(view)) });
        }
        let event = match result {
            Ok(answer) => TaskEvent::Done(Box::new(answer)),
            Err(problem) => TaskEvent::Failed(problem),
        };
        self.send(Msg::Task { id, event });
    }

    /// The buffer of a frame.
    #[must_use]
    pub fn buffer(&self) -> Buffer {
        let (columns, rows) = self.state.size;
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a buffer");
        terminal.draw(|frame| ui::view::draw(frame, &self.state)).expect("drawn into memory");
        terminal.backend().buffer().clone()
    }

    /// A frame as text, without styles; trailing spaces are cut.
    #[must_use]
    pub fn screen(&self) -> String {
        let buffer = self.buffer();
        let mut out = String::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            let mut skip = 0;
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                line.push_str(symbol);
                skip = ui::text::width(symbol).saturating_sub(1);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::app::command;
    use crate::tui::app::layers::Layer;
    use crate::tui::app::state::Pane;

    #[test]
    fn no_two_commands_of_one_place_share_a_key() {
        assert_eq!(Keymap::new([]).conflicts, Vec::<String>::new());
    }

    #[test]
    fn bindings_of_the_user_replace_the_defaults_and_conflicts_are_told() {
        let map = Keymap::new([("quit", "ctrl-q"), ("nonsense", "x"), ("help", "h ?"), ("palette", "h")]);
        assert_eq!(map.keys("quit"), [Key::ctrl('q')]);
        assert_eq!(map.conflicts.len(), 2, "{:?}", map.conflicts);
    }

    #[test]
    fn every_default_key_can_be_read_and_every_command_has_its_words() {
        for command in command::all() {
            for key in command.keys {
                assert!(Key::parse(key).is_some(), "{}: {key}", command.id);
            }
            assert!(!(command.title)().is_empty() && !(command.about)().is_empty());
        }
    }

    #[test]
    fn digits_and_tab_change_panes_and_esc_goes_back() {
        let mut harness = Harness::new(80, 24);
        harness.keys("2");
        assert_eq!(harness.state.pane, Pane::Connectors);
        harness.keys("<tab>");
        assert_eq!(harness.state.pane, Pane::Credentials);
        harness.keys("<esc>");
        assert_eq!(harness.state.pane, Pane::Overview);
    }

    #[test]
    fn the_palette_does_things_by_name() {
        let mut harness = Harness::new(80, 24);
        harness.keys(":");
        assert!(matches!(harness.state.layers.last(), Some(Layer::Palette(_))));
        harness.keys("inbox<enter>");
        assert_eq!(harness.state.pane, Pane::Inbox);
        assert!(harness.state.layers.is_empty());
    }

    #[test]
    fn quitting_remembers_where_the_user_was() {
        let mut harness = Harness::new(80, 24);
        harness.keys("6q");
        assert!(harness.effects.iter().any(|effect| matches!(effect, Effect::Remember(value) if value["pane"] == "data")));
        assert_eq!(harness.effects.last(), Some(&Effect::Quit));
    }

    #[test]
    fn the_end_waits_for_what_is_being_kept() {
        let mut harness = Harness::new(80, 24);
        let effects = harness.state.start(crate::tui::app::tasks::write("a", Job::MarkNotice { id: None, read: true }));
        harness.take(effects);
        harness.keys("q");
        assert!(!harness.effects.contains(&Effect::Quit));
        harness.answer(|job| matches!(job, Job::MarkNotice { .. }), Answer::NoticesMarked);
        assert_eq!(harness.effects.last(), Some(&Effect::Quit));
    }

    #[test]
    fn the_end_does_not_wait_for_ever() {
        let mut harness = Harness::new(80, 24);
        let effects = harness.state.start(crate::tui::app::tasks::write("a", Job::MarkNotice { id: None, read: true }));
        harness.take(effects);
        harness.send(Msg::Terminate);
        assert!(!harness.effects.contains(&Effect::Quit));
        assert!(harness.state.next_wake().is_some());
        harness.now += jiff::SignedDuration::from_secs(3);
        harness.send(Msg::Wake);
        assert_eq!(harness.effects.last(), Some(&Effect::Quit));
    }

    #[test]
    fn every_size_is_drawn() {
        for pane in Pane::ALL {
            for (columns, rows) in [(0, 0), (1, 1), (2, 2), (3, 1), (1, 9), (10, 3), (40, 12), (59, 24), (60, 8), (80, 24), (160, 50)] {
                let mut harness = Harness::new(columns, rows);
                harness.state.pane = pane;
                let _ = harness.screen();
                for keys in ["?", ":"] {
                    harness.keys(keys);
                    let _ = harness.screen();
                    harness.keys("<esc>");
                }
            }
        }
    }
}
