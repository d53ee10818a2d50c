//! Memory files whose headers lie: each field with each kind of wrong value is refused by name, before anything is read through it.
#![cfg(not(loom))]

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{MemfdFlags, SealFlags};
use tickpath_protocol::Venue;
use tickpath_transport::LAYOUT_VERSION;
use tickpath_transport::broadcast::Reader;
use tickpath_transport::error::AttachError;
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::stream_ring::{StreamOwner, StreamRing};

const CAPACITY: usize = 256;

fn producer_ring() -> ProducerRing {
    let owner = RingOwner {
        venue: Venue::test(0),
        name: "forged".into(),
        run_id: 7,
        pid: 8,
        first_sequence: 1,
    };
    ProducerRing::create(owner, CAPACITY).unwrap()
}

fn contents(fd: BorrowedFd<'_>) -> Vec<u8> {
    let len = rustix::fs::fstat(fd).unwrap().st_size as usize;
    let mut bytes = vec![0; len];
    assert_eq!(rustix::io::pread(fd, &mut bytes[..], 0).unwrap(), len);
    bytes
}

/// A memory file with these contents, sealed as ours are.
fn forge(bytes: &[u8]) -> OwnedFd {
    let fd = rustix::fs::memfd_create("forged", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    rustix::fs::ftruncate(&fd, bytes.len() as u64).unwrap();
    assert_eq!(rustix::io::pwrite(&fd, bytes, 0).unwrap(), bytes.len());
    rustix::fs::fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL).unwrap();
    fd
}

/// 0, all ones, one more, one less, the bytes reversed, and some that look random.
fn wrong_values(right: u64) -> Vec<u64> {
    let mut values = vec![
        0,
        u64::MAX,
        right.wrapping_add(1),
        right.wrapping_sub(1),
        right.swap_bytes(),
        1 << 63,
    ];
    let mut x = right ^ 0x9e37_79b9_7f4a_7c15;
    for _ in 0..8 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        values.push(x);
    }
    values.retain(|value| *value != right);
    values
}

fn with_word(bytes: &[u8], offset: usize, value: u64) -> OwnedFd {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    forge(&bytes)
}

