//! Where a ledger may lie, and whether it is still there.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::model::Fact;

/// What to do where nothing may be written.
pub(super) const RIGHTS: &str = "get the right to write the file and its folder, or use a user who has it";
/// What to do about a file of something else.
pub(super) const NO_LEDGER: &str = "check the path; if this was a ledger, keep it as it is and restore a backup";

/// A file's identity while it exists, whatever it is called.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId(u64, u64);

/// Other systems give no number without opening the file: its resolved name.
#[cfg(not(unix))]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId(PathBuf);

#[cfg(unix)]
pub(super) fn file_id(_path: &Path, metadata: &Metadata) -> FileId {
    use std::os::unix::fs::MetadataExt;
    FileId(metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
pub(super) fn file_id(path: &Path, _metadata: &Metadata) -> FileId {
    FileId(path.to_path_buf())
}

/// Identity and length of what lies at a path. Asked before every use, so by the leanest call there is.
#[cfg(unix)]
#[allow(clippy::useless_conversion, reason = "the types differ from system to system")]
pub(super) fn probe(path: &Path) -> Option<(FileId, u64)> {
    let found = rustix::fs::lstat(path).ok()?;
    let number = |found: Option<u64>| found.unwrap_or_default();
    let id = FileId(number(found.st_dev.try_into().ok()), number(found.st_ino.try_into().ok()));
    Some((id, number(found.st_size.try_into().ok())))
}

#[cfg(not(unix))]
pub(super) fn probe(path: &Path) -> Option<(FileId, u64)> {
    let found = fs::symlink_metadata(path).ok()?;
    Some((file_id(path, &found), found.len()))
}

/// An existing file that may be opened as a ledger.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    id: FileId,
    doubts: Vec<Fact>,
}

impl Place {
    /// Resolves the path of an existing file and checks what can be known without opening it.
    pub(crate) fn existing(path: &Path) -> Result<Self> {
        check_name(path)?;
        let resolved = canonical(path, None).map_err(|error| unreachable_file(path, &error))?;
        let metadata = fs::symlink_metadata(&resolved).map_err(|error| unreachable_file(path, &error))?;
        check_kind(&resolved, &metadata)?;
        let doubts = judged(&resolved, Some(&metadata))?;
        Ok(Place { id: file_id(&resolved, &metadata), path: resolved, doubts })
    }

    /// Absolute, free of symbolic links.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn id(&self) -> &FileId {
        &self.id
    }

    /// What is doubtful about the place, though not refused.
    pub(crate) fn doubts(&self) -> &[Fact] {
        &self.doubts
    }

    /// Refuses when the file was moved or replaced: what is written now would be lost with the unlinked file.
    pub(super) fn check_unmoved(&self) -> Result<u64> {
        let what = match probe(&self.path) {
            Some((id, bytes)) if id == self.id => return Ok(bytes),
            Some(_) => "was replaced",
            None => "was moved or deleted",
        };
        let path = self.path.display().to_string();
        Err(Error::Moved { path, message: format!("it {what} while the ledger was open") })
    }
}

/// What a user may do with a file.
#[derive(Clone, Copy)]
pub(super) enum Right {
    Read,
    Write,
}

/// Whether this process has a right to a file, without opening it; where that can be asked. It words and advises, and
/// refuses nothing: only opening knows.
#[cfg(unix)]
pub(super) fn may(path: &Path, right: Right) -> Option<bool> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    let asked = match right {
        Right::Read => Access::READ_OK,
        Right::Write => Access::WRITE_OK,
    };
    // As the user it runs as, with that user's capabilities; plain `access` asks about the one who started it.
    path.exists().then(|| accessat(CWD, path, asked, AtFlags::EACCESS).is_ok())
}

#[cfg(not(unix))]
pub(super) fn may(path: &Path, right: Right) -> Option<bool> {
    match right {
        Right::Read => None,
        Right::Write => fs::metadata(path).ok().map(|metadata| !metadata.permissions().readonly()),
    }
}

/// The path with something appended to its last name, as SQLite names its companions.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

