//! Reads the terminal on a thread of its own.

use super::event_loop::Incoming;
use crate::tui::app::key::{Code, Key};
use crate::tui::app::msg::Msg;
use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEventKind};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Starts reading. The thread ends with the process, or when nobody listens any more.
pub fn start(to: Sender<Incoming>) {
    let _ = std::thread::Builder::new().name("input".to_owned()).spawn(move || {
        loop {
            // Blocks in the kernel: an idle console uses no CPU. The watchdog ends the process when the terminal is gone.
            match crossterm::event::poll(Duration::from_secs(3600)) {
                Ok(false) => continue,
                Ok(true) => {}
                Err(_) => {
                    let _ = to.send(Incoming::Msg(Msg::Terminate));
                    return;
                }
            }
            let Ok(event) = crossterm::event::read() else {
                let _ = to.send(Incoming::Msg(Msg::Terminate));
                return;
            };
            if let Some(msg) = translate(event)
                && to.send(Incoming::Msg(msg)).is_err()
            {
                return;
            }
        }
    });
}

fn translate(event: Event) -> Option<Msg> {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(columns, rows) => Some(Msg::Resize(columns, rows)),
        Event::FocusGained => Some(Msg::FocusGained),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Msg::Click { column: event.column, row: event.row }),
            MouseEventKind::ScrollDown => Some(Msg::Scroll(1)),
            MouseEventKind::ScrollUp => Some(Msg::Scroll(-1)),
            _ => None,
        },
        _ => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        KeyCode::Char(c) => {
            shift = false;
            Code::Char(c)
        }
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        KeyCode::F(n) => Code::F(n),
        _ => return None,
    };
    Some(Key { code, ctrl: event.modifiers.contains(KeyModifiers::CONTROL), alt: event.modifiers.contains(KeyModifiers::ALT), shift })
}
