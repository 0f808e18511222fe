//! What a diagnosis finds out about a ledger and its place: facts as data, each with its level and a short sentence. What is
//! to be done about one is for whoever shows it to say.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::AccountId;
use super::words::words;
use crate::error::{Error, ErrorInfo};
use crate::hash::Hash;
use crate::units::{Points, utc, utc_option};

/// Below this a commit may fail for want of room at any moment.
const NO_ROOM: u64 = 1 << 20;
/// Room for a `-wal` that a long read holds up, and some backups of the log.
const LITTLE_ROOM: u64 = 256 << 20;
/// Twice what a `-wal` keeps for being overwritten: somebody holds it up.
const LONG_WAL: u64 = 32 << 20;
/// A price book last used longer ago has perhaps been forgotten, in seconds.
const OLD_BOOK: i64 = 180 * 24 * 3600;

words! {
    /// How bad a finding is.
    ///
    /// ```
    /// use counterfoil::diagnosis::Level;
    /// assert!(Level::Ok < Level::Note && Level::Note < Level::Warning && Level::Warning < Level::Fault);
    /// ```
    Level {
        /// As it should be.
        Ok "ok",
        /// Good to know; nothing is wrong.
        Note "note",
        /// Works, and may do harm later.
        Warning "warning",
        /// Keeps the ledger from working, or makes it work wrongly.
        Fault "fault",
    }
}

words! {
    /// What a finding is about, in the order of a [`Diagnosis`](crate::diagnosis::Diagnosis).
    Topic {
        /// The SQLite that is linked.
        Sqlite "sqlite",
        /// Where the file lies.
        Place "place",
        /// Who may read and change it.
        Permissions "permissions",
        /// How much room there is.
        Disk "disk",
        /// What lies beside it.
        SideFiles "side_files",
        /// Who keeps all others from writing; only then.
        Writer "writer",
        /// Whether it opens. What follows is only told of one that does.
        Open "open",
        /// What an acknowledgement promises, as opened here.
        Durability "durability",
        /// What is not folded into the file yet.
        Wal "wal",
        /// How much is booked, and who writes it.
        Ledger "ledger",
        /// The clock against what the file accepted.
        Clock "clock",
        /// The price book in force.
        PriceBook "price_book",
        /// Who is in debt.
        Debts "debts",
        /// What fell due and is not booked.
        Due "due",
        /// The books themselves.
        Books "books",
    }
}

/// What one check found. As JSON `{check, level, found, code, …}`, with the figures of the [`Fact`] beside its code.
///
/// ```
/// # use counterfoil::{Ledger, diagnosis::{Fact, Finding, Topic}};
/// let diagnosis = Ledger::options().diagnose("no/such.ledger");
/// let open = diagnosis.findings.iter().find(|finding| finding.check == Topic::Open).unwrap();
/// assert!(matches!(&open.fact, Fact::Error { error } if error.code == "not_a_ledger"));
/// let read: Finding = serde_json::from_str(&serde_json::to_string(open)?)?;
/// assert_eq!(&read, open);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What was looked at.
    pub check: Topic,
    /// How bad it is.
    pub level: Level,
    /// What is so, in a sentence for people.
    pub found: String,
    /// What is so, as data.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Finding {
    /// What an error says.
    pub(crate) fn error(check: Topic, error: &Error) -> Self {
        Finding { check, ..Fact::Error { error: error.into() }.into() }
    }
}

impl From<Fact> for Finding {
    fn from(fact: Fact) -> Self {
        let (check, level) = fact.judged();
        Finding { check, level, found: fact.to_string(), fact }
    }
}

/// From the table of facts: variant and fields, what it is about, how bad it is, and a short sentence without advice.
macro_rules! facts {
    ($(#[$of_enum:meta])* pub enum $name:ident { $(
        $(#[$meta:meta])* $variant:ident $({ $($(#[$of:meta])* $field:ident: $type:ty),+ $(,)? })?
            = $topic:ident, $level:expr, $($message:expr),+;
    )+ }) => {
        $(#[$of_enum])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "code", rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$meta])* #[allow(missing_docs)] $variant $({ $($(#[$of])* $field: $type),+ })?),+ }

        #[allow(unused_variables, reason = "many levels and sentences are the same whatever the fields")]
        impl $name {
            /// What it is about, and how bad it is: the one judge.
            fn judged(&self) -> (Topic, Level) {
                use Level::{Fault, Note, Ok, Warning};
                match self { $($name::$variant $({ $($field),+ })? => (Topic::$topic, $level)),+ }
            }
        }

        #[allow(unused_variables, reason = "many sentences are the same whatever the fields")]
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $($name::$variant $({ $($field),+ })? => write!(f, $($message),+)),+ }
            }
        }
    };
}

