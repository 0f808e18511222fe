//! A disk on which what was not synced may be lost: what a program did to it, and what may be left of that when the power goes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::log::Event;
use crate::model::generate::Random;

/// What a disk writes as one piece.
const SECTOR: usize = 512;

/// What becomes of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Nothing of them is there.
    Lost,
    /// All of them are there.
    Kept,
    /// Some of them are, and others are not.
    Some,
    /// Some sectors of each.
    Torn,
    /// All but the end of the last.
    TornLast,
    /// Some; of others there is something else.
    Garbage,
    /// All, but no file has become longer.
    NotGrown,
}

pub const DAMAGES: [Damage; 7] =
    [Damage::Lost, Damage::Kept, Damage::Some, Damage::Torn, Damage::TornLast, Damage::Garbage, Damage::NotGrown];

#[derive(Debug, Clone)]
enum Change {
    Write { at: usize, bytes: Arc<Vec<u8>> },
    Truncate(usize),
}

#[derive(Debug, Clone, Default)]
struct File {
    /// Shared by what the disk was at many places.
    synced: Arc<Vec<u8>>,
    since: Vec<Change>,
}

/// A change of names. They come to the disk in their order.
#[derive(Debug, Clone)]
enum Naming {
    Name(PathBuf, usize),
    /// Of a file, which needs no name in the folder it comes from any more; or of a folder.
    Rename(PathBuf, PathBuf, Option<usize>),
    Remove(PathBuf),
    Folder(PathBuf),
}

