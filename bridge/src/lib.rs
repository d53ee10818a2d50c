//! The bridge: the stream of the relay as JSON over WebSocket, some HTTP, and the dashboard.
//!
//! ```text
//!  relay ══ring══▶ reading thread: market ──▶ hub ──▶ outbox ──▶ task ──▶ client
//!                      ▲   (one)    state     topics   (one a client, bounded)
//!                      └───────── commands ◀───────────┘
//! ```
//!
//! Why it is a process of its own: browsers are slow and hostile, JSON is costly, and neither may touch what is hot. One thread reads
//! the ring, keeps the state of every instrument ([`market`], [`state`]), encodes each message once ([`message`]) and hands it to all who
//! subscribed ([`hub`], [`client`]); tasks write to sockets ([`ws`]). The thread never waits for a client: an [`outbox`] that is full makes
//! its client conflated, and a client that stays behind is closed with a reason.
//!
//! Promises: a snapshot, then every update, without hole or overlap, or a newer snapshot that says how many updates it stands for;
//! prices and sizes are the venue's digits; nothing that a client sends can make the process panic, grow without bound or serve others
//! late. Refuses: clients beyond the limits, of all and of one address, foreign origins, wrong tokens, frames, rates and subscriptions beyond
//! the limits.

pub mod access;
pub mod address;
pub mod assets;
mod bridge;
pub mod client;
pub mod context;
pub mod credit;
pub mod event;
pub mod fleet;
mod followers;
pub mod host;
pub mod http;
pub mod hub;
pub mod images;
pub mod kill;
pub mod market;
pub mod message;
pub mod metrics;
pub mod observe;
pub mod outbox;
pub mod prometheus;
pub mod rate;
pub mod reader;
mod recording;
mod reports;
pub mod request;
pub mod server;
pub mod state;
mod subscribe;
pub mod system;
pub mod tls;
pub mod topic;
pub mod traces;
pub mod trading;
pub mod units;
pub mod ws;

pub use bridge::{Bridge, PROCESS, Timing};
