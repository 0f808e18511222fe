//! Three kiosks and their office: two weeks without a network, a clock that is a month ahead, a kiosk that was cloned, a stick that
//! is lost and found. At the end everything adds up.
//!
//! ```text
//! cargo run --example kiosks
//! ```
//!
//! Each kiosk has a ledger of its own and charges on, whatever happens. What it did travels on a stick to the office, whose
//! ledger is the hub: it books what has come, and answers how the cards stand. The calendar is pretended, so that weeks
//! pass in a second.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::exchange::{
    Admit, Approve, BecomeHub, DevicePolicy, Enrol, FlagCode, HeardReport, ImportReport, Right, StageReason,
};
use counterfoil::sync::{FolderReport, Imported};
use counterfoil::{AccountId, ConfirmClock, Consume, Key, Ledger, Options, Points, Query, Recharge};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const DAY: Duration = Duration::from_secs(24 * 3600);
const OPENING: &str = "2026-03-02T08:00:00Z";
const CARDS: [&str; 3] = ["card-1", "card-2", "card-3"];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kiosks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ensure(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(format!("this should hold: {what}").into()) }
}

fn options(clock: &ManualClock) -> Options {
    Ledger::options().clock(Arc::new(clock.clone()))
}

fn key(text: impl AsRef<str>) -> Result<Key> {
    Ok(Key::new(text)?)
}

/// What was handed over the counters, as the people there would tell it.
#[derive(Default)]
struct Till {
    sold: i64,
    loaded: i64,
}

struct Kiosk {
    name: &'static str,
    ledger: Ledger,
    clock: ManualClock,
    /// Its own counter of sales, from which the keys are.
    sales: i64,
}

impl Kiosk {
    fn sell(&mut self, till: &mut Till, card: &str, points: i64) -> Result<()> {
        self.sales += 1;
        let sale = Consume::points(Points::new(points)?).description("coffee");
        self.ledger.consume(&AccountId::new(card)?, &key(format!("sale:{}", self.sales))?, sale)?;
        till.sold += points;
        Ok(())
    }

    fn load(&self, till: &mut Till, card: &str, receipt: &str, points: i64) -> Result<()> {
        let cash = Recharge::new(Points::new(points)?, "cash");
        self.ledger.recharge(&AccountId::new(card)?, &key(format!("{}:{receipt}", self.name))?, cash)?;
        till.loaded += points;
        Ok(())
    }
}

struct Office {
    folder: tempfile::TempDir,
    clock: ManualClock,
    hub: Ledger,
}

impl Office {
    fn open() -> Result<Self> {
        let (folder, clock) = (tempfile::tempdir()?, ManualClock::at(OPENING)?);
        let hub = options(&clock).create(folder.path().join("office.ledger"))?;
        let signer = hub.new_signer()?;
        hub.become_hub(&key("hub")?, BecomeHub::new(signer.key().public(), "office"))?;
        Ok(Office { folder, clock, hub })
    }

    /// A new kiosk: it makes its key, the office admits it, and it enrols with the certificate.
    fn kiosk(&self, name: &'static str) -> Result<Kiosk> {
        let clock = ManualClock::at(OPENING)?;
        let ledger = options(&clock).create(self.folder.path().join(format!("{name}.ledger")))?;
        let public_key = ledger.new_signer()?.key().public();
        let device = ledger.info()?.device;
        let mut policy = DevicePolicy::default();
        policy.rights = vec![Right::Recharge, Right::Refund];
        self.hub.admit(&key(name)?, Admit::new(device, public_key, name, &policy))?;
        ledger.enrol(&key("enrol")?, Enrol::new(&self.hub.certificate(&device)?))?;
        Ok(Kiosk { name, ledger, clock, sales: 0 })
    }

    fn stick(&self, name: &str) -> Result<PathBuf> {
        let stick = self.folder.path().join(format!("stick of {name}"));
        std::fs::create_dir_all(&stick)?;
        Ok(stick)
    }

    /// The office puts a stick in, and takes what is on it.
    fn take(&self, stick: &Path) -> Result<Vec<ImportReport>> {
        let report = self.hub.exchange().run(stick)?;
        ensure(report.refused.is_empty(), "every file is whole")?;
        let operations = report.taken.into_iter().filter_map(|taken| match taken.imported {
            Imported::Operations(report) => Some(report),
            _ => None,
        });
        Ok(operations.collect())
    }
}

/// A kiosk puts its stick in: it hears how the cards stand, and writes what it has done since.
fn put_in(kiosk: &Kiosk, stick: &Path) -> Result<FolderReport> {
    let report = kiosk.ledger.exchange().run(stick)?;
    ensure(report.refused.is_empty(), "every file is whole")?;
    Ok(report)
}