/// Absolute and free of links: of a file, or of one of this name in a folder. Windows puts `\\?\` before it, which nobody else
/// writes: it stays only where the path leads elsewhere without it, or is so long that what lies beside it needs it.
pub(super) fn canonical(path: &Path, name: Option<&OsStr>) -> io::Result<PathBuf> {
    // A draft has the name twice, and an id.
    const BESIDE: usize = 64;
    let found = fs::canonicalize(path)?;
    let whole = name.map_or(found.clone(), |name| found.join(name));
    let longest = whole.as_os_str().len() + whole.file_name().map_or(0, OsStr::len) + BESIDE;
    Ok(if longest < 260 { dunce::simplified(&whole).to_path_buf() } else { whole })
}

/// The resolved path of a folder, or of a file of this name in it.
pub(super) fn reach(folder: &Path, name: Option<&OsStr>) -> Result<PathBuf> {
    canonical(folder, name).map_err(|error| {
        let message = format!("the folder {} cannot be reached: {error}", folder.display());
        match error.kind() {
            ErrorKind::PermissionDenied => Error::NoPermission { message },
            _ => Error::invalid("path", message, "create the folder first"),
        }
    })
}

/// The resolved path of a file yet to be created: its folder exists, nothing of that name does but an empty file, and
/// nothing lies beside it that SQLite would take for a part of it.
pub(super) fn for_new(path: &Path) -> Result<PathBuf> {
    check_name(path)?;
    let name = path.file_name().ok_or_else(|| Error::invalid("path", "names no file", "give the path of a file"))?;
    // `points/` and `points/.` name a folder.
    if !path.as_os_str().as_encoded_bytes().ends_with(name.as_encoded_bytes()) {
        let message = format!("{} names a folder", path.display());
        return Err(Error::invalid("path", message, "give the path of a file, its name included"));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let resolved = reach(folder, Some(name))?;
    judged(&resolved, None)?;
    match fs::symlink_metadata(&resolved) {
        Ok(found) if is_unborn(&found) => {}
        Ok(_) => return Err(Error::LedgerExists { path: resolved.display().to_string() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(Error::NoPermission { message: format!("{}: {error}", resolved.display()) });
        }
        // A name the file system cannot hold: too long, or with a NUL.
        Err(error) => {
            let message = format!("{}: {error}", resolved.display());
            return Err(Error::invalid("path", message, "give the path of a file in a folder"));
        }
    }
    check_beside(&resolved)?;
    Ok(resolved)
}

/// An empty file, as an interrupted creation by another way leaves it.
pub(crate) fn is_unborn(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.len() == 0
}

/// SQLite would take what another file of this name has left for a part of the new one; and it may hold the only copy of
/// what that one has acknowledged.
fn check_beside(path: &Path) -> Result<()> {
    let wal = beside(path, "-wal");
    let journal = beside(path, "-journal");
    let left = match (fs::symlink_metadata(&wal), fs::symlink_metadata(&journal)) {
        (Ok(found), _) if found.len() > 0 || !found.is_file() => wal,
        (_, Ok(found)) if !found.is_file() || is_begun(&journal) => journal,
        _ => return Ok(()),
    };
    let message =
        format!("{} is left of another ledger of this name, and may hold its newest operations", left.display());
    let help = "put that ledger back beside it and open it once, or move the two away together; or choose another path";
    Err(Error::unsafe_location(path, message, help))
}

/// Whether a rollback journal holds anything: SQLite looks at its first byte too.
fn is_begun(journal: &Path) -> bool {
    let mut first = [0];
    let read = fs::File::open(journal).and_then(|mut file| std::io::Read::read(&mut file, &mut first));
    !matches!((read, first), (Ok(0), _) | (Ok(1), [0]))
}

/// Names with which SQLite would open something else than a file.
fn check_name(path: &Path) -> Result<()> {
    let text = path.to_string_lossy();
    if text.is_empty() || text == ":memory:" || text.starts_with("file:") {
        return Err(Error::invalid("path", format!("`{text}` is not the path of a file"), "give the path of a file"));
    }
    Ok(())
}

fn unreachable_file(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            let message = "there is no such file, and opening creates none";
            Error::not_a_ledger(path, message, "check the path, or create a ledger there")
        }
        ErrorKind::PermissionDenied => Error::NoPermission { message: format!("{}: {error}", path.display()) },
        _ => Error::not_a_ledger(path, error.to_string(), "check the path"),
    }
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<()> {
    let (message, help) = if metadata.is_dir() {
        ("it is a folder", "check the path: give that of the ledger file in it")
    } else if !metadata.is_file() {
        ("it is not a regular file", "check the path: give that of the ledger file itself")
    } else if is_unborn(metadata) {
        let help = "create the ledger again, which takes the empty file over; or restore a backup to another path";
        ("it is empty, as an interrupted creation leaves it", help)
    } else {
        return Ok(());
    };
    Err(Error::not_a_ledger(path, message, help))
}

/// What is doubtful about where a file lies, the worst first; `found` is the file, if there is one.
pub(super) fn doubts(path: &Path, file_system: Option<&str>, found: Option<&Metadata>) -> Vec<Fact> {
    let kind = file_system.map(str::to_string);
    let network = kind.clone().filter(|kind| is_network(kind));
    let fuse = kind.filter(|kind| network.is_none() && kind.starts_with("fuse."));
    let links = found.filter(|found| found.is_file()).map(links).filter(|links| *links > 1);
    [
        network.map(|file_system| Fact::Network { file_system }),
        links.map(|links| Fact::Names { links }),
        cloud_folder(path).map(|folder| Fact::Cloud { folder }),
        fuse.map(|file_system| Fact::Fuse { file_system }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Refuses a place in which no ledger may be opened; else what is doubtful about it.
fn judged(path: &Path, found: Option<&Metadata>) -> Result<Vec<Fact>> {
    let doubts = doubts(path, file_system_of(path).as_deref(), found);
    let help = match doubts.iter().find(|doubt| doubt.is_fault()) {
        None => return Ok(doubts),
        Some(Fact::Names { .. }) => "close every program that uses it, and remove all its names but one",
        Some(_) => "put the ledger on a local disk",
    };
    Err(Error::unsafe_location(path, doubts.first().map(Fact::to_string).unwrap_or_default(), help))
}

/// How many names a file has.
#[cfg(unix)]
fn links(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
fn links(_metadata: &Metadata) -> u64 {
    1
}

/// The type of the file system a path lies on. Only Linux tells it in a file.
pub(super) fn file_system_of(path: &Path) -> Option<String> {
    file_system(&fs::read_to_string("/proc/self/mountinfo").ok()?, path)
}

/// The type of the file system a path lies on, from the text of /proc/self/mountinfo.
fn file_system(mounts: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for line in mounts.lines() {
        let Some((before, after)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (before.split(' ').nth(4), after.split(' ').next()) else { continue };
        let point = PathBuf::from(unescape(point));
        let depth = point.components().count();
        // Of two mounts on one point the later hides the earlier.
        if path.starts_with(&point) && best.as_ref().is_none_or(|(deepest, _)| depth >= *deepest) {
            best = Some((depth, kind.to_string()));
        }
    }
    best.map(|(_, kind)| kind)
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .into_iter()
        .fold(point.to_string(), |text, (escaped, plain)| text.replace(escaped, plain))
}

fn is_network(kind: &str) -> bool {
    const KINDS: [&str; 20] = [
        "nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "9p", "virtiofs", "ceph", "lustre",
        "gfs2", "ocfs2", "beegfs", "coda", "orangefs", "davfs", "vboxsf",
    ];
    const FUSE: [&str; 14] = [
        "sshfs",
        "rclone",
        "s3fs",
        "gcsfuse",
        "glusterfs",
        "ceph",
        "davfs2",
        "curlftpfs",
        "smbnetfs",
        "gvfsd-fuse",
        "goofys",
        "juicefs",
        "grpcfuse",
        "osxfs",
    ];
    KINDS.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|kind| FUSE.contains(&kind))
}

/// The part of a path that is the folder of a synchronising service.
fn cloud_folder(path: &Path) -> Option<String> {
    const NAMES: [&str; 18] = [
        "dropbox",
        "google drive",
        "googledrive",
        "icloud drive",
        "iclouddrive",
        "mobile documents",
        "cloudstorage",
        "nextcloud",
        "owncloud",
        "pclouddrive",
        "nutstore",
        "nutstore files",
        "坚果云",
        "我的坚果云",
        "baidusyncdisk",
        "baidunetdiskworkspace",
        "百度网盘",
        "wps云盘",
    ];
    path.parent()?.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).find(|part| {
        let part = part.to_lowercase();
        NAMES.contains(&part.as_str())
            || part.starts_with("onedrive")
            || part.starts_with("dropbox (")
            || part.starts_with("com~apple~")
    })
}

/// What a failed call on a file, but by SQLite, means.
pub(crate) fn file_error(path: &Path, error: &std::io::Error) -> Error {
    use ErrorKind::{AlreadyExists, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let message = format!("{}: {error}", path.display());
    match error.kind() {
        PermissionDenied => Error::read_only(message, RIGHTS),
        ReadOnlyFilesystem => {
            Error::read_only(message, "nothing can be written there: copy the ledger to another disk")
        }
        StorageFull | QuotaExceeded => Error::DiskFull { message },
        AlreadyExists => Error::LedgerExists { path: path.display().to_string() },
        _ => Error::Storage { message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 22 0:40 / /home/kim/Net\\040Share rw,nosuid - cifs //host/x rw
31 22 0:41 / /srv rw - nfs4 host:/srv rw
32 31 253:2 / /srv/local rw - xfs /dev/vdb rw
33 22 0:42 / /remote rw - fuse.sshfs host: rw
34 22 0:43 / /twice rw - nfs host:/x rw
35 22 253:3 / /twice rw - ext4 /dev/vdc rw
";

    #[test]
    fn file_systems_are_told_by_the_deepest_mount() {
        let kind = |path: &str| file_system(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(kind("/home/kim/points.ledger"), "ext4");
        assert_eq!(kind("/home/kim/Net Share/points.ledger"), "cifs");
        assert_eq!(kind("/srv/points.ledger"), "nfs4");
        assert_eq!(kind("/srv/local/points.ledger"), "xfs");
        assert_eq!(kind("/srv2/points.ledger"), "ext4");
        assert_eq!(kind("/twice/points.ledger"), "ext4");
        assert!(is_network(&kind("/remote/points.ledger")));
        assert!(is_network("9p") && is_network("virtiofs") && !is_network("ext4") && !is_network("fuse.ntfs-3g"));
        assert_eq!(file_system("", Path::new("/x")), None);
        assert_eq!(file_system("nonsense\n", Path::new("/x")), None);
    }

    #[test]
    fn of_several_doubts_the_worst_comes_first() {
        let of = |kind: &str, path: &str| doubts(Path::new(path), Some(kind), None);
        let cloud = Fact::Cloud { folder: "Dropbox".into() };
        assert_eq!(of("ext4", "/home/kim/points.ledger"), []);
        assert_eq!(of("ext4", "/home/kim/Dropbox/points.ledger"), std::slice::from_ref(&cloud));
        let (nfs, mine) = (Fact::Network { file_system: "nfs4".into() }, Fact::Fuse { file_system: "fuse.x".into() });
        assert_eq!(of("nfs4", "/srv/Dropbox/points.ledger"), [nfs.clone(), cloud.clone()]);
        assert_eq!(of("fuse.x", "/srv/Dropbox/points.ledger"), [cloud.clone(), mine.clone()]);
        assert!(nfs.is_fault() && !cloud.is_fault() && !mine.is_fault());
    }

    #[test]
    fn cloud_folders_are_warned_about() {
        let cloud = |path: &str| cloud_folder(Path::new(path)).is_some();
        assert!(cloud("/home/kim/Dropbox/points.ledger"));
        assert!(cloud("/Users/kim/OneDrive - Studio/app/points.ledger"));
        assert!(cloud("/Users/kim/Library/Mobile Documents/com~apple~CloudDocs/points.ledger"));
        assert!(cloud("/home/li/我的坚果云/账本/points.ledger"));
        assert!(cloud("/home/li/Nutstore Files/points.ledger"));
        assert!(cloud("D:/BaiduSyncdisk/points.ledger"));
        assert!(!cloud("/home/kim/dropbox"));
        assert!(!cloud("/home/kim/points.ledger"));
    }
}
