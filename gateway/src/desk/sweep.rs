//! What rests at the venue, whoever's it is: looked at every now and then, so that nothing rests there that nobody here knows.

use std::rc::Rc;
use std::time::Duration;

use tickpath_protocol::trading::{ClientOrderId, Reason};
use tokio::time::Instant;
use tracing::warn;

use super::Desk;
use crate::ask::{Ask, id_of};
use crate::life::Origin;
use crate::venue::wire::OpenRow;

/// Between two looks.
pub(super) const EVERY: Duration = Duration::from_secs(2);
/// With the latch set, or when something is not known.
const SOON: Duration = Duration::from_millis(250);

impl Desk {
    /// Everything at once, whoever's it is.
    pub(super) fn cancel_at_venue(&self) {
        let shared = Rc::clone(&self.shared);
        shared.meters.cancels.add(1);
        tokio::task::spawn_local(async move {
            if let Err(error) = shared.rest.cancel_all().await {
                shared.meters.failed(error.name());
                warn!(%error, "canceling everything had no answer; it is tried again");
            }
        });
    }

    pub(super) fn sweep(&mut self) {
        self.sweeping = true;
        let (shared, swept) = (Rc::clone(&self.shared), self.swept.clone());
        tokio::task::spawn_local(async move {
            let rows = shared.rest.open().await;
            let rows = rows.inspect_err(|error| shared.meters.failed(error.name())).ok();
            // Nobody listens at the end.
            swept.send(rows).await.ok();
        });
    }

    /// What rests at the venue: whatever nobody here knows, twice in a row, is canceled.
    pub(super) fn take_sweep(&mut self, rows: Option<Vec<OpenRow>>) {
        self.sweeping = false;
        self.sweep_at = Instant::now() + if self.killed { SOON } else { EVERY };
        let Some(rows) = rows else { return };
        if self.killed && !rows.is_empty() {
            self.cancel_at_venue();
        }
        let before = std::mem::take(&mut self.strangers);
        for row in rows {
            let id = id_of(&row.client_oid);
            let is_known = id.is_some_and(|id| self.lives.contains_key(&id) || self.ended.contains(&id));
            if is_known {
                continue;
            }
            if before.contains(&row.id) {
                self.expel(&row, id);
            } else {
                self.strangers.insert(row.id);
            }
        }
        if !self.strangers.is_empty() {
            // Soon again: they may be of a moment ago.
            self.sweep_at = Instant::now() + SOON;
        }
    }

    fn expel(&mut self, row: &OpenRow, id: Option<ClientOrderId>) {
        self.shared.meters.strays.add(1);
        warn!(
            id = row.id,
            client_oid = row.client_oid,
            "an order that nobody knows rests at the venue: it is canceled"
        );
        let scale = self.scales.get(&row.product_id).copied();
        if let (Some(id), Some(scale)) = (id, scale) {
            // One of ours: the engine hears what became of it.
            let ask = Ask {
                id,
                product: Some(row.product_id.clone()),
                scale,
                side: None,
                kind: None,
                price: 0,
                trigger: None,
                quantity: 0,
                time_in_force: Default::default(),
                post_only: false,
                reduce_only: false,
                published_ns: 0,
            };
            return self.start(ask, Origin::Found, Some(Reason::Restart));
        }
        let (shared, name) = (Rc::clone(&self.shared), row.id.clone());
        shared.meters.cancels.add(1);
        tokio::task::spawn_local(async move {
            if let Err(error) = shared.rest.cancel(&name).await {
                shared.meters.failed(error.name());
            }
        });
    }
}
