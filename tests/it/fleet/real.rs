//! The fleet as real files: what the model is compared with.

use super::account::Ms;
use super::asked::{GLOBAL, account_id, instant, request, state};
use super::cut::{self, Carried};
use super::decide::{Ask, Operation};
use super::facts::chance;
use super::model::{Done, Fleet, Lent, Operate, Shown};
use super::steps::Node;
use super::{ACCOUNTS, DAY, MOST_NODES, START};
use crate::support::folder;
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::exchange::{
    Admit, AllotmentInfo, AllotmentState, Approve, BecomeHub, DevicePolicy, Dismiss, Enrol, Expel, Offline, PublicKey,
    Right, Scope,
};
use counterfoil::sync::{ImportTerms, Imported};
use counterfoil::{Configure, Durability, Error, IdSource, Key, Ledger, OpKind, Options, Points, Query, Request};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use uuid::Uuid;

/// How many files of a device wait for what lies before them.
const PARKED: usize = 4;

/// The model's chance.
#[derive(Default)]
struct Chance {
    salt: AtomicU64,
    /// While files are made: the ids of ledgers and devices.
    made: AtomicU64,
}

impl IdSource for Chance {
    fn next(&self) -> u128 {
        match self.made.load(Ordering::Relaxed) {
            0 => u128::from(chance(self.salt.load(Ordering::Relaxed))),
            made => {
                self.made.store(made + 1, Ordering::Relaxed);
                u128::from(made).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)
            }
        }
    }
}

/// A file of the fleet, open.
struct Place {
    path: PathBuf,
    /// Of a device: its number, its id and its key.
    device: u8,
    clock: ManualClock,
    ledger: Ledger,
    /// Operations with which one answer was gone on with: the library takes as many as it has time for at once.
    more: BTreeSet<i64>,
    backup: Option<Saved>,
    /// What was read of it since anything was last done to it, or to its clock.
    shown: RefCell<Option<Vec<Option<Shown>>>>,
}

/// A file as it was, with what lay beside its key, and at a hub what lay in its folder.
#[derive(Clone)]
struct Saved {
    ledger: Vec<u8>,
    key: Vec<u8>,
    parked: Vec<UpFile>,
    more: BTreeSet<i64>,
}

/// A hub and its devices, enrolled, to begin from again and again.
struct Template {
    files: Vec<(Vec<u8>, Vec<u8>)>,
    devices: Vec<(Uuid, PublicKey)>,
}

pub type UpFile = Carried;
pub type DownFile = Carried;

pub struct Real {
    folder: tempfile::TempDir,
    places: Vec<Place>,
    devices: Vec<(Uuid, PublicKey)>,
    /// Files that wait at the hub for what lies before them, as in an operator's folder.
    parked: Vec<UpFile>,
    chance: Arc<Chance>,
    found: Vec<String>,
}

fn key(text: impl Into<String>) -> Key {
    Key::new(text.into()).unwrap()
}

fn code(error: Error) -> String {
    match error.code() {
        "corrupt" | "storage" | "busy" => panic!("{error}"),
        code => code.to_string(),
    }
}

fn policy(recharge: i64, refund: bool, allotted: bool, all: bool) -> DevicePolicy {
    let mut policy = DevicePolicy::default();
    if allotted {
        policy.offline = Offline::Allotted;
        policy.max_offline = Some(30 * DAY / 1000);
    }
    if recharge > 0 {
        policy.rights.push(Right::Recharge);
        policy.max_recharge = Some(Points::new(recharge).unwrap());
    }
    policy.rights.extend(refund.then_some(Right::Refund));
    policy.scope = if all { Scope::All } else { Scope::Seen };
    policy
}

