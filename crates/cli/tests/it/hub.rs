//! A hub, a device, and the files by which they get to know each other.

use std::path::PathBuf;

use crate::home::Home;

/// The one exchange file of a kind in the folder.
fn file(home: &Home, kind: &str) -> String {
    let names = std::fs::read_dir(home.path("")).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<PathBuf> =
        names.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("cf-{kind}-"))).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].file_name().unwrap().to_str().unwrap().into()
}

fn fingerprint(said: &str) -> String {
    said.split("fingerprint is ").nth(1).unwrap().chars().take(16).collect()
}

#[test]
fn a_device_asks_is_admitted_and_joins() {
    let (office, shop) = (Home::new(), Home::new());
    let made = office.args(&["hub", "init", "--name", "head office"]).ok();
    let print = fingerprint(&made.err);
    assert!(office.path("points.ledger.key").exists());
    // Again is the same, and makes no other key.
    assert_eq!(fingerprint(&office.args(&["hub", "init", "--name", "head office"]).ok().err), print);

    shop.args(&["device", "ask", "--name", "kiosk 12"]).ok();
    let ask = file(&shop, "ask");
    std::fs::copy(shop.path(&ask), office.path(&ask)).unwrap();
    office.args(&["hub", "admit", &ask, "--rights", "recharge", "--max-recharge", "500"]).ok();
    let cert = file(&office, "cert");
    std::fs::copy(office.path(&cert), shop.path(&cert)).unwrap();

    // Nobody is there to be asked; another hub's fingerprint is refused.
    let unasked = shop.args(&["device", "join", &cert]).fails(7, "unconfirmed");
    assert!(unasked.err.contains("--hub-fingerprint"), "{unasked:#?}");
    shop.args(&["device", "join", &cert, "--hub-fingerprint", "0000000000000000"]).fails(2, "invalid_argument");
    assert_eq!(shop.run("device info --format json").ok().json()["role"], "standalone");
    shop.args(&["device", "join", &cert, "--hub-fingerprint", &print]).ok();
    let info = shop.run("device info --format json").ok().json();
    assert_eq!((info["role"].as_str(), info["name"].as_str()), (Some("device"), Some("kiosk 12")));
    let table = shop.run("device info").ok().out;
    assert!(table.contains("charge, recharge (500 at once)"), "{table}");
    shop.run("freeze -a alice --reason stolen").fails(3, "not_on_device");
    shop.run("recharge 501 -a alice --source cash").fails(3, "not_on_device");
    shop.run("recharge 500 -a alice --source cash").ok();

    let devices = office.run("hub devices --format json").ok().json();
    assert_eq!(
        (devices[0]["name"].as_str(), devices[0]["device"].as_str()),
        (Some("kiosk 12"), info["device"].as_str())
    );
    assert!(office.run("hub devices").ok().out.contains("admitted"));
    assert!(office.run("hub devices --format csv").ok().out.contains("kiosk 12"));
    office.args(&["hub", "expel", "kiosk 12", "--reason", "stolen"]).fails(7, "unconfirmed");
    office.args(&["hub", "expel", "kiosk 13", "--reason", "stolen", "--yes"]).fails(3, "unknown_device");
    office.args(&["hub", "expel", "kiosk 12", "--reason", "stolen", "--yes"]).ok();
    assert!(office.run("hub devices").ok().out.contains("expelled"));
    office.args(&["hub", "admit", &ask]).fails(3, "role_conflict");
    for home in [&office, &shop] {
        home.run("verify").ok();
    }
}

#[test]
fn what_is_of_no_use_is_refused_before_anything_is_written() {
    let (office, shop, clerk) = (Home::new(), Home::new(), Home::new());
    clerk.run("recharge 5 -a alice --source cash").ok();
    clerk.run("freeze -a alice --reason stolen").ok();
    clerk.run("device ask").fails(3, "role_conflict");
    assert!(!clerk.path("points.ledger.key").exists());
    shop.run("device ask").ok();
    let ask = file(&shop, "ask");
    std::fs::copy(shop.path(&ask), office.path(&ask)).unwrap();
    office.args(&["hub", "admit", &ask, "--name", "kiosk"]).fails(3, "role_conflict");
    office.args(&["hub", "init", "--name", "office"]).ok();
    office.args(&["hub", "admit", &ask]).fails(2, "invalid_argument");
    let mut bytes = std::fs::read(office.path(&ask)).unwrap();
    bytes[30] ^= 1;
    office.write("broken.cfx", &bytes);
    office.run("hub admit broken.cfx --name kiosk").fails(6, "bad_file");
    office.args(&["hub", "admit", &ask, "--name", "kiosk", "--rights", "freeze"]).fails(2, "invalid_argument");
    assert_eq!(office.run("hub devices --format json").ok().json(), serde_json::json!([]));
    shop.args(&["device", "join", &ask]).fails(2, "invalid_argument");
}