impl Naming {
    fn folder(&self) -> Option<&Path> {
        match self {
            Naming::Name(path, _) | Naming::Rename(_, path, _) | Naming::Remove(path) | Naming::Folder(path) => {
                path.parent()
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Names {
    files: BTreeMap<PathBuf, usize>,
    folders: Vec<PathBuf>,
}

impl Names {
    fn apply(&mut self, naming: &Naming) {
        match naming {
            Naming::Name(path, file) => drop(self.files.insert(path.clone(), *file)),
            Naming::Rename(from, to, Some(file)) => {
                self.files.remove(from);
                self.files.insert(to.clone(), *file);
            }
            Naming::Rename(from, to, None) => {
                self.folders.iter_mut().filter(|folder| *folder == from).for_each(|folder| folder.clone_from(to));
                let inside: Vec<_> = self.files.keys().filter(|path| path.starts_with(from)).cloned().collect();
                for path in inside {
                    let file = self.files.remove(&path).unwrap();
                    self.files.insert(to.join(path.strip_prefix(from).unwrap()), file);
                }
            }
            Naming::Remove(path) => {
                self.files.remove(path);
                self.folders.retain(|folder| folder != path);
            }
            Naming::Folder(path) => self.folders.push(path.clone()),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct Disk {
    files: Vec<File>,
    synced: Names,
    since: Vec<Naming>,
}

/// What a machine finds that starts again: folders, and files with what is in them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    pub folders: Vec<PathBuf>,
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl Image {
    pub fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (path, bytes) in &self.files {
            hasher.update(path.to_str().unwrap().as_bytes()).update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
        }
        for path in &self.folders {
            hasher.update(path.to_str().unwrap().as_bytes());
        }
        hasher.finalize()
    }
}

impl Disk {
    /// With what an image has, all of it synced.
    pub fn of(image: &Image) -> Self {
        let files = image.files.iter().map(|(_, bytes)| File { synced: Arc::new(bytes.clone()), since: Vec::new() });
        let names = image.files.iter().enumerate().map(|(file, (path, _))| (path.clone(), file));
        let synced = Names { files: names.collect(), folders: image.folders.clone() };
        Disk { files: files.collect(), synced, since: Vec::new() }
    }

    /// Whether something may now be lost in another way than before.
    pub fn take(&mut self, event: &Event) -> bool {
        match event {
            Event::Open { path, file, new: true } => {
                self.files.resize_with(self.files.len().max(file + 1), File::default);
                self.since.push(Naming::Name(path.clone(), *file));
            }
            Event::Open { .. } | Event::Mark(_) => return false,
            Event::Write { file, at, bytes } => {
                let at = usize::try_from(*at).unwrap();
                self.files[*file].since.push(Change::Write { at, bytes: Arc::new(bytes.clone()) });
            }
            Event::Truncate { file, length } => {
                self.files[*file].since.push(Change::Truncate(usize::try_from(*length).unwrap()));
            }
            Event::Sync { file } => {
                let file = &mut self.files[*file];
                for change in std::mem::take(&mut file.since) {
                    change.apply(Arc::make_mut(&mut file.synced));
                }
            }
            Event::SyncFolder { path } => {
                // Those of other folders that came before are as likely there as not: they stay open.
                for naming in std::mem::take(&mut self.since) {
                    if naming.folder() == Some(path) {
                        self.synced.apply(&naming);
                    } else {
                        self.since.push(naming);
                    }
                }
            }
            Event::Rename { from, to } => {
                let file = self.file(from);
                self.since.push(Naming::Rename(from.clone(), to.clone(), file));
            }
            Event::Remove { path } => self.since.push(Naming::Remove(path.clone())),
            Event::Folder { path } => self.since.push(Naming::Folder(path.clone())),
            Event::Link { from, to } => {
                let file = self.file(from);
                self.since.extend(file.map(|file| Naming::Name(to.clone(), file)));
            }
        }
        true
    }

    /// Which file a name stands for while the power is on.
    fn file(&self, path: &Path) -> Option<usize> {
        let mut names = self.synced.clone();
        self.since.iter().for_each(|naming| names.apply(naming));
        names.files.get(path).copied()
    }

    /// What is there after the power went.
    pub fn cut(&self, damage: Damage, random: &mut Random) -> Image {
        let mut names = self.synced.clone();
        let last = match damage {
            Damage::Lost => 0,
            Damage::Kept | Damage::NotGrown => self.since.len(),
            _ => usize::try_from(random.range(0, i64::try_from(self.since.len()).unwrap())).unwrap(),
        };
        self.since[..last].iter().for_each(|naming| names.apply(naming));
        let mut image = Image { folders: names.folders, files: Vec::new() };
        for (path, file) in names.files {
            image.files.push((path, self.files[file].cut(damage, random)));
        }
        image
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes: new } => put(bytes, *at, new),
            Change::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, new: &[u8]) {
    bytes.resize(bytes.len().max(at + new.len()), 0);
    bytes[at..at + new.len()].copy_from_slice(new);
}

impl File {
    fn cut(&self, damage: Damage, random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::clone(&self.synced);
        let longest = bytes.len();
        for (n, change) in self.since.iter().enumerate() {
            let last = n + 1 == self.since.len();
            match (damage, change) {
                (Damage::Lost, _) => {}
                (Damage::Kept | Damage::NotGrown, _) => change.apply(&mut bytes),
                (Damage::TornLast, Change::Write { at, bytes: new }) if last => {
                    let there = random.range(0, i64::try_from(new.len()).unwrap());
                    put(&mut bytes, *at, &new[..usize::try_from(there).unwrap()]);
                }
                (Damage::TornLast, _) => change.apply(&mut bytes),
                (Damage::Some, _) | (_, Change::Truncate(_)) => {
                    if random.percent(50) {
                        change.apply(&mut bytes);
                    }
                }
                (Damage::Torn | Damage::Garbage, Change::Write { at, bytes: new }) => {
                    for (n, sector) in new.chunks(SECTOR).enumerate() {
                        if random.percent(50) {
                            put(&mut bytes, at + n * SECTOR, sector);
                        } else if damage == Damage::Garbage && random.percent(20) {
                            let garbage: Vec<u8> = sector.iter().map(|_| random.range(0, 255) as u8).collect();
                            put(&mut bytes, at + n * SECTOR, &garbage);
                        }
                    }
                }
            }
        }
        if damage == Damage::NotGrown {
            bytes.truncate(longest);
        }
        bytes
    }
}
