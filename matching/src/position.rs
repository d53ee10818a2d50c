//! What each owner holds: told once with [`crate::Book::set_position`], moved by every trade since.
//!
//! The book keeps it, rather than being told before each order, because a reduce-only order that rests must be judged when it trades, not when it came.

use tickpath_protocol::Side;

use crate::order::OwnerId;

/// Positions by owner number. 128 bits hold any sum of trades.
#[derive(Clone, Debug, Default)]
pub(crate) struct Positions(Vec<i128>);

impl Positions {
    /// Makes room for an owner, so that no trade needs to.
    #[inline]
    pub(crate) fn know(&mut self, owner: OwnerId) {
        if owner.0 as usize >= self.0.len() {
            self.grow(owner);
        }
    }

    #[cold]
    fn grow(&mut self, owner: OwnerId) {
        self.0.resize(owner.0 as usize + 1, 0);
    }

    pub(crate) fn set(&mut self, owner: OwnerId, position: i128) {
        self.know(owner);
        self.0[owner.0 as usize] = position;
    }

    pub(crate) fn get(&self, owner: OwnerId) -> i128 {
        self.0.get(owner.0 as usize).copied().unwrap_or(0)
    }

    /// `owner` bought or sold.
    #[inline]
    pub(crate) fn add(&mut self, owner: OwnerId, side: Side, quantity: i64) {
        if owner == OwnerId::NONE {
            return;
        }
        let signed = match side {
            Side::Bid => i128::from(quantity),
            Side::Ask => -i128::from(quantity),
        };
        if let Some(position) = self.0.get_mut(owner.0 as usize) {
            *position += signed;
        }
    }

    /// How much an order of `side` may trade before the position is zero.
    pub(crate) fn reducible(&self, owner: OwnerId, side: Side) -> i64 {
        let open = match side {
            Side::Bid => -self.get(owner),
            Side::Ask => self.get(owner),
        };
        i64::try_from(open.max(0)).unwrap_or(i64::MAX)
    }
}
