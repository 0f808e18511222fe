//! Power cuts. A program's life is recorded once, call by call; then the disk is rebuilt as it may be after the power went at any of
//! them, with what was not synced lost, torn or garbage, and opened again: everything acknowledged is there, everything is whole, and
//! the file takes operations.
//!
//! `COUNTERFOIL_CUTS=10` tries ten times as many images, `COUNTERFOIL_SEED=17` begins elsewhere.

mod disk;
mod log;
mod stories;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use counterfoil::{Durability, Ledger, Request};

use crate::against::{folder, in_parallel, number};
use crate::model::generate::Random;
use crate::support::strace_is_there;
use disk::{DAMAGES, Damage, Disk, Image};
use log::{Event, MARK};

/// How often something is tried that the suite tries so many times.
fn times(usual: u64) -> u64 {
    usual * number("COUNTERFOIL_CUTS", 1)
}

const STORY: &str = "COUNTERFOIL_CUTS_STORY";
const FOLDER: &str = "COUNTERFOIL_CUTS_FOLDER";

/// Not a test of its own: lives a story.
#[test]
fn child() {
    let (Ok(story), Ok(folder)) = (std::env::var(STORY), std::env::var(FOLDER)) else { return };
    mark("begin");
    stories::live(&story, Path::new(&folder));
    mark("end");
    // As a process ends that is killed: nothing is closed that the story has not closed.
    std::process::abort();
}

/// Leaves a word in the log of calls.
pub fn mark(word: &str) {
    let _ = fs::metadata(format!("{MARK}{word}"));
}

/// What a story said while it lived: nothing it said may be lost.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Keys and ids of operations that are durable, by ledger.
    pub durable: BTreeMap<String, Vec<(String, String)>>,
    /// Those that are not yet.
    relaxed: BTreeMap<String, Vec<(String, String)>>,
    /// Ledgers that are there, whole.
    pub there: Vec<String>,
}

impl Said {
    /// Marks are `there LEDGER`, `full LEDGER KEY ID`, `relaxed LEDGER KEY ID` and `flushed LEDGER`.
    fn hear(&mut self, mark: &str) {
        let words: Vec<&str> = mark.split(' ').collect();
        match words.as_slice() {
            ["there", ledger] => self.there.push((*ledger).to_string()),
            ["relaxed", ledger, key, id] => {
                self.relaxed.entry((*ledger).to_string()).or_default().push(((*key).to_string(), (*id).to_string()));
            }
            ["full", ledger, key, id] => {
                self.flush(ledger);
                self.durable.entry((*ledger).to_string()).or_default().push(((*key).to_string(), (*id).to_string()));
            }
            ["flushed", ledger] => self.flush(ledger),
            _ => {}
        }
    }

    /// What was only relaxed may be gone now.
    fn after_a_cut(&self) -> Self {
        Said { relaxed: BTreeMap::new(), ..self.clone() }
    }

    /// It only ever grows.
    fn count(&self) -> usize {
        self.there.len() + self.durable.values().map(Vec::len).sum::<usize>()
    }

    /// One durable commit makes all before it durable.
    fn flush(&mut self, ledger: &str) {
        let relaxed = self.relaxed.remove(ledger).unwrap_or_default();
        self.durable.entry(ledger.to_string()).or_default().extend(relaxed);
    }
}

/// A story lived under `strace`, beginning with an image: what it did.
fn record(story: &str, before: &Image) -> Vec<Event> {
    let folder = folder();
    lay_out(before, folder.path());
    let files: Vec<PathBuf> = before.files.iter().map(|(path, _)| folder.path().join(path)).collect();
    // Outside of the folder that is looked at.
    let text = tempfile::NamedTempFile::new().unwrap();
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-xx", "-s", "16777216", "-e", &format!("trace={}", log::CALLS), "-o"]).arg(text.path());
    strace.arg(std::env::current_exe().unwrap()).args(["--exact", "cuts::child", "--nocapture", "--test-threads=1"]);
    let output = strace.env(STORY, story).env(FOLDER, folder.path()).output().unwrap();
    let text = fs::read_to_string(text.path()).unwrap();
    let events = log::read(&text, folder.path(), &files);
    let marked = |word: &str| events.iter().position(|event| *event == Event::Mark(word.into()));
    let (Some(begin), Some(end)) = (marked("begin"), marked("end")) else {
        panic!("{story} did not live to its end: {}", String::from_utf8_lossy(&output.stderr));
    };
    events[begin..end].iter().map(|event| event.within(folder.path())).collect()
}

