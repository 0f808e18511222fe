use uuid::Uuid;

use super::*;
use crate::engine::{Booked, Context, Verdict, run};
use crate::model::{
    AccountState, Balances, ClockMark, ClockState, Command, EntryKind, LedgerRow, Request, Settings, Writer,
};
use crate::units::Reading;

/// A ledger in memory: runs commands as the writer does.
struct Ledger {
    memory: Memory<'static, 'static>,
    row: LedgerRow,
    now: i64,
}

fn ledger() -> Ledger {
    let writer = Writer { device: Uuid::from_u128(2), epoch: 1 };
    let start = Instant::clamped(1_000);
    let row = LedgerRow {
        ledger_id: Uuid::from_u128(1),
        created_at: start,
        writer: (1, writer),
        clock: ClockState::new(start),
        settings: Settings::default(),
        standing: std::sync::Arc::default(),
        head: Hash::default(),
        length: 0,
    };
    Ledger { memory: Memory::default(), row, now: 1_000 }
}

impl Ledger {
    fn book(&mut self, line: &str) -> Booked {
        let command = Command::parse(&Request::parse(line).unwrap()).unwrap();
        let reading = Reading { at: Instant::clamped(self.now), trusted: false };
        let context = Context { ledger: &self.row, reading, time: None, book: None, limit: usize::MAX };
        let Verdict::Booked(booked) = run(&self.memory, context, &command).unwrap() else {
            panic!("{line}: not booked")
        };
        self.memory.apply(booked.changes.clone()).unwrap();
        self.memory.append(&booked.operation, booked.operation.outcome.clone(), false);
        self.row = booked.ledger.clone();
        *booked
    }

    fn balances(&self) -> Balances {
        self.memory.account(1).unwrap().unwrap().balances
    }
}

fn four(available: i64, held: i64, pending: i64, debt: i64) -> Balances {
    Balances { available, held, pending, debt }
}

fn at(millis: i64) -> String {
    Instant::clamped(millis).to_string()
}

