//! Order entry at the simulated Coinbase: what the engine asks for goes to the venue, what the venue says comes back as records.
//!
//! Why it is a process of its own: it alone holds the key; an engine that hangs, dies or is stopped must not keep anybody from canceling what rests; and the
//! engine's hot thread must not wait for a socket.
//!
//! ```text
//!  broadcast ring ─▶ stream thread ─▶ desk ─▶ one life an order ──REST──▶ venue
//!                                      ▲              │     ▲
//!  kill latch ─────────────────────────┘              ▼     └── `user` channel: look again
//!                                           SPSC ring ─▶ relay ─▶ engine
//! ```
//!
//! Promises: an order id is sent at most once, whatever is lost; an order whose outcome is not known is asked for until the venue has said what became of it;
//! a fill is reported with what is filled in all, in the venue's order, so that a repetition changes nothing. With the kill latch set nothing is sent, and all that
//! rests at the venue is canceled, the engine's help or not.
//!
//! Refuses: to replace orders (the venue offers no such call), and reduce-only orders that would rest. Believes nothing else of the venue than what fits the order: what does
//! not is counted and asked for again.
//!
//! | module | what it is | touches |
//! |---|---|---|
//! | [`ask`] | an order as the engine's records ask for it | nothing |
//! | [`case`] | what is known of an order, and what is news of it | nothing |
//! | [`venue`] | the venue's words ([`venue::wire`]), calls and `user` channel | sockets |
//! | [`stream`] | what the engine says | the broadcast ring |
//! | [`desk`] | every order under way, the latch, what rests and nobody knows | the others |
//! | `life` | one order, from its sending to its end | the venue |

pub mod ask;
pub mod case;
pub mod desk;
mod life;
pub mod meters;
pub mod stream;
pub mod teller;
pub mod venue;

/// The name at the relay and of the counter page.
pub const NAME: &str = "gateway";
