//! Every call that a script makes to the disk, and every piece of memory that SQLite asks for, fails in every way. Answers are right:
//! what was done is there, what was refused is not, of what is unknown the key tells; and afterwards the file takes operations again.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(unreachable_pub)]

mod books;
mod copies;
mod exchange;
mod script;
mod sweep;
