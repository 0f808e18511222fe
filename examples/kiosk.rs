//! A kiosk without a network: cards it has never seen, debt, a wrong clock, a sale reported late, a power cut.
//!
//! ```text
//! cargo run --example kiosk
//! ```
//!
//! The power cut is real for the program: the kiosk starts itself once more as the cash register, and kills it with
//! SIGKILL while it is charging. The calendar is pretended, so that weeks pass in a second.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::{AccountId, Configure, Consume, EntryKind, ExpiresIn, Key, Ledger, Points, Query, Receipt, Recharge};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The morning the kiosk was put up.
const OPENING: &str = "2026-03-01T08:00:00Z";
const POWER_CUT: &str = "2026-04-12T18:00:00Z";
/// Acknowledged rides after which the power goes.
const RIDES: u64 = 25;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [] => run(),
        [role, path] if role == "--register" => register(Path::new(path)),
        _ => Err("usage: kiosk".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kiosk: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("kiosk.ledger");
    let clock = ManualClock::at(OPENING)?;
    let ledger = Ledger::options().clock(Arc::new(clock.clone())).create(&path)?;
    let kiosk = Kiosk { ledger, clock, member: AccountId::new("card-0007")?, guest: AccountId::new("card-3141")? };
    kiosk.first_day()?;
    kiosk.wrong_clock()?;
    kiosk.late_sale()?;
    kiosk.ledger.close()?;
    power_cut(&path)
}

fn open(path: &Path, time: &str) -> Result<Ledger> {
    Ok(Ledger::options().clock(Arc::new(ManualClock::at(time)?)).open(path)?)
}

fn ensure(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("this should hold: {what}").into()) }
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

struct Kiosk {
    ledger: Ledger,
    clock: ManualClock,
    member: AccountId,
    guest: AccountId,
}

impl Kiosk {
    fn charge(&self, card: &AccountId, key: &str, points: i64, what: &str) -> Result<Receipt> {
        let receipt =
            self.ledger.consume(card, &Key::new(key)?, Consume::points(Points::new(points)?).description(what))?;
        self.tell(what, &receipt);
        Ok(receipt)
    }

    fn load(&self, card: &AccountId, key: &str, recharge: Recharge, what: &str) -> Result<Receipt> {
        let receipt = self.ledger.recharge(card, &Key::new(key)?, recharge)?;
        self.tell(what, &receipt);
        Ok(receipt)
    }

    fn tell(&self, what: &str, receipt: &Receipt) {
        let account = receipt.account.as_ref().map_or("", |account| account.as_str());
        let mut notes = String::new();
        if receipt.balance.debt > 0 {
            notes += &format!(", debt {}", receipt.balance.debt);
        }
        if receipt.reinstated > 0 {
            notes += &format!("; {} expired points reinstated", receipt.reinstated);
        }
        if receipt.clock_suspect {
            notes += "; clock suspect";
        }
        let (booked, left) = (day(receipt.booked_at), receipt.balance.available);
        println!("  {booked}  {account}  {what:<34} {:>4}   {left} left{notes}", receipt.points);
    }

    fn first_day(&self) -> Result<()> {
        println!("The first day");
        let window = Configure::late_window(DAY.saturating_mul(14));
        self.ledger.configure(&Key::new("setup:late-window")?, window)?;
        let cash = Recharge::new(Points::new(100)?, "cash").expires(ExpiresIn::Days(30));
        self.load(&self.member, "till:1", cash, "100 points for 30 days")?;
        self.charge(&self.member, "sale:1", 12, "coffee")?;
        // Nobody opened this card's account, and nobody can be asked: it is opened on first use.
        let receipt = self.charge(&self.guest, "sale:2", 4, "tea, on a card never seen before")?;
        ensure(receipt.open == 4 && receipt.over_limit, "an unknown card's tea is debt")?;
        let receipt =
            self.load(&self.guest, "till:2", Recharge::new(Points::new(10)?, "cash"), "10 points: the tea is settled")?;
        ensure(receipt.balance.available == 6 && receipt.balance.debt == 0, "the debt is settled first")
    }

    /// The battery of the clock fails. Read as it is, the card's points would have been gone for half a year.
    fn wrong_clock(&self) -> Result<()> {
        println!("\nThe clock jumps 200 days ahead");
        let right = DateTime::parse_from_rfc3339(OPENING)?.to_utc() + DAY;
        self.clock.set(right + DAY.saturating_mul(200));
        let receipt = self.charge(&self.member, "sale:3", 8, "lunch")?;
        ensure(
            receipt.clock_suspect && receipt.balance.available == 80,
            "a wrong clock expires nothing and stops nothing",
        )?;
        println!("  It says {}; the ledger stays at {}.", day(receipt.recorded_at), day(receipt.booked_at));
        println!("And is put right");
        self.clock.set(right);
        let receipt = self.charge(&self.member, "sale:4", 5, "fruit")?;
        ensure(!receipt.clock_suspect && receipt.balance.available == 75, "nothing was lost")?;
        let entries = self.ledger.history(&self.member, &Query::new())?.items;
        ensure(entries.iter().all(|entry| entry.kind != "expire"), "nothing expired")?;
        ensure(entries.iter().is_sorted_by_key(|entry| entry.booked_at), "booked time never runs backwards")
    }

