//! A hub that takes a file, and a device that takes the answer, killed at each of their calls to the system: run again, everything
//! is as without.

use std::fs;
use std::path::{Path, PathBuf};

use counterfoil::answer::Figures;
use counterfoil::exchange::{DeviceInfo, DevicePolicy, open_file};
use counterfoil::{Durability, Ledger, Query, Request};

use super::interrupted::{calls, some};
use super::{child_does, said};
use crate::support::{enrol, strace_is_there};

/// More than one operation of the device tells of.
const CARDS: u64 = 250;

struct Scene {
    folder: tempfile::TempDir,
    up: PathBuf,
    down: PathBuf,
}

fn apply(ledger: &Ledger, lines: impl Iterator<Item = String>) {
    let requests: Vec<Request> = lines.map(|line| Request::parse(&line).unwrap()).collect();
    ledger.batch(&requests).into_iter().for_each(|answer| drop(answer.unwrap()));
}

fn with_key(path: &Path) -> PathBuf {
    path.with_extension("ledger.key")
}

impl Scene {
    /// A hub whose device has charged many cards, the file that tells of it, and the answer; the hub as it was before it took it.
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let create = |name: &str| Ledger::options().durability(Durability::Relaxed).create(path(name)).unwrap();
        let (hub, kiosk) = (create("hub.ledger"), create("kiosk.ledger"));
        enrol(&hub, &kiosk, "kiosk", &DevicePolicy::default());
        let recharge =
            |n| format!(r#"{{"op":"recharge","account":"card-{n}","key":"r","points":50,"source":"wxpay"}}"#);
        apply(&hub, (0..CARDS).map(recharge));
        let charge = |n| format!(r#"{{"op":"consume","account":"card-{n}","key":"c","points":{}}}"#, n % 70 + 1);
        apply(&kiosk, (0..CARDS).map(charge));
        let up = kiosk.export_into(folder.path(), true).unwrap().remove(0).0;
        hub.close().unwrap();
        kiosk.close().unwrap();
        for name in ["hub.ledger", "kiosk.ledger"] {
            fs::copy(path(name), path(&format!("before-{name}"))).unwrap();
        }
        let hub = Ledger::open(path("hub.ledger")).unwrap();
        hub.exchange().import(open_file(&up).unwrap()).unwrap();
        let mut down = Vec::new();
        let reply = hub.exchange().reply(open_file(&up).unwrap(), true, |part| {
            down.push(part.save(folder.path())?);
            Ok(())
        });
        reply.unwrap();
        hub.close().unwrap();
        let kiosk = Ledger::open(path("kiosk.ledger")).unwrap();
        kiosk.exchange().import(open_file(&down[0]).unwrap()).unwrap();
        kiosk.close().unwrap();
        Scene { up, down: down.remove(0), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What a step takes, the ledger that takes it, and how that is after.
    fn parts(&self, what: &str) -> (&Path, &'static str) {
        if what == "import" { (&self.up, "hub.ledger") } else { (&self.down, "kiosk.ledger") }
    }

    fn fresh(&self, ledger: &str, name: &str) -> PathBuf {
        let target = self.path(&format!("{name}.ledger"));
        for beside in ["ledger-wal", "ledger-shm"] {
            _ = fs::remove_file(target.with_extension(beside));
        }
        fs::copy(self.path(&format!("before-{ledger}")), &target).unwrap();
        fs::copy(with_key(&self.path(ledger)), with_key(&target)).unwrap();
        target
    }
}

type Stand = (Vec<(String, Figures)>, Vec<DeviceInfo>, usize, usize);

/// Every account, every device's log, and what waits or is flagged.
fn stand(path: &Path, at: &str) -> Stand {
    let ledger = Ledger::open(path).unwrap_or_else(|error| panic!("{at}: {error}"));
    let verification = ledger.verify().unwrap();
    assert!(verification.ok, "{at}: {:?}", verification.faults);
    let all = Query::new().limit(1_000);
    let accounts = ledger.accounts(&all).unwrap().items;
    let figures = accounts.into_iter().map(|balance| (balance.account.to_string(), balance.figures)).collect();
    let devices = ledger.devices(&all).map_or_else(|_| Vec::new(), |page| page.items);
    let count = |n: Result<usize, counterfoil::Error>| n.unwrap_or(0);
    let staged = count(ledger.staged(&all).map(|page| page.items.len()));
    (figures, devices, staged, count(ledger.flags(&all).map(|page| page.items.len())))
}

/// What the operator of an office fears: the power goes while a kiosk's file is being taken.
#[test]
fn killed_at_any_call_and_run_again_it_is_as_without() {
    if !strace_is_there() {
        return;
    }
    let scene = Scene::set();
    for what in ["import", "hear"] {
        let (file, ledger) = scene.parts(what);
        let expected = stand(&scene.path(ledger), what);
        let counted = scene.fresh(ledger, &format!("{what}-counted"));
        for (call, n) in some(calls(what, file, &counted), 8) {
            let at = format!("{what} killed at {call} {n}");
            let target = scene.fresh(ledger, "target");
            let inject = format!("inject={call}:signal=KILL:when={n}");
            child_does(what, file, &target, &["-o", "/dev/null", "-e", &inject]);
            stand(&target, &at);
            let again = child_does(what, file, &target, &[]);
            assert!(said(&again).is_some_and(|said| said.starts_with("answered")), "{at}: {again:?}");
            assert!(stand(&target, &at) == expected, "{at}: another outcome");
        }
    }
}
