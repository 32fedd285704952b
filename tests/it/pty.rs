//! The real program in a pseudo-terminal, and a terminal that reads what it draws.

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// What the program did to the terminal beside drawing.
#[derive(Default, Clone)]
pub struct Seen {
    pub titles: Vec<Vec<u8>>,
    pub clipboard: Vec<Vec<u8>>,
}

impl vt100::Callbacks for Seen {
    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.titles.push(title.to_vec());
    }

    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.clipboard.push(data.to_vec());
    }
}

struct Shared {
    parser: vt100::Parser<Seen>,
    /// Every byte that came.
    drawn: Vec<u8>,
    ended: bool,
    /// The reader lets go of the terminal when it next wakes.
    hanging_up: bool,
}

/// A running program. Killed when dropped.
pub struct Pty {
    pub child: Box<dyn Child + Send + Sync>,
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

const PATIENCE: Duration = Duration::from_secs(30);

impl Pty {
    /// Starts the program in its own workspace and configuration.
    pub fn intertie(columns: u16, rows: u16, workspace: &Path, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_intertie"));
        command.args(arguments);
        command.env("INTERTIE_WORKSPACE", workspace);
        Self::start(columns, rows, workspace, command)
    }

    pub fn start(columns: u16, rows: u16, home: &Path, mut command: CommandBuilder) -> Self {
        std::fs::create_dir_all(home).expect("a home");
        command.cwd(home);
        command.env("HOME", home);
        command.env("RUST_BACKTRACE", "0");
        command.env("XDG_CONFIG_HOME", home.join("config"));
        command.env("LANG", "C.UTF-8");
        command.env("LC_ALL", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        command.env("BROWSER", "true");
        for name in ["NO_COLOR", "TMUX", "STY", "SSH_CONNECTION", "INTERTIE_CONFIG"] {
            if name != "NO_COLOR" || command.get_env("NO_COLOR").is_none_or(|value| value != "1") {
                command.env_remove(name);
            }
        }
        let pair = native_pty_system().openpty(PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }).expect("a pseudo-terminal");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let shared = Arc::new((
            Mutex::new(Shared {
                parser: vt100::Parser::new_with_callbacks(rows, columns, 0, Seen::default()),
                drawn: Vec::new(),
                ended: false,
                hanging_up: false,
            }),
            Condvar::new(),
        ));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let for_reader = shared.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            loop {
                let read = reader.read(&mut buffer).unwrap_or(0);
                let mut state = for_reader.0.lock().expect("not poisoned");
                let last = read == 0 || state.hanging_up;
                if last {
                    state.ended = true;
                } else {
                    state.parser.process(&buffer[..read]);
                    state.drawn.extend_from_slice(&buffer[..read]);
                }
                for_reader.1.notify_all();
                if last {
                    return;
                }
            }
        });
        Self { child, master: Some(pair.master), writer: Some(writer), shared }
    }

    /// Waits until something is true of the screen; fails with the screen when it does not become true.
    pub fn wait(&self, what: &str, holds: impl Fn(&vt100::Screen) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.0.lock().expect("not poisoned");
        while !holds(state.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !state.ended, "{what} did not come; the screen is:\n{}", state.parser.screen().contents());
            state = self.shared.1.wait_timeout(state, left.min(Duration::from_millis(200))).expect("not poisoned").0;
        }
    }

    /// Waits until a text stands on the screen.
    pub fn see(&self, text: &str) -> &Self {
        self.wait(&format!("“{text}”"), |screen| screen.contents().contains(text));
        self
    }

    pub fn see_no_more(&self, text: &str) -> &Self {
        self.wait(&format!("the end of “{text}”"), |screen| !screen.contents().contains(text));
        self
    }

    pub fn keys(&mut self, keys: &str) -> &mut Self {
        let writer = self.writer.as_mut().expect("the terminal is open");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("the terminal takes keys");
        self
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        // A fresh screen: the program has to draw everything again anyway, and the emulator loses its way after a screen of one cell.
        self.shared.0.lock().expect("not poisoned").parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Seen::default());
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.as_ref().expect("the terminal is open").resize(size).expect("resized");
    }

    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen, &Seen) -> T) -> T {
        let state = self.shared.0.lock().expect("not poisoned");
        look(state.parser.screen(), state.parser.callbacks())
    }

    /// Every byte that the program sent to the terminal.
    pub fn drawn(&self) -> Vec<u8> {
        self.shared.0.lock().expect("not poisoned").drawn.clone()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|pid| rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)).expect("it runs");
        rustix::process::kill_process(pid, signal).expect("signalled");
    }

    /// Whether the terminal shows what is typed.
    pub fn echoes(&self) -> bool {
        let termios = self.master.as_ref().and_then(|master| master.get_termios()).expect("the terminal is open");
        format!("{:?}", termios.local_flags).split(" | ").any(|flag| flag.trim_matches(|c: char| !c.is_ascii_uppercase()) == "ECHO")
    }

    /// Closes the terminal under the program. The reader holds it too, and is woken by a last frame.
    pub fn hang_up(&mut self) {
        self.shared.0.lock().expect("not poisoned").hanging_up = true;
        self.resize(79, 23);
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.0.lock().expect("not poisoned");
        while !state.ended {
            assert!(Instant::now() < deadline, "no last frame came");
            state = self.shared.1.wait_timeout(state, Duration::from_millis(100)).expect("not poisoned").0;
        }
        drop(state);
        self.writer = None;
        self.master = None;
    }

    /// Waits for the program's end, and until everything that it wrote was read; its exit code.
    pub fn end(&mut self, within: Duration) -> Option<u32> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return Some(status.exit_code());
            }
            if Instant::now() > deadline {
                return None;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    }

    /// Waits until the terminal is as a shell expects it.
    pub fn restored(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.0.lock().expect("not poisoned");
        loop {
            let screen = state.parser.screen();
            let good = !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
            if good {
                return;
            }
            assert!(Instant::now() < deadline, "the terminal was not restored");
            state = self.shared.1.wait_timeout(state, Duration::from_millis(100)).expect("not poisoned").0;
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !std::thread::panicking() {
            crate::searched::seen("what was drawn", &self.drawn());
            crate::searched::seen("the screen", self.with_screen(|screen, _| screen.contents()).as_bytes());
        }
    }
}
