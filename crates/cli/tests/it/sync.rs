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
    assert!(checked.out.starts_with(&format!("whole: operations of device {device}, 2 lines, ")), "{checked:?}");
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

/// An office and its kiosk, admitted and joined.
pub(crate) fn office_and_shop() -> (Home, Home) {
    let (office, shop) = (Home::new(), Home::new());
    let made = office.args(&["hub", "init", "--name", "head office"]).ok();
    let print: String = made.err.split("fingerprint is ").nth(1).unwrap().chars().take(16).collect();
    shop.args(&["device", "ask", "--name", "kiosk 12"]).ok();
    let ask = file(&shop, "cf-ask-");
    office.args(&["hub", "admit", shop.path(&ask).to_str().unwrap(), "--max-offline", "30d"]).ok();
    let cert = office.path(&file(&office, "cf-cert-"));
    shop.args(&["device", "join", cert.to_str().unwrap(), "--hub-fingerprint", &print]).ok();
    (office, shop)
}

/// Both run the same command on a shared folder, until both know everything.
#[test]
fn an_office_and_its_shop_exchange_through_a_folder() {
    let (office, shop) = office_and_shop();
    let shared = office.path("shared").to_str().unwrap().to_string();
    office.args(&["sync", "run", "--folder", &shared]).fails(2, "invalid_argument");
    std::fs::create_dir(&shared).unwrap();
    let run = |home: &Home| home.args(&["sync", "run", "--folder", &shared]).ok();
    shop.run("consume 30 -a card --key sale-1").ok();
    office.run("recharge 100 -a card --source wxpay --key order-1").ok();
    assert!(shop.run("sync status").ok().out.contains("never"));
    assert!(run(&shop).out.contains(": written"));
    let taken = run(&office);
    assert!(taken.out.contains("1 booked, 1 noted") && taken.out.contains(": written"), "{taken:#?}");
    let heard = run(&shop);
    assert!(heard.out.contains("1 account as the hub has it") && heard.out.contains(": deleted"), "{heard:#?}");
    assert_eq!((office.figures("card")[0], shop.figures("card")[0]), (70, 70));
    let status = shop.run("sync status --format json").ok().json();
    assert_eq!((&status["hub"]["acked"], &status["hub"]["whole"]), (&2.into(), &true.into()), "{status}");
    let status = office.run("sync status").ok().out;
    assert!(status.contains("longest silent  kiosk 12, since"), "{status}");
    let report = office.args(&["sync", "run", "--folder", &shared, "--format", "json"]).ok().json();
    assert_eq!((&report["taken"][0]["noted"], &report["refused"]), (&1.into(), &serde_json::json!([])), "{report}");

    office.write("shared/up/cf-up-00000000-1-2-0123456789ab.cfx", "{}");
    let attention = office.args(&["sync", "run", "--folder", &shared]);
    assert!(attention.code == 8 && attention.err.contains("bad_file"), "{attention:#?}");
    Home::new().args(&["sync", "run", "--folder", &shared]).fails(3, "role_conflict");
}

/// A device that is admitted again keeps what is not said anew; `none` takes away.
#[test]
fn a_device_admitted_again_keeps_its_policy() {
    let (office, shop) = office_and_shop();
    let ask = shop.path(&file(&shop, "cf-ask-")).to_str().unwrap().to_string();
    let admit = |more: &[&str]| {
        let words = ["hub", "admit", &ask, "--renew", "--format", "json"];
        office.args(&words.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>()).ok();
        let device = office.run("hub devices --format json").ok().json();
        ["name", "rights", "max_recharge", "max_offline"].map(|field| device[0][field].clone())
    };
    let [name, rights, most, offline] = admit(&["--rights", "recharge,refund", "--max-recharge", "500"]);
    assert_eq!((&name, &rights), (&"kiosk 12".into(), &serde_json::json!(["recharge", "refund"])));
    assert_eq!((&most, &offline), (&500.into(), &2_592_000.into()), "30 days, as it was admitted first");
    assert_eq!(admit(&["--name", "kiosk 13"]), [&"kiosk 13".into(), &rights, &most, &offline].map(Clone::clone));
    let [_, rights, most, _] = admit(&["--rights", "none", "--max-recharge", "none"]);
    assert_eq!((rights.as_array().map_or(0, Vec::len), most.is_null()), (0, true));
}

#[test]
fn an_answer_is_written_for_a_file() {
    let (office, shop) = office_and_shop();
    shop.run("consume 5 -a card --key sale-1").ok();
    let sent = exported(&shop);
    office.args(&["sync", "import", &sent]).ok();
    office.run("recharge 50 -a card --source wxpay --key order-1").ok();
    let out = shop.path("").to_str().unwrap().to_string();
    let told = office.args(&["sync", "answer", &sent, "--out", &out]).ok();
    assert!(told.out.contains(": 1 lines"), "{told:#?}");
    let down = file(&shop, "cf-down-");
    let heard = shop.args(&["sync", "import", &down]).ok();
    assert!(heard.out.contains("1 account as the hub has it"), "{heard:#?}");
    assert_eq!(shop.figures("card")[0], 45);
    office.args(&["sync", "answer", shop.path(&down).to_str().unwrap()]).fails(3, "not_for_us");
}