    /// A vending machine in the cellar reports a sale eleven days late; the points it was paid with have expired since.
    fn late_sale(&self) -> Result<()> {
        println!("\nSix weeks on, the machine in the cellar reports");
        let now = DateTime::parse_from_rfc3339(POWER_CUT)?.to_utc() - DAY * 2;
        self.clock.set(now);
        let balance = self.ledger.balance(&self.member)?.figures;
        println!(
            "  {}  {}  {:<34} {:>4}   {} left",
            day(now),
            self.member,
            "the 30 days are over",
            "",
            balance.available
        );
        ensure(balance.available == 0, "the batch has expired")?;
        let sold = now - DAY.saturating_mul(11);
        let sale = Consume::points(Points::new(20)?).occurred_at(sold).description("batteries");
        let receipt = self.ledger.consume(&self.member, &Key::new("cellar:1")?, sale)?;
        self.tell(&format!("batteries, sold on {}", day(sold)), &receipt);
        ensure(receipt.reinstated == 20 && receipt.balance.debt == 0, "a late sale is paid by the points of its day")?;
        let verification = self.ledger.verify()?;
        ensure(verification.ok, "the file verifies")
    }
}

/// The register: charges rides until the power goes, and prints each key once it is acknowledged.
fn register(path: &Path) -> Result<()> {
    let ledger = open(path, POWER_CUT)?;
    let card = AccountId::new("card-3141")?;
    let mut out = std::io::stdout().lock();
    for ride in 1.. {
        let receipt = charge_ride(&ledger, &card, ride)?;
        writeln!(out, "{}", receipt.key)?;
        out.flush()?;
    }
    Ok(())
}

fn charge_ride(ledger: &Ledger, card: &AccountId, ride: u64) -> Result<Receipt> {
    Ok(ledger.consume(card, &Key::new(format!("ride:{ride}"))?, Consume::points(Points::new(2)?))?)
}

fn power_cut(path: &Path) -> Result<()> {
    println!("\nThe power goes while the register is charging rides");
    let acknowledged = charge_until_killed(path)?;
    println!("  killed after {RIDES} acknowledged rides or a few more");

    let ledger = open(path, POWER_CUT)?;
    let card = AccountId::new("card-3141")?;
    let count = u64::try_from(acknowledged.len())?;
    let found = booked_rides(&ledger, &card)?;
    ensure(
        found == count || found == count + 1,
        "what was acknowledged is booked, and at most the ride in progress besides",
    )?;
    println!("  every acknowledged ride is in the file; the one in progress is there wholly or not at all");

    // The register does not know what it had done: it does it all again, and ten rides more.
    let mut replayed = 0;
    for ride in 1..=count + 10 {
        let receipt = charge_ride(&ledger, &card, ride)?;
        let known = acknowledged.contains(&receipt.key.to_string());
        ensure(receipt.replayed || !known, "an acknowledged ride is never charged again")?;
        replayed += u64::from(receipt.replayed);
    }
    ensure(replayed == found, "what was in the file is replayed, the rest is charged")?;
    ensure(booked_rides(&ledger, &card)? == count + 10, "every ride is charged once")?;
    println!("  carried on with the same keys: the old rides replayed, ten new ones charged, none twice");
    ensure(ledger.verify()?.ok, "the file verifies")?;
    println!("  verified");
    ledger.close()?;
    Ok(())
}

/// Starts the register and kills it; the keys it had printed by then.
fn charge_until_killed(path: &Path) -> Result<Vec<String>> {
    let mut child =
        Command::new(std::env::current_exe()?).arg("--register").arg(path).stdout(Stdio::piped()).spawn()?;
    let lines = BufReader::new(child.stdout.take().ok_or("the register has no output")?).lines();
    let mut keys = Vec::new();
    let mut running = true;
    for line in lines {
        keys.push(line?);
        if running && keys.len() as u64 >= RIDES {
            child.kill()?;
            running = false;
        }
    }
    child.wait()?;
    ensure(!running, "the register charges until it is killed")?;
    Ok(keys)
}

fn booked_rides(ledger: &Ledger, card: &AccountId) -> Result<u64> {
    let mut rides = 0;
    for entry in Query::new().kind(EntryKind::Consume).each(|query| ledger.history(card, query)) {
        // The card's first consume was a tea.
        rides += u64::from(entry?.points == 2);
    }
    Ok(rides)
}
