//! The files a device sends: what its log holds comes out of them as it was hashed.

use std::io::Cursor;
use std::sync::Arc;

use counterfoil::clock::ManualClock;
use counterfoil::exchange::{DevicePolicy, FileInfo, Header, Right, SigningKey, Up, inspect, open_file};
use counterfoil::{Durability, Ledger, Options};

use super::{must, verified};
use crate::support::{START, enrol, folder, sample};

struct Pair {
    hub: Ledger,
    kiosk: Ledger,
    folder: tempfile::TempDir,
}

fn options(clock: &ManualClock) -> Options {
    Options::default().clock(Arc::new(clock.clone())).pricing(sample()).durability(Durability::Relaxed)
}

/// A hub and its device, each with a key beside it.
fn pair() -> Pair {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let hub = options(&clock).create(folder.path().join("hub.ledger")).unwrap();
    let kiosk = options(&clock).create(folder.path().join("kiosk.ledger")).unwrap();
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    enrol(&hub, &kiosk, "Kiosk 12", &policy);
    Pair { hub, kiosk, folder }
}

fn read(bytes: &[u8]) -> FileInfo {
    inspect(Cursor::new(bytes)).unwrap()
}

/// The next file of a device: checked, its operations followed to its head.
fn sent(kiosk: &Ledger) -> (Up, Vec<String>, bool) {
    let mut bytes = Vec::new();
    let told = kiosk.export(&mut bytes, false).unwrap();
    let file = read(&bytes);
    file.signed_by(&kiosk.signer().unwrap().key().public()).unwrap();
    let Header::Up(up) = file.header else { panic!("{:?}", file.header) };
    assert_eq!((told.after, told.last, told.count), (up.base.seq, up.head.seq, up.count));
    let lines = String::from_utf8(bytes).unwrap();
    (up, lines.lines().skip(1).map(str::to_string).collect(), told.more)
}

