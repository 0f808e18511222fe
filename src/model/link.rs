//! What devices booked, as their hub holds it: links and the chains they make, what waits for somebody to look at, and flags.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::codes::codes;
use super::{AccountId, ClockMark, Key, OperationId, uuid_text};
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::units::{Instant, utc};

codes!(
    /// What a hub made of a link when it came.
    LinkVerdict {
        /// It moves no points there.
        Noted = 0 "noted",
        /// It was booked.
        Booked = 1 "booked",
        /// It waits for somebody to look at it.
        Staged = 2 "staged",
    }
);

codes!(
    /// Why a link waits.
    StageReason {
        /// A newer program booked it, or it follows one that did.
        TooNew = 1 "too_new",
        /// What it says cannot be.
        Invalid = 2 "invalid",
        /// The same was booked under its key, by another link.
        DuplicateKey = 3 "duplicate_key",
        /// Another was booked under its key.
        KeyConflict = 4 "key_conflict",
        /// What it refunds waits.
        WaitsFor = 5 "waits_for",
        /// It gives points, in a branch of its device's chain that came second.
        Fork = 6 "fork",
        /// Its device has no right to it.
        NotAllowed = 7 "not_allowed",
        /// Its device is expelled.
        Expelled = 8 "expelled",
    }
);

codes!(
    /// What became of a link that waits.
    StageState {
        /// It still does.
        Open = 0 "open",
        /// It was booked after all.
        Approved = 1 "approved",
        /// It never will be.
        Dismissed = 2 "dismissed",
    }
);

codes!(
    /// Something an operator should see about what a device booked. It changes no balance.
    FlagCode {
        /// Points were missing for what the device had found covered: the open part.
        Overdraft = 1 "overdraft",
        /// The account was frozen.
        Frozen = 2 "frozen",
        /// The account was closed, and is open again.
        Reopened = 3 "reopened",
        /// Accounts must be opened first, and this was not.
        Opened = 4 "opened",
        /// It came after `late_window`: points that had lapsed since could not pay for it.
        TooLate = 5 "too_late",
        /// So many points of an allotment were not there.
        AllotmentShort = 6 "allotment_short",
        /// So many points could not be refunded any more.
        RefundShort = 7 "refund_short",
        /// What it refunds is not here.
        RefundUnknown = 8 "refund_unknown",
        /// Another was booked under its key.
        KeyConflict = 9 "key_conflict",
        /// The price book it names asks for other points: so many.
        PriceMismatch = 10 "price_mismatch",
        /// It names a price book that this hub did not have.
        ForeignPriceBook = 11 "foreign_price_book",
        /// It names another price book than its device is to use.
        StalePriceBook = 12 "stale_price_book",
        /// The device's clock was wrong.
        ClockCorrected = 13 "clock_corrected",
        /// Two files have written in one device's name.
        Fork = 14 "fork",
        /// A device has heard more of this hub than it knows itself: it was set back.
        HubRegressed = 15 "hub_regressed",
        /// It was taken without what lies before it.
        GapAccepted = 16 "gap_accepted",
    }
);

/// A stretch of links that one writer wrote one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainRow {
    pub(crate) no: i64,
    /// Number of the device at this hub.
    pub(crate) device: i64,
    pub(crate) epoch: i64,
    /// Number of its first link, and the hash of the one before that.
    pub(crate) first: i64,
    pub(crate) prev: Hash,
}

/// An operation of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkRow {
    pub(crate) chain: i64,
    pub(crate) seq: i64,
    pub(crate) hash: Hash,
    pub(crate) verdict: LinkVerdict,
    /// When it occurred, as far as the hub can tell.
    pub(crate) occurred: Instant,
    /// What booked it, or set it aside.
    pub(crate) operation: Option<i64>,
    /// As it came; none where the operation has it.
    pub(crate) line: Option<String>,
    pub(crate) price_book: Option<i64>,
}

/// A link that was not booked when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StagedRow {
    /// What set it aside.
    pub(crate) operation: i64,
    /// 0: none.
    pub(crate) account: i64,
    pub(crate) device: i64,
    pub(crate) reason: StageReason,
    /// The operation it collides with, or that of the link it waits for.
    pub(crate) other: Option<i64>,
    pub(crate) state: StageState,
    /// What approved or dismissed it.
    pub(crate) closed_by: Option<i64>,
}

