//! A reserve for the day the disk is full: a small file beside the ledger. Removed, it gives a checkpoint room to empty the
//! `-wal`, and work can go on for a while.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::draft::new_file;
use super::place::beside;

/// More pages than a `-wal` usually adds to the file until it is folded in.
const MOST: u64 = 256 << 10;
/// On a small disk: this part of what is free.
const PART: u64 = 8;
/// Less is not worth keeping.
const LEAST: u64 = 16 << 10;

fn reserve(path: &Path) -> PathBuf {
    beside(path, "-reserve")
}

/// Makes the reserve if there is room for it; whether there is one now.
pub(super) fn keep(path: &Path) -> bool {
    let reserve = reserve(path);
    if fs::symlink_metadata(&reserve).is_ok() {
        return true;
    }
    let bytes = free(path).map_or(0, |free| (free / PART).min(MOST));
    if bytes < LEAST {
        return false;
    }
    let zeros = vec![0; usize::try_from(bytes).unwrap_or(0)];
    let written = new_file(&reserve).and_then(|mut file| file.write_all(&zeros));
    if written.is_err() {
        let _ = fs::remove_file(&reserve);
    }
    written.is_ok()
}

/// Removes the reserve; whether there was one.
pub(super) fn give_up(path: &Path) -> bool {
    fs::remove_file(reserve(path)).is_ok()
}

/// Whether the disk has no room for even a `-shm`.
pub(super) fn is_full(path: &Path) -> bool {
    const LITTLE: u64 = 64 << 10;
    free(path).is_some_and(|free| free < LITTLE)
}

fn free(path: &Path) -> Option<u64> {
    fs4::available_space(path.parent()?).ok()
}
