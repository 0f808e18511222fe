//! Forty operations of every kind in full and relaxed, a batch, a sweep, a flush, a close and a backup; or charges of four threads.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, Durability, Error, Ledger, Options, Receipt, Request};

use crate::script::{Answer, Image, Retry, Script, Told, folder, is_of_a_fault, verified};

const OPERATIONS: usize = 40;
const FILE: &str = "points.ledger";

fn begin() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

/// When eve's batch has expired.
fn end() -> DateTime<Utc> {
    begin() + TimeDelta::hours(2)
}

fn clock(at: DateTime<Utc>) -> ManualClock {
    let clock = ManualClock::default();
    clock.set(at);
    clock
}

fn options(clock: &ManualClock) -> Options {
    static BOOK: LazyLock<PriceBook> =
        LazyLock::new(|| PriceBook::parse(include_str!("../../../../config/pricing.toml"), "pricing.toml").unwrap());
    Ledger::options().clock(Arc::new(clock.clone())).pricing(BOOK.clone()).busy_timeout(Duration::from_millis(20))
}

/// A ledger in which al and bo have plenty, and eve a batch that expires on the way.
fn before() -> Image {
    let folder = folder();
    let ledger = options(&clock(begin())).create(folder.path().join(FILE)).unwrap();
    for (account, hours) in [("al", 2_400), ("bo", 2_400), ("eve", 1)] {
        let line = format!(
            r#"{{"op":"recharge","account":"{account}","key":"start","points":1000,"source":"wxpay","expires_in_hours":{hours}}}"#
        );
        ledger.apply(&Request::parse(&line).unwrap()).unwrap();
    }
    ledger.close().unwrap();
    Image::of(folder.path())
}

/// A program with the ledger open.
struct Desk<'f> {
    folder: &'f Path,
    retry: Retry,
    clock: ManualClock,
    ledger: Option<Ledger>,
}

impl<'f> Desk<'f> {
    fn new(folder: &'f Path, retry: Retry, at: DateTime<Utc>) -> Self {
        Desk { folder, retry, clock: clock(at), ledger: None }
    }

    /// Does something with the ledger, which is opened when it is not open; three times at most.
    fn tries<T>(&mut self, act: impl Fn(&Ledger) -> Result<T, Error>) -> (Vec<&'static str>, Option<T>) {
        let mut failed = Vec::new();
        for _ in 0..3 {
            let ledger = match self.ledger.take() {
                Some(ledger) => Ok(ledger),
                None => options(&self.clock).open(self.folder.join(FILE)),
            };
            let done = ledger.and_then(|ledger| {
                let done = act(&ledger);
                if done.is_ok() || self.retry == Retry::SameHandle {
                    self.ledger = Some(ledger);
                }
                done
            });
            match done {
                Ok(done) => return (failed, Some(done)),
                Err(error) => failed.push(error.code()),
            }
        }
        (failed, None)
    }

    fn apply(&mut self, key: &str, line: &str, durability: Durability) -> (Told, Option<Receipt>) {
        let request = Request::parse(line).unwrap();
        let (failed, receipt) = self.tries(|ledger| ledger.with_durability(durability).apply(&request));
        (told(key, failed, receipt.as_ref()), receipt)
    }

    /// What is no operation: nothing of it may fail but for a call.
    fn aside(&mut self, what: &str, act: impl Fn(&Ledger) -> Result<(), Error>) -> Told {
        let (failed, done) = self.tries(act);
        let done = done.map(|()| Answer::Done { id: String::new(), replayed: false });
        Told { what: what.into(), tries: failed.into_iter().map(Answer::Failed).chain(done).collect() }
    }
}

fn told(key: &str, failed: Vec<&'static str>, receipt: Option<&Receipt>) -> Told {
    let done = receipt.map(|receipt| Answer::Done { id: receipt.operation.to_string(), replayed: receipt.replayed });
    Told { what: key.into(), tries: failed.into_iter().map(Answer::Failed).chain(done).collect() }
}

