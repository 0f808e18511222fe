//! Hubs and devices.

mod allotted;
mod answered;
mod arrived;
mod exported;
#[cfg(unix)]
mod folder;
mod heard;
mod lost;
mod mended;
pub mod reconciled;
mod refused;
pub mod replied;
mod roles;
mod told;

use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol, PublicKey};
use counterfoil::{Key, Ledger, Options, Receipt, Request};
use serde_json::Value;

use crate::support::World;

pub fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

pub fn hub_key() -> PublicKey {
    PublicKey::from([0x77; 32])
}

pub fn device_key(n: u8) -> PublicKey {
    PublicKey::from([n; 32])
}

/// A hub with nothing in it.
pub fn hub() -> World {
    let world = World::empty();
    world.ledger.become_hub(&key("hub"), BecomeHub::new(hub_key(), "head office")).unwrap();
    world
}

/// Another empty file with the same clock, which a hub has admitted and which has enrolled.
pub fn kiosk(hub: &World, name: &str, policy: &DevicePolicy) -> Ledger {
    let path = hub.folder.path().join(format!("{name}.ledger"));
    let options = Options::default().clock(std::sync::Arc::new(hub.clock.clone()));
    let kiosk = options.pricing(crate::support::sample()).create(path).unwrap();
    let device = kiosk.info().unwrap().device;
    hub.ledger.admit(&key(name), Admit::new(device, device_key(8), name, policy)).unwrap();
    kiosk.enrol(&key("enrol"), Enrol::new(&hub.ledger.certificate(&device).unwrap())).unwrap();
    kiosk
}

pub fn apply(ledger: &Ledger, line: &str) -> Result<Receipt, counterfoil::Error> {
    ledger.apply(&Request::parse(line)?)
}

pub fn must(ledger: &Ledger, line: &str) -> Receipt {
    apply(ledger, line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

pub fn code(ledger: &Ledger, line: &Value) -> String {
    apply(ledger, &line.to_string()).map_or_else(
        |error| error.code().into(),
        |receipt| if receipt.replayed { "replayed" } else { "ok" }.to_string(),
    )
}

pub fn verified(ledger: &Ledger) {
    let verification = ledger.verify().unwrap();
    assert!(verification.ok, "{:?}", verification.faults);
}
