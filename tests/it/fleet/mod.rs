//! A model of sync, written from its design alone: a hub and its devices, each a log and the state that is its fold. Random
//! schedules of whole fleets run on it, and every invariant of the design is looked at. It shares no code with the library.
pub mod account;
pub mod answer;
pub mod apply;
#[cfg(test)]
mod asked;
pub mod carry;
pub mod check;
pub mod clock;
#[cfg(test)]
mod cut;
pub mod decide;
pub mod device;
pub mod facts;
pub mod generate;
#[cfg(test)]
mod guess;
pub mod hub;
#[cfg(test)]
mod itself;
pub mod model;
#[cfg(test)]
mod order;
pub mod own;
#[cfg(test)]
mod played;
pub mod plots;
#[cfg(test)]
mod real;
pub mod rebase;
pub mod run;
pub mod steps;
pub mod wrong;

pub const HOUR: i64 = 3_600_000;
pub const DAY: i64 = 24 * HOUR;
pub const START: i64 = 1_772_357_400_000;
pub const MAX_HOLD: i64 = DAY;
pub const ACCOUNTS: u8 = 4;
/// A hub, its devices and their copies.
pub const MOST_NODES: usize = 6;
