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
