//! counterfoil is an embedded ledger for credit points: one SQLite file, linked in-process.
//!
//! Points are recharged in batches that may expire, consumed in a fixed order, held for jobs in progress, refunded,
//! revoked, transferred. Everything done is an operation with an idempotency key, in a hash chain, never changed;
//! mistakes are mended by new operations. Balances are always right at the instant they are read.
//!
//! ```
//! use counterfoil::{AccountId, Hold, Key, Ledger, Points, Recharge, Usage};
//! use std::time::Duration;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("points.ledger");
//! let ledger = Ledger::options().create_if_missing(true).pricing_file("config/pricing.toml").open(&path)?;
//! let me = AccountId::new("local-user")?;
//! ledger.recharge(&me, &Key::new("order:wx-881")?, Recharge::new(Points::new(320)?, "wxpay"))?;
//!
//! let quote = ledger.estimate("tts", &Usage::chars(1_200))?;
//! let hold = ledger.hold(&me, &Key::new("task:19")?, Hold::quoted(&quote, Duration::from_secs(3600)))?;
//! let took = Duration::from_millis(61_200); // … the job runs …
//! let receipt = ledger.capture(&hold.id, &Key::new("task:19")?, Usage::duration(took))?;
//! assert!(receipt.points == 21 && receipt.balance.available == 299);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is one way to each thing:
//!
//! | to | use |
//! |---|---|
//! | open or create a file | [`Ledger::options`] |
//! | change the books, in Rust | a verb of [`Ledger`] with its struct, like [`Ledger::recharge`] with [`Recharge`] |
//! | change them from JSON | [`Request::parse`] and [`Ledger::apply`]; many at once: [`Ledger::batch`], or a run of lines ([`batch`]) |
//! | look, in Rust | a verb of [`Ledger`]; those that give lists take a [`Query`], and [`Query::each`] follows the pages |
//! | draw an account's page | [`Ledger::overview`]: figures, batches, holds, plans and newest lines of one instant |
//! | look from JSON | [`Question::parse`] and [`Ledger::ask`] |
//! | read what reports say | the types in [`report`]; what other answers are made of is in [`answer`] |
//! | hear of changes | [`Ledger::watch`], which tells [`Notice`]s |
//! | set prices | [`Options::pricing_file`], or a book of [`pricing`] |
//! | look into files that ledgers send each other | [`exchange`] |
//! | know what may be said | [`schema`] |
//! | tell errors apart | [`Error::code`], or its kind ([`error`]) |
//! | prove the file | [`Ledger::verify`] |
//!
//! Every answer is plain data that serde writes and reads. What is so many points is [`Points`]; totals, changes and counts
//! are `i64`. [`Error`] says what went wrong and what to do. The repository's README has a tour, ARCHITECTURE.md the
//! invariants.

// Without exchange files nobody asks for what is there to answer them.
#![cfg_attr(not(feature = "sync"), allow(dead_code, unused_imports))]

mod audit;
mod chain;
mod db;
mod engine;
pub mod error;
pub mod exchange;
mod file;
mod hash;
mod ledger;
mod model;
pub mod notice;
pub mod pricing;
pub mod quantity;
pub mod report;
mod spelling;
mod store;
mod units;
mod writer;

/// What answers are made of: the parts of a receipt, a balance, a list, a proof.
pub mod answer {
    pub use crate::audit::{Checked, Fault, Progress, Verification};
    pub use crate::file::{Backup, Closing, ExpireReport};
    pub use crate::hash::Hash;
    pub use crate::ledger::Answer;
    pub use crate::model::{
        AccountState, AccountsOpen, Allocation, Balances, BatchInfo, BatchState, Check, Figures, Held, HoldInfo,
        HoldMark, HoldState, Made, Movement, NewValue, NextExpiry, Overview, Place, PlanInfo, PlanMark, PlanState,
        Slice, Totals,
    };
}
/// What [`Options::diagnose`] finds out, as data.
pub mod diagnosis {
    pub use crate::audit::Diagnosis;
    pub use crate::model::{BookUse, Debtor, Fact, Finding, Level, Open, Rights, SideFile, Topic};
}
/// The clock a ledger reads ([`Options::clock`]): the system's, or one that a test sets.
pub mod clock {
    pub use crate::units::{Clock, ManualClock, SystemClock};
}
/// A ledger's exchange with others ([`Ledger::exchange`]).
#[cfg(feature = "sync")]
pub mod sync {
    pub use crate::ledger::{EvidenceReport, Exchange, FolderReport, ImportTerms, Imported, RefusedFile, TakenFile};
}
/// Many operations in one run.
pub mod batch {
    pub use crate::ledger::{BatchRun, Whole};
}
/// What requests and questions may say, and what is answered, as data: every operation and question with its fields.
pub mod schema {
    #[cfg(feature = "schema")]
    pub use crate::ledger::answer_schema;
    pub use crate::model::operations::{FACTS, Field, FieldKind, KEY, OPERATIONS, Operation, ROLLOVER, TARGETS};
    pub use crate::model::schema::{question_schema, request_schema};
    pub use crate::model::{QUESTIONS, QuestionKind};
    pub use crate::spelling::nearest;
}

pub use chrono;
pub use error::{Error, Result};
pub use ledger::{IdSource, Ledger, Options, Watch};
pub use model::builders::*;
pub use model::{
    AccountId, Balance, BatchId, Entry, EntryKind, Every, HoldId, Key, Metadata, OpKind, OperationId, Page, Period,
    PlanId, Query, Question, Quote, Receipt, Request, Rollover,
};
pub use notice::Notice;
pub use quantity::Usage;
pub use units::Points;
pub use writer::Durability;

/// The README's Rust example is compiled with the examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../docs/app.md")]
struct App;
