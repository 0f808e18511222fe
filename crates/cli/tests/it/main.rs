//! The command as its users meet it: real files, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test may fail in any way it likes"
)]

mod bad_input;
mod batch;
mod beside;
mod browser;
mod clock;
mod commands;
mod doctor;
mod endings;
mod explain;
mod formats;
mod help;
mod home;
mod hub;
#[cfg(target_os = "linux")]
mod killed;
mod mistakes;
mod page;
mod proof;
mod reports;
mod shown;
mod sync;
mod terminal;
#[path = "../../../../tests/it/tools.rs"]
mod tools;
mod zones;