#[test]
fn a_device_sends_its_log_as_it_was_hashed() {
    let Pair { hub, kiosk, folder } = pair();
    must(&kiosk, r#"{"op":"recharge","account":"card 7","key":"r","points":100,"source":"cash"}"#);
    must(
        &kiosk,
        r#"{"op":"consume","account":"card 7","key":"c","service":"tts","seconds":"21","metadata":{"price":1.10,"deep":[[[]]]}}"#,
    );
    let hold = must(&kiosk, r#"{"op":"hold","account":"card 7","key":"h","points":4,"deadline_seconds":60}"#);
    let hold = hold.hold.unwrap().id;
    must(
        &kiosk,
        &format!(r#"{{"op":"capture","hold":"{hold}","key":"h","points":3,"description":"two\nlines \"\u20ac\""}}"#),
    );
    let (up, lines, more) = sent(&kiosk);
    let info = kiosk.info().unwrap();
    assert_eq!((up.hub, up.device, up.epoch), (hub.info().unwrap().ledger, info.device, info.epoch));
    assert_eq!((up.base.seq, up.head.seq, up.head.hash, more), (0, info.operations, info.head, false));
    assert_eq!((up.count, up.marks.len(), up.marks[0]), (5, 1, up.base));
    assert_eq!(up.price_books, [sample().hash()]);
    assert!(lines[0].starts_with(r#"{"book":""#) && lines[3].contains(r#""metadata":{"price":1.10,"deep":[[[]]]}"#));
    // Made again later, by whatever time: the same operations.
    assert_eq!(sent(&kiosk).0.head, up.head);
    let mark = kiosk.signer().unwrap().mark().unwrap();
    assert_eq!((mark.epoch, mark.seq, mark.hash), (info.epoch, info.operations, info.head));
    let (path, told) = kiosk.export_into(folder.path(), true).unwrap().pop().unwrap();
    assert!(path.to_str().unwrap().ends_with(".cfx.gz") && told.count == 5);
    let file = inspect(open_file(path).unwrap()).unwrap();
    file.concerns(up.hub, Some(up.device)).unwrap();
    verified(&kiosk);
}

/// A file ends where the epoch changes, and after ten thousand operations; the next one is the next export's, once the hub has
/// the first.
#[test]
fn a_file_ends_in_time() {
    let Pair { kiosk, folder: first, .. } = pair();
    let before = kiosk.info().unwrap();
    kiosk.renew_epoch().unwrap();
    must(&kiosk, r#"{"op":"consume","account":"a","key":"c","points":1}"#);
    let (up, _, more) = sent(&kiosk);
    assert_eq!((up.epoch, up.head.seq, up.head.hash, more), (before.epoch, before.operations, before.head, true));
    // Into a folder goes all of it.
    let files = kiosk.export_into(first.path(), false).unwrap();
    let told: Vec<_> = files.iter().map(|(_, told)| (told.after, told.last, told.count, told.more)).collect();
    assert_eq!(told, [(0, 1, 1, true), (1, 3, 2, false)]);

    let Pair { kiosk, folder: _second, .. } = pair();
    let line = |n: usize| format!(r#"{{"op":"consume","account":"a","key":"{n}","points":1}}"#);
    let requests: Vec<_> = (0..10_000).map(|n| counterfoil::Request::parse(&line(n)).unwrap()).collect();
    kiosk.batch(&requests).into_iter().for_each(|done| drop(done.unwrap()));
    let (up, _, more) = sent(&kiosk);
    assert_eq!((up.count, up.head.seq, more), (10_000, 10_000, true));

    let Pair { kiosk, folder: _third, .. } = pair();
    let line = |n: usize| {
        format!(r#"{{"op":"consume","account":"a","key":"{n}","points":1,"description":"{}"}}"#, "x".repeat(4000))
    };
    let requests: Vec<_> = (0..600).map(|n| counterfoil::Request::parse(&line(n)).unwrap()).collect();
    kiosk.batch(&requests).into_iter().for_each(|done| drop(done.unwrap()));
    let (up, lines, more) = sent(&kiosk);
    let length: usize = lines[..lines.len() - 1].iter().map(|line| line.len() + 1).sum();
    assert!(more && up.count < 600 && length <= 2 << 20 && length > (2 << 20) - 8192, "{} of {length}", up.count);
}

/// The kiosk's file was copied, went on and was sent; then the copy was put back.
#[test]
fn a_device_that_was_set_back_begins_a_new_epoch() {
    let Pair { kiosk, folder, .. } = pair();
    let path = folder.path().join("kiosk.ledger");
    kiosk.close().unwrap();
    let copy = std::fs::read(&path).unwrap();
    let open = || options(&ManualClock::at(START).unwrap()).open(&path).unwrap();
    let kiosk = open();
    must(&kiosk, r#"{"op":"consume","account":"a","key":"c","points":1}"#);
    let (lost, ..) = sent(&kiosk);
    kiosk.close().unwrap();
    std::fs::write(&path, copy).unwrap();
    let kiosk = open();
    assert!(kiosk.info().unwrap().epoch > lost.epoch, "before it writes anything");
    let (up, ..) = sent(&kiosk);
    assert!(up.head.seq < lost.head.seq);
    must(&kiosk, r#"{"op":"consume","account":"a","key":"d","points":1}"#);
    let epoch = kiosk.info().unwrap().epoch;
    sent(&kiosk);
    assert_eq!(kiosk.info().unwrap().epoch, epoch, "once is enough");
    verified(&kiosk);
}

#[test]
fn who_sends_and_by_which_key() {
    let Pair { hub, kiosk, folder } = pair();
    let clock = ManualClock::at(START).unwrap();
    let alone = options(&clock).create(folder.path().join("alone.ledger")).unwrap();
    let code = |ledger: &Ledger| ledger.export(Vec::new(), false).unwrap_err().code();
    assert_eq!((code(&alone), code(&hub)), ("role_conflict", "role_conflict"));
    // Another key than the one it was admitted with.
    let path = kiosk.path();
    kiosk.close().unwrap();
    let kiosk = options(&clock).signing_key(SigningKey::generate().unwrap()).open(path).unwrap();
    assert_eq!(code(&kiosk), "invalid_argument");
    assert!(!folder.path().join("kiosk.ledger.mark").exists(), "nothing is made in vain");
}
