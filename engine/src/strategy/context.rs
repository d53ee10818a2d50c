//! What a strategy sees and may do during a call.

use tickpath_protocol::{Instrument, InstrumentId, Side};

use crate::engine::Desk;
use crate::market::MarketView;
use crate::order::{ClientOrderId, Order, OrderRequest};
use crate::portfolio::Position;
use crate::risk::Breach;
use crate::units::{Money, Price, Quantity, Time};

/// The engine as one strategy sees it, for the time of one call.
pub struct Context<'a> {
    desk: &'a mut Desk,
    strategy: u16,
}

impl<'a> Context<'a> {
    pub(crate) fn new(desk: &'a mut Desk, strategy: u16) -> Context<'a> {
        Context { desk, strategy }
    }

    /// The engine's time: the receive time of the record that caused this call.
    #[must_use]
    pub fn now(&self) -> Time {
        self.desk.now()
    }

    /// The strategy's own index.
    #[must_use]
    pub fn strategy(&self) -> u16 {
        self.strategy
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> &MarketView {
        self.desk.market()
    }

    /// What the venue says of an instrument; `None` if the engine does not follow it.
    #[must_use]
    pub fn instrument(&self, id: InstrumentId) -> Option<&Instrument> {
        Some(self.desk.market().get(id)?.instrument())
    }

    /// This strategy's position.
    #[must_use]
    pub fn position(&self, id: InstrumentId) -> &Position {
        self.desk.position_of(self.strategy, id)
    }

    /// This strategy's capital and all that it gained and lost, fees included, in the quote currency of the instrument.
    #[must_use]
    pub fn equity(&self, id: InstrumentId) -> Money {
        self.desk.equity_of(self.strategy, id)
    }

    /// This strategy's open orders, oldest first.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.desk.orders().of_strategy(self.strategy)
    }

    /// Sends an order through the risk gate to the venue. The answers come through the callbacks, never during this call.
    ///
    /// # Errors
    /// The limit that the order breaks; nothing was sent then, and a record says so.
    pub fn submit(&mut self, request: OrderRequest) -> Result<ClientOrderId, Breach> {
        let strategy = self.strategy;
        self.desk.act(|desk| desk.submit(strategy, &request))
    }

    /// Asks the venue to cancel an order of this strategy.
    ///
    /// # Errors
    /// If it is no open order of this strategy, or a cancel is under way already.
    pub fn cancel(&mut self, id: ClientOrderId) -> Result<(), Breach> {
        let strategy = self.strategy;
        self.desk.act(|desk| desk.cancel(strategy, id))
    }

    /// Asks the venue for another limit price (`None`: as it is) and another quantity of the whole order, what is filled included. The order
    /// keeps its place in the queue only if it gets smaller at the same price.
    ///
    /// # Errors
    /// The limit that the new order would break, or that there is nothing to replace.
    pub fn replace(&mut self, id: ClientOrderId, price: Option<Price>, quantity: Quantity) -> Result<(), Breach> {
        let strategy = self.strategy;
        self.desk.act(|desk| desk.replace(strategy, id, price, quantity))
    }

    /// Publishes a signal: what the strategy thinks, apart from its orders. `strength` is a mantissa at the instrument's size decimals.
    pub fn signal(&mut self, instrument: InstrumentId, side: Option<Side>, strength: Quantity) {
        let strategy = self.strategy;
        self.desk.act(|desk| desk.signal(strategy, instrument, side, strength));
    }

    /// Asks for a call of `on_timer` at the first record at or after `at`.
    pub fn set_timer(&mut self, at: Time) {
        let strategy = self.strategy;
        self.desk.act(|desk| desk.set_timer(strategy, at));
    }

    /// Gives up: the strategy gets no more calls, its orders are canceled, and a record says so.
    pub fn fail(&mut self) {
        self.desk.fail(self.strategy);
    }
}
