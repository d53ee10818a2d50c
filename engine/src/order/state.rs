//! The order state machine: every report of a venue in every state, whatever crossed on the way.
//!
//! | report | submitted | open, pending | filled | canceled | rejected |
//! |---|---|---|---|---|---|
//! | accepted | open | noted once | ignored | ignored | illegal |
//! | rejected | rejected | illegal once known or filled | illegal | illegal | ignored |
//! | filled | open or filled | open or filled | duplicate, else illegal | counts (it crossed) | illegal |
//! | canceled | canceled | canceled | ignored | ignored | ignored |
//! | replaced | illegal | new terms if asked for | ignored | ignored | illegal |
//! | cancel, replacement refused | ignored | back to open | ignored | ignored | ignored |
//!
//! A fill says how much is filled after it, an end by cancel how much was until then. A fill that says no more than is known is a duplicate; what skips some, or
//! fills more than the order, is illegal: something is missing, and no position is guessed. Only of an order whose whole account was asked for, in a new session or
//! after a loss, what skips some is ignored: it is the rest of what somebody else was told, and the account comes after it.

use super::{Order, OrderState, Quantity, Reason, Terms};

/// What a report did to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transition {
    /// The order is another.
    Changed,
    /// It was known, or is of no use any more.
    Ignored,
}

/// A report that cannot be, after what is known of the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the venue reported `{report}` of an order that is {state:?}: trading halts until someone has looked")]
pub struct Illegal {
    /// What was reported.
    pub report: &'static str,
    /// Where the order stood.
    pub state: OrderState,
}

impl Order {
    fn illegal(&self, report: &'static str) -> Result<Transition, Illegal> {
        Err(Illegal {
            report,
            state: self.state,
        })
    }

    /// Something before a report is not known: illegal, unless all of it is still to come again.
    fn missed(&self, report: &'static str) -> Result<Transition, Illegal> {
        if self.awaits_account() && !self.state.is_closed() {
            return Ok(Transition::Ignored);
        }
        self.illegal(report)
    }

    /// The venue has the order.
    ///
    /// # Errors
    /// [`Illegal`] if it was rejected.
    pub fn on_accepted(&mut self) -> Result<Transition, Illegal> {
        match self.state {
            OrderState::Rejected => return self.illegal("accepted"),
            _ if self.acknowledged || self.state.is_closed() => return Ok(Transition::Ignored),
            OrderState::Submitted => self.state = OrderState::Open,
            _ => {}
        }
        self.acknowledged = true;
        Ok(Transition::Changed)
    }

    /// The venue refused the order.
    ///
    /// # Errors
    /// [`Illegal`] if the venue had it already.
    pub fn on_rejected(&mut self) -> Result<Transition, Illegal> {
        match self.state {
            OrderState::Rejected => return Ok(Transition::Ignored),
            _ if self.acknowledged || self.filled.0 > 0 || self.state.is_closed() => return self.illegal("rejected"),
            _ => {}
        }
        self.close(OrderState::Rejected);
        Ok(Transition::Changed)
    }

    /// `quantity` was filled, which makes `cumulative` in all.
    ///
    /// # Errors
    /// [`Illegal`] if fills between were missed, or it is more than the order.
    pub fn on_filled(&mut self, quantity: Quantity, cumulative: Quantity) -> Result<Transition, Illegal> {
        if self.state == OrderState::Rejected || quantity.0 <= 0 {
            return self.illegal("filled");
        }
        if cumulative <= self.filled {
            return Ok(Transition::Ignored);
        }
        let most = self
            .replacing
            .map_or(self.quantity, |terms| terms.quantity.max(self.quantity));
        if cumulative > most {
            return self.illegal("filled");
        }
        if cumulative.0 - quantity.0 != self.filled.0 {
            return self.missed("filled");
        }
        self.filled = cumulative;
        if self.filled >= self.quantity && (self.replacing.is_none() || self.filled == most) {
            self.close(OrderState::Filled);
        } else if self.state == OrderState::Submitted {
            self.state = OrderState::Open;
        }
        Ok(Transition::Changed)
    }

    /// The order rests no more; `filled` of it was filled until then.
    ///
    /// # Errors
    /// [`Illegal`] if fills before it were missed.
    pub fn on_canceled(&mut self, filled: Quantity) -> Result<Transition, Illegal> {
        match self.state {
            _ if filled > self.filled => self.missed("canceled"),
            state if state.is_closed() => Ok(Transition::Ignored),
            _ => {
                self.close(OrderState::Canceled);
                Ok(Transition::Changed)
            }
        }
    }

    /// The cancel was refused: the order is as it was.
    pub fn on_cancel_refused(&mut self) -> Transition {
        if self.state != OrderState::PendingCancel {
            return Transition::Ignored;
        }
        self.state = match self.replacing {
            Some(_) => OrderState::PendingReplace,
            None => self.resting_state(),
        };
        Transition::Changed
    }

    /// The venue took the terms of the replacement.
    ///
    /// # Errors
    /// [`Illegal`] if none was asked for, other terms were, or more is filled than they allow.
    pub fn on_replaced(&mut self, terms: Terms) -> Result<Transition, Illegal> {
        if self.state == OrderState::Rejected {
            return self.illegal("replaced");
        }
        let known = Terms {
            kind: self.kind,
            quantity: self.quantity,
        };
        if self.state.is_closed() || (self.replacing.is_none() && terms == known) {
            return Ok(Transition::Ignored);
        }
        if self.replacing != Some(terms) || terms.quantity < self.filled {
            return self.illegal("replaced");
        }
        (self.kind, self.quantity) = (terms.kind, terms.quantity);
        self.end_replacing();
        Ok(Transition::Changed)
    }

    /// The replacement was refused: the order is as it was.
    pub fn on_replace_refused(&mut self) -> Transition {
        if self.replacing.is_none() {
            return Transition::Ignored;
        }
        self.end_replacing();
        Transition::Changed
    }

    /// A cancel leaves the engine. `false` if there is nothing to cancel, or one is under way that asks for as much: one for the whole account goes out again.
    pub fn ask_cancel(&mut self, reason: Reason) -> bool {
        if self.state.is_closed() || (self.state == OrderState::PendingCancel && !reason.asks_for_account()) {
            return false;
        }
        self.state = OrderState::PendingCancel;
        self.cancel_reason = Some(reason);
        true
    }

    /// A replacement leaves the engine. `false` unless the order rests and nothing else is under way.
    pub fn ask_replace(&mut self, terms: Terms) -> bool {
        if self.state != OrderState::Open || terms.quantity <= self.filled {
            return false;
        }
        self.state = OrderState::PendingReplace;
        self.replacing = Some(terms);
        true
    }

    fn end_replacing(&mut self) {
        self.replacing = None;
        if self.filled >= self.quantity {
            self.close(OrderState::Filled);
        } else if self.state == OrderState::PendingReplace {
            self.state = self.resting_state();
        }
    }

    fn resting_state(&self) -> OrderState {
        if self.acknowledged || self.filled.0 > 0 {
            OrderState::Open
        } else {
            OrderState::Submitted
        }
    }

    fn close(&mut self, state: OrderState) {
        self.state = state;
        self.replacing = None;
    }
}
