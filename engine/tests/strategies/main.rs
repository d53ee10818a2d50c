//! The built-in strategies in the real engine, over the paper venue: small markets whose orders were computed by hand, and long ones.

mod arbitrage;
mod avellaneda;
mod bars;
mod desk;
mod hostile;
mod registry;
mod steady;