fn heard(report: &FolderReport) -> Option<&HeardReport> {
    report.taken.iter().rev().find_map(|taken| match &taken.imported {
        Imported::Accounts(report) => Some(report),
        _ => None,
    })
}

fn run() -> Result<()> {
    let (office, mut till) = (Office::open()?, Till::default());
    let mut kiosks = vec![office.kiosk("north")?, office.kiosk("south")?, office.kiosk("harbour")?];
    println!("The office makes its ledger the hub, and admits three kiosks");
    for card in CARDS {
        let order = Recharge::new(Points::new(400)?, "wxpay");
        office.hub.recharge(&AccountId::new(card)?, &key(format!("order:{card}"))?, order)?;
        till.loaded += 400;
    }
    first_day(&office, &mut kiosks, &mut till)?;
    two_weeks(&office, &mut kiosks, &mut till)?;
    arrive(&office, &kiosks)?;
    look_at(&office)?;
    found(&office)?;
    adds_up(&office, &kiosks, &till)
}

/// Each sells once to a card, so that it hears of that from then on; then the network goes.
fn first_day(office: &Office, kiosks: &mut [Kiosk], till: &mut Till) -> Result<()> {
    for kiosk in kiosks.iter_mut() {
        for card in CARDS {
            kiosk.sell(till, card, 1)?;
        }
        let stick = office.stick(kiosk.name)?;
        put_in(kiosk, &stick)?;
        office.take(&stick)?;
    }
    for kiosk in kiosks {
        let stick = office.stick(kiosk.name)?;
        office.take(&stick)?;
        put_in(kiosk, &stick)?;
        let balance = kiosk.ledger.balance(&AccountId::new(CARDS[0])?)?;
        ensure(balance.figures.available == 397, "a kiosk knows what the others sold")?;
    }
    println!("  all of them know the cards: 397 points each\n");
    Ok(())
}

fn two_weeks(office: &Office, kiosks: &mut Vec<Kiosk>, till: &mut Till) -> Result<()> {
    println!("Two weeks without a network");
    let opening: DateTime<Utc> = OPENING.parse()?;
    for day in 1..=14_i64 {
        let now = opening + DAY * u32::try_from(day)?;
        office.clock.set(now);
        for kiosk in kiosks.iter_mut() {
            // The battery of this one's clock was changed on the third day.
            let ahead = match kiosk.name {
                "south" if day >= 3 => DAY * 30,
                // Nobody serves two customers at one instant.
                "harbour's twin" => Duration::from_secs(40),
                _ => Duration::ZERO,
            };
            kiosk.clock.set(now + ahead);
            let large = i64::from(kiosk.name == "harbour's twin" && day % 4 == 0);
            for (card, points) in CARDS.iter().zip([5 + day % 3, 4 + large, 2]) {
                kiosk.sell(till, card, points)?;
            }
        }
        match day {
            3 => println!("  day 3    the clock of south is set a month ahead; it sells on"),
            5 => {
                let twin = clone(office, kiosks)?;
                kiosks.push(twin);
                println!("  day 5    the disk of harbour is copied into a second machine: both sell, as one device");
            }
            7 => {
                let north = named(kiosks, "north")?;
                north.load(till, CARDS[1], "1", 50)?;
                let lost = put_in(north, &office.stick("north, lost")?)?;
                ensure(lost.written.len() == 1, "one file is on it")?;
                println!("  day 7    the stick of north is lost on its way");
            }
            9 => {
                named(kiosks, "harbour's twin")?.load(till, CARDS[2], "twin 1", 30)?;
                println!("  day 9    the second machine takes cash for 30 points");
            }
            _ => {}
        }
    }
    println!("  in all, {} points were sold and {} loaded\n", till.sold, till.loaded);
    Ok(())
}

fn named<'k>(kiosks: &'k mut [Kiosk], name: &str) -> Result<&'k mut Kiosk> {
    kiosks.iter_mut().find(|kiosk| kiosk.name == name).ok_or_else(|| format!("there is no {name}").into())
}

/// The whole disk: the ledger, and the key beside it.
fn clone(office: &Office, kiosks: &mut [Kiosk]) -> Result<Kiosk> {
    let harbour = named(kiosks, "harbour")?;
    let (path, twin) = (harbour.ledger.path(), office.folder.path().join("twin.ledger"));
    harbour.ledger.close()?;
    std::fs::copy(&path, &twin)?;
    std::fs::copy(path.with_extension("ledger.key"), twin.with_extension("ledger.key"))?;
    harbour.ledger = options(&harbour.clock).open(&path)?;
    let clock = ManualClock::at(OPENING)?;
    clock.set(office.clock.now());
    Ok(Kiosk { name: "harbour's twin", ledger: options(&clock).open(&twin)?, clock, sales: harbour.sales })
}

