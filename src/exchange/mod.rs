//! Files in which ledgers tell each other what they did: what is in one, whether it is whole, and who signed it.
//!
//! An exchange file is lines of JSON: a header ([`Header`]), price books, lines, and a last line with the count, the BLAKE3 of
//! all bytes before it and an Ed25519 signature of that. `zcat | jq` shows it, `b3sum` checks it. It ends in `.cfx`, or in
//! `.cfx.gz` when it is packed. [`Outgoing`] writes one, [`inspect`] reads it, and nobody has to trust whoever carried it.
//!
//! Limits: 64 MiB unpacked, 100 000 lines; a line has at most 64 KiB when it goes up, else 1 MiB; 16 levels of nesting, 64
//! marks, 16 price books of 256 KiB. They hold while a file is read, before anything of it is kept.
//!
//! Without the feature `sync` there are neither files nor signatures.

#[cfg(feature = "sync")]
mod answer;
#[cfg(feature = "sync")]
mod disk;
#[cfg(feature = "sync")]
mod down;
#[cfg(feature = "sync")]
mod export;
#[cfg(feature = "sync")]
mod fields;
#[cfg(feature = "sync")]
mod frame;
#[cfg(feature = "sync")]
mod header;
#[cfg(feature = "sync")]
mod hearing;
#[cfg(feature = "sync")]
mod import;
#[cfg(feature = "sync")]
mod incoming;
#[cfg(feature = "sync")]
mod keys;
#[cfg(feature = "sync")]
mod name;
#[cfg(feature = "sync")]
mod outgoing;
#[cfg(feature = "sync")]
mod signer;
#[cfg(feature = "sync")]
mod source;
#[cfg(test)]
mod tests;
#[cfg(feature = "sync")]
mod up;

pub use crate::hash::PublicKey;
pub use crate::model::{
    Acknowledge, Admit, Allot, AllotWriteOff, AllotmentInfo, AllotmentState, Approve, BecomeHub, Certificate,
    DeviceInfo, DeviceLog, DevicePolicy, DeviceState, DevicesStatus, Dismiss, Enrol, Expel, FlagCode, FlagInfo,
    HubInfo, HubStatus, LostAccount, LostBatch, LostTotal, Offline, Recall, Return, Right, Role, Scope, StageReason,
    StageState, StagedInfo, SyncStatus, WhenExpelled,
};
#[cfg(feature = "sync")]
pub(crate) use answer::Accounts;
#[cfg(feature = "sync")]
pub(crate) use answer::answer;
#[cfg(feature = "sync")]
pub use answer::{Part, VerdictOn};
#[cfg(feature = "sync")]
pub use export::Exported;
#[cfg(feature = "sync")]
pub(crate) use export::{Gathered, Log};
#[cfg(feature = "sync")]
pub(crate) use frame::Filling;
#[cfg(feature = "sync")]
pub use header::{Ask, Cert, Down, Evidence, Header, Leaf, Link, Position, Up};
#[cfg(feature = "sync")]
pub use hearing::HeardReport;
#[cfg(feature = "sync")]
pub use import::{ImportReport, LinkFlag, StagedLink};
#[cfg(feature = "sync")]
pub use incoming::{FileInfo, inspect};
#[cfg(feature = "sync")]
pub use keys::SigningKey;
#[cfg(feature = "sync")]
pub use name::{open_file, write_file};
#[cfg(feature = "sync")]
pub use outgoing::Outgoing;
#[cfg(feature = "sync")]
pub use signer::{Mark, Signer};
#[cfg(all(test, feature = "sync"))]
pub(crate) use tests::{DEVICE, key, sent_up};
