//! Limits by address: how many connections one may have, how fast it may open new ones, how often it may guess a token.
//!
//! One address cannot take all places, and cannot try tokens as fast as the line carries them. An IPv6 address stands for its /64, which one
//! host has as a rule. On loopback every client of this host, and every client behind a proxy on it, has the same address, so there the limits
//! hold only where `bridge.limit_loopback` says so: else a local program that guesses tokens would lock the operator out of the kill switch.
//!
//! The table has [`ADDRESSES_MAX`] rows. A row that says nothing any more (no connection, all allowances whole) makes room; if all say something,
//! further addresses share one row, so that memory stays bounded and a flood from many addresses is slowed as one.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tickpath_service::config::Bridge as Settings;

use crate::rate::Bucket;

/// Addresses that are kept apart.
pub const ADDRESSES_MAX: usize = 4_096;
/// How often the table is searched for rows that say nothing any more.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// What stands for every address that has no row of its own.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// What an address may do.
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    /// Connections at one time.
    pub connections_max: usize,
    /// New connections a second.
    pub connects_per_second_max: u32,
    /// Wrong tokens a minute.
    pub wrong_tokens_per_minute_max: u32,
    /// Whether all this holds for loopback too.
    pub limit_loopback: bool,
}

impl From<&Settings> for AddressLimits {
    fn from(settings: &Settings) -> AddressLimits {
        AddressLimits {
            connections_max: settings.address_connections_max,
            connects_per_second_max: settings.address_connects_per_second_max,
            wrong_tokens_per_minute_max: settings.address_wrong_tokens_per_minute_max,
            limit_loopback: settings.limit_loopback,
        }
    }
}

/// Which limit an address has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// Connections at one time.
    Connections,
    /// New connections a second.
    Connects,
}

/// The addresses of the clients of now and of the last minute.
#[derive(Debug)]
pub struct Addresses {
    limits: AddressLimits,
    table: Mutex<Table>,
}

#[derive(Debug)]
struct Table {
    rows: HashMap<IpAddr, Row>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Row {
    connections: usize,
    connects: Bucket,
    wrong_tokens: Bucket,
}

/// The place of one connection; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    addresses: Arc<Addresses>,
    row: Option<IpAddr>,
}

impl Addresses {
    /// An empty table.
    #[must_use]
    pub fn new(limits: AddressLimits) -> Arc<Addresses> {
        let table = Table {
            rows: HashMap::new(),
            swept: None,
        };
        Arc::new(Addresses {
            limits,
            table: Mutex::new(table),
        })
    }

    /// A place for a new connection of `address`.
    ///
    /// # Errors
    /// The limit that the address has reached.
    pub fn admit(self: &Arc<Self>, address: IpAddr, now: Instant) -> Result<Place, Reached> {
        let row = match self.key(address) {
            None => None,
            Some(key) => {
                let mut table = self.table();
                let key = table.place(key, &self.limits, now);
                let row = table.row(key, &self.limits, now);
                if !row.connects.take(now) {
                    return Err(Reached::Connects);
                }
                if row.connections >= self.limits.connections_max {
                    return Err(Reached::Connections);
                }
                row.connections += 1;
                Some(key)
            }
        };
        Ok(Place {
            addresses: Arc::clone(self),
            row,
        })
    }

    /// Whether a token of `address` is looked at: not after too many wrong ones.
    #[must_use]
    pub fn may_try_token(&self, address: IpAddr, now: Instant) -> bool {
        let Some(key) = self.key(address) else { return true };
        self.table().of(key, &self.limits, now).wrong_tokens.has_one(now)
    }

    /// `address` brought a wrong token.
    pub fn note_wrong_token(&self, address: IpAddr, now: Instant) {
        let Some(key) = self.key(address) else { return };
        self.table().of(key, &self.limits, now).wrong_tokens.take(now);
    }

