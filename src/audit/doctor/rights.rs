//! Who may read and change the ledger, the files beside it and its folder.

use std::path::Path;

use super::{Finding, Level};
use crate::db::{Beside, Site};

/// What others may do: to read, to write, to put files in a folder (whose sticky bit keeps those of others).
const OTHERS: u32 = 0o077;
const OTHERS_WRITE: u32 = 0o022;
const ANYBODY_WRITES: u32 = 0o002;
const STICKY: u32 = 0o1000;

pub(super) fn permissions(site: &Site) -> Finding {
    let Some(file) = &site.file else {
        return Finding::ok("permissions", "there is no file");
    };
    let path = quoted(&site.path);
    let mine = !matches!((file.owner, site.user), (Some(owner), Some(user)) if owner != user && user != 0);
    let mode = file.mode.map_or_else(|| "the system's rights apply".into(), |mode| format!("mode {mode:04o}"));
    let owner = match (file.owner, site.user) {
        (Some(owner), Some(user)) if owner == user => ", yours".to_string(),
        (Some(owner), Some(user)) => format!(", of user {owner} (you are {user})"),
        _ => String::new(),
    };
    let found = format!("{mode}{owner}");
    // Only the owner can do it.
    let asked = |help: String| match file.owner.filter(|_| !mine) {
        Some(owner) => format!("ask user {owner}, whose it is, {help}"),
        None => help,
    };
    if site.readable == Some(false) {
        let found = format!("{found}: you have no right to read it");
        let help = if mine { format!("chmod 600 {path}") } else { "for the right to read it".into() };
        return Finding::new("permissions", Level::Fault, found, asked(help));
    }
    if let Some((why, help)) = too_open(site, file, mine) {
        let help = if mine { help } else { format!("to run: {help}") };
        return Finding::new("permissions", Level::Warning, format!("{found}{why}"), asked(help));
    }
    if site.writable == Some(false) {
        let help = if mine {
            format!("to change it from here, give yourself the right to write {path} and its folder")
        } else {
            "if you are to change it from here, for the right to write it and its folder".into()
        };
        return Finding::new("permissions", Level::Note, format!("{found}: you may only look"), asked(help));
    }
    Finding::ok("permissions", found)
}

/// What is open to whom it should not be, and the commands that close it. Whoever was let look at somebody else's ledger
/// is only told of what may be changed.
fn too_open(site: &Site, file: &Beside, mine: bool) -> Option<(String, String)> {
    let bad = if mine { OTHERS } else { OTHERS_WRITE };
    let files = [Some(file), site.wal.as_ref(), site.shm.as_ref(), site.journal.as_ref()];
    let open: Vec<(&Beside, u32)> = files
        .into_iter()
        .flatten()
        .filter(|file| file.regular)
        .filter_map(|file| Some((file, file.mode.filter(|mode| mode & bad != 0)?)))
        .collect();
    let (mut why, mut help) = (String::new(), Vec::new());
    if !open.is_empty() {
        for (side, mode) in open.iter().filter(|(side, _)| side.name != file.name) {
            why.push_str(&format!(", {} has mode {mode:04o}", side.name));
        }
        let who = if open.iter().any(|(_, mode)| mode & OTHERS_WRITE != 0) { "read or change" } else { "read" };
        why.push_str(&format!(": other users may {who} {}", if open.len() == 1 { "it" } else { "them" }));
        let names: Vec<String> = open.iter().map(|(file, _)| quoted(&site.path.with_file_name(&file.name))).collect();
        help.push(format!("chmod 600 {}", names.join(" ")));
    }
    let folder = site.folder.as_ref().and_then(|folder| folder.mode);
    if let Some(mode) = folder.filter(|mode| mode & ANYBODY_WRITES != 0 && mode & STICKY == 0) {
        why.push_str(&format!("; anybody may put another file in its place: the folder has mode {mode:04o}"));
        help.push(format!("chmod o-w {}", quoted(site.path.parent().unwrap_or(&site.path))));
    }
    (!help.is_empty()).then(|| (why, help.join(" && ")))
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}
