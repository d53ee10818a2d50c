//! What the feed and the line want of a socket, left where its task finds it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tickpath_protocol::GapCause;
use tokio::sync::Notify;

use crate::decode::Control;

/// Frames that may wait to be sent; a subscription of 100,000 symbols has fewer.
const OUTBOX_MAX: usize = 4_096;
/// Words of the venue that may wait to be heeded; they are after every frame.
const CONTROLS_MAX: usize = 64;

/// One socket, as seen from outside its task.
#[derive(Debug, Default)]
pub(super) struct Handle {
    outbox: RefCell<VecDeque<String>>,
    controls: RefCell<VecDeque<Control>>,
    stop: Cell<Option<GapCause>>,
    hand_over: Cell<bool>,
    live: Cell<bool>,
    brought_data: Cell<bool>,
    /// For the socket's task: something above changed.
    pub wake: Notify,
    /// For the line: it is live, or is to be handed over.
    pub changed: Notify,
}

impl Handle {
    /// Sends frames, paced. Too many at once end the connection, which then subscribes anew.
    pub fn send(&self, frames: impl IntoIterator<Item = String>) {
        let mut outbox = self.outbox.borrow_mut();
        for frame in frames {
            if outbox.len() >= OUTBOX_MAX {
                self.stop(GapCause::Overflow);
                return;
            }
            outbox.push_back(frame);
        }
        self.wake.notify_one();
    }

    pub fn next_frame(&self) -> Option<String> {
        self.outbox.borrow_mut().pop_front()
    }

    pub fn has_frames(&self) -> bool {
        !self.outbox.borrow().is_empty()
    }

    /// Hands a word of the venue to the socket's task, which is reading the frame that held it.
    pub fn heed(&self, control: Control) {
        let mut controls = self.controls.borrow_mut();
        if controls.len() < CONTROLS_MAX {
            controls.push_back(control);
        }
    }

    pub fn next_control(&self) -> Option<Control> {
        self.controls.borrow_mut().pop_front()
    }

    /// Ends the connection.
    pub fn stop(&self, cause: GapCause) {
        self.stop.set(Some(cause));
        self.wake.notify_one();
    }

    pub fn stopped(&self) -> Option<GapCause> {
        self.stop.get()
    }

    /// Asks for a successor.
    pub fn hand_over(&self) {
        self.hand_over.set(true);
        self.changed.notify_one();
    }

    pub fn wants_hand_over(&self) -> bool {
        self.hand_over.get()
    }

    /// Data came in.
    pub fn set_brought_data(&self) {
        self.brought_data.set(true);
    }

    pub fn brought_data(&self) -> bool {
        self.brought_data.get()
    }

    /// Everything is subscribed to, and data has come in since.
    pub fn set_live(&self) {
        if !self.live.replace(true) {
            self.changed.notify_one();
        }
    }

    pub fn is_live(&self) -> bool {
        self.live.get()
    }
}
