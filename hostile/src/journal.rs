//! A journal segment: header, instrument rows, records, entries of batches.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tickpath_journal::header::PAGE_BYTES;
use tickpath_journal::{Batch, Found, SegmentReader, name};

/// Where the header's checksum stands, and the index in its name.
const HEADER_CRC: usize = PAGE_BYTES - 4;
const FIRST_INDEX: usize = 32;
/// An entry's size without stamps, and where its count and checksum stand.
const ENTRY_BYTES: usize = 64;
const ENTRY_COUNT: usize = 4;
const ENTRY_CRC: usize = 60;
/// Bytes of the files that are written; longer inputs say nothing more.
const FILE_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static PLACE: TempDir = place();
}

/// In memory where there is such a place.
fn place() -> TempDir {
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    };
    dir.expect("a temporary directory")
}

/// Two files: a byte of flags, the length of the first (u32, little-endian), its bytes, those of the second. With flag 1 the checksums of headers and entries
/// are put right first, so that what lies behind them is reached.
///
/// # Panics
/// If a batch that was returned is none, or the reader does not come to an end.
pub fn journal(data: &[u8]) {
    let Some(([flags, a, b, c, d], rest)) = data.split_first_chunk() else {
        return;
    };
    let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
    let (records, batches) = rest.split_at(length.min(rest.len()));
    if records.len() > FILE_BYTES_MAX || batches.len() > FILE_BYTES_MAX {
        return;
    }
    let (mut records, mut batches) = (records.to_vec(), batches.to_vec());
    if flags & 1 == 1 {
        mend(&mut records, HEADER_CRC, HEADER_CRC);
        mend(&mut batches, HEADER_CRC, HEADER_CRC);
        mend_entries(&mut batches);
    }
    PLACE.with(|place| {
        let path = write(place.path(), &records, &batches);
        read(&path);
        for file in [&path, &path.with_extension(name::BATCHES_EXTENSION)] {
            fs::remove_file(file).expect("a file of ours");
        }
    });
}

/// Files as a seed: the inverse of what [`journal`] takes apart.
#[must_use]
pub fn seed(records: &[u8], batches: &[u8]) -> Vec<u8> {
    let length = u32::try_from(records.len()).expect("a small segment");
    [&[1][..], &length.to_le_bytes(), records, batches].concat()
}

fn write(dir: &Path, records: &[u8], batches: &[u8]) -> PathBuf {
    let first_index = records
        .get(FIRST_INDEX..FIRST_INDEX + 8)
        .map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
    let path = dir.join(format!("{}.{}", name::stem(0, first_index), name::RECORDS_EXTENSION));
    fs::write(&path, records).expect("room for a small file");
    fs::write(path.with_extension(name::BATCHES_EXTENSION), batches).expect("room for a small file");
    path
}

fn read(path: &Path) {
    let Ok(mut reader) = SegmentReader::open(path) else {
        return;
    };
    let (mut batch, mut next) = (Batch::default(), reader.header().first_index);
    // More batches than the smallest entries fit into the largest file would be one too many.
    for _ in 0..=FILE_BYTES_MAX / ENTRY_BYTES {
        match reader.next(&mut batch, 0, u64::MAX) {
            Ok(Found::Batch) => {
                assert_eq!(batch.first_index, next, "indexes are dense");
                assert!(!batch.records.is_empty(), "a batch holds records");
                assert_eq!(
                    batch.records.len(),
                    batch.published_ns.len(),
                    "each record has its time"
                );
                next = batch.next_index();
            }
            Ok(Found::End) | Err(_) => {
                if let Err(error) = reader.footer() {
                    assert!(!error.to_string().is_empty(), "an error says what is wrong");
                }
                return;
            }
        }
    }
    panic!("the segment has no end");
}

/// Puts the checksum at `at` right, over the `len` bytes before it.
fn mend(bytes: &mut [u8], at: usize, len: usize) {
    if bytes.len() >= at + 4 {
        let crc = crc32c::crc32c(&bytes[at - len..at]);
        bytes[at..at + 4].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Puts the checksum of each entry right that is there as a whole.
fn mend_entries(batches: &mut [u8]) {
    let mut at = PAGE_BYTES;
    while let Some(entry) = batches.get(at..at + ENTRY_BYTES) {
        let count = u32::from_le_bytes(entry[ENTRY_COUNT..ENTRY_COUNT + 4].try_into().expect("four bytes")) as usize;
        let end = at + ENTRY_BYTES + 4 * count;
        let Some(stamps) = batches.get(at + ENTRY_BYTES..end) else {
            return;
        };
        let crc = crc32c::crc32c_append(crc32c::crc32c(&batches[at..at + ENTRY_CRC]), stamps);
        batches[at + ENTRY_CRC..at + ENTRY_BYTES].copy_from_slice(&crc.to_le_bytes());
        at = end;
    }
}
