//! What is known of one order at the venue, and what of it is news. Sans-IO: the venue's answers in, reports out.

use tickpath_protocol::trading::{News, OrderKind, Reason, TimeInForce};

use crate::ask::Ask;
use crate::venue::wire::{FillView, OrderView};

/// An order and what the engine was told of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was asked for.
    pub ask: Ask,
    seen: bool,
    accepted: bool,
    /// Reported as filled, a mantissa.
    filled: i64,
    over: bool,
}

/// An answer that does not fit the order: it is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The venue lists fewer fills than it says there are.
    #[error("the venue lists fills of {listed} and says that {filled} is filled")]
    FillsMissing {
        /// Sum of the fills.
        listed: i64,
        /// As the order says.
        filled: i64,
    },
    /// More is filled than was ever reported, or less, or numbers that cannot be.
    #[error("the fills of the order make no sense")]
    Nonsense,
}

impl Case {
    /// An order of which the engine was told nothing here.
    #[must_use]
    pub fn new(ask: Ask) -> Case {
        Case {
            ask,
            seen: false,
            accepted: false,
            filled: 0,
            over: false,
        }
    }

    /// Whether the venue has ever shown the order.
    #[must_use]
    pub fn was_seen(&self) -> bool {
        self.seen
    }

    /// What the engine was told is filled, a mantissa.
    #[must_use]
    pub fn filled(&self) -> i64 {
        self.filled
    }

    /// Whoever listens now was told nothing yet.
    pub fn tell_again(&mut self) {
        (self.accepted, self.filled, self.over) = (false, 0, false);
    }

    /// Whether nothing more can come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether the order's answer says something that only its fills can explain.
    #[must_use]
    pub fn needs_fills(&self, view: &OrderView) -> bool {
        view.filled > self.filled
    }

    /// Takes the order as the venue shows it, and its fills, the oldest first, which were asked for after that; `canceled` is why we asked for a cancel, if we did.
    ///
    /// # Errors
    /// [`Misfit`]: then nothing is taken.
    pub fn learn(
        &mut self,
        view: &OrderView,
        fills: &[FillView],
        canceled: Option<Reason>,
    ) -> Result<Vec<News>, Misfit> {
        let mut news = Vec::new();
        if !self.accepted {
            news.push(News::Accepted);
        }
        let mut cumulative = 0_i64;
        for fill in fills {
            cumulative = cumulative
                .checked_add(fill.quantity)
                .filter(|_| fill.quantity > 0)
                .ok_or(Misfit::Nonsense)?;
            if cumulative > self.filled {
                if cumulative - fill.quantity < self.filled {
                    return Err(Misfit::Nonsense);
                }
                news.push(News::Filled {
                    price: fill.price,
                    quantity: fill.quantity,
                    cumulative,
                    fee: fill.fee,
                    liquidity: fill.liquidity,
                });
            }
        }
        let filled = cumulative.max(self.filled);
        if filled < view.filled {
            return Err(Misfit::FillsMissing {
                listed: filled,
                filled: view.filled,
            });
        }
        if filled > view.size {
            return Err(Misfit::Nonsense);
        }
        (self.seen, self.accepted, self.filled) = (true, true, filled);
        if view.is_done {
            self.over = true;
            if filled < view.size {
                news.push(News::Canceled {
                    reason: canceled.unwrap_or_else(|| self.venue_reason()),
                    filled,
                });
            }
        }
        Ok(news)
    }

    /// Why the venue ends an order that nobody canceled.
    fn venue_reason(&self) -> Reason {
        match (self.ask.kind, self.ask.time_in_force) {
            (_, TimeInForce::Fok) => Reason::NotFillable,
            (Some(OrderKind::Market), _) | (_, TimeInForce::Ioc) => Reason::Immediate,
            _ => Reason::Venue,
        }
    }
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::trading::Liquidity;

    use super::*;
    use crate::ask::tests::limit;

    fn view(filled: i64, is_done: bool) -> OrderView {
        OrderView {
            venue_id: "1".into(),
            size: 100,
            filled,
            is_done,
        }
    }

    fn fill(quantity: i64) -> FillView {
        FillView {
            trade_id: 1,
            price: 7,
            quantity,
            fee: 0,
            liquidity: Liquidity::Maker,
        }
    }

    fn filled(quantity: i64, cumulative: i64) -> News {
        News::Filled {
            price: 7,
            quantity,
            cumulative,
            fee: 0,
            liquidity: Liquidity::Maker,
        }
    }

    fn canceled(reason: Reason, filled: i64) -> News {
        News::Canceled { reason, filled }
    }

    #[test]
    fn each_fill_is_news_once_and_says_what_is_filled_in_all() {
        let mut case = Case::new(limit());
        assert_eq!(case.learn(&view(0, false), &[], None), Ok(vec![News::Accepted]));
        assert!(case.needs_fills(&view(30, false)));
        let news = case.learn(&view(30, false), &[fill(10), fill(20), fill(5)], None);
        assert_eq!(news, Ok(vec![filled(10, 10), filled(20, 30), filled(5, 35)]));
        assert!(!case.needs_fills(&view(35, false)));
        assert_eq!(case.learn(&view(35, false), &[], None), Ok(vec![]));
        let all = [fill(10), fill(20), fill(5), fill(65)];
        assert_eq!(case.learn(&view(100, true), &all, None), Ok(vec![filled(65, 100)]));
        assert!(case.is_over());
    }

    #[test]
    fn an_end_says_why_after_the_last_fill() {
        let mut case = Case::new(limit());
        let news = case.learn(&view(10, true), &[fill(10)], Some(Reason::Requested));
        assert_eq!(
            news,
            Ok(vec![News::Accepted, filled(10, 10), canceled(Reason::Requested, 10)])
        );
        for (time_in_force, reason) in [
            (TimeInForce::Gtc, Reason::Venue),
            (TimeInForce::Ioc, Reason::Immediate),
            (TimeInForce::Fok, Reason::NotFillable),
        ] {
            let mut case = Case::new(Ask {
                time_in_force,
                ..limit()
            });
            let news = case.learn(&view(0, true), &[], None).unwrap();
            assert_eq!(news.last(), Some(&canceled(reason, 0)));
        }
    }

    #[test]
    fn all_of_it_is_told_again_to_whoever_asks() {
        let mut case = Case::new(limit());
        case.learn(&view(10, false), &[fill(10)], None).unwrap();
        case.tell_again();
        assert!(case.was_seen() && case.needs_fills(&view(10, false)));
        let news = case.learn(&view(30, true), &[fill(10), fill(20)], Some(Reason::Requested));
        let again = vec![
            News::Accepted,
            filled(10, 10),
            filled(20, 30),
            canceled(Reason::Requested, 30),
        ];
        assert_eq!(news, Ok(again));
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let mut case = Case::new(limit());
        let missing = Misfit::FillsMissing { listed: 10, filled: 30 };
        assert_eq!(case.learn(&view(30, true), &[fill(10)], None), Err(missing));
        assert_eq!(case.learn(&view(200, true), &[fill(200)], None), Err(Misfit::Nonsense));
        assert_eq!(case.learn(&view(0, false), &[fill(-1)], None), Err(Misfit::Nonsense));
        assert_eq!(
            case.learn(&view(0, false), &[fill(i64::MAX), fill(1)], None),
            Err(Misfit::Nonsense)
        );
        assert!(!case.was_seen() && !case.is_over());
        case.learn(&view(30, false), &[fill(30)], None).unwrap();
        // Fills that changed under our hands.
        assert_eq!(case.learn(&view(40, false), &[fill(40)], None), Err(Misfit::Nonsense));
    }
}