fn arrive(office: &Office, kiosks: &[Kiosk]) -> Result<()> {
    println!("Day 14: the sticks arrive");
    for kiosk in kiosks {
        let stick = office.stick(kiosk.name)?;
        put_in(kiosk, &stick)?;
        for report in office.take(&stick)? {
            let mut notes: BTreeMap<String, i64> = BTreeMap::new();
            for flag in &report.flags {
                *notes.entry(flag.flag.to_string()).or_default() += 1;
            }
            for link in &report.staged {
                *notes.entry(format!("set aside ({})", link.reason)).or_default() += 1;
            }
            let notes: Vec<String> = notes.iter().map(|(what, times)| format!("{what} x {times}")).collect();
            let notes = if notes.is_empty() { "nothing to look at".into() } else { notes.join(", ") };
            println!("  {:<15} {:>3} booked; {notes}", kiosk.name, report.booked);
        }
    }
    println!();
    Ok(())
}

/// What an operator at the office does with what stands out.
fn look_at(office: &Office) -> Result<()> {
    println!("The office looks at what was set aside");
    let staged = office.hub.staged(&Query::new())?.items;
    for link in &staged {
        let (what, approve) = match link.reason {
            // Both machines sold a coffee under one number: two cups were drunk.
            StageReason::DuplicateKey => ("two cups under one number", Approve::new().another()),
            StageReason::Fork => ("the cash is in the till", Approve::new()),
            reason => return Err(format!("{reason} was not expected").into()),
        };
        office.hub.approve(&link.link, &Key::random(), approve.reason(what))?;
    }
    let cups = staged.iter().filter(|link| link.reason == StageReason::DuplicateKey).count();
    println!("  {cups} coffees that both machines of harbour sold under one number: approved as sales of their own");
    println!("  {} recharge of the second machine: approved, the cash is in the till", staged.len() - cups);
    let flags = office.hub.flags(&Query::new())?.items;
    ensure(flags.iter().any(|flag| flag.flag == FlagCode::ClockCorrected), "the wrong clock is seen")?;
    ensure(flags.iter().any(|flag| flag.flag == FlagCode::Fork), "the copy is seen")?;
    println!();
    Ok(())
}

fn found(office: &Office) -> Result<()> {
    println!("The lost stick is found");
    for report in office.take(&office.stick("north, lost")?)? {
        ensure(report.booked == 0 && report.staged.is_empty(), "nothing is charged twice")?;
        println!("  {} operations, all known: nothing is charged twice\n", report.duplicates);
    }
    Ok(())
}

fn adds_up(office: &Office, kiosks: &[Kiosk], till: &Till) -> Result<()> {
    println!("All clocks are right again, and all kiosks hear of each other");
    let mut renewed = 0;
    // Twice: what a kiosk did when it heard is news to the office.
    for round in 0..3 {
        for kiosk in kiosks {
            kiosk.clock.set(office.clock.now());
            if round == 0 && kiosk.name == "south" {
                kiosk.ledger.confirm_clock(&key("battery")?, ConfirmClock::new())?;
            }
            let stick = office.stick(kiosk.name)?;
            let report = put_in(kiosk, &stick)?;
            renewed += i64::from(heard(&report).is_some_and(|report| report.renewed));
            office.take(&stick)?;
        }
    }
    ensure(renewed >= 1, "the copies part")?;
    println!("  {renewed} of the two machines of harbour began an epoch of its own\n");
    println!("  {:<10}{:>8}{:>8}{:>8}{:>10}{:>8}", "", "office", "north", "south", "harbour", "twin");
    let (mut available, mut consumed, mut debt) = (0, 0, 0);
    for card in CARDS {
        let card = AccountId::new(card)?;
        let balance = office.hub.balance(&card)?;
        let mut line = format!("  {card:<10}{:>8}", balance.figures.available.get());
        for (kiosk, width) in kiosks.iter().zip([8, 8, 10, 8]) {
            let figures = kiosk.ledger.balance(&card)?.figures;
            ensure(figures == balance.figures, "every kiosk stands as the office")?;
            line += &format!("{:>width$}", figures.available.get());
        }
        println!("{line}");
        available += balance.figures.available.get();
        debt += balance.figures.debt.get();
        consumed += balance.totals.ok_or("an account has totals")?.consumed;
    }
    ensure(consumed == till.sold, "what was sold is what was charged")?;
    ensure(till.loaded - till.sold == available - debt, "what was loaded is what was sold and what is left")?;
    for ledger in kiosks.iter().map(|kiosk| &kiosk.ledger).chain([&office.hub]) {
        ensure(ledger.verify()?.ok, "the file verifies")?;
    }
    println!("\n  loaded {} = sold {} + left {available}: it adds up; all five files verify", till.loaded, till.sold);
    Ok(())
}