/// Writes an image into a folder.
fn lay_out(image: &Image, folder: &Path) {
    image.folders.iter().for_each(|path| fs::create_dir_all(folder.join(path)).unwrap());
    for (path, bytes) in &image.files {
        let path = folder.join(path);
        // Without its folder nobody finds it.
        if path.parent().is_some_and(Path::is_dir) {
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// The places at which something may be lost in another way than before, with the disk and what was said until then.
fn places(before: &Image, said: &Said, events: &[Event]) -> Vec<(usize, Disk, Said)> {
    let (mut disk, mut said, mut places) = (Disk::of(before), said.clone(), Vec::new());
    for (at, event) in events.iter().enumerate() {
        let new = disk.take(event);
        if let Event::Mark(mark) = event {
            said.hear(mark);
        }
        if new || matches!(event, Event::Mark(_)) {
            places.push((at, disk.clone(), said.clone()));
        }
    }
    places
}

/// What cutting the power came to: how many images were opened, and what was wrong with some.
#[derive(Debug, Default)]
struct Cut {
    images: usize,
    wrong: Vec<String>,
}

/// Cuts the power at every place so many times, each in so many ways.
fn cut_everywhere(story: &str, (times, ways): (u64, usize), events: &[Event], before: &Image, said: &Said) -> Cut {
    let places = places(before, said, events);
    let cut = Mutex::new(Cut::default());
    let tried = Mutex::new(HashSet::new());
    in_parallel(places.len() as u64 * times, |seed| {
        let (at, disk, said) = &places[seed as usize % places.len()];
        let mut random = Random::new(seed);
        let first = random.range(0, DAMAGES.len() as i64 - 1) as usize;
        for damage in DAMAGES.iter().cycle().skip(first).take(ways) {
            let image = disk.cut(*damage, &mut random);
            // Two places may leave the same.
            if !tried.lock().unwrap().insert((image.hash(), said.count())) {
                continue;
            }
            let opened = open_again(story, &image, said);
            let mut cut = cut.lock().unwrap();
            cut.images += 1;
            let place = || format!("{story}, after call {at} ({}), {damage:?}, seed {seed}", brief(&events[*at]));
            cut.wrong.extend(opened.err().map(|why| format!("{}: {why}", place())));
        }
    });
    cut.into_inner().unwrap()
}

/// An event without its bytes.
fn brief(event: &Event) -> String {
    match event {
        Event::Write { file, at, bytes } => format!("{} bytes at {at} of file {file}", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// What a machine finds that starts again.
fn open_again(story: &str, image: &Image, said: &Said) -> Result<(), String> {
    let folder = folder();
    lay_out(image, folder.path());
    if let Some(name) = said.there.iter().find(|name| !folder.path().join(name).exists()) {
        return Err(format!("{name} is not there"));
    }
    let none = Vec::new();
    for (path, _) in &image.files {
        let name = path.to_str().unwrap();
        if name.ends_with(".ledger") && !hidden(path) {
            let durable = said.durable.get(name).unwrap_or(&none);
            stands(&folder.path().join(path), durable).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    if story == "exchange" { stories::adds_up(folder.path()) } else { Ok(()) }
}

/// What is being made has another name until it is whole.
fn hidden(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'))
}

/// Everything acknowledged is there, everything is whole, and it takes an operation, to which it gives an id of its own.
fn stands(path: &Path, durable: &[(String, String)]) -> Result<(), String> {
    let told = |error: counterfoil::Error| error.to_string();
    let ledger = Ledger::options().durability(Durability::Relaxed).open(path).map_err(told)?;
    for (key, id) in durable {
        let found = ledger.operation_named(&format!("key:{key}"), None).map_err(|error| format!("{key}: {error}"))?;
        if found.to_string() != *id {
            return Err(format!("{key} is {found}, and was {id}"));
        }
    }
    let verification = ledger.verify().map_err(told)?;
    if !verification.ok {
        return Err(format!("{:?}", verification.faults));
    }
    let open = Request::parse(r#"{"op":"open","account":"after the cut","key":"after the cut"}"#).unwrap();
    let new = ledger.apply(&open).map_err(told)?.operation.to_string();
    match durable.iter().find(|(_, id)| *id == new) {
        Some((key, id)) => Err(format!("{id} is given twice, first to {key}")),
        None => Ok(()),
    }
}

/// The image a story leaves behind that nothing disturbs.
fn left_by(story: &str, before: &Image) -> Image {
    let mut disk = Disk::of(before);
    for event in record(story, before) {
        disk.take(&event);
    }
    disk.cut(Damage::Kept, &mut Random::new(0))
}

/// A story cut everywhere, and nothing lost.
fn lives(story: &str, (usual, ways): (u64, usize), before: &Image, at_least: usize) {
    let cut = cut_everywhere(story, (times(usual), ways), &record(story, before), before, &Said::default());
    println!("{story}: {} images", cut.images);
    assert!(cut.wrong.is_empty(), "{} of {} images:\n{}", cut.wrong.len(), cut.images, cut.wrong[0]);
    assert!(cut.images >= at_least, "{story}: {} images", cut.images);
}

#[test]
fn a_ledger_lives_through_power_cuts() {
    if strace_is_there() {
        lives("life", (16, DAMAGES.len()), &Image::default(), 14_000);
    }
}

#[test]
fn backup_and_restore_live_through_power_cuts() {
    if strace_is_there() {
        lives("copies", (6, DAMAGES.len()), &left_by("life", &Image::default()), 4_000);
    }
}

#[test]
fn a_hub_and_its_device_live_through_power_cuts() {
    if strace_is_there() {
        lives("exchange", (3, 2), &left_by("enrolled", &Image::default()), 400);
    }
}

/// The power goes again while what it left is read.
#[test]
fn recovery_lives_through_power_cuts() {
    if !strace_is_there() {
        return;
    }
    let places = places(&Image::default(), &Said::default(), &record("life", &Image::default()));
    let (mut random, mut images) = (Random::new(number("COUNTERFOIL_SEED", 0)), 0);
    for _ in 0..times(45) {
        let (_, disk, said) = random.pick(&places);
        let image = disk.cut(*random.pick(&DAMAGES), &mut Random::new(random.number()));
        let cut = cut_everywhere("again", (1, DAMAGES.len()), &record("again", &image), &image, &said.after_a_cut());
        assert!(cut.wrong.is_empty(), "{} of {} images:\n{}", cut.wrong.len(), cut.images, cut.wrong[0]);
        images += cut.images;
    }
    println!("again: {images} images");
    assert!(images > 4_000, "{images} images");
}

/// A program that did not sync its files, or its folders, or acknowledged what is only relaxed: each is found.
#[test]
fn what_is_not_synced_is_missed() {
    if !strace_is_there() {
        return;
    }
    let events = record("life", &Image::default());
    let without = |left_out: fn(&Event) -> bool| events.iter().filter(|event| !left_out(event)).cloned().collect();
    let relaxed_is_full = |event: &Event| match event {
        Event::Mark(mark) => Event::Mark(mark.replace("relaxed ", "full ")),
        other => other.clone(),
    };
    let planted: [(&str, Vec<Event>); 3] = [
        ("files", without(|event| matches!(event, Event::Sync { .. }))),
        ("folders", without(|event| matches!(event, Event::SyncFolder { .. }))),
        ("relaxed", events.iter().map(relaxed_is_full).collect()),
    ];
    for (what, events) in planted {
        let cut = cut_everywhere("life", (1, 2), &events, &Image::default(), &Said::default());
        assert!(!cut.wrong.is_empty(), "{what}: nothing of {} images is wrong", cut.images);
    }
}