/// The n-th operation, if what it names was done.
fn line(n: usize, key: &str, receipts: &BTreeMap<usize, Receipt>) -> Option<String> {
    let named = |back: usize| receipts.get(&n.checked_sub(back)?);
    let hold = |back: usize| named(back)?.hold.as_ref().map(|hold| hold.id.to_string());
    Some(match n % 10 {
        0 => format!(r#"{{"op":"recharge","account":"al","key":"{key}","points":20,"source":"invite"}}"#),
        1 => format!(r#"{{"op":"consume","account":"al","key":"{key}","points":3}}"#),
        2 => format!(
            r#"{{"op":"hold","account":"al","key":"{key}","service":"tts","chars":90,"deadline_seconds":80000}}"#
        ),
        3 => {
            let hold = hold(1)?;
            format!(r#"{{"op":"capture","hold":"{hold}","key":"{key}","seconds":"6"}}"#)
        }
        4 => {
            let operation = &named(3)?.operation;
            format!(r#"{{"op":"refund","operation":"{operation}","key":"{key}","points":1,"reason":"a fault"}}"#)
        }
        5 => format!(r#"{{"op":"transfer","account":"al","to":"bo","key":"{key}","points":2}}"#),
        6 => format!(r#"{{"op":"set_limit","account":"bo","key":"{key}","credit_limit":{n}}}"#),
        7 => format!(r#"{{"op":"consume","account":"bo","key":"{key}","service":"script_generation"}}"#),
        8 => format!(r#"{{"op":"hold","account":"bo","key":"{key}","points":7,"deadline_seconds":80000}}"#),
        _ => {
            let hold = hold(1)?;
            format!(r#"{{"op":"release","hold":"{hold}","key":"{key}"}}"#)
        }
    })
}

fn batch() -> Vec<(String, Request)> {
    let line = |key: &str| format!(r#"{{"op":"consume","account":"al","key":"{key}","points":1}}"#);
    (0..6).map(|n| format!("b{n}")).map(|key| (key.clone(), Request::parse(&line(&key)).unwrap())).collect()
}

/// The operations in their order; after some of them something else is done.
fn operations(desk: &mut Desk<'_>, aside: impl Fn(&mut Desk<'_>, usize, &mut Vec<Told>)) -> Vec<Told> {
    let (mut all, mut receipts) = (Vec::new(), BTreeMap::new());
    for n in 0..OPERATIONS {
        let key = format!("k{n}");
        let durability = if n % 3 == 2 { Durability::Relaxed } else { Durability::Full };
        if let Some(line) = line(n, &key, &receipts) {
            let (told, receipt) = desk.apply(&key, &line, durability);
            all.push(told);
            receipts.extend(receipt.map(|receipt| (n, receipt)));
        }
        if n == 15 {
            all.extend(in_a_batch(desk));
        }
        aside(desk, n, &mut all);
    }
    all
}

/// What a program does that books nothing of its own.
fn asides(desk: &mut Desk<'_>, n: usize, all: &mut Vec<Told>) {
    match n {
        7 => all.push(desk.aside("flush", Ledger::flush)),
        22 => {
            desk.clock.set(end());
            all.push(desk.aside("expire", |ledger| ledger.expire(None).map(drop)));
        }
        30 => {
            let copy = desk.folder.join("backup.ledger");
            all.push(desk.aside("backup", |ledger| ledger.backup(&copy).map(drop)));
        }
        33 => {
            let closed = desk.ledger.take().map(|ledger| ledger.close().map(drop));
            let failed = closed.and_then(Result::err).map(|error| Answer::Failed(error.code()));
            all.push(Told { what: "close".into(), tries: failed.into_iter().collect() });
        }
        _ => {}
    }
}

/// Lines that were refused are said again, the others were done.
fn in_a_batch(desk: &mut Desk<'_>) -> Vec<Told> {
    let lines = batch();
    let mut all: Vec<Told> = lines.iter().map(|(key, _)| Told { what: key.clone(), tries: Vec::new() }).collect();
    for _ in 0..3 {
        let open: Vec<usize> = (0..lines.len()).filter(|line| !all[*line].is_done()).collect();
        if open.is_empty() {
            break;
        }
        let requests: Vec<Request> = open.iter().map(|line| lines[*line].1.clone()).collect();
        // Each answer is a line's own.
        let (failed, answers) = desk.tries(|ledger| Ok(ledger.batch(&requests)));
        let answers = answers.into_iter().flatten().zip(&open);
        for (answer, line) in answers {
            all[*line].tries.push(match answer {
                Ok(receipt) => Answer::Done { id: receipt.operation.to_string(), replayed: receipt.replayed },
                Err(error) => Answer::Failed(error.code()),
            });
        }
        if !failed.is_empty() {
            open.iter().for_each(|line| all[*line].tries.extend(failed.iter().map(|code| Answer::Failed(code))));
        }
        if desk.retry == Retry::Reopen {
            desk.ledger.take();
        }
    }
    all
}

/// Holds what was told of each key against what is there.
fn answers_are_right(ledger: &Ledger, told: &[Told]) -> Result<(), String> {
    for one in told {
        let wrong = one.tries.iter().find_map(|answer| match answer {
            Answer::Failed(code) if !is_of_a_fault(code) => Some(code),
            _ => None,
        });
        if let Some(code) = wrong {
            return Err(format!("{code} is no answer to a failing call: {one:?}"));
        }
        let key = &one.what;
        if ["flush", "expire", "backup", "close"].contains(&key.as_str()) {
            continue;
        }
        let there = ledger.operation_named(&format!("key:{key}"), None).ok().map(|id| id.to_string());
        let mut unknown = false;
        for answer in &one.tries {
            match answer {
                Answer::Done { id, replayed } => {
                    if there.as_ref() != Some(id) {
                        return Err(format!("{key} was done and {there:?} is there: {one:?}"));
                    }
                    if *replayed && !unknown {
                        return Err(format!("{key} was refused and booked: {one:?}"));
                    }
                }
                Answer::Failed(code) => unknown |= *code == "outcome_unknown",
            }
        }
        if there.is_some() && !unknown && !one.is_done() {
            return Err(format!("{key} was refused and is there: {one:?}"));
        }
    }
    Ok(())
}

/// The figures of those whose order of things plays no part.
fn figures(ledger: &Ledger) -> Vec<String> {
    let of = |account| ledger.balance(&AccountId::new(account).unwrap()).unwrap().figures;
    ["al", "bo", "eve"].map(|account| format!("{account} {:?}", of(account))).into()
}

pub struct Books {
    before: Image,
    /// The figures after it was done undisturbed.
    after: Vec<String>,
}

impl Books {
    pub fn new() -> Self {
        let before = before();
        let folder = folder();
        before.lay_out(folder.path());
        let mut desk = Desk::new(folder.path(), Retry::SameHandle, begin());
        let told = operations(&mut desk, asides);
        assert!(told.iter().all(|told| told.is_done() || told.what == "close"), "{told:#?}");
        Books { before, after: figures(&desk.ledger.unwrap()) }
    }
}

impl Script for Books {
    fn name(&self) -> &'static str {
        "books"
    }

    fn before(&self) -> &Image {
        &self.before
    }

    fn live(&self, folder: &Path, retry: Retry) -> Vec<Told> {
        operations(&mut Desk::new(folder, retry, begin()), asides)
    }

    fn check(&self, folder: &Path, told: &[Told]) -> Result<(), String> {
        let mut desk = Desk::new(folder, Retry::SameHandle, end());
        let opened = options(&desk.clock).open(folder.join(FILE));
        let opened = opened.map_err(|error| format!("not open any more: {error}"))?;
        answers_are_right(&opened, told)?;
        desk.ledger = Some(opened);
        // It goes on where it was left, and comes to what it would have come to.
        let again = operations(&mut desk, |_, _, _| {});
        if let Some(not) = again.iter().find(|told| !told.is_done()) {
            return Err(format!("mended, and not done: {not:?}"));
        }
        let ledger = desk.ledger.ok_or("closed")?;
        if figures(&ledger) != self.after {
            return Err(format!("{:?}, and undisturbed {:?}", figures(&ledger), self.after));
        }
        verified(&ledger)
    }
}

/// Four threads, whose charges share their syncs.
pub struct Together(Image);

impl Together {
    pub fn new() -> Self {
        Together(before())
    }

    fn charge(ledger: &Ledger, thread: usize, tries: usize) -> Vec<Told> {
        let one = |n: usize| {
            let key = format!("{thread}:{n}");
            let line = format!(r#"{{"op":"consume","account":"al","key":"{key}","points":{}}}"#, n + 1);
            let request = Request::parse(&line).unwrap();
            let mut told = Told { what: key, tries: Vec::new() };
            for _ in 0..tries {
                match ledger.apply(&request) {
                    Ok(receipt) => {
                        let id = receipt.operation.to_string();
                        told.tries.push(Answer::Done { id, replayed: receipt.replayed });
                        break;
                    }
                    Err(error) => told.tries.push(Answer::Failed(error.code())),
                }
            }
            told
        };
        (0..8).map(one).collect()
    }
}

impl Script for Together {
    fn name(&self) -> &'static str {
        "together"
    }

    fn before(&self) -> &Image {
        &self.0
    }

    fn live(&self, folder: &Path, _: Retry) -> Vec<Told> {
        let Ok(ledger) = options(&clock(begin())).open(folder.join(FILE)) else { return Vec::new() };
        std::thread::scope(|scope| {
            let ledger = &ledger;
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || Self::charge(ledger, thread, 3))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn check(&self, folder: &Path, told: &[Told]) -> Result<(), String> {
        let ledger = options(&clock(begin())).open(folder.join(FILE)).map_err(|error| error.to_string())?;
        answers_are_right(&ledger, told)?;
        for thread in 0..4 {
            let again = Self::charge(&ledger, thread, 1);
            if let Some(not) = again.iter().find(|told| !told.is_done()) {
                return Err(format!("mended, and not done: {not:?}"));
            }
        }
        let available = ledger.balance(&AccountId::new("al").unwrap()).unwrap().figures.available.get();
        if available != 856 {
            return Err(format!("{available} of 856 are available"));
        }
        verified(&ledger)
    }
}
