//! The loop: take what arrived, update, carry out the effects, and draw once the queue is empty and something changed.

use super::tasks::Tasks;
use super::{input, signals};
use crate::model::{Problem, Time};
use crate::ops::Workspace;
use crate::problem;
use crate::tui::Options;
use crate::tui::app::command::Keymap;
use crate::tui::app::effect::{Effect, Effects};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::msg::{Msg, Toasted};
use crate::tui::app::navigate::refresh;
use crate::tui::app::state::State;
use crate::tui::app::update::update;
use crate::tui::term::{clipboard, guard};
use crate::tui::ui;
use crate::tui::ui::theme::{BUILT_IN, Theme, Tone};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use std::io::{BufWriter, IsTerminal as _, Stdout, Write as _, stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

/// What wakes the loop.
pub enum Incoming {
    Msg(Msg),
}

type Screen = Terminal<CrosstermBackend<BufWriter<Stdout>>>;

pub fn run(ws: Workspace, options: Options) -> Result<(), Problem> {
    if !std::io::stdin().is_terminal() || !stdout().is_terminal() {
        return Err(problem!(Usage, "console.no_terminal"));
    }
    let failed = |error: std::io::Error| problem!(Failed, "console.terminal_failed", reason = error);
    guard::hook_panics();
    let mut state = first_state(&ws, &options);
    let mouse = ws.config().mouse.unwrap_or(false);
    let held = guard::Guard::take(mouse).map_err(failed)?;
    let mut screen = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, stdout()))).map_err(failed)?;
    let mut effects = crate::ops::console::load(&ws).map(|remembered| state.restore(&remembered)).unwrap_or_default();
    draw(&mut screen, &state).map_err(failed)?;

    let (to, from) = channel();
    input::start(to.clone());
    signals::start(to.clone()).map_err(failed)?;
    let mut world = World { ws: ws.clone(), tasks: Tasks::new(to.clone(), ws, options.demo), to, mouse, redraw: false, plain: false, quit: false };
    effects.extend(refresh(&mut state));
    let mut ended = world.carry_out(effects, &mut screen).and_then(|()| main_loop(&mut state, &mut world, &from, &mut screen));
    if ended.as_ref().is_err_and(|error| matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::Other)) {
        // The terminal is gone: nothing is left to say it to.
        ended = Ok(());
    }
    drop(screen);
    drop(held);
    world.tasks.end();
    ended.map_err(failed)
}

fn main_loop(state: &mut State, world: &mut World, from: &Receiver<Incoming>, screen: &mut Screen) -> std::io::Result<()> {
    loop {
        let incoming = match from.try_recv() {
            Ok(incoming) => Some(incoming),
            Err(_) => {
                if !world.plain {
                    draw(screen, state)?;
                }
                match state.next_wake() {
                    None => from.recv().ok(),
                    Some(wait) => match from.recv_timeout(wait) {
                        Ok(incoming) => Some(incoming),
                        Err(RecvTimeoutError::Timeout) => Some(Incoming::Msg(Msg::Wake)),
                        Err(RecvTimeoutError::Disconnected) => None,
                    },
                }
            }
        };
        let Some(Incoming::Msg(msg)) = incoming else { return Ok(()) };
        // Even when the size is again what it was: a terminal that was smaller for a moment has lost what did not fit.
        if let Msg::Resize(..) = msg {
            world.redraw = true;
        }
        if world.plain
            && let Msg::Key(key) = &msg
        {
            // Other keys may belong to marking and copying the line.
            if !matches!(key.code, Code::Enter | Code::Esc) && *key != Key::ctrl('c') {
                continue;
            }
            world.plain = false;
            guard::enter_alternate()?;
            wipe(screen)?;
            continue;
        }
        let effects = update(state, msg, Time::now());
        world.carry_out(effects, screen)?;
        if std::mem::take(&mut world.redraw) {
            wipe(screen)?;
        }
        if world.quit {
            return Ok(());
        }
    }
}

/// Clears the screen and forgets what was drawn. `Terminal::clear` asks the terminal where its cursor is and waits for the answer, which the
/// input thread would take; a resize to the same size asks nothing.
fn wipe(screen: &mut Screen) -> std::io::Result<()> {
    let size = screen.size()?;
    screen.resize(Rect::new(0, 0, size.width, size.height))
}

