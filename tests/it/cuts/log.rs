//! What a program did to the disk, as `strace` saw it: every write with its bytes, every sync, every change of a name.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The calls that are looked at. `?`: not every machine has it.
pub const CALLS: &str = "?openat,?open,?creat,?close,?write,?pwrite64,?ftruncate,?fsync,?fdatasync,?rename,?renameat,?renameat2,\
    ?unlink,?unlinkat,?mkdir,?mkdirat,?rmdir,?link,?linkat,?statx,?lseek,?copy_file_range,?sendfile,?fallocate,?writev,?pwritev,?pwritev2";

/// What begins the name of a file that is not there: looked for, it is a mark in the log.
pub const MARK: &str = "/mark/";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A file that was opened, by its number; `new`: with nothing in it.
    Open {
        path: PathBuf,
        file: usize,
        new: bool,
    },
    Write {
        file: usize,
        at: u64,
        bytes: Vec<u8>,
    },
    Truncate {
        file: usize,
        length: u64,
    },
    Sync {
        file: usize,
    },
    SyncFolder {
        path: PathBuf,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove {
        path: PathBuf,
    },
    Folder {
        path: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    /// The program says how far it has come.
    Mark(String),
}

impl Event {
    /// By names within a folder: another run has another folder.
    pub fn within(&self, folder: &Path) -> Self {
        let short = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_path_buf();
        match self.clone() {
            Event::Open { path, file, new } => Event::Open { path: short(&path), file, new },
            Event::SyncFolder { path } => Event::SyncFolder { path: short(&path) },
            Event::Rename { from, to } => Event::Rename { from: short(&from), to: short(&to) },
            Event::Remove { path } => Event::Remove { path: short(&path) },
            Event::Folder { path } => Event::Folder { path: short(&path) },
            Event::Link { from, to } => Event::Link { from: short(&from), to: short(&to) },
            other => other,
        }
    }
}

enum Handle {
    File { file: usize, position: u64 },
    Folder(PathBuf),
}

/// Reads a log line by line. Only what lies in one folder counts, and of that not SQLite's `-shm`, which is memory.
pub struct Reader<'f> {
    folder: &'f Path,
    handles: HashMap<i64, Handle>,
    /// Which file a name stands for now.
    names: HashMap<PathBuf, usize>,
    files: usize,
    events: Vec<Event>,
}

/// The arguments of a call: texts between quotes are bytes in hexadecimal.
struct Call<'l> {
    name: &'l str,
    arguments: Vec<&'l str>,
    result: i64,
}

/// A text as `strace -xx` writes it: each byte after `\x`.
fn bytes(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

impl<'l> Call<'l> {
    fn of(line: &'l str) -> Option<Self> {
        let (call, result) = line.rsplit_once(" = ")?;
        let (name, arguments) = call.trim_end().strip_suffix(')')?.split_once('(')?;
        let result = result.split_whitespace().next()?.parse().ok()?;
        // Nothing but hexadecimal stands in a text.
        Some(Call { name, arguments: arguments.split(", ").collect(), result })
    }

    fn text(&self, n: usize) -> Vec<u8> {
        let text = self.arguments[n].trim_matches('"');
        assert!(!self.arguments[n].ends_with("..."), "a write was too long for the log");
        bytes(text)
    }

    fn path(&self, n: usize) -> PathBuf {
        String::from_utf8(self.text(n)).unwrap().into()
    }

    fn number(&self, n: usize) -> i64 {
        self.arguments[n].trim().parse().unwrap()
    }
}

/// All that a log says, in the order in which the calls ended. `files`: those that were there before, by number.
pub fn read(log: &str, folder: &Path, files: &[PathBuf]) -> Vec<Event> {
    let names = files.iter().enumerate().map(|(file, path)| (path.clone(), file)).collect();
    let mut reader = Reader { folder, handles: HashMap::new(), names, files: files.len(), events: Vec::new() };
    let mut begun: HashMap<&str, String> = HashMap::new();
    for line in log.lines() {
        let (thread, rest) = line.split_once(' ').unwrap();
        let rest = rest.trim_start();
        if let Some(first) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, first.to_string());
            continue;
        }
        let whole = match rest.split_once(" resumed>") {
            Some((head, tail)) if head.starts_with("<... ") => begun.remove(thread).unwrap_or_default() + tail,
            _ => rest.to_string(),
        };
        if let Some(call) = Call::of(&whole)
            && call.result >= 0
        {
            reader.take(&call);
        } else if whole.starts_with("statx(") {
            reader.mark(&whole);
        }
    }
    reader.events
}

