//! The journal as a reader of the certified stream.

use std::collections::BTreeMap;
use std::path::Path;

use tickpath_journal::{Batch, Journal};
use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::certified;
use crate::ledger::{Account, Ledger};

/// What a journal holds.
#[derive(Debug)]
pub struct Recorded {
    /// The certified records, and what is missing of them.
    pub account: Account,
    /// Sequence and receive time of each certified record.
    pub certified: BTreeMap<u64, i64>,
    /// Records of any kind.
    pub records: u64,
}

/// Reads a journal whole.
///
/// # Errors
/// If a batch of it is damaged.
pub fn read(dir: &Path, seed: u64) -> Result<Recorded, ProcessError> {
    let failed = "the journal cannot be read whole";
    let journal = Journal::open(dir).or_exit(ExitCode::Failed, failed)?;
    let mut cursor = journal.cursor(0).or_exit(ExitCode::Failed, failed)?;
    let mut batch = Batch::default();
    let mut ledger = Ledger::new(seed);
    let mut certified = BTreeMap::new();
    let (mut records, mut run_id) = (0, 0);
    while cursor.next(&mut batch).or_exit(ExitCode::Failed, failed)? {
        if batch.run_id != run_id {
            run_id = batch.run_id;
            ledger.forget_others();
        }
        for record in &batch.records {
            ledger.observe(record);
            if certified::is_certified(seed, record) {
                certified.insert(record.sequence, record.ts_recv);
            }
        }
        records += batch.records.len() as u64;
    }
    Ok(Recorded {
        account: ledger.account().clone(),
        certified,
        records,
    })
}
