//! What the tables need beside rows: partitions, dropping of old days, bars. With TimescaleDB its own background jobs do all of it, and
//! only their settings are ours.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tracing::{info, warn};

use super::error::DatabaseError;
use super::feed::Encoded;
use super::schema::Flavor;
use super::tables::Table;

/// ns of a day.
pub(super) const DAY_NS: i64 = 86_400_000_000_000;
/// How often partitions are made ahead and old ones are dropped.
const PARTITIONS_EVERY: Duration = Duration::from_secs(600);
/// How often bars are brought forward; the views need no more, they add what is newer.
const BARS_EVERY: Duration = Duration::from_secs(10);
/// Bars are brought forward by so much at once at first, ns; rows are brought in between. Less where that took longer than [`SLICE_LONG`], more where it took next to nothing.
const SLICE_NS: i64 = 60_000_000_000;
const SLICE_NS_MIN: i64 = 10_000_000_000;
/// Never by more: behind an hour without trades may stand the busiest minutes, which a slice that grew in that hour would hold all of.
const SLICE_NS_MAX: i64 = 120_000_000_000;
/// But a long gap, of a recorder that was off for days, takes no more slices than this.
const SLICES_MAX: i64 = 4_096;
const SLICE_SHORT: Duration = Duration::from_millis(50);
const SLICE_LONG: Duration = Duration::from_millis(250);
/// How far bars stay behind the newest trade, so that few trades come late for them, ns.
const BARS_BEHIND_NS: i64 = 10_000_000_000;
/// How long dropping a partition may wait for people who read it, and by that hold up others who want to.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// The upkeep of one connection's time.
#[derive(Debug)]
pub struct Upkeep {
    flavor: Flavor,
    retention_days: u32,
    /// Partitions that are known to be there: table and day.
    partitions: HashSet<(Table, i32)>,
    partitions_due: Instant,
    bars_due: Instant,
    /// Up to where the finest bars are kept, ns since the Unix epoch; `None`: not at all yet.
    bars_to_ns: Option<i64>,
    slice_ns: i64,
    /// The newest trade that was brought.
    newest_trade_ns: Option<i64>,
}

