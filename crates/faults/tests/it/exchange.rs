//! A device and its hub exchange everything through a folder: import, judging, reconcile, answers.

use std::path::Path;
use std::time::Duration;

use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol};
use counterfoil::{AccountId, Key, Ledger, Options, Request};

use crate::script::{Answer, Image, Retry, Script, Told, folder, is_of_a_fault, verified};

const CARDS: i64 = 8;

pub struct Exchange(Image);

fn options() -> Options {
    Ledger::options().busy_timeout(Duration::from_millis(20))
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn enrol(hub: &Ledger, kiosk: &Ledger) {
    let (office, own) = (hub.new_signer().unwrap().key().public(), kiosk.new_signer().unwrap().key().public());
    hub.become_hub(&key("hub"), BecomeHub::new(office, "head office")).unwrap();
    let device = kiosk.info().unwrap().device;
    hub.admit(&key("kiosk"), Admit::new(device, own, "kiosk", &DevicePolicy::default())).unwrap();
    kiosk.enrol(&key("enrol"), Enrol::new(&hub.certificate(&device).unwrap())).unwrap();
}

impl Exchange {
    pub fn new() -> Self {
        let folder = folder();
        let create = |name: &str| Ledger::create(folder.path().join(name)).unwrap();
        let (hub, kiosk) = (create("hub.ledger"), create("kiosk.ledger"));
        enrol(&hub, &kiosk);
        let apply = |ledger: &Ledger, line: String| drop(ledger.apply(&Request::parse(&line).unwrap()).unwrap());
        for n in 0..CARDS {
            apply(&hub, format!(r#"{{"op":"recharge","account":"card-{n}","key":"r","points":50,"source":"wxpay"}}"#));
            apply(&kiosk, format!(r#"{{"op":"consume","account":"card-{n}","key":"c","points":{}}}"#, n + 1));
        }
        hub.close().unwrap();
        kiosk.close().unwrap();
        Exchange(Image::of(folder.path()))
    }
}

fn run(folder: &Path, times: usize) -> Vec<Told> {
    let stick = folder.join("stick");
    std::fs::create_dir_all(&stick).unwrap();
    let one = |name: &&str| {
        let run = || options().open(folder.join(name))?.exchange().run(&stick).map(drop);
        let mut told = Told { what: (*name).to_string(), tries: Vec::new() };
        while told.tries.len() < times && !told.is_done() {
            told.tries.push(match run() {
                Ok(()) => Answer::Done { id: String::new(), replayed: false },
                Err(error) => Answer::Failed(error.code()),
            });
        }
        told
    };
    ["kiosk.ledger", "hub.ledger", "kiosk.ledger", "hub.ledger", "kiosk.ledger"].iter().map(one).collect()
}

impl Script for Exchange {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn before(&self) -> &Image {
        &self.0
    }

    fn live(&self, folder: &Path, retry: Retry) -> Vec<Told> {
        run(folder, if retry == Retry::Reopen { 2 } else { 1 })
    }

    fn check(&self, folder: &Path, told: &[Told]) -> Result<(), String> {
        let right = |answer: &Answer| match answer {
            Answer::Failed(code) => is_of_a_fault(code),
            Answer::Done { .. } => true,
        };
        if let Some(wrong) = told.iter().find(|told| !told.tries.iter().all(right)) {
            return Err(format!("{wrong:?}"));
        }
        if let Some(not) = run(folder, 1).iter().find(|told| !told.is_done()) {
            return Err(format!("mended, and not done: {not:?}"));
        }
        for name in ["hub.ledger", "kiosk.ledger"] {
            let ledger = options().open(folder.join(name)).map_err(|error| format!("{name}: {error}"))?;
            for n in 0..CARDS {
                let account = AccountId::new(format!("card-{n}")).unwrap();
                let available = ledger.balance(&account).unwrap().figures.available.get();
                if available != 50 - (n + 1) {
                    return Err(format!("{name}: card-{n} has {available}"));
                }
            }
            verified(&ledger).map_err(|wrong| format!("{name}: {wrong}"))?;
        }
        Ok(())
    }
}
