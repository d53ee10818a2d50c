//! From a venue's WebSocket frames to records.
//!
//! Bytes go in at one end and records come out at the other through four parts, each of which can be used without the next:
//!
//! - [`decode`]: one frame to [`decode::Decoded`] events, a pure function of the frame and the symbols subscribed to;
//! - [`dialect`]: what differs between venues: names, JSON shapes, addresses, limits; a folder a venue;
//! - [`sync`]: books kept in sync by the venue's own rule; what is not proven is marked, resynced and said;
//! - [`session`]: sockets, timers and files around them.
//!
//! [`capture`] keeps frames on disk as they came, and [`offline`] drives the same feed over them.
//!
//! The first three do no I/O and read no clock, so `tickpath decode` and the tests run the same code on recorded feeds.

pub mod capture;
pub mod decode;
pub mod dialect;
pub mod offline;
pub mod select;
pub mod session;
pub mod sync;