fn options(clock: &ManualClock, chance: &Arc<Chance>) -> Options {
    let options = Options::default().clock(Arc::new(clock.clone())).ids(chance.clone());
    options.durability(Durability::Relaxed)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A key file is its owner's alone.
fn write_key(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    #[cfg(unix)]
    use std::os::unix::fs::OpenOptionsExt;
    let path = beside(path, ".key");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut file = options.open(path).unwrap();
    file.write_all(bytes).unwrap();
}

impl Template {
    fn make(devices: u8) -> Template {
        let (folder, clock) = (folder(), ManualClock::default());
        clock.set(instant(START));
        let chance = Arc::new(Chance::default());
        chance.made.store(1, Ordering::Relaxed);
        let create = |name: &str| options(&clock, &chance).create(folder.path().join(name)).unwrap();
        let hub = create("hub");
        let office = hub.new_signer().unwrap().key().public();
        hub.become_hub(&key("hub"), BecomeHub::new(office, "office")).unwrap();
        hub.configure(&key("everywhere"), Configure::global_keys([GLOBAL])).unwrap();
        let (mut made, mut files) = (Vec::new(), vec![hub.clone()]);
        for n in 1..=devices {
            let kiosk = create(&format!("kiosk-{n}"));
            let own = kiosk.new_signer().unwrap().key().public();
            let id = kiosk.info().unwrap().device;
            let admit = Admit::new(id, own, format!("kiosk {n}"), &policy(500, true, n % 2 == 1, n == 2));
            hub.admit(&key(format!("admit {n}")), admit).unwrap();
            made.push((id, own));
            files.push(kiosk);
        }
        for (kiosk, (id, _)) in files.iter().skip(1).zip(&made) {
            kiosk.enrol(&key("enrol"), Enrol::new(&hub.certificate(id).unwrap())).unwrap();
        }
        let read = |ledger: &Ledger| {
            ledger.close().unwrap();
            let path = ledger.path();
            (std::fs::read(&path).unwrap(), std::fs::read(beside(&path, ".key")).unwrap())
        };
        Template { files: files.iter().map(read).collect(), devices: made }
    }

    fn of(devices: u8) -> Arc<Template> {
        static MADE: Mutex<Vec<(u8, Arc<Template>)>> = Mutex::new(Vec::new());
        let mut made = MADE.lock().unwrap();
        if let Some((_, template)) = made.iter().find(|(n, _)| *n == devices) {
            return template.clone();
        }
        let template = Arc::new(Template::make(devices));
        made.push((devices, template.clone()));
        template
    }
}

impl Real {
    pub fn new(devices: u8) -> Real {
        let template = Template::of(devices);
        let (folder, chance) = (folder(), Arc::new(Chance::default()));
        let mut real = Real {
            folder,
            places: Vec::new(),
            devices: template.devices.clone(),
            parked: Vec::new(),
            chance,
            found: Vec::new(),
        };
        for (n, (ledger, key)) in template.files.iter().enumerate() {
            real.place(n as u8, START, ledger, key);
        }
        real
    }

    fn place(&mut self, device: u8, reading: Ms, ledger: &[u8], key: &[u8]) {
        let path = self.folder.path().join(format!("node-{}", self.places.len()));
        std::fs::write(&path, ledger).unwrap();
        write_key(&path, key);
        let clock = ManualClock::default();
        clock.set(instant(reading));
        let ledger = options(&clock, &self.chance).open(&path).unwrap();
        self.places.push(Place {
            path,
            device,
            clock,
            ledger,
            more: BTreeSet::new(),
            backup: None,
            shown: RefCell::default(),
        });
    }

    fn hub(&self) -> &Ledger {
        &self.places[0].ledger
    }

    /// Something is done to a file: what was read of it before counts no more.
    fn stir(&mut self, node: Node) -> u64 {
        self.places[node].shown.take();
        self.shake()
    }

    fn shake(&self) -> u64 {
        self.chance.salt.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The file as it is, with its key.
    fn saved(&mut self, node: Node) -> Saved {
        let parked = if node == 0 { self.parked.clone() } else { Vec::new() };
        let place = &mut self.places[node];
        place.ledger.close().unwrap();
        let saved = Saved {
            ledger: std::fs::read(&place.path).unwrap(),
            key: std::fs::read(beside(&place.path, ".key")).unwrap(),
            parked,
            more: place.more.clone(),
        };
        place.ledger = options(&place.clock, &self.chance).open(&place.path).unwrap();
        saved
    }

    /// The backup in the place of the file. `mark`: what was told to others is not forgotten.
    fn put_back(&mut self, node: Node, mark: bool, restored: bool) -> Done<()> {
        let place = &mut self.places[node];
        let saved = place.backup.clone().ok_or("no_backup")?;
        place.shown.take();
        place.ledger.close().unwrap();
        let backup = self.folder.path().join("backup");
        let target = if restored { &backup } else { &place.path };
        for path in [place.path.clone(), beside(target, "-wal"), beside(target, "-shm")] {
            _ = std::fs::remove_file(path);
        }
        std::fs::write(target, &saved.ledger).unwrap();
        if !mark {
            write_key(&place.path, &saved.key);
        }
        place.more = saved.more;
        if node == 0 {
            self.parked = saved.parked;
        }
        self.chance.salt.fetch_add(1, Ordering::Relaxed);
        let options = options(&place.clock, &self.chance);
        place.ledger = match restored {
            true => options.restore(&backup, &place.path).unwrap(),
            false => options.open(&place.path).unwrap(),
        };
        Ok(())
    }

    /// Takes a file; whether it waits for what lies before it.
    fn take(&self, file: &UpFile, accept_gap: bool) -> Done<bool> {
        let mut terms = ImportTerms::default();
        terms.accept_gap = accept_gap;
        match self.hub().exchange().import_on(Cursor::new(&*file.bytes), terms).map_err(code)? {
            Imported::Operations(report) => Ok(report.waits),
            other => panic!("{other:?}"),
        }
    }

    /// Files whose beginning has come are taken.
    fn unpark(&mut self) {
        while let Some(i) = self.parked.iter().position(|file| !self.take(file, false).unwrap()) {
            self.parked.remove(i);
        }
    }

    fn park(&mut self, file: &UpFile) {
        let waiting = self.parked.iter().filter(|other| other.device == file.device);
        let known = waiting.clone().any(|other| other.ends == file.ends);
        if !known && waiting.count() < PARKED {
            self.parked.push(file.clone());
        }
    }

    fn nth_staged(&self, nth: usize) -> Done<counterfoil::OperationId> {
        let staged = self.hub().staged(&Query::new().limit(100_000)).unwrap().items;
        let count = staged.len().max(1);
        staged.get(nth % count).map(|staged| staged.link).ok_or_else(|| "not_staged".into())
    }

    fn read(&self, node: Node) -> Vec<Option<Shown>> {
        let ledger = &self.places[node].ledger;
        let mut lent = ledger.allotments(&Query::new().all(true).limit(100_000)).unwrap().items;
        lent.retain(|it| it.remaining.get() > 0);
        let of = |it: &AllotmentInfo| Lent {
            epoch: it.epoch,
            left: it.remaining.get(),
            recalled: it.state == AllotmentState::Recalled,
            usable: it.usable == Some(true),
        };
        let one = |account: u8| {
            let id = account_id(account);
            let balance = ledger.balance(&id).unwrap();
            let allotments: Vec<Lent> = lent.iter().filter(|it| it.account == id).map(of).collect();
            let own = allotments.iter().filter(|lent| node == 0 || lent.usable).map(|lent| lent.left).sum::<i64>();
            assert_eq!(balance.allotted.map_or(0, Points::get), own, "node {node}, account {account}");
            let figures = &balance.figures;
            let figures = [figures.available, figures.held, figures.pending, figures.debt].map(Points::get);
            balance.exists.then(|| Shown { figures, state: state(balance.state.unwrap()), allotments })
        };
        (0..ACCOUNTS).map(one).collect()
    }

    fn device_of(&self, device: u8) -> Done<(Uuid, PublicKey)> {
        self.devices.get(usize::from(device).wrapping_sub(1)).copied().ok_or_else(|| "unknown_device".into())
    }
}

impl Fleet for Real {
    type Up = UpFile;
    type Down = DownFile;

    fn nodes(&self) -> usize {
        self.places.len()
    }

    fn device(&self, node: Node) -> u8 {
        self.places[node].device
    }

    fn set_clock(&mut self, node: Node, reading: Ms) {
        let place = &mut self.places[node];
        if place.clock.now() != instant(reading) {
            place.shown.take();
            place.clock.set(instant(reading));
        }
    }

    fn book(&mut self, node: Node, operation: &Operation, _broken: bool) -> Done<()> {
        let own = format!("own {}", self.stir(node));
        let ids: Vec<Uuid> = self.devices.iter().map(|(id, _)| *id).collect();
        let ledger = &self.places[node].ledger;
        if operation.ask == Ask::Expire {
            return ledger.expire(None).map(drop).map_err(code);
        }
        let line = request(ledger, operation, &own, &ids).ok_or("nothing")?;
        ledger.apply(&Request::parse(&line.to_string()).map_err(code)?).map(drop).map_err(code)
    }

    fn export(&mut self, node: Node, most: usize) -> Vec<UpFile> {
        self.stir(node);
        let place = &self.places[node];
        cut::exported(&place.ledger, place.device, &place.more, most)
    }

    fn import_up(&mut self, file: &UpFile, most: usize) -> Done<Vec<DownFile>> {
        self.stir(0);
        if self.take(file, false)? {
            self.park(file);
        } else {
            self.unpark();
        }
        Ok(cut::answered(self.hub(), file, most))
    }

    fn addressee(&self, file: &DownFile) -> u8 {
        file.device
    }

    fn import_down(&mut self, node: Node, file: &DownFile) -> Done<()> {
        self.stir(node);
        let place = &mut self.places[node];
        let before = place.ledger.info().unwrap().operations;
        match place.ledger.exchange().import(Cursor::new(&*file.bytes)).map_err(code)? {
            Imported::Accounts(report) => {
                let first = before + 1 + i64::from(report.renewed);
                let ledger = &place.ledger;
                let kind = |seq: i64| ledger.operation(&ledger.operation_id(seq).unwrap()).unwrap().receipt.op;
                let after = ledger.info().unwrap().operations;
                place.more.extend((first + 1..=after).filter(|seq| kind(*seq) == OpKind::Reconcile));
                Ok(())
            }
            other => panic!("{other:?}"),
        }
    }

    fn damage_up(&self, file: &mut UpFile) {
        file.damage();
    }

    fn damage_down(&self, file: &mut DownFile) {
        file.damage();
    }

    fn back_up(&mut self, node: Node) {
        self.places[node].backup = Some(self.saved(node));
    }

    fn restore(&mut self, node: Node) -> Done<()> {
        self.put_back(node, true, true)
    }

    fn set_back(&mut self, node: Node, mark: bool) -> Done<()> {
        self.put_back(node, mark, false)
    }

    fn copy(&mut self, node: Node) -> Done<()> {
        if node == 0 || self.nodes() >= MOST_NODES {
            return Err("no_room".into());
        }
        let saved = self.saved(node);
        let place = &self.places[node];
        let (device, backup) = (place.device, place.backup.clone());
        let reading = place.clock.now().timestamp_millis();
        self.place(device, reading, &saved.ledger, &saved.key);
        let copy = self.places.last_mut().unwrap();
        (copy.more, copy.backup) = (saved.more, backup);
        Ok(())
    }

    fn upgrade(&mut self, _node: Node) {}

    fn operate(&mut self, what: &Operate) -> Done<()> {
        let own = key(format!("own {}", self.stir(0)));
        let hub = self.hub();
        match *what {
            Operate::Approve { nth, another } => {
                let link = self.nth_staged(nth)?;
                let approve = if another { Approve::new().another() } else { Approve::new() };
                hub.approve(&link, &own, approve).map(drop).map_err(code)
            }
            Operate::Dismiss { nth } => {
                let link = self.nth_staged(nth)?;
                hub.dismiss(&link, &own, Dismiss::new("seen to")).map(drop).map_err(code)
            }
            Operate::AcceptGap { .. } if self.parked.is_empty() => Err("not_parked".into()),
            Operate::AcceptGap { nth } => {
                let file = self.parked.remove(nth % self.parked.len());
                self.take(&file, true)?;
                self.unpark();
                Ok(())
            }
            Operate::Admit { device, recharge, refund, allotted, all } => {
                let (id, own_key) = self.device_of(device)?;
                let policy = policy(recharge, refund, allotted, all);
                let admit = Admit::new(id, own_key, format!("kiosk {device}"), &policy);
                hub.admit(&own, admit.renew()).map(drop).map_err(code)
            }
            Operate::Expel { device } => {
                let (id, _) = self.device_of(device)?;
                hub.expel(&own, Expel::new(id, "stolen")).map(drop).map_err(code)
            }
            Operate::LateWindow(ms) => {
                let window = Configure::late_window(Duration::from_millis(ms.unsigned_abs()));
                hub.configure(&own, window).map(drop).map_err(code)
            }
            Operate::Evidence { .. } => Err("nothing".into()),
        }
    }

    fn verify(&mut self, node: Node) {
        let verification = self.places[node].ledger.verify().unwrap();
        if !verification.ok {
            self.found.push(format!("node {node}: {:?}", verification.faults));
        }
    }

    fn shown(&self, node: Node) -> Vec<Option<Shown>> {
        self.places[node].shown.borrow_mut().get_or_insert_with(|| self.read(node)).clone()
    }

    fn lengths(&self) -> Vec<u64> {
        self.places.iter().map(|place| place.ledger.info().unwrap().operations.unsigned_abs()).collect()
    }

    fn faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.found)
    }
}
