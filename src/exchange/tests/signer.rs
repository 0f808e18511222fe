//! The key file: what it refuses, and that its mark never goes back.

use std::fs;
use std::path::Path;

use super::*;
use crate::exchange::{Mark, Signer, open_file, write_file};

const LEDGER: Uuid = Uuid::from_u128(5);

fn opened(path: &Path) -> Result<Signer> {
    Signer::open(path, LEDGER, None)
}

fn mark(epoch: i64, seq: i64) -> Mark {
    Mark { epoch, seq, hash: link(seq).hash }
}

#[test]
fn a_key_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    assert_eq!(opened(&path).unwrap_err().code(), "invalid_argument");
    let mut made = Signer::create(&path, LEDGER).unwrap();
    assert_eq!(Signer::create(&path, LEDGER).unwrap_err().code(), "ledger_exists");
    let read = opened(&path).unwrap();
    assert_eq!((read.key().secret(), read.mark()), (made.key().secret(), None));
    made.raise(mark(7, 350)).unwrap();
    // What was opened before, and knows of none, takes nothing back.
    let mut old = read;
    old.raise(mark(7, 349)).unwrap();
    assert_eq!((old.mark(), opened(&path).unwrap().mark()), (Some(mark(7, 350)), Some(mark(7, 350))));
    old.raise(mark(8, 1)).unwrap();
    assert_eq!(opened(&path).unwrap().mark(), Some(mark(8, 1)));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(folder.path().join("points.ledger.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// The app keeps the key: beside the ledger lies only how far others were told.
#[test]
fn the_mark_of_a_key_that_was_handed_in_lies_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let open = || Signer::open(&path, LEDGER, Some(key())).unwrap();
    assert_eq!(open().mark(), None);
    open().raise(mark(7, 5)).unwrap();
    assert_eq!(open().mark(), Some(mark(7, 5)));
    let written = fs::read_to_string(folder.path().join("points.ledger.mark")).unwrap();
    assert!(!written.contains("secret") && !written.contains(&"07".repeat(32)), "{written}");
}

#[test]
fn no_text_shows_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::create(&folder.path().join("points.ledger"), LEDGER).unwrap();
    let secret = Hash::from(*signer.key().secret()).to_string();
    let shown = format!("{signer:?} {:?}", signer.key());
    assert!(!shown.contains(&secret) && shown.contains(&signer.key().public().to_string()));
}

#[test]
fn a_key_file_that_is_not_right_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let file = folder.path().join("points.ledger.key");
    let secret = Hash::from(*Signer::create(&path, LEDGER).unwrap().key().secret()).to_string();
    let whole = fs::read_to_string(&file).unwrap();
    let said = |text: &str| {
        fs::write(&file, text).unwrap();
        let error = opened(&path).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), ("invalid_argument", Some("signing_key")));
        assert!(!format!("{error} {}", error.help()).contains(&secret), "{error}");
        error.to_string()
    };
    for (text, expected) in [
        (whole.replace(&LEDGER.to_string(), &HUB.to_string()), "belongs to the ledger 11112222"),
        (whole.replace("key/1", "key/2"), "it is a `key/2`"),
        (whole.replace(&secret, &"00".repeat(32)), "do not belong together"),
        (whole.replace(&secret, &secret[..62]), "cannot be read"),
        (whole.replace("\"secret\"", "\"sekret\""), "cannot be read"),
        (whole.replace("\"public\":\"", &format!("\"public\":\"{secret}")), "cannot be read"),
        (whole[..whole.len() / 2].to_string(), "cannot be read"),
        (String::new(), "cannot be read"),
        (" ".repeat(5000), "too long"),
    ] {
        let message = said(&text);
        assert!(message.contains(expected), "{message}");
    }
    fs::write(&file, &whole).unwrap();
    opened(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_reach_is_refused() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("points.ledger");
    let file = folder.path().join("points.ledger.key");
    Signer::create(&path, LEDGER).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(opened(&path).unwrap_err().to_string().contains("mode 640"));
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let elsewhere = folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(opened(&path).unwrap_err().code(), "invalid_argument");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(opened(&path).unwrap_err().code(), "invalid_argument");
}

/// A file is there whole or not at all, under a name that means it alone.
#[test]
fn a_file_comes_under_its_name_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (header, lines) = up(3);
    let write = |header: &Header| {
        write_file(folder.path(), header.clone(), true, &key(), |file| {
            file.price_book(BOOK)?;
            lines.iter().try_for_each(|line| file.line(line))
        })
    };
    let path = write(&header).unwrap();
    let file = inspect(open_file(&path).unwrap()).unwrap();
    assert_eq!(path.file_name().unwrap().to_str().unwrap(), header.file_name(&file.digest, true));
    // What damage has left of it is replaced.
    fs::write(&path, "damaged").unwrap();
    assert_eq!(write(&header).unwrap(), path);
    assert!(inspect(open_file(&path).unwrap()).is_ok());
    let half = write_file(folder.path(), header.clone(), true, &key(), |file| file.price_book("other"));
    assert_eq!(half.unwrap_err().code(), "invalid_argument");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        let link = folder.path().join("link.cfx");
        assert_eq!(open_file(&link).unwrap_err().code(), "invalid_argument");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(open_file(&link).unwrap_err().code(), "bad_file");
        assert_eq!(open_file(folder.path()).unwrap_err().code(), "bad_file");
    }
}