impl Upkeep {
    /// Makes what the first rows need.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn start(client: &mut Client, flavor: Flavor, retention_days: u32) -> Result<Upkeep, DatabaseError> {
        let now = Instant::now();
        let mut upkeep = Upkeep {
            flavor,
            retention_days,
            partitions: HashSet::new(),
            partitions_due: now,
            bars_due: now + BARS_EVERY,
            bars_to_ns: None,
            slice_ns: SLICE_NS,
            newest_trade_ns: None,
        };
        if flavor == Flavor::Timescale {
            set_policies(client, retention_days).await?;
            return Ok(upkeep);
        }
        let row = client
            .query_one(
                "SELECT (extract(epoch FROM nullif(refreshed_to, '-infinity')) * 1000000000)::bigint FROM bar_progress WHERE unit = 'second'",
                &[],
            )
            .await
            .map_err(DatabaseError::statement("reading bar_progress"))?;
        upkeep.bars_to_ns = row.get(0);
        upkeep.tend(client).await?;
        Ok(upkeep)
    }

    /// Within the transaction of a batch, before its rows: the partitions that they go to, and bars that they will change.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn before(&mut self, client: &Client, batch: &Encoded) -> Result<(), DatabaseError> {
        if self.flavor == Flavor::Timescale {
            return Ok(());
        }
        for key in &batch.days {
            self.ensure_partition(client, *key).await?;
        }
        let Some((oldest, newest)) = batch.trades_ns else {
            return Ok(());
        };
        self.newest_trade_ns = self.newest_trade_ns.max(Some(newest));
        match self.bars_to_ns {
            Some(bars_to) if oldest < bars_to => self.take_bars_back(client, oldest).await,
            _ => Ok(()),
        }
    }

    async fn ensure_partition(&mut self, client: &Client, key: (Table, i32)) -> Result<(), DatabaseError> {
        if self.partitions.contains(&key) {
            return Ok(());
        }
        let (table, day) = key;
        client
            .execute("SELECT ensure_partition($1, $2)", &[&table.name(), &day])
            .await
            .map_err(DatabaseError::statement(format!(
                "making the partition of {} for day {day} since 1970",
                table.name()
            )))?;
        self.partitions.insert(key);
        Ok(())
    }

    /// Bars from the oldest late trade on count as not kept, so that the views compute them of the trades. Bars of days that are dropped stay.
    async fn take_bars_back(&mut self, client: &Client, oldest_ns: i64) -> Result<(), DatabaseError> {
        client
            .execute(
                "UPDATE bar_progress SET refreshed_to = least(refreshed_to, greatest(
                    date_trunc(unit, 'epoch'::timestamptz + $1 * interval '1 microsecond', 'UTC'),
                    CASE WHEN $2 > 0 THEN date_trunc(unit, now() - make_interval(days => $2), 'UTC') ELSE '-infinity' END))",
                &[&(oldest_ns.div_euclid(1_000) as f64), &(self.retention_days as i32)],
            )
            .await
            .map_err(DatabaseError::statement("taking bars back for late trades"))?;
        self.bars_to_ns = Some(oldest_ns);
        Ok(())
    }

    /// Between transactions: whatever is due.
    ///
    /// # Errors
    /// If a statement fails.
    pub async fn tend(&mut self, client: &mut Client) -> Result<(), DatabaseError> {
        if self.flavor == Flavor::Timescale {
            return Ok(());
        }
        let now = Instant::now();
        if now >= self.partitions_due {
            self.partitions_due = now + PARTITIONS_EVERY;
            self.make_partitions_ahead(client).await?;
            self.drop_old_days(client).await?;
        }
        if now >= self.bars_due {
            self.bars_due = now + BARS_EVERY;
            self.bring_bars_forward(client).await?;
        }
        Ok(())
    }

    async fn make_partitions_ahead(&mut self, client: &Client) -> Result<(), DatabaseError> {
        let today = day_of(tickpath_transport::now_ns());
        for table in Table::ALL {
            for day in [today, today + 1] {
                self.ensure_partition(client, (table, day)).await?;
            }
        }
        Ok(())
    }

    async fn drop_old_days(&mut self, client: &mut Client) -> Result<(), DatabaseError> {
        if self.retention_days == 0 {
            return Ok(());
        }
        match drop_old_days(client, self.retention_days).await {
            Ok(0) => Ok(()),
            Ok(dropped) => {
                // One of them may be wanted again, by records that come very late.
                self.partitions.clear();
                info!(dropped, retention_days = self.retention_days, "partitions dropped");
                Ok(())
            }
            Err(DatabaseError::Statement { code, .. }) if code == Some(SqlState::LOCK_NOT_AVAILABLE) => {
                warn!(
                    "old partitions are being read and could not be dropped; the next try is in {PARTITIONS_EVERY:?}"
                );
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// One slice of it: after late trades there may be an hour to compute again, and rows must not wait for that.
    async fn bring_bars_forward(&mut self, client: &Client) -> Result<(), DatabaseError> {
        let Some(newest) = self.newest_trade_ns else {
            return Ok(());
        };
        let goal = newest.min(tickpath_transport::now_ns()) - BARS_BEHIND_NS;
        if self.bars_to_ns.is_some_and(|bars_to| goal - bars_to < 1_000_000_000) {
            return Ok(());
        }
        let upto = self
            .bars_to_ns
            .map_or(goal, |bars_to| goal.min(bars_to.saturating_add(self.slice_ns)));
        let start = Instant::now();
        client
            .execute(
                "SELECT refresh_bars('epoch'::timestamptz + $1 * interval '1 microsecond')",
                &[&(upto.div_euclid(1_000) as f64)],
            )
            .await
            .map_err(DatabaseError::statement("bringing bars forward"))?;
        self.bars_to_ns = Some(upto);
        if upto < goal {
            self.bars_due = start;
            self.slice_ns = next_slice(self.slice_ns, start.elapsed(), goal - upto);
        }
        Ok(())
    }
}

/// How much to bring forward next, after so much took so long and so much is left.
fn next_slice(ns: i64, took: Duration, left_ns: i64) -> i64 {
    if took > SLICE_LONG {
        (ns / 2).max(SLICE_NS_MIN)
    } else if took < SLICE_SHORT {
        (2 * ns).min(SLICE_NS_MAX.max(left_ns / SLICES_MAX))
    } else {
        ns
    }
}

/// Days since 1970, UTC.
pub(super) fn day_of(ns: i64) -> i32 {
    // 64 bits of ns are 584 years.
    ns.div_euclid(DAY_NS) as i32
}

async fn drop_old_days(client: &mut Client, retention_days: u32) -> Result<i32, DatabaseError> {
    let what = || DatabaseError::statement("dropping old partitions");
    let days = retention_days as i32;
    let transaction = client.transaction().await.map_err(what())?;
    transaction.batch_execute(LOCK_TIMEOUT).await.map_err(what())?;
    let mut dropped = 0;
    for table in Table::ALL {
        let row = transaction
            .query_one("SELECT drop_old_partitions($1, $2)", &[&table.name(), &days])
            .await
            .map_err(what())?;
        dropped += row.get::<_, i32>(0);
    }
    transaction
        .execute(
            "DELETE FROM ohlcv_1s WHERE bucket < date_trunc('day', now(), 'UTC') - make_interval(days => $1)",
            &[&days],
        )
        .await
        .map_err(what())?;
    transaction.commit().await.map_err(what())?;
    Ok(dropped)
}

/// Retention of the rows and refreshing of the bars, as TimescaleDB's jobs; changed only if the setting did.
async fn set_policies(client: &mut Client, retention_days: u32) -> Result<(), DatabaseError> {
    let what = || DatabaseError::statement("setting TimescaleDB's policies");
    let wanted = retention_days.to_string();
    let set = client
        .query_opt("SELECT value FROM tickpath_settings WHERE name = 'retention_days'", &[])
        .await
        .map_err(what())?;
    if set.is_some_and(|row| row.get::<_, String>(0) == wanted) {
        return Ok(());
    }
    let transaction = client.transaction().await.map_err(what())?;
    transaction
        .batch_execute(&policies(retention_days))
        .await
        .map_err(what())?;
    transaction
        .execute(
            "INSERT INTO tickpath_settings (name, value) VALUES ('retention_days', $1)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            &[&wanted],
        )
        .await
        .map_err(what())?;
    transaction.commit().await.map_err(what())?;
    info!(retention_days, "TimescaleDB's policies are set");
    Ok(())
}

/// Bars are refreshed as far back as trades may still come, and not into days whose trades are dropped: that would empty them.
fn policies(retention_days: u32) -> String {
    let mut sql = String::new();
    let (drop_after, start) = match retention_days {
        0 => (None, "NULL".to_owned()),
        days => (
            Some(format!("interval '{days} days'")),
            format!("interval '{} hours'", 24 * days - 2),
        ),
    };
    for table in Table::ALL.map(Table::name).into_iter().chain(["ohlcv_1s"]) {
        sql += &format!("SELECT remove_retention_policy('{table}', if_exists => true);\n");
        if let Some(after) = &drop_after {
            sql += &format!(
                "SELECT add_retention_policy('{table}', drop_after => {after}, schedule_interval => interval '1 hour');\n"
            );
        }
    }
    // A refresh works in steps of so many bars; by default of ten, which for a day of seconds would be 8,640 transactions.
    for (bars, end, every, step) in [
        ("ohlcv_1s", "10 seconds", "30 seconds", 3_600),
        ("ohlcv_1m", "1 minute", "1 minute", 1_440),
        ("ohlcv_1h", "1 hour", "10 minutes", 168),
    ] {
        sql += &format!(
            "SELECT remove_continuous_aggregate_policy('{bars}', if_exists => true);\n\
             SELECT add_continuous_aggregate_policy('{bars}', start_offset => {start}, end_offset => interval '{end}', \
             schedule_interval => interval '{every}', buckets_per_batch => {step});\n"
        );
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_within_limits_while_they_take_nothing_and_shrink_where_they_hold_up_rows() {
        let after = |ns, took_ms, left_ns| next_slice(ns, Duration::from_millis(took_ms), left_ns);
        assert_eq!(after(SLICE_NS, 1_000, 0), SLICE_NS / 2);
        assert_eq!(after(SLICE_NS, 100, 0), SLICE_NS);
        assert_eq!(after(SLICE_NS_MIN, 1_000, 0), SLICE_NS_MIN);
        let hour = 3_600_000_000_000;
        let mut slice = SLICE_NS;
        for _ in 0..100 {
            slice = after(slice, 1, hour);
        }
        assert_eq!(slice, SLICE_NS_MAX, "an empty hour hides what comes behind it");
        let year = 365 * DAY_NS;
        assert!(
            after(year, 1, year) * SLICES_MAX <= year,
            "a year is not brought in a year's slices"
        );
        assert!(after(hour, 1, year) > hour, "nor in minutes");
    }

    #[test]
    fn policies_follow_the_retention() {
        let week = policies(7);
        assert_eq!(week.matches("add_retention_policy").count(), Table::COUNT + 1);
        assert!(week.contains("start_offset => interval '166 hours'"));
        let for_ever = policies(0);
        assert!(!for_ever.contains("add_retention_policy"));
        assert!(for_ever.contains("start_offset => NULL"));
    }

    #[test]
    fn days_before_1970_are_days() {
        assert_eq!(day_of(0), 0);
        assert_eq!(day_of(-1), -1);
        assert_eq!(day_of(DAY_NS), 1);
        assert_eq!(day_of(i64::MIN), -106_752);
    }
}
