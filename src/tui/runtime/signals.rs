//! Signals, and a watchdog for a terminal that went away without one.

use super::event_loop::Incoming;
use crate::tui::app::msg::Msg;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use std::sync::mpsc::Sender;
use std::time::Duration;

pub fn start(to: Sender<Incoming>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGTSTP])?;
    let for_signals = to.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let msg = if signal == SIGTSTP { Msg::Suspend } else { Msg::Terminate };
            if for_signals.send(Incoming::Msg(msg)).is_err() {
                return;
            }
            if signal == SIGHUP {
                last_resort();
            }
        }
    })?;
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        // No event is asked for: the kernel reports only that the other end hung up, and until then the thread sleeps.
        let input = std::io::stdin();
        let mut watched = [rustix::event::PollFd::new(&input, rustix::event::PollFlags::empty())];
        loop {
            match rustix::event::poll(&mut watched, None) {
                Ok(_)
                    if watched[0]
                        .revents()
                        .intersects(rustix::event::PollFlags::HUP | rustix::event::PollFlags::ERR | rustix::event::PollFlags::NVAL) =>
                {
                    let _ = to.send(Incoming::Msg(Msg::Terminate));
                    last_resort();
                    return;
                }
                Err(rustix::io::Errno::INTR) | Ok(_) => {}
                Err(_) => return,
            }
        }
    })?;
    Ok(())
}

/// The loop has half a second to save and end; a loop that is stuck writing to a dead terminal is ended for it.
fn last_resort() {
    std::thread::sleep(Duration::from_millis(500));
    std::process::exit(129);
}
