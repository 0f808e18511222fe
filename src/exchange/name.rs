//! How an exchange file is called, and how it comes under its name.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use super::disk::Part;
use super::header::{Header, Position};
use super::keys::SigningKey;
use super::outgoing::Outgoing;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::model::device_tag;

impl Header {
    /// The name of a file with this header and digest: from its content, so that one name never means two files. `device` is
    /// what the ids of that device begin with.
    ///
    /// | kind | name |
    /// |---|---|
    /// | up | `cf-up-<device>-<first>-<last operation>-<digest>.cfx` |
    /// | down | `cf-down-<device>-<position>-<part>of<parts>-<digest>.cfx` |
    /// | ask, cert | `cf-ask-<device>-<digest>.cfx`, `cf-cert-…` |
    /// | evidence | `cf-evidence-<device>-<position>-<digest>.cfx` |
    #[must_use]
    pub fn file_name(&self, digest: &Hash, packed: bool) -> String {
        let at = |position: &[Position]| position.first().map_or(0, |position| position.seq);
        let (kind, what) = match self {
            Header::Up(up) => ("up", format!("-{}-{}", up.base.seq.saturating_add(1), up.head.seq)),
            Header::Down(down) => ("down", format!("-{}-{}of{}", at(&down.position), down.part.0, down.part.1)),
            Header::Ask(_) => ("ask", String::new()),
            Header::Cert(_) => ("cert", String::new()),
            Header::Evidence(evidence) => ("evidence", format!("-{}", at(&evidence.position))),
        };
        let end = if packed { ".gz" } else { "" };
        format!("cf-{kind}-{:08x}{what}-{:.12}.cfx{end}", device_tag(&self.device()), digest)
    }
}

/// Writes an exchange file into a folder, under its name and synced: it is there whole or not at all. What has that name is the same
/// file, or what damage has left of it, and is replaced. `lines` writes what the header tells of.
///
/// ```
/// # use counterfoil::exchange::*;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = counterfoil::Ledger::create(folder.path().join("points.ledger"))?;
/// # let (info, now) = (ledger.info()?, counterfoil::chrono::Utc::now());
/// let signer = ledger.new_signer()?;
/// let head = Link { seq: info.operations, hash: info.head };
/// let ask = Ask::new(info.ledger, info.device, info.epoch, signer.key().public(), head, now);
/// let path = write_file(folder.path(), Header::Ask(ask), false, signer.key(), |_| Ok(()))?;
/// assert!(path.file_name().unwrap().to_str().unwrap().starts_with("cf-ask-"));
/// inspect(open_file(&path)?)?.signed_by(&signer.key().public())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As for [`Outgoing`]; `read_only`, `disk_full`, `storage`.
pub fn write_file(
    folder: impl AsRef<Path>,
    header: Header,
    packed: bool,
    key: &SigningKey,
    lines: impl FnOnce(&mut Outgoing<BufWriter<&std::fs::File>>) -> Result<()>,
) -> Result<PathBuf> {
    let folder = folder.as_ref();
    let part = Part::begin(folder)?;
    let mut file = Outgoing::begin(BufWriter::new(part.file()), header.clone(), packed)?;
    lines(&mut file)?;
    let digest = file.finish(key)?;
    let path = folder.join(header.file_name(&digest, packed));
    part.replace(&path)?;
    Ok(path)
}

/// Opens an exchange file to read: a regular file, no link to one.
///
/// # Errors
/// `invalid_argument` when there is none, `bad_file` with the reason `format` when it is something else, `storage` when it
/// cannot be opened.
pub fn open_file(path: impl AsRef<Path>) -> Result<std::fs::File> {
    let path = path.as_ref();
    let refused = |error: std::io::Error| format!("{}: {error}", path.display());
    super::disk::open(path).map_err(|error| match error.raw_os_error() {
        _ if error.kind() == std::io::ErrorKind::NotFound => Error::invalid("file", refused(error), "check the path"),
        None => Error::bad_file("format", refused(error)),
        Some(_) => Error::storage(refused(error)),
    })
}