fn word(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

#[test]
fn a_faithful_copy_is_taken() {
    let ring = producer_ring();
    let copy = ProducerRing::open(forge(&contents(ring.file().as_fd()))).unwrap();
    assert_eq!(copy.owner(), ring.owner());
    let stream = StreamOwner::create(7, CAPACITY).unwrap();
    let copy = StreamRing::open(forge(&contents(stream.ring().file().as_fd()))).unwrap();
    assert_eq!(copy.run_id(), 7);
}

/// Fields that have one right value each.
#[test]
fn every_wrong_value_of_every_fixed_field_is_refused() {
    let ring = contents(producer_ring().file().as_fd());
    for (offset, field) in [
        (0, "magic"),
        (8, "layout version"),
        (16, "record size"),
        (24, "capacity"),
    ] {
        for value in wrong_values(word(&ring, offset)) {
            let error = ProducerRing::open(with_word(&ring, offset, value)).unwrap_err();
            let names_it = matches!(&error, AttachError::Header { field: found, .. } if *found == field);
            let is_size = field == "capacity" && matches!(error, AttachError::Size { .. });
            assert!(names_it || is_size, "{field} = {value:#x}: {error}");
        }
    }
    let stream = contents(StreamOwner::create(7, CAPACITY).unwrap().ring().file().as_fd());
    for (offset, field) in [(0, "magic"), (8, "layout version"), (16, "slot size"), (24, "capacity")] {
        for value in wrong_values(word(&stream, offset)) {
            let error = StreamRing::open(with_word(&stream, offset, value)).unwrap_err();
            let names_it = matches!(&error, AttachError::Header { field: found, .. } if *found == field);
            let is_size = field == "capacity" && matches!(error, AttachError::Size { .. });
            assert!(names_it || is_size, "{field} = {value:#x}: {error}");
        }
    }
    // Another power of two is a capacity, but not of this file.
    for capacity in [CAPACITY as u64 * 2, 1 << 26] {
        assert!(matches!(
            ProducerRing::open(with_word(&ring, 24, capacity)),
            Err(AttachError::Size { .. })
        ));
    }
}

/// Cursors, row counts and identity: many values are possible, those that are not are refused.
#[test]
fn impossible_cursors_counts_and_identities_are_refused() {
    let ring = contents(producer_ring().file().as_fd());
    let (produced, consumed, rows) = (256, 384, 512);
    for value in [CAPACITY as u64 + 1, u64::MAX, 1 << 63] {
        let error = ProducerRing::open(with_word(&ring, produced, value)).unwrap_err();
        assert!(matches!(error, AttachError::Cursors(_)), "{error}");
    }
    for value in [1, CAPACITY as u64, u64::MAX] {
        let error = ProducerRing::open(with_word(&ring, consumed, value)).unwrap_err();
        assert!(matches!(error, AttachError::Cursors(_)), "{error}");
    }
    for (offset, values, field) in [
        (rows, [8193, 1 << 40, u64::MAX], "rows"),
        (32, [0, 256, u64::MAX], "venue"),
        (40, [0, 1 << 63, u64::MAX], "run id"),
        (48, [0, 1 << 32, u64::MAX], "pid"),
        (56, [0, 1 << 63, u64::MAX], "first sequence"),
    ] {
        for value in values {
            let error = ProducerRing::open(with_word(&ring, offset, value)).unwrap_err();
            let names_it = matches!(&error, AttachError::Header { field: found, .. } if *found == field);
            assert!(names_it, "{field} = {value:#x}: {error}");
        }
    }
    for (offset, value) in [
        (64, 0),
        (64, 65),
        (64, u64::MAX),
        (72, u64::MAX),
        (72, 0x0a0a_0a0a_0a0a_0a0a),
    ] {
        let error = ProducerRing::open(with_word(&ring, offset, value)).unwrap_err();
        assert_eq!(error, AttachError::Name);
    }
    let stream = contents(StreamOwner::create(7, CAPACITY).unwrap().ring().file().as_fd());
    for value in [16385, u64::MAX] {
        let error = StreamRing::open(with_word(&stream, 384, value)).unwrap_err();
        assert!(matches!(error, AttachError::Header { field: "rows", .. }), "{error}");
    }
}

/// No value of the word that counts image requests means anything by itself: all are taken, and the next request is another one.
#[test]
fn any_count_of_image_requests_goes_on() {
    let ring = contents(producer_ring().file().as_fd());
    for value in wrong_values(0) {
        let ring = ProducerRing::open(with_word(&ring, 640, value)).unwrap();
        assert_eq!(ring.images_wanted(), value);
        ring.want_images();
        assert_eq!(ring.images_wanted(), value.wrapping_add(1));
    }
}

/// A build of before is told so, not read in part.
#[test]
fn the_layout_before_this_one_is_refused_by_its_version() {
    let ring = contents(producer_ring().file().as_fd());
    let error = ProducerRing::open(with_word(&ring, 8, 1)).unwrap_err();
    let expected = u64::from(LAYOUT_VERSION);
    assert_eq!(
        error,
        AttachError::Header {
            field: "layout version",
            found: 1,
            expected
        }
    );
}

#[test]
fn files_that_are_cut_or_too_long_are_refused() {
    let ring = contents(producer_ring().file().as_fd());
    for len in [8, 255, 256, 1024, 4096, ring.len() - 8, ring.len() - 1] {
        let error = ProducerRing::open(forge(&ring[..len])).unwrap_err();
        assert!(matches!(error, AttachError::Size { .. }), "{len}: {error}");
    }
    let mut longer = ring;
    longer.push(0);
    assert!(matches!(
        ProducerRing::open(forge(&longer)),
        Err(AttachError::Size { .. })
    ));
}

/// Whatever single word of the header is changed to whatever: an answer, and nothing read outside.
#[test]
fn any_word_of_a_header_may_hold_anything() {
    let ring = contents(producer_ring().file().as_fd());
    let stream = contents(StreamOwner::create(7, CAPACITY).unwrap().ring().file().as_fd());
    for offset in (0..1024).step_by(8) {
        for value in wrong_values(word(&ring, offset)).into_iter().take(7) {
            if let Ok(ring) = ProducerRing::open(with_word(&ring, offset, value)) {
                assert!(ring.row_count().is_ok());
                assert!(ring.next_sequence() >= 1);
            }
        }
        for value in wrong_values(word(&stream, offset)).into_iter().take(7) {
            if let Ok(stream) = StreamRing::open(with_word(&stream, offset, value)) {
                assert!(stream.row_count().is_ok());
                assert!(stream.producers_before(u64::MAX).count() < 256);
                let mut reader = Reader::oldest(stream);
                for _ in 0..4 {
                    let _step = reader.next();
                }
            }
        }
    }
}