facts! {
/// A fact about a ledger or its place. Sizes are in bytes, users are the system's numbers.
pub enum Fact {
    /// What could not be done, and why; with `sqlite`, `open`, `price_book` or `books`.
    Error { error: ErrorInfo }
        // A drawn report (of a price book) ends with a line that sums it up.
        = Open, Fault, "{}", error.message.lines().last().unwrap_or_default();
    /// The version of SQLite.
    Sqlite { version: String }
        = Sqlite, Ok, "version {version}";
    /// The file system, where it can be known; nothing speaks against it.
    GoodPlace { file_system: Option<String> }
        = Place, Ok, "the file system is {}, in no known cloud folder", file_system.as_deref().unwrap_or("unknown here");
    /// SQLite's locks or shared memory do not work on a network file system: no ledger is opened there.
    Network { file_system: String }
        = Place, Fault, "the file system is {file_system}, on which SQLite's locks are not reliable";
    /// So many names lead to the file, and each has a `-wal` of its own: no ledger is opened there.
    Names { links: u64 }
        = Place, Fault, "the file has {links} names (hard links): what is booked under one is lost under another";
    /// The folder is synchronised: a half-written copy may replace the ledger.
    Cloud { folder: String }
        = Place, Warning, "`{folder}` is synchronised with a cloud: a half-written copy may replace the ledger";
    /// A file system that a program provides.
    Fuse { file_system: String }
        = Place, Warning, "the file system is {file_system}, which may not keep locks and fsync";
    /// There is no file whose rights could be told.
    NoFile
        = Permissions, Ok, "there is no file";
    /// There is a file, and it is no ledger that can be read.
    NoLedger
        = Permissions, Ok, "not judged: there is no ledger here that can be read";
    /// Who may read and change it, as it should be.
    Rights { #[serde(flatten)] rights: Rights }
        = Permissions, Ok, "{rights}";
    /// This user may not read it.
    Unreadable { #[serde(flatten)] rights: Rights }
        = Permissions, Fault, "{rights}: you have no right to read it";
    /// This user may not write it.
    ReadOnly { #[serde(flatten)] rights: Rights }
        = Permissions, Note, "{rights}: you may only look";
    /// Others may read these files, or also `write` them; or put another in the ledger's place, as the folder lets them.
    TooOpen { #[serde(flatten)] rights: Rights, files: Vec<Open>, write: bool, folder: Option<Open> }
        = Permissions, Warning, "{rights}{}", too_open(files, *write, folder.as_ref());
    /// What is free on the disk, where it can be known; the size of the ledger and of its `-wal`. A warning when a backup finds
    /// no room beside the ledger, a fault when the next operation may find none.
    Disk { free: Option<u64>, bytes: u64, wal: u64 }
        = Disk, room(*free, bytes.saturating_add(*wal)), "{}", disk(*free, *bytes, *wal);
    /// Nothing lies beside it.
    Alone
        = SideFiles, Ok, "none";
    /// Its `-wal` and `-shm` lie beside it.
    InUse
        = SideFiles, Ok, "only its -wal and -shm: it is in use, or was looked at, or its writer was killed; they belong to it";
    /// A `-wal` with content and no `-shm`: what was booked last may be in the `-wal` alone.
    WalAlone
        = SideFiles, Note, "a -wal and no -shm: nobody has the ledger open, and what was booked last may be in the -wal alone";
    /// Files that belong to a ledger which is not there; `here`: to the one that was looked for.
    Orphans { files: Vec<SideFile>, here: bool }
        = SideFiles, if *here { Fault } else { Warning }, "{}", orphans(files);
    /// What has such a name and is no regular file.
    NotRegular { name: String }
        = SideFiles, Fault, "{name} is not a regular file";
    /// A transaction in another mode was broken off.
    Journal { name: String }
        = SideFiles, Warning, "{name}: a transaction in another mode was broken off";
    /// A file beside the ledger belongs to another user than the ledger.
    OtherOwner { name: String }
        = SideFiles, Warning, "{name} belongs to another user than the ledger";
    /// What broken-off creations, backups and restores have left.
    Abandoned { names: Vec<String> }
        = SideFiles, Note, "left of a broken-off creation, backup or restore: {}", first(names);
    /// Copies from before a migration.
    Kept { names: Vec<String> }
        = SideFiles, Note, "copies from before a migration: {}", first(names);
    /// Processes that have kept the writer lock for a second, as far as they can be told.
    StuckWriters { processes: Vec<u32> }
        = Writer, Warning, "{} kept the writer lock for a second: nobody else can book", stuck(processes);
    /// It opens, and its schema is counterfoil's.
    Opens
        = Open, Ok, "it opens, and its schema is counterfoil's";
    /// Acknowledged is on disk.
    Full
        = Durability, Ok, "full, as opened here: acknowledged is on disk, also after a power cut";
    /// A power cut may lose the newest operations.
    Relaxed
        = Durability, Note, "relaxed, as opened here: a power cut may lose the newest operations, and never corrupts";
    /// Its `-wal` is empty.
    Whole
        = Wal, Ok, "empty: the one file is whole";
    /// How much of the newest is in the `-wal`.
    Wal { bytes: u64 }
        = Wal, Ok, "{} beside the ledger, which belong to it", size(*bytes);
    /// The `-wal` has grown long.
    LongWal { bytes: u64 }
        = Wal, Warning, "{} are not folded into the ledger: a long read holds it up, or a writer was killed", size(*bytes);
    /// How many operations are booked since when; the device and epoch that book now.
    Ledger { operations: i64, #[serde(with = "utc")] since: DateTime<Utc>, device: String, epoch: i64 }
        = Ledger, Ok, "{} since {}; device {device}, epoch {epoch}", several(*operations, "operation", "operations"), at(*since);
    /// A device's log has become long: 2 000 000 operations, about 1 GiB.
    LongLog { operations: i64 }
        = Ledger, Note, "{} of a device: a fresh file is sooner copied and proven", several(*operations, "operation", "operations");
    /// The clock, and the newest reading that was accepted.
    Clock { #[serde(with = "utc")] now: DateTime<Utc>, #[serde(with = "utc")] accepted: DateTime<Utc>, trusted: bool }
        = Clock, Ok, "{}{}; newest accepted reading {}", at(*now), if *trusted { ", trusted" } else { "" }, at(*accepted);
    /// A reading so far ahead that it is not believed: time stands still at the newest accepted one.
    ClockSuspect { #[serde(with = "utc")] now: DateTime<Utc>, #[serde(with = "utc")] accepted: DateTime<Utc> }
        = Clock, Warning, "suspect: it reads {}, {} past the newest accepted reading {}; time stands still there, nothing expires, and \
            everything is booked", at(*now), length((*now - *accepted).num_seconds()), at(*accepted);
    /// A reading behind the newest accepted one; `wrong`: the time is known to be later.
    ClockBehind { #[serde(with = "utc")] now: DateTime<Utc>, #[serde(with = "utc")] accepted: DateTime<Utc>, wrong: bool }
        = Clock, Warning, "it reads {}, {} behind the newest accepted reading {}: points expire late, and operations show a wrong \
            time", at(*now), length((*now - *accepted).num_seconds()), at(*accepted);
    /// Nothing has been booked under a price book; whether one was given.
    NoPriceBook { given: bool }
        = PriceBook, if *given { Ok } else { Note }, "{}", match given {
            true => "given, and nothing has been booked under one yet",
            false => "none: nothing has been booked under one",
        };
    /// The newest price book in the ledger, and its use; `given` is the hash of the one in force when that is another.
    PriceBook { #[serde(flatten)] used: BookUse, #[serde(skip_serializing_if = "Option::is_none")] given: Option<Hash> }
        = PriceBook, match given { Some(_) => Note, None if used.is_old() => Warning, None => Ok }, "{}{used}", other_book(*given);
    /// How many of the accounts are in debt, by how much in all, and those that owe most.
    Debts { accounts: i64, debtors: i64, debt: i64, most: Vec<Debtor> }
        = Debts, if *debtors > 0 { Note } else { Ok }, "{}", debts(*accounts, *debtors, *debt, most);
    /// Everything that fell due is booked.
    NothingDue
        = Due, Ok, "everything that fell due is booked";
    /// What fell due, since when, and is not booked: so many batches and holds, in so many accounts.
    Due { accounts: i64, batches: i64, holds: i64, #[serde(with = "utc")] since: DateTime<Utc> }
        = Due, Note, "in {}, since {}, not booked yet: {} past their expiry, {} past their deadline",
            several(*accounts, "account", "accounts"), at(*since), several(*batches, "batch", "batches"), several(*holds, "hold", "holds");
    /// A diagnosis does not prove the books; [`Ledger::verify`](crate::Ledger::verify) does.
    NotVerified
        = Books, Note, "not verified: this looked at the file and its place, and proved no sum";
}
}

impl Fact {
    /// Whether no ledger is opened where this is so.
    pub(crate) fn is_fault(&self) -> bool {
        self.judged().1 == Level::Fault
    }

    /// How long the `-wal` is.
    pub(crate) fn wal(bytes: u64) -> Self {
        match bytes {
            0 => Fact::Whole,
            1..=LONG_WAL => Fact::Wal { bytes },
            _ => Fact::LongWal { bytes },
        }
    }
}

/// A file's rights, and the user who looks. Where a system has no such numbers, none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rights {
    /// Its mode in octal figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// Who looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<u32>,
}

impl Rights {
    pub(crate) fn new(mode: Option<u32>, owner: Option<u32>, user: Option<u32>) -> Self {
        Rights { mode: mode.map(octal), owner, user }
    }

    /// The user who alone can change them, when that is not the one who looks.
    ///
    /// ```
    /// use counterfoil::diagnosis::Rights;
    /// let rights: Rights = serde_json::from_str(r#"{"owner": 7, "user": 8}"#)?;
    /// assert_eq!(rights.somebody_else(), Some(7));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn somebody_else(&self) -> Option<u32> {
        self.owner.filter(|owner| self.user.is_some_and(|user| user != *owner && user != 0))
    }
}

/// A file or folder that is open to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Open {
    /// The path.
    pub path: String,
    /// Its mode in octal figures.
    pub mode: String,
}

impl Open {
    pub(crate) fn new(path: &Path, mode: u32) -> Self {
        Open { path: path.display().to_string(), mode: octal(mode) }
    }

    fn name(&self) -> Cow<'_, str> {
        Path::new(&self.path).file_name().map_or(Cow::from(&self.path), OsStr::to_string_lossy)
    }
}

/// A file beside a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SideFile {
    /// Its name.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}

/// When the newest price book in a ledger was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BookUse {
    /// Its hash.
    pub hash: Hash,
    /// The first use, when all operations were looked at and not only the newest 100 000.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "utc_option")]
    pub first: Option<DateTime<Utc>>,
    /// The last use; none: not in the newest 100 000 operations.
    #[serde(skip_serializing_if = "Option::is_none", default, with = "utc_option")]
    pub last: Option<DateTime<Utc>>,
    /// How many whole seconds ago that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
}

impl BookUse {
    /// Whether it has perhaps been forgotten: not used for 180 days.
    fn is_old(&self) -> bool {
        self.age_seconds.is_none_or(|age| age > OLD_BOOK)
    }
}

/// Who owes how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Debtor {
    /// The account.
    pub account: AccountId,
    /// Points.
    pub debt: Points,
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mode {
            Some(mode) => write!(f, "mode {mode}")?,
            None => f.write_str("the system's rights apply")?,
        }
        match (self.owner, self.user) {
            (Some(owner), Some(user)) if owner == user => f.write_str(", yours"),
            (Some(owner), Some(user)) => write!(f, ", of user {owner} (you are {user})"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for BookUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.12}, ", self.hash)?;
        let (Some(last), Some(age)) = (self.last, self.age_seconds) else {
            return f.write_str("not used in the newest 100000 operations");
        };
        if let Some(first) = self.first {
            write!(f, "first used {}, ", at(first))?;
        }
        write!(f, "last used {}, {} ago", at(last), length(age))
    }
}

fn octal(mode: u32) -> String {
    format!("{mode:04o}")
}

fn too_open(files: &[Open], write: bool, folder: Option<&Open>) -> String {
    let mut said = String::new();
    if !files.is_empty() {
        let named: Vec<String> = files.iter().map(|file| format!("{} (mode {})", file.name(), file.mode)).collect();
        let may = if write { "read or change" } else { "read" };
        said.push_str(&format!(": other users may {may} {}", named.join(", ")));
    }
    if let Some(Open { mode, .. }) = folder {
        said.push_str(&format!("; anybody may put another file in its place: the folder has mode {mode}"));
    }
    said
}

fn room(free: Option<u64>, used: u64) -> Level {
    match free {
        Some(..NO_ROOM) => Level::Fault,
        Some(free) if free < used.saturating_add(LITTLE_ROOM) => Level::Warning,
        _ => Level::Ok,
    }
}

fn disk(free: Option<u64>, bytes: u64, wal: u64) -> String {
    let Some(free) = free else { return "how much is free cannot be told here".into() };
    let wal = if wal > 0 { format!(" and its -wal {}", size(wal)) } else { String::new() };
    format!("{} free; the ledger has {}{wal}", size(free), size(bytes))
}

fn orphans(files: &[SideFile]) -> String {
    let named: Vec<String> = files.iter().map(|file| format!("{} ({})", file.name, size(file.bytes))).collect();
    format!("{} without {}", first(&named), if files.len() == 1 { "its ledger" } else { "their ledgers" })
}

fn stuck(processes: &[u32]) -> String {
    let numbers: Vec<String> = processes.iter().map(u32::to_string).collect();
    match numbers.as_slice() {
        [] => "a process has".into(),
        [one] => format!("process {one} has"),
        several => format!("processes {} have", several.join(", ")),
    }
}

fn other_book(given: Option<Hash>) -> String {
    given.map_or_else(String::new, |hash| {
        format!("given: {hash:.12}, under which nothing newer is booked; newest in the ledger: ")
    })
}

fn debts(accounts: i64, debtors: i64, debt: i64, most: &[Debtor]) -> String {
    let accounts = several(accounts, "account", "accounts");
    if debtors == 0 {
        return format!("no debt in {accounts}");
    }
    let most: Vec<String> = most.iter().map(|debtor| format!("{} {}", debtor.account, debtor.debt)).collect();
    format!("{debtors} of {accounts} in debt, {debt} points in all; most: {}", most.join(", "))
}

/// The first few of them.
fn first(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
    let more = names.len().saturating_sub(first.len());
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", first.join(", "))
}

/// One thing or several of them.
fn several(count: i64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn at(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A length of time in seconds, for people, rounded down.
fn length(seconds: i64) -> String {
    let seconds = seconds.saturating_abs();
    match seconds {
        172_800.. => several(seconds / 86_400, "day", "days"),
        7_200.. => several(seconds / 3_600, "hour", "hours"),
        _ => several(seconds / 60, "minute", "minutes"),
    }
}

/// A size for people, rounded down.
fn size(bytes: u64) -> String {
    /// A tenth of each unit.
    const UNITS: [(&str, u64); 3] = [("GB", 100_000_000), ("MB", 100_000), ("kB", 100)];
    let tenths = |unit: u64| bytes.checked_div(unit).unwrap_or(0);
    match UNITS.into_iter().find(|(_, unit)| tenths(*unit) >= 10) {
        Some((name, unit)) => format!("{}.{} {name}", tenths(unit) / 10, tenths(unit) % 10),
        None => several(i64::try_from(bytes).unwrap_or(i64::MAX), "byte", "bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_down() {
        for (count, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (1_999_999, "1.9 MB"),
            (12_345_678_901, "12.3 GB"),
        ] {
            assert_eq!(size(count), text);
        }
    }

    #[test]
    fn a_long_log_and_little_room_are_told() {
        let level = |fact: Fact| Finding::from(fact).level;
        assert_eq!(level(Fact::wal(0)), Level::Ok);
        assert_eq!((level(Fact::wal(16 << 20)), level(Fact::wal(LONG_WAL))), (Level::Ok, Level::Ok));
        assert_eq!(level(Fact::wal(LONG_WAL + 1)), Level::Warning);
        let disk = |free| level(Fact::Disk { free, bytes: 10 << 20, wal: 1 << 20 });
        assert_eq!((disk(None), disk(Some(267 << 20))), (Level::Ok, Level::Ok));
        assert_eq!((disk(Some((267 << 20) - 1)), disk(Some(NO_ROOM - 1))), (Level::Warning, Level::Fault));
    }

    /// Regression: a price book that none of the newest 100 000 operations used was said to be well.
    #[test]
    fn a_price_book_out_of_use_is_doubted() {
        let hash = format!(r#""hash": "{}""#, "0123456789abcdef".repeat(4));
        let told = |used: &str| -> Finding {
            let used: BookUse = serde_json::from_str(&format!("{{{hash}{used}}}")).unwrap();
            Fact::PriceBook { used, given: None }.into()
        };
        let unused = told("");
        assert_eq!(unused.found, "0123456789ab, not used in the newest 100000 operations");
        assert_eq!(unused.level, Level::Warning);
        let (first, last) = (r#""first": "2027-01-03T00:00:00.000Z""#, r#""last": "2027-01-20T00:00:00.000Z""#);
        let old = told(&format!(r#", {last}, "age_seconds": {}"#, 181 * 86_400));
        assert!(old.level == Level::Warning && old.found.ends_with("Z, 181 days ago"), "{old:?}");
        let young = told(&format!(r#", {first}, {last}, "age_seconds": {OLD_BOOK}"#));
        assert!(young.level == Level::Ok && young.found.ends_with(", 180 days ago"), "{young:?}");
        assert!(young.found.contains(", first used 2027-01-03T00:00:00.000Z, last used "), "{young:?}");
    }
}