    /// Whose row an address has; `None`: no limit holds for it.
    fn key(&self, address: IpAddr) -> Option<IpAddr> {
        let address = address.to_canonical();
        if address.is_loopback() && !self.limits.limit_loopback {
            return None;
        }
        Some(match address {
            IpAddr::V6(address) if !address.is_loopback() => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
            address => address,
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(key) = self.row else { return };
        if let Some(row) = self.addresses.table().rows.get_mut(&key) {
            row.connections = row.connections.saturating_sub(1);
        }
    }
}

impl Table {
    /// The key of the row that an address gets: its own if it has one or there is room.
    fn place(&mut self, key: IpAddr, limits: &AddressLimits, now: Instant) -> IpAddr {
        if self.rows.contains_key(&key) {
            return key;
        }
        let is_due = self
            .swept
            .is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_INTERVAL);
        if self.rows.len() >= ADDRESSES_MAX && is_due {
            self.swept = Some(now);
            self.rows.retain(|_, row| row.says_something(now));
        }
        if self.rows.len() < ADDRESSES_MAX {
            self.row(key, limits, now);
            return key;
        }
        OTHERS
    }

    /// The row of an address that may have got none of its own.
    fn of(&mut self, key: IpAddr, limits: &AddressLimits, now: Instant) -> &mut Row {
        let key = self.place(key, limits, now);
        self.row(key, limits, now)
    }

    fn row(&mut self, key: IpAddr, limits: &AddressLimits, now: Instant) -> &mut Row {
        self.rows.entry(key).or_insert_with(|| Row {
            connections: 0,
            connects: Bucket::new(limits.connects_per_second_max, Duration::from_secs(1), now),
            wrong_tokens: Bucket::new(limits.wrong_tokens_per_minute_max, Duration::from_secs(60), now),
        })
    }
}

impl Row {
    fn says_something(&mut self, now: Instant) -> bool {
        self.connections > 0 || !self.connects.is_full(now) || !self.wrong_tokens.is_full(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AddressLimits = AddressLimits {
        connections_max: 3,
        connects_per_second_max: 5,
        wrong_tokens_per_minute_max: 2,
        limit_loopback: false,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn places_come_back_and_rates_recover() {
        let (addresses, start) = (Addresses::new(LIMITS), Instant::now());
        let one = ip("192.0.2.1");
        let places: Vec<Place> = (0..3).map(|_| addresses.admit(one, start).unwrap()).collect();
        assert_eq!(addresses.admit(one, start).unwrap_err(), Reached::Connections);
        drop(places);
        assert!(addresses.admit(one, start).is_ok());
        assert_eq!(addresses.admit(one, start).unwrap_err(), Reached::Connects);
        assert!(
            addresses.admit(ip("192.0.2.2"), start).is_ok(),
            "another address is another"
        );
        assert!(addresses.admit(one, start + Duration::from_millis(250)).is_ok());
    }

    #[test]
    fn wrong_tokens_are_few_a_minute() {
        let (addresses, start) = (Addresses::new(LIMITS), Instant::now());
        let one = ip("192.0.2.1");
        for _ in 0..2 {
            assert!(addresses.may_try_token(one, start));
            addresses.note_wrong_token(one, start);
        }
        assert!(!addresses.may_try_token(one, start));
        assert!(addresses.may_try_token(ip("192.0.2.2"), start));
        assert!(addresses.may_try_token(one, start + Duration::from_secs(31)));
    }

    #[test]
    fn loopback_is_limited_on_demand_and_networks_count_as_one() {
        let start = Instant::now();
        let free = Addresses::new(LIMITS);
        let held: Vec<Place> = (0..100).map(|_| free.admit(ip("127.0.0.1"), start).unwrap()).collect();
        assert_eq!((held.len(), free.table().rows.len()), (100, 0));
        let strict = Addresses::new(AddressLimits {
            limit_loopback: true,
            ..LIMITS
        });
        let same = ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3"].map(ip);
        let places = same.map(|address| strict.admit(address, start).unwrap());
        assert_eq!(
            strict.admit(ip("2001:db8::4"), start).unwrap_err(),
            Reached::Connections
        );
        assert!(strict.admit(ip("2001:db8:0:1::1"), start).is_ok());
        let mapped = (0..3).map(|_| strict.admit(ip("::ffff:127.0.0.1"), start).unwrap());
        let mapped: Vec<Place> = mapped.collect();
        assert_eq!(strict.admit(ip("127.0.0.1"), start).unwrap_err(), Reached::Connections);
        assert_eq!(places.len(), mapped.len());
    }

    #[test]
    fn the_table_is_bounded_and_makes_room() {
        let (addresses, start) = (Addresses::new(LIMITS), Instant::now());
        let many = |from: u32| (from..from + ADDRESSES_MAX as u32).map(|n| IpAddr::V4((0x0a00_0000 + n).into()));
        for address in many(0) {
            drop(addresses.admit(address, start).unwrap());
        }
        // Each of these took from its allowance just now, so all further ones share one, and it is soon used up.
        let outcomes: Vec<bool> = many(1 << 20)
            .map(|address| addresses.admit(address, start).is_ok())
            .collect();
        assert_eq!(outcomes.iter().filter(|is_ok| **is_ok).count(), 5);
        assert_eq!(addresses.table().rows.len(), ADDRESSES_MAX + 1);
        let later = start + Duration::from_secs(2);
        assert!(addresses.admit(ip("192.0.2.1"), later).is_ok());
        assert_eq!(addresses.table().rows.len(), 1);
    }
}
