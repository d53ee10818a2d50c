//! The small tables that rows refer to: runs, instruments, venues, and how far a journal has been taken over.

use std::collections::BTreeMap;

use tickpath_protocol::{DecimalText, Instrument, Venue};
use tokio_postgres::Client;
use tracing::{error, info};

use super::error::DatabaseError;
use super::feed::Run;
use super::metrics::Metrics;
use crate::journal::{Journal, JournalError};

/// Index from which rows are to be brought: the one that stands in the database, corrected where the journal does not hold it any more.
///
/// # Errors
/// If a statement fails or the journal cannot be read.
pub async fn resume_at(client: &mut Client, journal: &Journal, metrics: &Metrics) -> Result<u64, DatabaseError> {
    let journal_id = journal.id().to_string();
    let what = || DatabaseError::statement("reading journal_progress");
    let found = client
        .query_opt(
            "SELECT next_index FROM journal_progress WHERE journal_id = $1::text::numeric",
            &[&journal_id],
        )
        .await
        .map_err(what())?;
    let Some(row) = found else {
        let first = journal.first_index()?.unwrap_or(0);
        client
            .execute(
                "INSERT INTO journal_progress (journal_id, next_index) VALUES ($1::text::numeric, $2) ON CONFLICT DO NOTHING",
                &[&journal_id, &(first as i64)],
            )
            .await
            .map_err(what())?;
        info!(journal_id, first, "the database meets this journal for the first time");
        return Ok(first);
    };
    let next = row.get::<_, i64>(0) as u64;
    match journal.cursor(next) {
        Ok(_) => Ok(next),
        Err(JournalError::Deleted { first, .. }) => {
            let reason = "deleted from the journal before the database had them";
            note_gap(client, &journal_id, next, first, (next, first - 1, reason), metrics).await
        }
        Err(JournalError::NotWritten { next: end, .. }) => {
            let reason = "in the database, and no longer in the journal, which was cut or restored; other records follow at these indices";
            note_gap(client, &journal_id, next, end, (end, next - 1, reason), metrics).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes a gap down and continues at `resume`, both or neither.
async fn note_gap(
    client: &mut Client,
    journal_id: &str,
    stood_at: u64,
    resume: u64,
    (first, last, reason): (u64, u64, &str),
    metrics: &Metrics,
) -> Result<u64, DatabaseError> {
    let what = || DatabaseError::statement("writing ingest_gaps");
    let transaction = client.transaction().await.map_err(what())?;
    transaction
        .execute(
            "INSERT INTO ingest_gaps (journal_id, first_index, last_index, reason) VALUES ($1::text::numeric, $2, $3, $4)",
            &[&journal_id, &(first as i64), &(last as i64), &reason],
        )
        .await
        .map_err(what())?;
    let moved = transaction
        .execute(
            "UPDATE journal_progress SET next_index = $2, updated_at = now() WHERE journal_id = $1::text::numeric AND next_index = $3",
            &[&journal_id, &(resume as i64), &(stood_at as i64)],
        )
        .await
        .map_err(what())?;
    if moved != 1 {
        return Err(DatabaseError::OtherWriter);
    }
    transaction.commit().await.map_err(what())?;
    metrics.gaps.add(1);
    error!(
        first,
        last, "gap between journal and database: these records are {reason}; see ingest_gaps"
    );
    Ok(resume)
}

/// The key of a run, made if it is new.
///
/// # Errors
/// If a statement fails.
pub async fn run_key(client: &Client, journal_id: u64, run: &Run) -> Result<i32, DatabaseError> {
    let what = || DatabaseError::statement("making the key of a run");
    let (journal_id, run_id) = (journal_id.to_string(), run.run_id.to_string());
    client
        .execute(
            "INSERT INTO runs (journal_id, run_id, first_index, first_position) VALUES ($1::text::numeric, $2::text::numeric, $3, $4)
             ON CONFLICT (journal_id, run_id) DO NOTHING",
            &[&journal_id, &run_id, &(run.first_index as i64), &(run.first_position as i64)],
        )
        .await
        .map_err(what())?;
    let row = client
        .query_one(
            "SELECT run FROM runs WHERE journal_id = $1::text::numeric AND run_id = $2::text::numeric",
            &[&journal_id, &run_id],
        )
        .await
        .map_err(what())?;
    Ok(row.get(0))
}

/// The keys of instruments, in their order; new ones are made, and what the venue now says of known ones is taken over.
///
/// # Errors
/// If a statement fails.
pub async fn instrument_keys(client: &Client, instruments: &[Instrument]) -> Result<Vec<i32>, DatabaseError> {
    name_venues(client, instruments).await?;
    let newest: BTreeMap<(u8, &str), &Instrument> = instruments
        .iter()
        .map(|instrument| ((instrument.venue().0, instrument.symbol.as_str()), instrument))
        .collect();
    let newest: Vec<&Instrument> = newest.into_values().collect();
    upsert_instruments(client, &newest).await?;
    let venues: Vec<i16> = instruments
        .iter()
        .map(|instrument| instrument.venue().0.into())
        .collect();
    let symbols: Vec<&str> = instruments
        .iter()
        .map(|instrument| instrument.symbol.as_str())
        .collect();
    let rows = client
        .query(
            "SELECT i.instrument FROM unnest($1::smallint[], $2::text[]) WITH ORDINALITY AS wanted (venue, symbol, place)
               JOIN instruments i USING (venue, symbol) ORDER BY place",
            &[&venues, &symbols],
        )
        .await
        .map_err(DatabaseError::statement("reading the keys of instruments"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn name_venues(client: &Client, instruments: &[Instrument]) -> Result<(), DatabaseError> {
    let mut venues: Vec<Venue> = instruments.iter().map(Instrument::venue).collect();
    venues.sort_unstable();
    venues.dedup();
    let (codes, names): (Vec<i16>, Vec<String>) = venues
        .iter()
        .map(|venue| (i16::from(venue.0), venue.to_string()))
        .unzip();
    client
        .execute(
            "INSERT INTO venues (venue, name) SELECT * FROM unnest($1::smallint[], $2::text[]) ON CONFLICT (venue) DO NOTHING",
            &[&codes, &names],
        )
        .await
        .map_err(DatabaseError::statement("naming venues"))?;
    Ok(())
}

async fn upsert_instruments(client: &Client, instruments: &[&Instrument]) -> Result<(), DatabaseError> {
    let venues: Vec<i16> = instruments
        .iter()
        .map(|instrument| instrument.venue().0.into())
        .collect();
    let symbols: Vec<&str> = instruments
        .iter()
        .map(|instrument| instrument.symbol.as_str())
        .collect();
    let names: Vec<&str> = instruments.iter().map(|instrument| instrument.name.as_str()).collect();
    let price_decimals: Vec<i16> = instruments.iter().map(|i| i.scale.price_decimals().into()).collect();
    let size_decimals: Vec<i16> = instruments.iter().map(|i| i.scale.size_decimals().into()).collect();
    let text = |mantissa, decimals| DecimalText::new(mantissa, decimals).to_string();
    let ticks: Vec<String> = instruments
        .iter()
        .map(|i| text(i.tick, i.scale.price_decimals()))
        .collect();
    let lots: Vec<String> = instruments
        .iter()
        .map(|i| text(i.lot, i.scale.size_decimals()))
        .collect();
    client
        .execute(
            "INSERT INTO instruments AS known (venue, symbol, name, price_decimals, size_decimals, tick, lot)
             SELECT venue, symbol, name, price_decimals, size_decimals, tick::numeric, lot::numeric
               FROM unnest($1::smallint[], $2::text[], $3::text[], $4::smallint[], $5::smallint[], $6::text[], $7::text[])
                 AS new (venue, symbol, name, price_decimals, size_decimals, tick, lot)
             ON CONFLICT (venue, symbol) DO UPDATE SET name = excluded.name, price_decimals = excluded.price_decimals,
                 size_decimals = excluded.size_decimals, tick = excluded.tick, lot = excluded.lot, updated_at = now()
               WHERE (known.name, known.price_decimals, known.size_decimals, known.tick, known.lot)
                 IS DISTINCT FROM (excluded.name, excluded.price_decimals, excluded.size_decimals, excluded.tick, excluded.lot)",
            &[&venues, &symbols, &names, &price_decimals, &size_decimals, &ticks, &lots],
        )
        .await
        .map_err(DatabaseError::statement("making the keys of instruments"))?;
    Ok(())
}
