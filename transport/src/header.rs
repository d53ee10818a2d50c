//! The first words of a memory file: what it is, of which layout, whose. Written before the file is handed out, read once at attach.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{AttachError, CAPACITY_MAX, CAPACITY_MIN, NAME_LEN_MAX, TransportError};
use crate::memory::{Area, MemoryFile};

/// The first words of a file.
pub struct Header(Area<AtomicU64>);

impl Header {
    /// The header of a file.
    ///
    /// # Errors
    /// If the file is too short for one.
    pub fn of(file: &MemoryFile, words: usize) -> Result<Header, AttachError> {
        file.area(0, words).map(Header).ok_or(AttachError::Size {
            found: file.len() as u64,
            expected: 8 * words as u64,
        })
    }

    /// Writes a word. No order is needed: the file is handed over through a socket later.
    pub fn set(&self, word: usize, value: u64) {
        self.0[word].store(value, Ordering::Relaxed);
    }

    /// Reads a word.
    pub fn get(&self, word: usize) -> u64 {
        self.0[word].load(Ordering::Relaxed)
    }

    /// Reads a word that can have one value only.
    pub fn expect(&self, word: usize, field: &'static str, expected: u64) -> Result<(), AttachError> {
        match self.get(word) {
            found if found == expected => Ok(()),
            found => Err(AttachError::Header { field, found, expected }),
        }
    }

    /// Reads a capacity: a power of two within the limits.
    pub fn capacity(&self, word: usize) -> Result<usize, AttachError> {
        let found = self.get(word);
        usize::try_from(found)
            .ok()
            .filter(|capacity| check_capacity(*capacity).is_ok())
            .ok_or(AttachError::Header {
                field: "capacity",
                found,
                expected: CAPACITY_MIN as u64,
            })
    }

    /// Writes a name: its length, then its bytes.
    pub fn set_name(&self, word: usize, name: &str) -> Result<(), TransportError> {
        check_name(name)?;
        let mut bytes = [0; NAME_LEN_MAX];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        self.set(word, name.len() as u64);
        for (index, chunk) in bytes.as_chunks().0.iter().enumerate() {
            self.set(word + 1 + index, u64::from_le_bytes(*chunk));
        }
        Ok(())
    }

    /// Reads a name.
    pub fn name(&self, word: usize) -> Result<String, AttachError> {
        let mut bytes = [0; NAME_LEN_MAX];
        for (index, chunk) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *chunk = self.get(word + 1 + index).to_le_bytes();
        }
        let len = usize::try_from(self.get(word)).unwrap_or(usize::MAX);
        match bytes.get(..len).map(std::str::from_utf8) {
            Some(Ok(name)) if check_name(name).is_ok() => Ok(name.to_owned()),
            _ => Err(AttachError::Name),
        }
    }
}

/// Refuses capacities that no ring can have.
pub fn check_capacity(capacity: usize) -> Result<(), TransportError> {
    if capacity.is_power_of_two() && (CAPACITY_MIN..=CAPACITY_MAX).contains(&capacity) {
        Ok(())
    } else {
        Err(TransportError::Capacity(capacity))
    }
}

/// Refuses names that fit no header or would spoil a log line.
pub fn check_name(name: &str) -> Result<(), TransportError> {
    if (1..=NAME_LEN_MAX).contains(&name.len()) && !name.contains(char::is_control) {
        Ok(())
    } else {
        Err(TransportError::Name(name.len()))
    }
}

/// Refuses a file whose size is not what its header asks for.
pub fn check_size(file: &MemoryFile, expected: usize) -> Result<(), AttachError> {
    if file.len() == expected {
        Ok(())
    } else {
        Err(AttachError::Size {
            found: file.len() as u64,
            expected: expected as u64,
        })
    }
}
