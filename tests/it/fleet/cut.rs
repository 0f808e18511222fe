//! Files on the way between a hub and its devices, cut as small as a schedule wants them: a file of thousands of operations is
//! cut by the library, one of three by nobody.

use crate::support::folder;
use counterfoil::Ledger;
use counterfoil::exchange::{Header, Link, Outgoing, SigningKey, Up, inspect};
use std::collections::BTreeSet;
use std::io::Cursor;
use std::rc::Rc;

/// A file, and who sends it or is to get it.
#[derive(Clone)]
pub struct Carried {
    pub device: u8,
    pub bytes: Rc<Vec<u8>>,
    /// Of a file that goes up: where it begins, and where it ends.
    pub ends: Option<(Link, Link)>,
    damaged: bool,
}

impl Carried {
    /// A bit of it is flipped, once.
    pub fn damage(&mut self) {
        if !std::mem::replace(&mut self.damaged, true) {
            let bytes = Rc::make_mut(&mut self.bytes);
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
        }
    }
}

fn up(bytes: &[u8]) -> Up {
    match inspect(Cursor::new(bytes)).unwrap().header {
        Header::Up(up) => up,
        other => panic!("{other:?}"),
    }
}

fn lines(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let count = text.lines().count();
    text.lines().skip(1).take(count - 2).map(String::from).collect()
}

fn written(header: Header, lines: &[String], key: &SigningKey) -> Rc<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut out = Outgoing::begin(&mut bytes, header, false).unwrap();
    lines.iter().for_each(|line| out.line(line).unwrap());
    out.finish(key).unwrap();
    Rc::new(bytes)
}

/// All that is new, in files of at most so many operations; those that go on with the one before them go along with it.
pub fn exported(ledger: &Ledger, device: u8, more: &BTreeSet<i64>, most: usize) -> Vec<Carried> {
    let folder = folder();
    let (mut files, signer) = (Vec::new(), ledger.signer().unwrap());
    for (path, _) in ledger.export_into(folder.path(), false).unwrap() {
        let bytes = std::fs::read(path).unwrap();
        let whole = up(&bytes);
        let lines = lines(&bytes);
        let runs = runs(&lines, whole.base.seq, more, most);
        if runs.len() <= 1 {
            files.push(Carried { device, bytes: Rc::new(bytes), ends: Some((whole.base, whole.head)), damaged: false });
            continue;
        }
        let beginning = *whole.marks.last().unwrap();
        let link = |seq: i64| match seq {
            0 => beginning,
            seq => Link { seq, hash: ledger.operation(&ledger.operation_id(seq).unwrap()).unwrap().hash },
        };
        let mut base = whole.base;
        for lines in runs {
            let head = link(base.seq + lines.len() as i64);
            let mut up = whole.clone();
            (up.base, up.head, up.count, up.marks) = (base, head, lines.len() as i64, marks(base, &link));
            files.push(Carried {
                device,
                bytes: written(Header::Up(up), lines, signer.key()),
                ends: Some((base, head)),
                damaged: false,
            });
            base = head;
        }
    }
    files
}

/// Lines after an operation, cut into runs of at most so many that do not go on with the one before them.
fn runs<'l>(lines: &'l [String], after: i64, more: &BTreeSet<i64>, most: usize) -> Vec<&'l [String]> {
    let (mut runs, mut begin, mut counted) = (Vec::new(), 0, 0);
    for (i, seq) in (0..lines.len()).zip(after + 1..) {
        if more.contains(&seq) {
            continue;
        }
        if counted == most {
            runs.push(&lines[begin..i]);
            (begin, counted) = (i, 0);
        }
        counted += 1;
    }
    runs.push(&lines[begin..]);
    runs
}

/// As the library sets them.
fn marks(base: Link, link: &dyn Fn(i64) -> Link) -> Vec<Link> {
    let back = std::iter::successors(Some(1), |distance| Some(distance * 2));
    let earlier = back.map(|distance| base.seq - distance).take_while(|seq| *seq > 0).map(link);
    let beginning = (base.seq > 0).then(|| link(0));
    std::iter::once(base).chain(earlier).chain(beginning).collect()
}

/// The hub's answer to a file, in parts of at most so many accounts.
pub fn answered(hub: &Ledger, file: &Carried, most: usize) -> Vec<Carried> {
    let mut parts = Vec::new();
    let made = hub.exchange().reply(&mut Cursor::new(&*file.bytes), false, |part| {
        parts.push(part);
        Ok(())
    });
    made.unwrap();
    assert_eq!(parts.len(), 1, "so few accounts are told of in one file");
    let part = parts.remove(0);
    let Header::Down(down) = part.header else { panic!("{:?}", part.header) };
    let (mut accounts, verdicts): (Vec<String>, Vec<String>) =
        lines(&part.bytes).into_iter().partition(|line| line.contains("\"a\":"));
    accounts.sort();
    let pieces: Vec<Vec<String>> = accounts.chunks(most).map(<[String]>::to_vec).collect();
    let mut pieces = if pieces.is_empty() { vec![Vec::new()] } else { pieces };
    pieces.last_mut().unwrap().extend(verdicts);
    let count = pieces.len() as i64;
    let own = hub.signer().unwrap();
    let piece = |(k, lines): (i64, Vec<String>)| {
        let mut down = down.clone();
        (down.part, down.count) = ((k, count), lines.len() as i64);
        let bytes = written(Header::Down(down), &lines, own.key());
        Carried { device: file.device, bytes, ends: None, damaged: false }
    };
    (1..).zip(pieces).map(piece).collect()
}