/// A flag of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FlagRow {
    pub(crate) operation: i64,
    pub(crate) code: FlagCode,
    pub(crate) points: i64,
    /// What acknowledged it.
    pub(crate) acknowledged_by: Option<i64>,
}

/// An account that a device hears of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WatchRow {
    pub(crate) device: i64,
    pub(crate) account: i64,
    /// The operation since which it does.
    pub(crate) since: i64,
}

/// One operation of a device, with everything its hash is made of but the one before it, and who wrote it.
#[derive(Debug, Clone)]
pub(crate) struct Line<'t> {
    pub(crate) seq: i64,
    pub(crate) rules_version: i64,
    pub(crate) kind: Cow<'t, str>,
    pub(crate) account: Option<AccountId>,
    pub(crate) key: Key,
    pub(crate) recorded_at: Instant,
    pub(crate) booked_at: Instant,
    pub(crate) clock: ClockMark,
    pub(crate) points: i64,
    /// Which of its file's.
    pub(crate) price_book: Option<usize>,
    /// Byte for byte as it is stored.
    pub(crate) body: &'t str,
}

#[derive(Deserialize)]
struct Stored<'t> {
    s: i64,
    r: i64,
    #[serde(borrow)]
    k: Cow<'t, str>,
    #[serde(default)]
    a: Option<String>,
    i: String,
    t: i64,
    b: i64,
    c: i64,
    p: i64,
    #[serde(default)]
    x: Option<usize>,
    #[serde(borrow)]
    q: &'t RawValue,
}

impl<'t> Line<'t> {
    /// One that was taken: it has been judged as it came.
    pub(crate) fn stored(text: &'t str) -> Result<Self> {
        let wrong = |what: &dyn std::fmt::Display| Error::corrupt(format!("a link cannot be read: {what}"));
        let stored: Stored<'t> = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        Ok(Line {
            seq: stored.s,
            rules_version: stored.r,
            kind: stored.k,
            account: stored.a.map(AccountId::new).transpose().map_err(|error| wrong(&error))?,
            key: Key::new(stored.i).map_err(|error| wrong(&error))?,
            recorded_at: Instant::clamped(stored.t),
            booked_at: Instant::clamped(stored.b),
            clock: ClockMark::from_code(stored.c).ok_or_else(|| wrong(&"its clock"))?,
            points: stored.p,
            price_book: stored.x,
            body: stored.q.get(),
        })
    }
}

/// What a device did, and its hub set aside. JSON shape `counterfoil.staged/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct StagedInfo {
    /// By what it is approved or dismissed: the operation that set it aside.
    pub link: OperationId,
    /// The device.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What people call it.
    pub device_name: String,
    /// Its number in the device's log.
    pub device_seq: i64,
    /// The account; none where it is about none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<AccountId>,
    /// What was asked for, like `consume`; a newer program's may have another word.
    pub op: String,
    /// Under which key.
    pub key: Key,
    /// Its points at the device.
    pub points: i64,
    /// Why it waits.
    pub reason: StageReason,
    /// The operation that was booked under its key, or what set aside the charge it refunds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub other: Option<OperationId>,
    /// What became of it.
    pub state: StageState,
    /// When it occurred, as far as the hub can tell.
    #[serde(with = "utc")]
    pub occurred_at: DateTime<Utc>,
    /// When it came.
    #[serde(with = "utc")]
    pub staged_at: DateTime<Utc>,
}

/// What an operator should see of an operation. JSON shape `counterfoil.flag/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FlagInfo {
    /// The operation.
    pub flagged: OperationId,
    /// What it is.
    pub flag: FlagCode,
    /// The points it is about; 0 where it is about none.
    pub points: i64,
    /// The account; none of a file that was imported.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub account: Option<AccountId>,
    /// The device that booked it.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What people call it.
    pub device_name: String,
    /// When it was booked here.
    #[serde(with = "utc")]
    pub booked_at: DateTime<Utc>,
    /// What has acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acknowledged_by: Option<OperationId>,
}
