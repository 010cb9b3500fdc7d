//! The thread that waits for changes of rules and places, and has them read once they have settled.
//!
//! A thread of its own: reading and compiling block, and a web worker must not. Must not: know
//! what becomes of what is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::web;
use tokio::sync::oneshot;

use super::reload::{Reading, Reloader};
use crate::http::reload::{Reloaded, Wake};
use crate::http::state::State;
use crate::reload::settle::{Pace, settled};
use crate::reload::watch::{Watch, Watched};

/// Starts the thread. It ends at [`Wake::Stop`].
pub(super) fn spawn(reloader: Reloader, watch: Watch) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("koekake-reload".to_owned()).spawn(move || {
        let state = reloader.state.clone();
        let Some(receiver) = state.reloads.listen() else { return };
        let _ends = Ends(state);
        run(reloader, watch, receiver);
    })
}

/// Tells when the thread has ended, however it did.
struct Ends(web::Data<State>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.reloads.end();
        if std::thread::panicking() {
            tracing::error!("changes of rules and places are no longer read: restart the service");
        }
    }
}

fn run(mut reloader: Reloader, watch: Watch, receiver: Receiver<Wake>) {
    let sender = reloader.state.reloads.sender();
    let changed = move || {
        // Whoever does not listen any more has been told to stop.
        let _ = sender.send(Wake::Changed);
    };
    let mut watched = Watched::new(watch, &reloader.roots(), changed);
    let poll = watch.poll;
    let mut waker = Waker { receiver, askers: Vec::new(), is_asked: false, is_stopped: false };
    let mut is_changed = false;
    while !waker.is_stopped {
        for problem in watched.arm(&reloader.paths()) {
            tracing::warn!("{problem}; files are looked at every {poll:?}");
        }
        // Nothing is told of network disks, nor of what happened before anything was watched.
        if waker.is_asked || is_changed || !reloader.has_seen(&reloader.read()) {
            let pace = if waker.is_asked { Pace::ASKED } else { Pace::CHANGED };
            let reading = settled(pace, |time| waker.is_told_within(time), || reloader.read());
            if !waker.is_stopped && (waker.is_asked || !reloader.has_seen(&reading)) {
                apply(&mut reloader, &mut waker, &reading);
            }
        }
        is_changed = waker.sleep(poll);
    }
}

/// Puts what was read into use and tells those who asked. Whatever goes wrong, the thread lives.
fn apply(reloader: &mut Reloader, waker: &mut Waker, reading: &Reading) {
    let askers = std::mem::take(&mut waker.askers);
    let is_asked = std::mem::take(&mut waker.is_asked);
    let Ok(result) = catch_unwind(AssertUnwindSafe(|| reloader.apply(reading))) else {
        tracing::error!(
            "reading rules failed inside koekake, which is its mistake: please report it"
        );
        return;
    };
    if is_asked && result.is_fine() && !result.is_changed() {
        tracing::info!("rules and places were read anew: nothing has changed");
    }
    let result = Arc::new(result);
    for asker in askers {
        // Whoever asked may have gone.
        let _ = asker.send(result.clone());
    }
}

/// What woke the thread.
struct Waker {
    receiver: Receiver<Wake>,
    askers: Vec<oneshot::Sender<Arc<Reloaded>>>,
    is_asked: bool,
    is_stopped: bool,
}

impl Waker {
    /// Sleeps until something happens, for that long at most: whether something changed.
    fn sleep(&mut self, time: Duration) -> bool {
        if self.is_asked || self.is_stopped {
            return false;
        }
        let is_changed = self.receive(time);
        is_changed | self.is_told_within(Duration::ZERO)
    }

    /// Whether something changes within that time. Waits for the whole of it, so that a storm of
    /// changes is no storm of readings; but not for long once somebody asks.
    fn is_told_within(&mut self, time: Duration) -> bool {
        let began = Instant::now();
        let mut is_changed = false;
        loop {
            let time = if self.is_asked { time.min(Pace::ASKED.between) } else { time };
            let left = time.saturating_sub(began.elapsed());
            is_changed |= self.receive(left);
            if left.is_zero() || self.is_stopped {
                return is_changed;
            }
        }
    }

    /// Takes one word, if one comes in that time: whether it is that something changed.
    fn receive(&mut self, time: Duration) -> bool {
        match self.receiver.recv_timeout(time) {
            Ok(Wake::Changed) => return true,
            Ok(Wake::Now(asker)) => {
                self.askers.extend(asker);
                self.is_asked = true;
            }
            Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => self.is_stopped = true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        false
    }
}
