//! Hubs and devices for the sections about sync.

use std::io::{BufRead, BufReader, Cursor};
use std::path::{Path, PathBuf};

use counterfoil::exchange::{
    Admit, BecomeHub, DevicePolicy, Enrol, Header, Outgoing, Right, Scope, Up, inspect, open_file,
};
use counterfoil::sync::Imported;
use counterfoil::{AccountId, Durability, Key, Ledger, Request};

use super::ours;

pub(crate) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub(crate) fn card(n: u64) -> AccountId {
    AccountId::new(format!("card-{n:06}")).unwrap()
}

/// A hub with nothing in it.
pub(crate) fn hub(path: &Path) -> Ledger {
    let hub = ours::open(path, Durability::Relaxed);
    let own = hub.new_signer().unwrap().key().public();
    hub.become_hub(&key("hub"), BecomeHub::new(own, "hub")).unwrap();
    hub
}

/// A file that the hub has admitted, and that has enrolled. It hears of all accounts where that is said.
pub(crate) fn device(hub: &Ledger, path: &Path, all: bool) -> Ledger {
    let device = ours::open(path, Durability::Relaxed);
    let (own, id) = (device.new_signer().unwrap().key().public(), device.info().unwrap().device);
    let mut policy = DevicePolicy::default();
    policy.rights = vec![Right::Recharge, Right::Refund];
    policy.scope = if all { Scope::All } else { Scope::Seen };
    let name = path.file_stem().unwrap().to_str().unwrap();
    hub.admit(&key(&format!("admit {name}")), Admit::new(id, own, name, &policy)).unwrap();
    device.enrol(&key("enrol"), Enrol::new(&hub.certificate(&id).unwrap())).unwrap();
    device
}

/// So many charges of one point in so many accounts, in turn.
pub(crate) fn charge(ledger: &Ledger, series: u64, count: u64, accounts: u64) {
    for first in (0..count).step_by(1_000) {
        let one = |n: u64| ours::charge_request(&card(n.wrapping_mul(7_919) % accounts), &ours::key(series, n));
        let some: Vec<Request> = (first..count.min(first + 1_000)).map(one).collect();
        ours::book(ledger, &some);
    }
}

/// All that a device has to send, in files.
pub(crate) fn export(device: &Ledger, folder: &Path) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    device.export_into(folder, false).unwrap().into_iter().map(|(path, _)| path).collect()
}

pub(crate) fn import(ledger: &Ledger, path: &Path) -> Imported {
    ledger.exchange().import(open_file(path).unwrap()).unwrap()
}

/// The hub's answers to a file, in a folder.
pub(crate) fn answers(hub: &Ledger, up: &Path, folder: &Path) -> Vec<PathBuf> {
    std::fs::create_dir_all(folder).unwrap();
    let mut parts = Vec::new();
    let made = hub.exchange().reply(open_file(up).unwrap(), false, |part| {
        parts.push(part.save(folder)?);
        Ok(())
    });
    made.unwrap();
    parts
}

/// Everything goes up, and the answer to the last file down.
pub(crate) fn exchange(hub: &Ledger, device: &Ledger, folder: &Path) {
    let files = export(device, folder);
    files.iter().for_each(|file| drop(import(hub, file)));
    for part in answers(hub, files.last().unwrap(), folder) {
        import(device, &part);
    }
}

fn up(path: &Path) -> Up {
    match inspect(open_file(path).unwrap()).unwrap().header {
        Header::Up(up) => up,
        other => panic!("{other:?}"),
    }
}

/// Files that follow each other as one, larger than any that is exported.
pub(crate) fn joined(device: &Ledger, files: &[PathBuf], to: &Path) {
    let (mut first, last) = (up(&files[0]), up(files.last().unwrap()));
    let lines: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let text: Vec<String> = BufReader::new(open_file(file).unwrap()).lines().map(Result::unwrap).collect();
            let count = text.len();
            text.into_iter().skip(1).take(count - 2).collect::<Vec<_>>()
        })
        .collect();
    (first.head, first.count) = (last.head, lines.len() as i64);
    let mut bytes = Cursor::new(Vec::new());
    let mut file = Outgoing::begin(&mut bytes, Header::Up(first), false).unwrap();
    lines.iter().for_each(|line| file.line(line).unwrap());
    file.finish(device.signer().unwrap().key()).unwrap();
    std::fs::write(to, bytes.into_inner()).unwrap();
}
