//! What a ledger signs with, and how far it has told others: the key file beside it, or only the mark where the app keeps
//! the key.
//!
//! The secret is never in the ledger, so that a copy of that alone cannot speak for it. The high-water mark is never in the
//! ledger either: one that is set back by a copy finds here that it once was further.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::disk::{self, Part};
use super::header::{any, is_epoch, is_seq, listed};
use super::keys::SigningKey;
use crate::db::{beside, file_error};
use crate::error::{Error, Result};
use crate::hash::{Hash, PublicKey};

/// No key file is longer.
const LONGEST: u64 = 4096;

listed!(
    /// The newest operation that was ever sent: others know of it, whatever a copy of the ledger says later.
    Mark {
        /// The epoch it was booked in.
        epoch: i64, is_epoch;
        /// Its number in the log.
        seq: i64, is_seq;
        /// Its hash in the chain.
        hash: Hash, any;
    }
);

impl Mark {
    /// Whether it lies further on. Epochs only rise.
    #[must_use]
    pub fn is_past(&self, other: &Mark) -> bool {
        (self.epoch, self.seq) > (other.epoch, other.seq)
    }
}

/// The key a ledger signs with, and its high-water [`Mark`].
///
/// Both lie in one file beside the ledger, `<ledger>.key`, readable by its owner alone. With a key that the app hands in
/// ([`Options::signing_key`](crate::Options::signing_key)) only the mark does, in `<ledger>.mark`.
#[derive(Debug)]
pub struct Signer {
    key: SigningKey,
    ledger: Uuid,
    path: PathBuf,
    /// The app keeps the key.
    handed: bool,
    mark: Option<Mark>,
}

/// What stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written<'t> {
    counterfoil: &'t str,
    ledger: &'t str,
    public: PublicKey,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    secret: Option<&'t str>,
    #[serde(default)]
    mark: Option<Mark>,
}

const KEY: &str = "key/1";
const MARK: &str = "mark/1";

impl Signer {
    /// Makes a key for a ledger, and its file.
    pub(crate) fn create(ledger_path: &Path, ledger: Uuid) -> Result<Self> {
        let path = beside(ledger_path, ".key");
        let signer = Signer { key: SigningKey::generate()?, ledger, path, handed: false, mark: None };
        Part::beside(&signer.path, &signer.written(None)?)?.publish(&signer.path)?;
        Ok(signer)
    }

    /// What the ledger signs with: the key that was handed in, else that of its file.
    pub(crate) fn open(ledger_path: &Path, ledger: Uuid, handed: Option<SigningKey>) -> Result<Self> {
        match handed {
            None => {
                let path = beside(ledger_path, ".key");
                let help = "put it back beside the ledger, or hand the key in; without it the hub has to admit the ledger again";
                let (key, mark) = read(&path, ledger)?.ok_or_else(|| wrong(&path, "there is no such file", help))?;
                let key = key.ok_or_else(|| wrong(&path, "it holds no key", BROKEN))?;
                Ok(Signer { key, ledger, path, handed: false, mark })
            }
            Some(key) => {
                let path = beside(ledger_path, ".mark");
                let mark = read(&path, ledger)?.and_then(|(_, mark)| mark);
                Ok(Signer { key, ledger, path, handed: true, mark })
            }
        }
    }

    /// Makes the files of a ledger that goes on with this key.
    pub(crate) fn hand_on(&self, ledger_path: &Path, ledger: Uuid, mark: Mark) -> Result<()> {
        let path = beside(ledger_path, if self.handed { ".mark" } else { ".key" });
        let signer = Signer { key: self.key.clone(), ledger, path, handed: self.handed, mark: None };
        Part::beside(&signer.path, &signer.written(Some(mark))?)?.publish(&signer.path)
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &SigningKey {
        &self.key
    }

    /// How far others were ever told.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.mark
    }

