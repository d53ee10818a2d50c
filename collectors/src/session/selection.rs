//! Which of the listed instruments the configuration asks for.

use tickpath_service::config::Pattern;

use super::hub::{Hub, Inner};
use super::{Outlet, SessionError};
use crate::decode::Listing;

impl<O: Outlet + 'static> Hub<O> {
    /// Takes those of the listings that the configuration names.
    pub fn select(&self, listings: &[Listing]) {
        let patterns = self.collector.symbols.as_deref().unwrap_or_default();
        let wanted = |listing: &Listing| patterns.iter().any(|pattern| is_wanted(pattern, listing));
        let mut inner = self.inner.borrow_mut();
        let Inner { feed, outlet, .. } = &mut *inner;
        let taken = match feed.list(listings, wanted, outlet) {
            Ok(taken) => taken,
            Err(error) => return self.fail(SessionError::Publish(error.to_string())),
        };
        let is_first = !self.has_symbols.get();
        if is_first {
            for pattern in patterns.iter().filter(|pattern| pattern.is_exact()) {
                if !listings.iter().any(|listing| is_wanted(pattern, listing)) {
                    tracing::warn!("{} lists no instrument `{}`", self.venue, pattern.as_str());
                }
            }
        }
        if taken.is_empty() {
            if is_first {
                self.fail(SessionError::Configuration(format!(
                    "none of the {} instruments that {} lists fits `collectors.{}.symbols`",
                    listings.len(),
                    self.venue,
                    self.venue
                )));
            }
            return;
        }
        tracing::info!("{}: {} instruments", self.venue, taken.len());
        self.has_symbols.set(true);
        self.symbols_found.borrow_mut().extend(taken);
        self.found.notify_one();
    }

    /// Takes other names of the instruments that were selected.
    pub fn add_aliases(&self, aliases: &[(String, String)]) {
        self.inner.borrow_mut().feed.add_aliases(aliases);
    }

    /// The symbols found since this was asked last.
    pub fn take_found(&self) -> Vec<String> {
        std::mem::take(&mut self.symbols_found.borrow_mut())
    }
}

/// A name alone asks for the instrument whatever its state; a pattern asks for those that trade.
fn is_wanted(pattern: &Pattern, listing: &Listing) -> bool {
    (pattern.matches(&listing.symbol) || pattern.matches(&listing.name)) && (pattern.is_exact() || listing.trading)
}
