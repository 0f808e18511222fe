//! The files between devices and their hub, from the command.

use crate::home::Home;

/// The one file in the folder whose name begins so.
fn file(home: &Home, begin: &str) -> String {
    let entries = std::fs::read_dir(home.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name.starts_with(begin)).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names[0].clone()
}

#[test]
fn a_kiosk_sends_what_it_booked() {
    use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Enrol};
    use counterfoil::{Key, Ledger};
    let home = Home::new();
    let hub = Ledger::create(home.path("hub.ledger")).unwrap();
    let kiosk = Ledger::open(home.ledger()).unwrap();
    let (office, own) = (hub.new_signer().unwrap().key().public(), kiosk.new_signer().unwrap().key().public());
    let (key, device) = (Key::new("k").unwrap(), kiosk.info().unwrap().device);
    hub.become_hub(&key, BecomeHub::new(office, "head office")).unwrap();
    home.run("sync export").fails(3, "role_conflict");
    hub.admit(&key, Admit::new(device, own, "kiosk 12", &DevicePolicy::default())).unwrap();
    kiosk.enrol(&key, Enrol::new(&hub.certificate(&device).unwrap())).unwrap();
    kiosk.close().unwrap();

    home.run("consume 3 -a alice").ok();
    let sent = home.run("sync export --format json").ok().json();
    assert_eq!((&sent["after"], &sent["last"], &sent["more"]), (&0.into(), &2.into(), &false.into()));
    let up = file(&home, "cf-up-");
    assert!(up.ends_with(".cfx.gz") && sent["file"].as_str().unwrap().ends_with(&up), "{sent}");
    let checked = home.run(&format!("sync check {up} --key {own}")).ok();
    assert!(checked.out.starts_with("whole: 2 lines, "), "{checked:?}");
    let shown = home.run(&format!("sync check {up} --format json")).ok().json();
    assert_eq!((&shown["header"]["kind"], &shown["key"]), (&"up".into(), &own.id().into()));
    home.run(&format!("sync check {up} --key {office}")).fails(6, "bad_file");

    home.run("sync export --plain --out .").ok();
    let mut paths = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().path());
    let plain = paths.find(|path| path.extension().is_some_and(|end| end == "cfx")).unwrap();
    let text = std::fs::read_to_string(&plain).unwrap();
    assert_eq!(text.lines().count(), 4);
    home.write("cut.cfx", &text[..text.len() - 9]);
    home.run("sync check cut.cfx").fails(6, "bad_file");
    home.run("sync check .").fails(6, "bad_file");
    home.run("sync check none.cfx").fails(2, "invalid_argument");
}
