//! Taking the terminal and giving it back: best-effort, step by step, and as often as one likes.

use crossterm::event::{DisableBracketedPaste, DisableFocusChange, DisableMouseCapture, EnableBracketedPaste, EnableFocusChange, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use std::io::{self, stdout};
use std::sync::atomic::{AtomicBool, Ordering};

static TAKEN: AtomicBool = AtomicBool::new(false);
static MOUSE: AtomicBool = AtomicBool::new(false);

/// Raw mode, alternate screen, bracketed paste, focus reports, and the mouse if wanted.
pub fn take(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, cursor::Hide, EnableBracketedPaste, EnableFocusChange)?;
    MOUSE.store(mouse, Ordering::SeqCst);
    if mouse {
        execute!(stdout(), EnableMouseCapture)?;
    }
    Ok(())
}

/// Undoes whatever `take` did. Safe from a panic hook and when it was done before; a step that fails does not keep the others.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    if MOUSE.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), DisableMouseCapture);
    }
    let _ = execute!(stdout(), DisableFocusChange);
    let _ = execute!(stdout(), DisableBracketedPaste);
    let _ = execute!(stdout(), LeaveAlternateScreen);
    let _ = execute!(stdout(), cursor::Show);
    let _ = disable_raw_mode();
}

/// Shows the ordinary screen for a while, with the terminal still taken.
pub fn leave_alternate() -> io::Result<()> {
    execute!(stdout(), LeaveAlternateScreen)
}

pub fn enter_alternate() -> io::Result<()> {
    execute!(stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Gives the terminal back when the console ends, however it ends.
pub struct Guard;

impl Guard {
    pub fn take(mouse: bool) -> io::Result<Self> {
        let guard = Self;
        take(mouse)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
    }
}

/// A panic on the console's own thread gives the terminal back before it is printed; one in a task is a failed task and prints nothing.
pub fn hook_panics() {
    let console = std::thread::current().id();
    let former = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().id() == console {
            give_back();
            former(info);
        }
    }));
}
