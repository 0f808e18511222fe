//! What a hub tells a device of its accounts.

use std::io::Cursor;

use counterfoil::exchange::{Admit, BecomeHub, DevicePolicy, Header, Part, inspect};
use counterfoil::{AccountId, Ledger, Query};
use serde_json::{Value, json};

use super::{device_key, key, must};
use crate::against::{Library, in_parallel, number};
use crate::model::generate::{Style, history};
use crate::model::steps::{Act, Made, System};
use crate::support::World;

/// Makes a ledger a hub, whatever is in it, and admits a device.
fn as_hub(ledger: &Ledger) -> uuid::Uuid {
    let own = ledger.new_signer().unwrap().key().public();
    ledger.become_hub(&key("hub"), BecomeHub::new(own, "head office")).unwrap();
    let device = uuid::Uuid::from_u128(7);
    ledger.admit(&key("kiosk"), Admit::new(device, device_key(8), "kiosk", &DevicePolicy::default())).unwrap();
    device
}

fn all_accounts(ledger: &Ledger) -> Vec<AccountId> {
    let page = ledger.accounts(&Query::new().limit(1_000_000)).unwrap();
    page.items.into_iter().map(|balance| balance.account).collect()
}

/// The parts of an answer, each read again and found whole.
fn answered(hub: &Ledger, device: &uuid::Uuid, accounts: &[AccountId]) -> Vec<(Header, Vec<Value>)> {
    let down = hub.exchange().down(device).unwrap();
    let mut parts = Vec::new();
    let made = hub.exchange().answer(&down, accounts, &[], false, |part| {
        parts.push(part);
        Ok(())
    });
    made.unwrap();
    let own = hub.signer().unwrap().key().public();
    let read = |part: Part| {
        let bytes = part.bytes;
        let file = inspect(Cursor::new(&bytes)).unwrap_or_else(|error| panic!("{error}"));
        file.signed_by(&own).unwrap();
        assert_eq!((&file.header, file.digest), (&part.header, part.digest));
        file.concerns(hub.info().unwrap().ledger, Some(*device)).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let count = usize::try_from(file.header.count()).unwrap();
        (file.header, text.lines().skip(1).take(count).map(|line| serde_json::from_str(line).unwrap()).collect())
    };
    parts.into_iter().map(read).collect()
}

fn line(world: &World, device: &uuid::Uuid, account: &str) -> Value {
    answered(&world.ledger, device, &[AccountId::new(account).unwrap()])[0].1[0].clone()
}

/// A history, as far as it is not refused.
pub fn play(library: &mut Library, seed: u64) {
    let mut made = Made::default();
    for step in history(seed) {
        match &step.act {
            Act::Line(line) => {
                let receipt = library.apply(&made.resolve(line), step.reading);
                receipt.into_iter().for_each(|receipt| made.note(step.id, &receipt));
            }
            Act::Expire => {
                library.expire(step.reading);
            }
            Act::Read { .. } => {}
        }
    }
}

/// Whatever has happened to accounts: the line of each is whole, and its sums are those of the account. What they are is judged by
/// whoever reads a file.
#[test]
fn every_account_is_told_whole() {
    in_parallel(number("COUNTERFOIL_HISTORIES", 300).min(1000), |seed| {
        let mut library = Library::created_at(Style::of(seed).start);
        play(&mut library, seed);
        let device = as_hub(&library.ledger);
        let accounts = all_accounts(&library.ledger);
        let parts = answered(&library.ledger, &device, &accounts);
        assert_eq!(parts.len(), 1, "seed {seed}");
        for (account, line) in accounts.iter().zip(&parts[0].1) {
            assert_eq!(line["a"], json!(account), "seed {seed}");
        }
    });
}

#[test]
fn what_no_longer_matters_stays_at_home() {
    let mut world = World::empty();
    let device = as_hub(&world.ledger);
    let year = 365 * 24 * 3600;
    must(&world.ledger, r#"{"op":"recharge","account":"a","key":"1","points":100,"source":"x","expires_in_days":1}"#);
    world.must("used", r#"{"op":"consume","account":"a","key":"2","points":30}"#);
    must(&world.ledger, r#"{"op":"recharge","account":"a","key":"3","points":7,"source":"x","expires_at":"never"}"#);
    world.advance(3 * 24 * 3600);
    world.ledger.expire(None).unwrap();
    let told = line(&world, &device, "a");
    assert_eq!(told["b"].as_array().unwrap().len(), 2, "one has lapsed, and a late charge may still draw from it");
    assert_eq!((&told["c"], &told["rest"]), (&json!([]), &json!([0, 0, 0, 0])));
    world.advance(year);
    must(&world.ledger, r#"{"op":"consume","account":"a","key":"4","points":1}"#);
    let told = line(&world, &device, "a");
    assert_eq!((told["b"].as_array().unwrap().len(), &told["rest"]), (1, &json!([30, 70, 0, 0])));
    assert_eq!(told["totals"][1], 31);
    // Debt goes along for ever, and so does what an open hold keeps.
    must(&world.ledger, r#"{"op":"hold","account":"a","key":"5","points":6,"deadline_seconds":60}"#);
    must(&world.ledger, r#"{"op":"consume","account":"a","key":"6","points":9}"#);
    let told = line(&world, &device, "a");
    assert_eq!((told["c"][0][2].clone(), told["c"][0][3].clone()), (json!(9), json!(9)));
    assert_eq!((told["h"][0][1].clone(), told["h"][0][4][0][1].clone()), (json!(6), json!(6)));
    // Nobody knows it: it has nothing.
    let told = line(&world, &device, "nobody");
    assert_eq!((&told["a"], &told["last"], &told["b"]), (&json!("nobody"), &json!(0), &json!([])));
}

/// Accounts go in parts of at most 4 MiB each; one that is more than a line can hold goes without its rows.
#[test]
fn much_is_told_in_parts() {
    let world = World::empty();
    let device = as_hub(&world.ledger);
    let mut accounts = Vec::new();
    for (account, batches) in (0..14).map(|n| (format!("card-{n}"), 3000)).chain([("great".into(), 10_500)]) {
        let mut run = world.ledger.batch_run();
        for n in 0..batches {
            let line = format!(
                r#"{{"op":"recharge","account":"{account}","key":"{n}","points":2,"source":"some source with a long name","expires_at":"never"}}"#
            );
            run.apply(n + 1, &counterfoil::Request::parse(&line).unwrap()).unwrap();
        }
        accounts.push(AccountId::new(account).unwrap());
    }
    let parts = answered(&world.ledger, &device, &accounts);
    assert!(parts.len() >= 2, "{}", parts.len());
    let lines: Vec<Value> = parts.iter().flat_map(|(_, lines)| lines.clone()).collect();
    let told: Vec<&Value> = lines.iter().map(|line| &line["a"]).collect();
    assert_eq!(told, accounts.iter().map(|id| json!(id)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    assert_eq!((lines[0]["b"].as_array().unwrap().len(), lines[0].get("figures")), (3000, None));
    let great = lines.last().unwrap();
    assert_eq!((&great["figures"], &great["b"]), (&json!([21_000, 0, 0, 0]), &json!([])));
    for (at, (header, _)) in (1..).zip(&parts) {
        let Header::Down(down) = header else { panic!("{header:?}") };
        assert_eq!(down.part, (at, i64::try_from(parts.len()).unwrap()));
        assert_eq!(down.position[0].seq, world.ledger.info().unwrap().operations);
    }
}
