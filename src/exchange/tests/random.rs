//! Whatever a header and lines hold is read back as it was written. Seeded: a failure names its seed.

use super::*;
use crate::exchange::Evidence;

struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> i64 {
        i64::try_from(self.next() % end).unwrap()
    }

    fn coin(&mut self) -> bool {
        self.next().is_multiple_of(2)
    }

    fn times<T>(&mut self, most: u64, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }

    fn text(&mut self) -> String {
        const SIGNS: [&str; 12] =
            ["a", "\"", "\\", "\n", "\u{0}", "\u{7f}", "\u{e9}", "\u{20ac}", "\u{1f600}", "{", "\u{2028}", "7"];
        self.times(12, |dice| SIGNS[usize::try_from(dice.below(12)).unwrap()]).concat()
    }

    fn link(&mut self) -> Link {
        Link { seq: self.below(1 << 42), hash: Hash::of(&self.next().to_le_bytes()) }
    }

    fn position(&mut self) -> Position {
        let (shard, epoch) = (self.below(65_536), self.below((1 << 28) - 1) + 1);
        let Link { seq, hash } = self.link();
        Position { shard, epoch, seq, hash }
    }

    fn maybe<T>(&mut self, one: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.coin() { Some(one(self)) } else { None }
    }

    fn file(&mut self) -> (Header, Vec<String>) {
        let ids = (Uuid::from_u128(self.next().into()), Uuid::from_u128(self.next().into()));
        let now = at(self.below(1 << 40));
        let lines = self.times(5, |dice| serde_json::json!({ "a": dice.text(), "b": [dice.below(9)] }).to_string());
        let count = i64::try_from(lines.len()).unwrap();
        match self.next() % 3 {
            0 => {
                let mut up = Up::new(ids.0, ids.1, self.below(999) + 1, self.link(), now);
                (up.seen, up.newest) = (self.times(4, Dice::position), self.times(4, Dice::position));
                (up.marks, up.soft) = (self.times(64, Dice::link), self.text());
                (Header::Up(up), Vec::new())
            }
            1 => {
                let policy = Metadata::of(&serde_json::json!({ "text": self.text().replace('\0', "") }));
                let mut down = Down::new(ids.0, key().public(), ids.1, policy, now);
                (down.position, down.since) =
                    (self.times(4, Dice::position), self.maybe(|dice| dice.times(3, Dice::position)));
                (down.ack, down.need) = (self.maybe(Dice::link), self.maybe(Dice::link));
                down.leaves = self.times(4, |dice| {
                    let Link { seq, hash } = dice.link();
                    Leaf { seq, hash, epoch: dice.below(99) + 1 }
                });
                (down.gaps, down.newest) = (self.times(3, Dice::link), self.times(3, Dice::position));
                (down.renew, down.expelled, down.count) = (self.below(1 << 28), self.coin(), count);
                let parts = self.below(9) + 1;
                down.part = (self.below(parts.unsigned_abs()) + 1, parts);
                (Header::Down(Box::new(down)), (0..count).map(account).collect())
            }
            _ => {
                let mut evidence = Evidence::new(ids.0, ids.1, now);
                (evidence.position, evidence.count, evidence.soft) =
                    (self.times(4, Dice::position), count, self.text());
                (Header::Evidence(evidence), (0..count).map(account).collect())
            }
        }
    }
}

#[test]
fn what_was_written_is_read() {
    for seed in 1..=500 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15));
        let sample = dice.file();
        for packed in [false, true] {
            let file = read(&written(&sample, packed)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
            assert_eq!((&file.header, file.packed), (&sample.0, packed), "seed {seed}");
        }
    }
}

/// What a reader of JSON may stumble over.
const PIECES: [&str; 18] = [
    "null",
    "true",
    "-1",
    "0",
    "9223372036854775808",
    "1e9",
    "1.5",
    "\"\"",
    "\"a\":",
    "{}",
    "[]",
    "[[[[[[[[[[[[[[[[[",
    "{\"end\":1}",
    "\\ud800",
    "\\u0000",
    "\n",
    ",",
    "\u{feff}",
];

impl Dice {
    fn place(&mut self, bytes: &[u8]) -> usize {
        usize::try_from(self.below(bytes.len() as u64 + 1)).unwrap().min(bytes.len())
    }

    /// Changes something, somewhere.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes);
        let to = at + self.place(&bytes[at..]).min(24);
        match self.below(5) {
            0 if at < bytes.len() => bytes[at] = self.next().to_le_bytes()[0],
            1 => drop(bytes.drain(at..to)),
            2 => {
                let (again, place) = (bytes[at..to].to_vec(), self.place(bytes));
                drop(bytes.splice(place..place, again));
            }
            3 if at < bytes.len() => bytes[at] ^= 1_u8 << self.below(8),
            _ => {
                let piece = PIECES[usize::try_from(self.below(PIECES.len() as u64)).unwrap()];
                drop(bytes.splice(at..to.min(at + 4), piece.bytes()));
            }
        }
    }
}

/// `COUNTERFOIL_FUZZ=1000000` tries more. Signed by who holds the key, or as a stick has left it: read or refused, and nothing else.
#[test]
fn whatever_is_changed_is_read_or_refused() {
    let most = std::env::var("COUNTERFOIL_FUZZ").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000_u64);
    let (mut taken, mut samples) = (0, Vec::new());
    for seed in 1..=most {
        let mut dice = Dice(u64::wrapping_mul(seed, 0xd129_0ecc_d83b_2f09) | 1);
        if samples.len() < 64 {
            samples.push(match seed % 4 {
                0 => up(dice.below(9)),
                1 => down(dice.below(9)),
                _ => dice.file(),
            });
        }
        let (header, lines) = &samples[usize::try_from(dice.below(samples.len() as u64)).unwrap()];
        let whole = written(&(header.clone(), lines.clone()), false);
        let mut bytes = if dice.coin() { packed(&whole) } else { whole.clone() };
        if dice.coin() {
            let body = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
            bytes = whole[..body].to_vec();
            (0..=dice.below(3)).for_each(|_| dice.spoil(&mut bytes));
            bytes = sealed(bytes, header.count(), head(header));
        } else {
            (0..=dice.below(3)).for_each(|_| dice.spoil(&mut bytes));
        }
        let told = std::panic::catch_unwind(|| refusal(&bytes));
        let told = told.unwrap_or_else(|_| panic!("seed {seed}: {}", String::from_utf8_lossy(&bytes)));
        taken += u64::from(told == "taken");
        assert!(told == "taken" || told == "file_too_new" || told.starts_with("bad_file "), "seed {seed}: {told}");
    }
    assert!(taken > 0 && taken < most / 2, "{taken} of {most} were taken");
}