#[test]
fn the_engine_runs_on_it() {
    let mut l = ledger();
    l.book(&format!(
        r#"{{"op":"recharge","account":"a","key":"1","points":10,"source":"x","expires_at":"{}"}}"#,
        at(10_000)
    ));
    let consume = l.book(r#"{"op":"consume","account":"a","key":"2","points":15}"#).operation;
    assert_eq!(l.balances(), four(0, 0, 0, 5));
    l.book(r#"{"op":"recharge","account":"a","key":"3","points":20,"source":"x","expires_at":"never"}"#);
    assert_eq!(l.balances(), four(15, 0, 0, 0));
    let hold = l.book(r#"{"op":"hold","account":"a","key":"4","points":6,"deadline_seconds":4}"#).operation;
    assert_eq!(l.balances(), four(9, 6, 0, 0));
    let id = hold.writer.1.hold(hold.seq);
    l.book(&format!(r#"{{"op":"capture","hold":"{id}","key":"5","points":4}}"#));
    assert_eq!(l.balances(), four(11, 0, 0, 0));
    l.now = 20_000;
    let id = consume.writer.1.operation(consume.seq);
    let refund =
        l.book(&format!(r#"{{"op":"refund","operation":"{id}","key":"6","points":"all","reason":"r"}}"#)).operation;
    assert_eq!((refund.points, refund.outcome.restored, refund.outcome.lapsed), (15, 5, 10));
    assert_eq!(l.balances(), four(16, 0, 0, 0));
    assert_eq!(refund.clock, ClockMark::Plain);
    assert_eq!(l.memory.account(1).unwrap().unwrap().state, AccountState::Active);
}

#[test]
fn time_goes_on_step_by_step_as_at_once() {
    let mut l = ledger();
    l.book(&format!(
        r#"{{"op":"recharge","account":"a","key":"1","points":10,"source":"x","expires_at":"{}"}}"#,
        at(5_000)
    ));
    l.book(r#"{"op":"hold","account":"a","key":"2","points":4,"deadline_seconds":4}"#);
    let pending = |key: &str, effective: i64| {
        let (from, to) = (at(effective), at(9_000));
        format!(
            r#"{{"op":"recharge","account":"a","key":"{key}","points":7,"source":"x","effective_at":"{from}","expires_at":"{to}"}}"#
        )
    };
    l.book(&pending("3", 5_000));
    l.book(&pending("4", 3_000));
    l.book(r#"{"op":"consume","account":"a","key":"5","points":9}"#);
    assert_eq!(l.balances(), four(0, 4, 14, 3));

    let mut stepped = Vec::new();
    while let Some(changes) = l.memory.next_event(1).unwrap() {
        stepped.extend(changes.entries.clone());
        l.memory.apply(changes).unwrap();
    }
    let kinds: Vec<(i64, EntryKind, i64)> = stepped.iter().map(|e| (e.booked_at.millis(), e.kind, e.points)).collect();
    let wanted = [
        (3_000, EntryKind::Activate, 7),
        (3_000, EntryKind::Settle, 3),
        (5_000, EntryKind::HoldExpire, 4),
        (5_000, EntryKind::Activate, 7),
        (9_000, EntryKind::Expire, 7),
        (9_000, EntryKind::Expire, 4),
    ];
    assert_eq!(kinds, wanted);
    assert_eq!(l.balances(), four(0, 0, 0, 0));
    assert!(l.memory.account(1).unwrap().unwrap().next_due_at.is_none());

    let mut again = ledger();
    for line in [
        format!(r#"{{"op":"recharge","account":"a","key":"1","points":10,"source":"x","expires_at":"{}"}}"#, at(5_000)),
        r#"{"op":"hold","account":"a","key":"2","points":4,"deadline_seconds":4}"#.to_string(),
        pending("3", 5_000),
        pending("4", 3_000),
        r#"{"op":"consume","account":"a","key":"5","points":9}"#.to_string(),
    ] {
        again.book(&line);
    }
    let mut books = Books::new(&again.memory);
    assert!(catch_up(&mut books, 1, Instant::clamped(9_000), 1_024).unwrap());
    assert_eq!(books.entries(), stepped.as_slice());
}

#[test]
fn pages_and_indexes_follow_the_rows() {
    let mut l = ledger();
    for (key, expires, priority) in [("1", 9_000, 50), ("2", 8_000, 50), ("3", 7_000, 60)] {
        let expires = at(expires);
        l.book(&format!(
            r#"{{"op":"recharge","account":"a","key":"{key}","points":5,"source":"x","expires_at":"{expires}","priority":{priority}}}"#
        ));
    }
    let numbers = |rows: Vec<BatchRow>| rows.iter().map(BatchRow::operation).collect::<Vec<_>>();
    let page = l.memory.live_batches(1, None, 2).unwrap();
    let after = page.last().map(BatchRow::draw_key);
    assert_eq!(numbers(page), [2, 1]);
    assert_eq!(numbers(l.memory.live_batches(1, after, 2).unwrap()), [3]);
    assert_eq!(numbers(l.memory.due_batches(1, Instant::clamped(8_000), 9).unwrap()), [3, 2]);
    let edge = |after, until| l.memory.would_fall_due(Instant::clamped(after), Instant::clamped(until)).unwrap();
    assert!(edge(6_999, 7_000) && !edge(7_000, 7_999) && !edge(9_000, 5) && edge(0, 9_000));
    let first = l.memory.all_batches().map(|(no, _)| no).find(|no| no >> 20 == 3).unwrap();
    let first = Listed { batches: [first].into(), ..Listed::default() };
    assert_eq!(l.memory.next_due(1, None, &first).unwrap(), Some(Instant::clamped(8_000)));
    l.now = 8_500;
    l.book(r#"{"op":"consume","account":"a","key":"4","points":7}"#);
    assert_eq!(l.memory.open_consumes(1, (0, 0), 9).unwrap().len(), 1);
    let lapsed = l.memory.lapsed_batches(1, Instant::clamped(7_000), Instant::clamped(8_500)).unwrap();
    assert_eq!(numbers(lapsed), [2]);
    assert!(l.memory.live_batches(1, None, 9).unwrap().is_empty());
}
