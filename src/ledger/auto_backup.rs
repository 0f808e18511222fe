//! Backups that a ledger makes by itself while it is open.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::file::{File, check_keep};
use crate::units::{Clock, Instant, Reading};

/// How often the clock is read at least: it may have been put forward, or the computer have slept.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long after a failure the next attempt is made at the latest. A full disk would be filled again at each.
const TRY_EVERY: Duration = Duration::from_secs(600);
/// The shortest pause between two looks.
const SHORTEST: Duration = Duration::from_secs(1);

/// What was asked for.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) folder: PathBuf,
    pub(super) every: Duration,
    pub(super) keep: u32,
}

impl Schedule {
    pub(super) fn check(&self) -> Result<()> {
        check_keep(self.keep)
    }

    /// Starts the thread. It is not the one that opens connections for the readers: a folder on a disk that does not answer
    /// would hold up all of them.
    pub(super) fn start(self, file: &Arc<File>, clock: &Arc<dyn Clock>) -> Result<AutoBackup> {
        let trouble = Arc::new(Mutex::new(None));
        let keeper = Keeper {
            file: Arc::downgrade(file),
            clock: Arc::clone(clock),
            schedule: self,
            trouble: Arc::clone(&trouble),
            newest: None,
        };
        let thread = thread::Builder::new().name("counterfoil-backup".into()).spawn(move || keeper.run());
        let thread = thread.map_err(|error| Error::storage(format!("no thread for backups: {error}")))?;
        Ok(AutoBackup { file: Arc::clone(file), thread: thread.thread().clone(), trouble })
    }
}

/// Held by a handle and its clones; the thread ends with the last of them.
pub(super) struct AutoBackup {
    file: Arc<File>,
    thread: Thread,
    trouble: Arc<Mutex<Option<String>>>,
}

impl AutoBackup {
    /// Has the thread look at once.
    pub(super) fn wake(&self) {
        self.thread.unpark();
    }

    /// Why the last attempt failed, until one does not.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for AutoBackup {
    fn drop(&mut self) {
        // A backup under way has the file too: it stops when that is closed, and is waited for.
        let _ = self.file.close();
        self.wake();
    }
}

/// What the thread knows.
struct Keeper {
    /// Weak: it does not keep the file open while it sleeps.
    file: Weak<File>,
    clock: Arc<dyn Clock>,
    schedule: Schedule,
    trouble: Arc<Mutex<Option<String>>>,
    /// When the newest backup was made, as far as is known: the folder is looked at only when one is due by that.
    newest: Option<Instant>,
}

impl Keeper {
    fn run(mut self) {
        while let Some(pause) = self.look() {
            thread::park_timeout(pause);
        }
    }

    /// Backs up if it is time to; how long to sleep then. Nothing once the file is closed.
    fn look(&mut self) -> Option<Duration> {
        let file = self.file.upgrade()?;
        file.check_open().ok()?;
        let failed = self.back_up(&file).err();
        file.check_open().ok()?;
        let longest = if failed.is_none() { LOOK_EVERY } else { TRY_EVERY };
        let trouble = failed.map(|error| {
            let folder = self.schedule.folder.display();
            format!("the ledger could not be backed up into {folder}: {error}")
        });
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        Some(self.schedule.every.clamp(SHORTEST, longest))
    }

    fn back_up(&mut self, file: &File) -> Result<()> {
        let now = Reading::take(self.clock.as_ref()).at;
        let Schedule { folder, keep, .. } = &self.schedule;
        if self.is_due(now) {
            self.newest = file.newest_backup(folder, now)?;
        }
        if self.is_due(now) {
            let _ = file.backup_into(folder, *keep, now, &mut |_| file.check_open())?;
            self.newest = Some(now);
        }
        Ok(())
    }

    /// Also when the newest known lies in the future: then the clock was put back.
    fn is_due(&self, now: Instant) -> bool {
        let every = i64::try_from(self.schedule.every.as_millis()).unwrap_or(i64::MAX);
        self.newest.is_none_or(|newest| newest > now || now.since(newest) >= every)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::ledger::Ledger;
    use crate::units::ManualClock;

    const HOUR: Duration = Duration::from_secs(3600);

    fn keeper(folder: &tempfile::TempDir, clock: &ManualClock) -> (Ledger, Keeper) {
        let clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let ledger = Ledger::options()
            .create_if_missing(true)
            .clock(Arc::clone(&clock))
            .busy_timeout(Duration::from_millis(20))
            .open(folder.path().join("points.ledger"))
            .unwrap();
        let schedule = Schedule { folder: folder.path().to_path_buf(), every: HOUR, keep: 9 };
        let (file, trouble) = (Arc::downgrade(&ledger.file), Arc::default());
        (ledger, Keeper { file, clock, schedule, trouble, newest: None })
    }

    fn backups(folder: &tempfile::TempDir) -> usize {
        let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("points-")).count()
    }

    #[test]
    fn a_backup_is_due_once_the_newest_is_old_enough() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at("2026-11-22T10:00:00Z").unwrap());
        let (_ledger, mut first) = keeper(&folder, &clock);
        let second = HOUR.saturating_sub(Duration::from_secs(1));
        for (step, made) in [(Duration::ZERO, 1), (Duration::ZERO, 1), (second, 1), (HOUR, 2), (HOUR, 3)] {
            clock.advance(step);
            assert_eq!((first.look(), backups(&folder)), (Some(LOOK_EVERY), made), "{step:?}");
        }
        // Opened again, the folder tells; and so it does when somebody has put the clock back.
        let (_ledger, mut again) = keeper(&folder, &clock);
        assert_eq!((again.look(), backups(&folder)), (Some(LOOK_EVERY), 3));
        clock.set("2026-11-22T10:30:00Z".parse().unwrap());
        assert_eq!((again.look(), backups(&folder)), (Some(LOOK_EVERY), 3));
        clock.set("2026-11-22T09:30:00Z".parse().unwrap());
        assert_eq!((again.look(), backups(&folder)), (Some(LOOK_EVERY), 4));
    }

    #[test]
    fn a_failure_is_tried_again_later_and_closing_ends_all() {
        let (folder, clock) = (tempfile::tempdir().unwrap(), ManualClock::at("2026-11-22T10:00:00Z").unwrap());
        let (ledger, mut keeper) = keeper(&folder, &clock);
        keeper.schedule.folder = folder.path().join("none");
        assert_eq!(keeper.look(), Some(TRY_EVERY));
        assert!(keeper.trouble.lock().unwrap().is_some());
        fs::create_dir(&keeper.schedule.folder).unwrap();
        assert_eq!(keeper.look(), Some(LOOK_EVERY));
        assert_eq!(*keeper.trouble.lock().unwrap(), None);
        // Closed while a backup is under way, which stops and leaves nothing.
        let close = &mut |_| {
            let _ = ledger.close();
            ledger.file.check_open()
        };
        let stopped = ledger.file.backup_into(folder.path(), 1, Instant::MIN, close).unwrap_err();
        assert_eq!((stopped.code(), backups(&folder), keeper.look()), ("closed", 0, None));
        assert!(ledger.close().unwrap().whole);
    }
}