/// The path of the file that a shop exports.
fn exported(shop: &Home) -> String {
    let sent = shop.run("sync export --format json").ok().json();
    shop.path(sent["file"].as_str().unwrap()).to_str().unwrap().to_string()
}

/// What the office answers, for the shop to take.
fn answered(office: &Home, shop: &Home, sent: &str) -> String {
    let hub = counterfoil::Ledger::open(office.ledger()).unwrap();
    let up = counterfoil::exchange::open_file(sent).unwrap();
    hub.exchange()
        .reply(up, false, |part| {
            shop.write("down.cfx", &part.bytes);
            Ok(())
        })
        .unwrap();
    hub.close().unwrap();
    shop.path("down.cfx").to_str().unwrap().to_string()
}

/// An office lost its disk, and went on with a backup. What its kiosk was told shows what is gone, and how to enter it again; and the
/// kiosk begins a fresh file.
#[test]
fn what_an_office_lost_is_entered_again() {
    let (office, shop) = office_and_shop();
    let shared = office.path("shared").to_str().unwrap().to_string();
    office.args(&["sync", "run", "--folder", &shared]).fails(2, "invalid_argument");
    std::fs::create_dir(&shared).unwrap();
    let both = || [&shop, &office, &shop].map(|home| home.args(&["sync", "run", "--folder", &shared]));
    office.run("recharge 100 -a card --source wxpay --key order-1").ok();
    shop.run("consume 30 -a card --key sale-1").ok();
    shop.args(&["device", "renew-file", "early.ledger"]).fails(2, "invalid_argument");
    assert!(!shop.path("early.ledger").exists());
    both();
    std::fs::copy(office.ledger(), office.path("copy")).unwrap();
    office.run("recharge 50 -a card --source wxpay --key order-2 --priority 7").ok();
    both();
    std::fs::copy(office.path("copy"), office.ledger()).unwrap();
    both();
    both();
    assert_eq!((office.figures("card")[0], shop.figures("card")[0]), (70, 70));

    shop.run("device evidence").ok();
    // One of each past of the hub.
    let written = std::fs::read_dir(shop.path("")).unwrap().map(|entry| entry.unwrap().path());
    let named = written.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("cf-evidence-"));
    let mut evidence: Vec<String> = named.map(|path| path.to_str().unwrap().to_string()).collect();
    evidence.splice(0..0, ["hub".to_string(), "evidence".to_string()]);
    let evidence: Vec<&str> = evidence.iter().map(String::as_str).collect();
    let shown = office.args(&evidence);
    assert!(shown.code == 8 && shown.out.contains("recharged: 150 were told of, 100 are known"), "{shown:#?}");
    let enter = shown.out.lines().find_map(|line| line.trim().strip_prefix("counterfoil ")).unwrap();
    office.run(enter).ok();
    assert!(office.args(&evidence).ok().out.contains("no batch of it is missing"));
    both();
    assert_eq!((office.figures("card")[0], shop.figures("card")[0]), (120, 120));

    let fresh = shop.args(&["device", "renew-file", "fresh.ledger"]).ok();
    assert!(fresh.err.contains("exchange with the hub next"), "{fresh:#?}");
    shop.args(&["-f", "fresh.ledger", "sync", "run", "--folder", &shared]).ok();
    office.args(&["sync", "run", "--folder", &shared]);
    shop.args(&["-f", "fresh.ledger", "sync", "run", "--folder", &shared]).ok();
    let balance = shop.args(&["-f", "fresh.ledger", "balance", "-a", "card", "--format", "json"]).ok().json();
    assert_eq!(balance["available"], 120, "{balance}");
    assert!(office.run("configure global_keys order:,invoice: --key g").ok().out.contains("order:"));
    assert!(office.run("info").ok().out.contains("order:, invoice:"));
}

