//! The command as its users meet it: real files, real processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail in any way it likes"
)]

mod bad_input;
mod batch;
mod beside;
mod commands;
mod endings;
mod formats;
mod home;
mod proof;