    /// Notes that others are told of operations up to here, durably, before they are. Within an epoch a mark never goes back.
    ///
    /// # Errors
    /// `invalid_argument` when the file is no longer this ledger's, `read_only`, `disk_full`, `storage`.
    pub fn raise(&mut self, mark: Mark) -> Result<()> {
        // Another process may have been further.
        self.mark = read(&self.path, self.ledger)?.and_then(|(_, mark)| mark);
        if self.mark.is_none_or(|now| mark.is_past(&now)) {
            self.begin(mark)?;
        }
        Ok(())
    }

    /// Sets the mark to where a new epoch begins, wherever it was.
    pub(crate) fn begin(&mut self, mark: Mark) -> Result<()> {
        Part::beside(&self.path, &self.written(Some(mark))?)?.replace(&self.path)?;
        self.mark = Some(mark);
        Ok(())
    }

    fn written(&self, mark: Option<Mark>) -> Result<Zeroizing<Vec<u8>>> {
        let secret = Zeroizing::new(Hash::from(*self.key.secret()).to_string());
        let written = Written {
            counterfoil: if self.handed { MARK } else { KEY },
            ledger: &self.ledger.to_string(),
            public: self.key.public(),
            secret: (!self.handed).then_some(secret.as_str()),
            mark,
        };
        // Of its full size from the beginning: what it leaves behind when it grows would not be overwritten.
        let mut text = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *text, &written).map_err(|error| Error::storage(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }
}

const BROKEN: &str = "put back a copy of it as it was";

fn wrong(path: &Path, message: impl std::fmt::Display, help: &str) -> Error {
    Error::invalid("signing_key", format!("{}: {message}", path.display()), help)
}

/// Key and mark, if there is a file.
fn read(path: &Path, ledger: Uuid) -> Result<Option<(Option<SigningKey>, Option<Mark>)>> {
    let mut file = match disk::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Err(file_error(path, &error)),
        Err(error) => return Err(wrong(path, error, "put the file itself there, not a link to it")),
    };
    private(path, &file)?;
    let text = disk::read(&mut file, LONGEST).map_err(|message| wrong(path, message, BROKEN))?;
    // Not in serde's words, which may quote the secret.
    let broken =
        |at: serde_json::Error| wrong(path, format!("it cannot be read from its column {} on", at.column()), BROKEN);
    let written: Written<'_> = serde_json::from_str(&text).map_err(broken)?;
    if ![KEY, MARK].contains(&written.counterfoil) {
        return Err(wrong(path, format!("it is a `{}`", written.counterfoil), "update counterfoil"));
    }
    if written.ledger != ledger.to_string() {
        let help = "put back the one that was made with this ledger";
        return Err(wrong(path, format!("it belongs to the ledger {}", written.ledger), help));
    }
    let key = written.secret.map(secret).transpose().map_err(|error| wrong(path, error, BROKEN))?;
    if key.as_ref().is_some_and(|key| key.public() != written.public) {
        return Err(wrong(path, "its two halves do not belong together", BROKEN));
    }
    Ok(Some((key, written.mark)))
}

fn secret(text: &str) -> Result<SigningKey, &'static str> {
    let bytes: Hash = text.parse().map_err(|_| "the key in it cannot be read")?;
    Ok(SigningKey::from_secret(*bytes.as_bytes()))
}

/// Refuses what others can read: they could speak for the ledger.
#[cfg(unix)]
fn private(path: &Path, file: &std::fs::File) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let mode = file.metadata().map_err(|error| file_error(path, &error))?.mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => Err(wrong(
            path,
            format!("others than its owner may use it (mode {:03o})", mode & 0o777),
            "take their rights away; if somebody has read it, have the ledger admitted again under a new key",
        )),
    }
}

#[cfg(not(unix))]
#[allow(clippy::unnecessary_wraps, reason = "as on unix")]
fn private(_path: &Path, _file: &std::fs::File) -> Result<()> {
    Ok(())
}
