//! What a script is: something that is done while calls fail, and what must hold afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use counterfoil::Ledger;

/// What a program does after a call has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    SameHandle,
    Reopen,
}

pub trait Script: Sync {
    fn name(&self) -> &'static str;
    /// What is in the folder before.
    fn before(&self) -> &Image;
    /// Does it, whatever fails, and says what it was told, a line each.
    fn live(&self, folder: &Path, retry: Retry) -> Vec<Told>;
    /// Holds that against what is there, now that nothing fails.
    fn check(&self, folder: &Path, told: &[Told]) -> Result<(), String>;
}

/// What the tries of one thing came to.
#[derive(Debug, Clone)]
pub struct Told {
    pub what: String,
    pub tries: Vec<Answer>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done { id: String, replayed: bool },
    Failed(&'static str),
}

impl Told {
    pub fn is_done(&self) -> bool {
        self.tries.iter().any(|answer| matches!(answer, Answer::Done { .. }))
    }
}

/// Whether a code may be the answer to a call that failed; damage it is not, nor anything the caller did.
pub fn is_of_a_fault(code: &str) -> bool {
    ["storage", "disk_full", "busy", "outcome_unknown"].contains(&code)
}

/// Whether a ledger proves to be whole.
pub fn verified(ledger: &Ledger) -> Result<(), String> {
    let verification = ledger.verify().map_err(|error| error.to_string())?;
    if verification.ok { Ok(()) } else { Err(format!("{:?}", verification.faults)) }
}

/// The files of a folder.
pub struct Image(Vec<(String, Vec<u8>)>);

impl Image {
    pub fn of(folder: &Path) -> Self {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let plain = files.filter(|entry| entry.file_type().unwrap().is_file());
        Image(plain.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect())
    }

    pub fn lay_out(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            fs::write(folder.join(name), bytes).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// In memory where there is such a place: what is tried is a failing disk, not a slow one.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}
