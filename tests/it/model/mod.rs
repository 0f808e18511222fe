//! A test model of the ledger, written from its design alone.
pub mod audit;
pub mod books;
pub mod clock;
#[cfg(test)]
mod clock_examples;
pub mod compose;
pub mod decide;
#[cfg(test)]
mod examples;
pub mod generate;
pub mod instant;
#[cfg(test)]
mod itself;
pub mod laws;
pub mod plans;
pub mod prices;
pub mod request;
pub mod rollover;
pub mod rules;
pub mod rules_more;
pub mod shrink;
pub mod steps;
pub mod time;
pub mod views;
