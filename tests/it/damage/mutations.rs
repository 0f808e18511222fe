//! Random damage: bytes, pages and lengths. `COUNTERFOIL_DAMAGE=1` tries thousands.

use super::{RICH, Sights, long_form, looks, unsound};
use crate::faults::rich;
use crate::model::generate::Random;
use crate::support::folder;

const PAGE: usize = 4096;

fn below(random: &mut Random, most: usize) -> usize {
    usize::try_from(random.number()).unwrap() % most
}

/// Changes a sound file's bytes; what was done.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) -> String {
    let pages = bytes.len() / PAGE;
    let page = below(random, pages);
    let at = page * PAGE + below(random, PAGE);
    match below(random, 8) {
        0 | 1 => {
            bytes[at] ^= 1 << below(random, 8);
            format!("bit at {at}")
        }
        2 => {
            bytes[at] = [0, 0xff, 0x7f, 0x80, 1][below(random, 5)];
            format!("byte at {at}")
        }
        // Headers, cell pointers and the first cells.
        3 => {
            let at = page * PAGE + below(random, 64);
            bytes[at] = u8::try_from(below(random, 256)).unwrap();
            format!("head at {at}")
        }
        4 => {
            let other = below(random, pages);
            bytes.copy_within(other * PAGE..(other + 1) * PAGE, page * PAGE);
            format!("page {other} in the place of {page}")
        }
        5 => {
            let end = at.min((page + 1) * PAGE - 16);
            for byte in &mut bytes[end..end + 16] {
                *byte = u8::try_from(below(random, 256)).unwrap();
            }
            format!("16 bytes at {end}")
        }
        6 => {
            bytes[page * PAGE..(page + 1) * PAGE].fill(0);
            format!("page {page} of zeros")
        }
        _ => {
            let length = if below(random, 2) == 0 { page * PAGE } else { at };
            bytes.truncate(length);
            format!("cut to {length}")
        }
    }
}

/// Story: of 3 600 files with random damage 57 were answered as `storage` (one with the advice to copy the file, because
/// reading needed a `-shm`), and five were walked for ever. Damage is `corrupt`, or a list of faults.
#[test]
fn random_damage_is_called_damage() {
    let folder = folder();
    let sound = std::fs::read(rich(folder.path())).unwrap();
    let (rounds, mut wrong) = (if long_form() { 4_000 } else { 600 }, Vec::new());
    let sights = Sights { every: 3, ..RICH };
    for seed in 1..=rounds {
        let mut random = Random::new(seed);
        let mut bytes = sound.clone();
        let done = mutate(&mut bytes, &mut random);
        let path = folder.path().join(format!("{seed}.ledger"));
        std::fs::write(&path, &bytes).unwrap();
        let seen = looks(&path, sights);
        wrong.extend(unsound(&seen).iter().map(|found| format!("seed {seed}, {done}: {found}")));
    }
    assert!(wrong.is_empty(), "{} of {rounds}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Story, from fuzzing: the root page of an index without rows said that it was a table's. SQLite's check called the file whole, and
/// so did `verify`, while every balance was refused as damaged.
#[test]
fn an_empty_index_that_is_none_is_found() {
    let folder = folder();
    let path = rich(folder.path());
    let roots: Vec<(String, u32)> = {
        let conn = rusqlite::Connection::open(&path).unwrap();
        let mut statement = conn.prepare("SELECT name, rootpage FROM sqlite_schema WHERE type = 'index'").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let sound = std::fs::read(&path).unwrap();
    let mut tried = 0;
    for (name, root) in roots {
        let at = (root as usize - 1) * PAGE;
        // A leaf without cells.
        if sound[at] != 10 || sound[at + 3..at + 5] != [0, 0] {
            continue;
        }
        for kind in [2, 5, 13] {
            let mut bytes = sound.clone();
            bytes[at] = kind;
            let path = folder.path().join(format!("{name}-{kind}.ledger"));
            std::fs::write(&path, &bytes).unwrap();
            let seen = looks(&path, RICH);
            assert!(unsound(&seen).is_empty(), "{name} as {kind}: {:?}", unsound(&seen));
            let verdict = seen.iter().find(|(look, _)| look == "verify").map(|(_, code)| *code);
            let wrong: Vec<_> = seen.iter().filter(|(_, code)| *code == "corrupt").collect();
            assert!(verdict != Some("ok") || wrong.is_empty(), "{name} as {kind} verifies, and then {wrong:?}");
            tried += 1;
        }
    }
    assert!(tried > 10, "{tried}");
}