fn draw(screen: &mut Screen, state: &State) -> std::io::Result<()> {
    screen.draw(|frame| ui::view::draw(frame, state))?;
    Ok(())
}

struct World {
    ws: Workspace,
    tasks: Tasks,
    to: std::sync::mpsc::Sender<Incoming>,
    mouse: bool,
    redraw: bool,
    /// A line is shown outside the alternate screen; the next key brings the console back.
    plain: bool,
    quit: bool,
}

impl World {
    fn carry_out(&mut self, effects: Effects, screen: &mut Screen) -> std::io::Result<()> {
        for effect in effects {
            match effect {
                Effect::Start { id, spec } => self.tasks.start(id, *spec),
                Effect::Cancel(id) => self.tasks.cancel(id),
                Effect::Offer { task, text } => self.tasks.offer(task, &text),
                Effect::OpenUrl(url) => self.tell(match crate::ops::credentials::open_browser(&url) {
                    Ok(()) => Toasted::Good(crate::t!("browser.opened").to_owned()),
                    Err(problem) => Toasted::Problem(problem),
                }),
                Effect::Copy(text) => {
                    let said = match clipboard::copy(screen.backend_mut(), &text)? {
                        clipboard::Copied::Sent => crate::t!("clipboard.sent"),
                        clipboard::Copied::Buffered => crate::t!("clipboard.buffered"),
                    };
                    self.tell(Toasted::Good(said.to_owned()));
                }
                Effect::ShowPlain(text) => self.show_plain(&text, screen)?,
                Effect::Suspend => self.suspend(screen)?,
                Effect::Redraw => self.redraw = true,
                Effect::Remember(value) => {
                    if let Err(problem) = crate::ops::console::save(&self.ws, &value) {
                        self.tell(Toasted::Problem(problem));
                    }
                }
                Effect::Quit => self.quit = true,
            }
        }
        Ok(())
    }

    fn tell(&self, what: Toasted) {
        let _ = self.to.send(Incoming::Msg(Msg::Told(what)));
    }

    /// Gives the terminal back, stops as a shell expects, and takes it again when continued.
    fn suspend(&mut self, screen: &mut Screen) -> std::io::Result<()> {
        screen.backend_mut().flush()?;
        guard::give_back();
        let stopped = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
        guard::take(self.mouse)?;
        self.redraw = true;
        stopped
    }

    /// Prints a text as one line outside the alternate screen, so that the terminal itself can select it, until a key is pressed.
    fn show_plain(&mut self, text: &str, screen: &mut Screen) -> std::io::Result<()> {
        screen.backend_mut().flush()?;
        let clean = crate::words::clean::line(text, 100_000);
        guard::leave_alternate()?;
        let mut out = stdout();
        write!(out, "\r\n{clean}\r\n\r\n{}\r\n", crate::t!("plain.enter"))?;
        out.flush()?;
        self.plain = true;
        Ok(())
    }
}

fn first_state(ws: &Workspace, options: &Options) -> State {
    let unicode = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .is_some_and(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"));
    // crossterm's own handling of NO_COLOR erases bold and reverse, and with them the selection: the theme does it instead.
    crossterm::style::force_color_output(true);
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let wanted = if no_colour { "mono" } else { ws.config().theme.as_deref().unwrap_or("dark") };
    let (theme, theme_problem) = if BUILT_IN.iter().any(|(name, _)| *name == wanted) {
        (Theme::built_in(wanted, unicode), None)
    } else {
        match std::fs::read_to_string(wanted).map_err(|error| error.to_string()).and_then(|text| Theme::parse(wanted, &text, unicode)) {
            Ok(theme) => (theme, None),
            Err(reason) => (Theme::built_in("dark", unicode), Some(reason)),
        }
    };
    let keymap = Keymap::new(ws.config().keys.iter().map(|(id, keys)| (id.as_str(), keys.as_str())));
    let size = crossterm::terminal::size().unwrap_or((80, 24));
    let mut state = State::new(ws.name(), size, Time::now(), theme, keymap);
    state.demo = options.demo.is_some();
    if let Some(reason) = theme_problem {
        state.toast(
            Tone::Notice,
            crate::t!("theme.unreadable", name = crate::words::clean::line(wanted, 60), reason = crate::words::clean::line(&reason, 100)),
        );
    }
    for conflict in std::mem::take(&mut state.keymap.conflicts) {
        state.toast(Tone::Notice, conflict);
    }
    state
}