impl Reader<'_> {
    fn mark(&mut self, line: &str) {
        let Some(path) = line.split('"').nth(1) else { return };
        let path = String::from_utf8(bytes(path)).unwrap();
        self.events.extend(path.strip_prefix(MARK).map(|mark| Event::Mark(mark.to_string())));
    }

    fn counts(&self, path: &Path) -> bool {
        path.starts_with(self.folder) && !path.to_string_lossy().ends_with("-shm")
    }

    fn take(&mut self, call: &Call<'_>) {
        match call.name {
            "openat" => self.open(&call.path(1), call.arguments[2], call.result),
            "open" => self.open(&call.path(0), call.arguments[1], call.result),
            "close" => drop(self.handles.remove(&call.number(0))),
            "rename" => self.rename(call.path(0), call.path(1)),
            "renameat" | "renameat2" => self.rename(call.path(1), call.path(3)),
            "unlink" | "rmdir" => self.remove(call.path(0)),
            "unlinkat" => self.remove(call.path(1)),
            "mkdir" => self.folder(call.path(0)),
            "mkdirat" => self.folder(call.path(1)),
            "link" => self.link(call.path(0), call.path(1)),
            "linkat" => self.link(call.path(1), call.path(3)),
            "statx" => {}
            name => self.with_handle(name, call),
        }
    }

    fn with_handle(&mut self, name: &str, call: &Call<'_>) {
        let Some(handle) = self.handles.get_mut(&call.number(0)) else { return };
        let (file, position) = match handle {
            Handle::File { file, position } => (*file, position),
            Handle::Folder(path) => {
                let path = path.clone();
                self.events.extend(name.ends_with("sync").then_some(Event::SyncFolder { path }));
                return;
            }
        };
        match name {
            "pwrite64" => {
                let (mut bytes, at) = (call.text(1), call.number(3).unsigned_abs());
                bytes.truncate(usize::try_from(call.result).unwrap());
                self.events.push(Event::Write { file, at, bytes });
            }
            "write" => {
                let (mut bytes, at) = (call.text(1), *position);
                bytes.truncate(usize::try_from(call.result).unwrap());
                *position += bytes.len() as u64;
                self.events.push(Event::Write { file, at, bytes });
            }
            "lseek" => *position = call.result.unsigned_abs(),
            "ftruncate" => self.events.push(Event::Truncate { file, length: call.number(1).unsigned_abs() }),
            "fsync" | "fdatasync" => self.events.push(Event::Sync { file }),
            other => panic!("the disk is not told of `{other}`"),
        }
    }

    fn open(&mut self, path: &Path, flags: &str, fd: i64) {
        if !self.counts(path) {
            self.handles.remove(&fd);
            return;
        }
        if flags.contains("O_DIRECTORY")
            || path == self.folder
            || (!self.names.contains_key(path) && !flags.contains("O_CREAT"))
        {
            self.handles.insert(fd, Handle::Folder(path.to_path_buf()));
            return;
        }
        let known = self.names.get(path).copied();
        let file = known.unwrap_or(self.files);
        if known.is_none() {
            self.files += 1;
            self.names.insert(path.to_path_buf(), file);
        }
        self.handles.insert(fd, Handle::File { file, position: 0 });
        self.events.push(Event::Open { path: path.to_path_buf(), file, new: known.is_none() });
        if known.is_some() && flags.contains("O_TRUNC") {
            self.events.push(Event::Truncate { file, length: 0 });
        }
    }

    fn rename(&mut self, from: PathBuf, to: PathBuf) {
        if self.counts(&from) || self.counts(&to) {
            if let Some(file) = self.names.remove(&from) {
                self.names.insert(to.clone(), file);
            }
            self.events.push(Event::Rename { from, to });
        }
    }

    fn remove(&mut self, path: PathBuf) {
        if self.counts(&path) {
            self.names.remove(&path);
            self.events.push(Event::Remove { path });
        }
    }

    fn folder(&mut self, path: PathBuf) {
        if self.counts(&path) {
            self.events.push(Event::Folder { path });
        }
    }

    fn link(&mut self, from: PathBuf, to: PathBuf) {
        if self.counts(&to) {
            if let Some(file) = self.names.get(&from).copied() {
                self.names.insert(to.clone(), file);
            }
            self.events.push(Event::Link { from, to });
        }
    }
}