/// An office sets points aside for its kiosk, which sells by them, gives some back, and is written off.
#[test]
fn what_is_set_aside_for_a_kiosk() {
    let (office, shop) = office_and_shop();
    office.run("recharge 100 -a card --source wxpay").ok();
    assert!(office.run("allot list").ok().err.contains("nothing is set aside"));
    let until = ["--until", "9000-01-01"];
    let new = |points: &str, device: &str| {
        office.args(&[&["allot", "new", points, "-a", "card", "--device", device][..], &until].concat())
    };
    new("40", "kiosk 13").fails(3, "unknown_device");
    new("40", "kiosk 12").fails(3, "insufficient_points");
    office.run("recharge 100 -a card --source wxpay --expires-at never").ok();
    new("40", "kiosk 12").ok();
    office
        .args(&["allot", "new", "9", "-a", "card", "--device", "kiosk 12", "--until", "soon"])
        .fails(2, "invalid_argument");
    let listed = office.run("allot list --format json").ok().json();
    let id = listed[0]["allotment"].as_str().unwrap();
    assert_eq!((&listed[0]["remaining"], &listed[0]["state"]), (&40.into(), &"open".into()));
    let shown = office.run("allot list").ok().out;
    assert!(["kiosk 12", "card", "9000-01-01", id].iter().all(|word| shown.contains(word)), "{shown}");
    assert!(office.run("balance -a card").ok().out.contains("allotted"));
    assert!(office.run("allot list -a nobody").ok().err.contains("nothing is set aside"));

    let sent = exported(&shop);
    office.args(&["sync", "import", &sent]).ok();
    let down = answered(&office, &shop, &sent);
    shop.args(&["sync", "import", &down]).ok();
    shop.args(&["allot", "recall", id]).fails(3, "not_on_device");
    shop.args(&["allot", "return", id]).ok();
    shop.args(&["allot", "return", id]).fails(3, "unknown_allotment");
    assert_eq!(shop.figures("card")[..2], [200, 0]);

    office.args(&["allot", "recall", id]).ok();
    assert!(office.run("allot list").ok().out.contains("recalled"));
    assert!(office.run("history -a card").ok().out.contains("recall"));
    let unasked = office.args(&["allot", "write-off", id, "--reason", "stolen"]).fails(7, "unconfirmed");
    assert!(unasked.err.contains("--yes"), "{unasked:#?}");
    let written = office.args(&["allot", "write-off", id, "--reason", "stolen", "--yes"]).ok();
    assert!(written.err.contains("40 points are at risk"), "{written:#?}");
    office.args(&["allot", "write-off", id, "--reason", "stolen", "--yes"]).fails(3, "unknown_allotment");
    assert!(office.run("allot list --all --format csv").ok().out.contains("written_off"));
    assert_eq!(office.figures("card")[..2], [200, 0]);
    let told = office.args(&["explain", id]).ok().out;
    assert!(["recall", "allot return"].iter().all(|word| told.contains(word)), "{told}");
    for home in [&office, &shop] {
        home.run("verify").ok();
    }
}

/// An office takes what its kiosk sold, looks at what it could not book, and sees to it.
#[test]
fn an_office_takes_what_its_kiosk_sold() {
    let (office, shop) = office_and_shop();
    shop.run("consume 30 -a card --key sale-1").ok();
    shop.run("consume 5 -a card --key sale-2").ok();
    let sent = exported(&shop);
    let dry = office.args(&["sync", "import", &sent, "--dry-run"]).ok();
    assert!(dry.out.contains("2 booked, 1 noted"), "{dry:#?}");
    let taken = office.args(&["sync", "import", &sent, "--format", "json"]).ok().json();
    assert_eq!((&taken["booked"], &taken["noted"], &taken["ack"][0]), (&2.into(), &1.into(), &3.into()));
    assert_eq!(office.figures("card")[3], 35);
    let again = office.args(&["sync", "import", &sent]).ok();
    assert!(again.out.contains("0 booked, 0 noted; 3 known"), "{again:#?}");
    assert!(office.run("stage list").ok().err.ends_with("nothing waits\n"));
    assert!(shop.run("stage list").ok().err.contains("nothing waits: this file is a device, ask its hub"));
    assert!(shop.run("hub devices").ok().err.contains("no devices: this file is a device, ask its hub"));

    office.args(&["hub", "expel", "kiosk 12", "--reason", "stolen", "--yes"]).ok();
    shop.run("consume 7 -a card --key sale-3").ok();
    shop.run("consume 8 -a card --key sale-4").ok();
    let taken = office.args(&["sync", "import", &exported(&shop)]);
    assert!(taken.code == 8 && taken.out.contains("operation 4 set aside: expelled"), "{taken:#?}");
    let shown = office.run("stage list").ok().out;
    assert!(["kiosk 12", "sale-3", "expelled"].iter().all(|word| shown.contains(word)), "{shown}");
    let waits = office.run("stage list --format jsonl").ok().jsonl();
    let link = |n: usize| waits[n]["link"].as_str().unwrap();
    office.args(&["stage", "approve", link(0), "--reason", "sold before the theft"]).ok();
    office.args(&["stage", "dismiss", link(1), "--reason", "sold after it"]).ok();
    office.args(&["stage", "dismiss", link(1), "--reason", "sold after it"]).fails(3, "invalid_argument");
    assert_eq!(office.figures("card")[3], 42);
    assert!(office.run("flags list").ok().err.contains("no flags"));
    office.run("verify").ok();

    office.args(&["sync", "import", "nowhere.cfx"]).fails(2, "invalid_argument");
    office.write("broken.cfx", "{\"cfx\":1}\n");
    office.args(&["sync", "import", "broken.cfx"]).fails(6, "bad_file");
    office.args(&["flags", "ack", link(0), "--flag", "overdaft", "--reason", "seen"]).fails(2, "invalid_argument");
    shop.args(&["sync", "import", &sent]).fails(3, "role_conflict");
}
