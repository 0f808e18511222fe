//! Integration tests: the public API only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    missing_docs,
    unreachable_pub
)]

mod against;
mod answers;
mod bad_input;
mod clock;
mod corpus;
mod crash;
#[cfg(target_os = "linux")]
mod cuts;
mod damage;
mod doctor;
mod everywhere;
mod examples_run;
mod exchanged;
mod explain;
mod faults;
mod fixture;
mod fleet;
mod holds;
mod life;
mod metadata;
mod model;
mod moving;
mod names;
mod notices;
mod overview;
mod package;
mod plans;
mod prices;
mod proof;
mod questions;
mod refusals;
mod reports;
mod rollover;
mod said;
mod scheduled;
mod schema;
mod shapes;
#[cfg(target_os = "linux")]
mod soak;
mod support;
mod sync;
mod together;
mod tools;
mod white_space;
mod worked;
