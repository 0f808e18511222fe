//! The worked examples of the design: defects that must be impossible. One test each, through the typed verbs.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use counterfoil::answer::{Allocation, BatchInfo, HoldState};
use counterfoil::clock::ManualClock;
use counterfoil::pricing::PriceBook;
use counterfoil::quantity::Usage;
use counterfoil::{
    AccountId, BatchId, Configure, ConfirmClock, Consume, Entry, ExpiresIn, Hold, Key, Ledger, OperationId, Points,
    Policy, Query, Receipt, Recharge, Refund, Revoke, WriteOff,
};

use crate::support::{START, folder, instant, options};

/// One account in one ledger, with time in hours from the start.
struct Books {
    ledger: Ledger,
    clock: ManualClock,
    me: AccountId,
    _folder: tempfile::TempDir,
}

fn points(n: i64) -> Points {
    Points::new(n).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3600)
}

fn hour(n: i64) -> DateTime<Utc> {
    instant(START) + TimeDelta::hours(n)
}

fn paid(allocations: &[Allocation]) -> Vec<(BatchId, i64)> {
    allocations.iter().map(|part| (part.batch, part.points.get())).collect()
}

/// available, held, pending, debt, net
type Five = (i64, i64, i64, i64, i64);

fn five(figures: counterfoil::answer::Figures) -> Five {
    (figures.available.get(), figures.held.get(), figures.pending.get(), figures.debt.get(), figures.net)
}

impl Books {
    fn new() -> Self {
        Self::at(START)
    }

    fn at(time: &str) -> Self {
        let (folder, clock) = (folder(), ManualClock::at(time).unwrap());
        let ledger = options(&clock).create(folder.path().join("test.ledger")).unwrap();
        Books { ledger, clock, me: AccountId::new("me").unwrap(), _folder: folder }
    }

    fn hour(&self, n: i64) {
        self.clock.set(hour(n));
    }

    fn recharge(&self, name: &str, n: i64, expires: ExpiresIn) -> BatchId {
        let receipt =
            self.ledger.recharge(&self.me, &key(name), Recharge::new(points(n), "wxpay").expires(expires)).unwrap();
        receipt.batch.unwrap().batch
    }

    fn consume(&self, name: &str, n: i64) -> Receipt {
        self.ledger.consume(&self.me, &key(name), Consume::points(points(n))).unwrap()
    }

    fn five(&self) -> Five {
        five(self.ledger.balance(&self.me).unwrap().figures)
    }

    fn allocations(&self, operation: &OperationId) -> Vec<(BatchId, i64)> {
        paid(&self.ledger.allocations(operation).unwrap())
    }

    fn batch(&self, batch: BatchId) -> BatchInfo {
        let page = self.ledger.batches(&self.me, &Query::new().all(true)).unwrap();
        page.items.into_iter().find(|info| info.batch == batch).unwrap()
    }

    /// remaining, held, used, expired, revoked, moved, owed
    fn counters(&self, batch: BatchId) -> [i64; 7] {
        let info = self.batch(batch);
        [info.remaining, info.held, info.used, info.expired, info.revoked, info.moved, info.owed].map(Points::get)
    }

    fn history(&self) -> Vec<Entry> {
        self.ledger.history(&self.me, &Query::new().limit(1000)).unwrap().items
    }

    /// (kind, hour, points) of every entry.
    fn lines(&self) -> Vec<(&'static str, i64, i64)> {
        let since = |entry: &Entry| (entry.booked_at - hour(0)).num_hours();
        self.history().iter().map(|entry| (entry.kind.as_str(), since(entry), entry.points.get())).collect()
    }

    /// At the end of every example the whole file proves itself, and time never ran backwards.
    fn proved(&self) {
        assert!(self.history().is_sorted_by_key(|entry| entry.booked_at));
        let verified = self.ledger.verify().unwrap();
        assert!(verified.ok, "{:?}", verified.faults);
    }
}

#[test]
fn example_01_debt_is_settled_not_negative() {
    let books = Books::new();
    let first = books.recharge("1", 10, ExpiresIn::At(hour(10)));
    let consume = books.consume("2", 15);
    assert_eq!((paid(&consume.allocations), consume.open.get(), consume.over_limit), (vec![(first, 10)], 5, true));
    assert_eq!(five(consume.balance), (0, 0, 0, 5, -5));
    let second = books.recharge("3", 20, ExpiresIn::At(hour(20)));
    assert_eq!(books.five(), (15, 0, 0, 0, 15));
    assert_eq!(books.allocations(&consume.operation), [(first, 10), (second, 5)]);
    books.hour(30);
    assert_eq!(books.five(), (0, 0, 0, 0, 0));
    assert_eq!(books.counters(first), [0, 0, 10, 0, 0, 0, 0]);
    assert_eq!(books.counters(second), [0, 0, 5, 15, 0, 0, 0]);
    let lines = [
        ("open", 0, 0),
        ("recharge", 0, 10),
        ("consume", 0, 15),
        ("recharge", 0, 20),
        ("settle", 0, 5),
        ("expire", 20, 15),
    ];
    assert_eq!(books.lines(), lines);
    assert!(books.history().last().unwrap().unbooked);
    assert_eq!(books.ledger.expire(None).unwrap().points, 15);
    assert_eq!(books.lines(), lines);
    books.proved();
}

#[test]
fn example_02_unswept_points_are_gone_at_once() {
    let books = Books::new();
    books.recharge("1", 10, ExpiresIn::At(hour(10)));
    books.clock.set(hour(10) - TimeDelta::milliseconds(1));
    assert_eq!(books.five(), (10, 0, 0, 0, 10));
    books.hour(10);
    assert_eq!(books.five(), (0, 0, 0, 0, 0));
    let check = books.ledger.check(&books.me, points(1)).unwrap();
    assert_eq!((check.sufficient, check.allowed, check.reason.as_deref()), (false, false, Some("insufficient_points")));
    let consume = books.consume("2", 10);
    assert_eq!((consume.allocations.len(), consume.open.get(), consume.over_limit), (0, 10, true));
    assert_eq!(five(consume.balance), (0, 0, 0, 10, -10));
    assert_eq!(books.lines(), [("open", 0, 0), ("recharge", 0, 10), ("expire", 10, 10), ("consume", 10, 10)]);
    books.proved();
}

#[test]
fn example_03_every_batch_that_paid_is_named() {
    let books = Books::new();
    let later = books.recharge("1", 10, ExpiresIn::At(hour(20)));
    let sooner = books.recharge("2", 3, ExpiresIn::At(hour(10)));
    let consume = books.consume("3", 8);
    assert_eq!(paid(&consume.allocations), [(sooner, 3), (later, 5)]);
    assert_eq!(books.allocations(&consume.operation), [(sooner, 3), (later, 5)]);
    assert_eq!(five(consume.balance), (5, 0, 0, 0, 5));
    books.proved();
}

#[test]
fn example_04_a_callback_twice_books_once() {
    let books = Books::new();
    let callback = |n: i64| {
        let request = Recharge::new(points(n), "wxpay").reference("order 881");
        books.ledger.recharge(&books.me, &key("order:881"), request)
    };
    let first = callback(320).unwrap();
    books.consume("task", 20);
    books.hour(1);
    let second = callback(320).unwrap();
    assert_eq!((first.replayed, second.replayed, second.operation), (false, true, first.operation));
    // The original answer with its original figures.
    assert_eq!((second.points.get(), five(second.balance), second.booked_at), (320, (320, 0, 0, 0, 320), hour(0)));
    assert_eq!(second.batch, first.batch);
    let error = callback(321).unwrap_err();
    assert_eq!((error.code(), &error.details()["fields"]), ("key_reused", &serde_json::json!(["points"])));
    assert_eq!(books.five(), (300, 0, 0, 0, 300));
    assert_eq!(books.ledger.batches(&books.me, &Query::new().all(true)).unwrap().items.len(), 1);
    books.proved();
}

#[test]
fn example_05_parallel_jobs_cannot_hold_the_same_points() {
    let books = Books::new();
    books.recharge("1", 10, ExpiresIn::Never);
    let start = std::sync::Barrier::new(5);
    let outcomes: Vec<Result<_, _>> = std::thread::scope(|scope| {
        let job = |n: usize| {
            let (books, start) = (&books, &start);
            scope.spawn(move || {
                start.wait();
                books.ledger.hold(&books.me, &key(&format!("job {n}")), Hold::new(points(10), hours(1)))
            })
        };
        let jobs: Vec<_> = (0..5).map(job).collect();
        jobs.into_iter().map(|job| job.join().unwrap()).collect()
    });
    let held: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    let refused: Vec<_> =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).map(counterfoil::Error::code).collect();
    assert_eq!((held.len(), refused), (1, vec!["insufficient_points"; 4]));
    assert_eq!(books.five(), (0, 10, 0, 0, 0));
    assert_eq!(books.lines(), [("open", 0, 0), ("recharge", 0, 10), ("hold", 0, 10)]);
    books.proved();
}

#[test]
fn example_06_held_points_outlive_their_batch() {
    let books = Books::new();
    let batch = books.recharge("1", 10, ExpiresIn::At(hour(10)));
    let hold = books.ledger.hold(&books.me, &key("2"), Hold::new(points(8), hours(20))).unwrap();
    assert_eq!((paid(&hold.receipt.allocations), five(hold.receipt.balance)), (vec![(batch, 8)], (2, 8, 0, 0, 2)));
    books.hour(15);
    assert_eq!(books.five(), (0, 8, 0, 0, 0));
    let capture = books.ledger.capture(&hold.id, &key("3"), points(5)).unwrap();
    assert_eq!(
        (paid(&capture.allocations), capture.open.get(), capture.restored.get(), capture.lapsed.get()),
        (vec![(batch, 5)], 0, 0, 3)
    );
    assert_eq!(capture.hold.unwrap().state, HoldState::Captured);
    assert_eq!(five(capture.balance), (0, 0, 0, 0, 0));
    assert_eq!(books.counters(batch), [0, 0, 5, 5, 0, 0, 0]);
    let lines = [("open", 0, 0), ("recharge", 0, 10), ("hold", 0, 8), ("expire", 10, 2), ("capture", 15, 5)];
    assert_eq!(books.lines(), lines);
    assert_eq!(books.ledger.balance(&books.me).unwrap().totals.unwrap().expired, 5);
    books.proved();
}

/// Revokes a batch of 100 with 60 spent; the refund comes at the given hour.
fn revoked_then_refunded(refunded_at: i64) {
    let books = Books::new();
    let batch = books.recharge("1", 100, ExpiresIn::At(hour(10)));
    let consume = books.consume("2", 60);
    let revoke = books.ledger.revoke(&batch, &key("3"), Revoke::all("chargeback")).unwrap();
    assert_eq!((revoke.points.get(), revoke.owed.get(), revoke.uncollected.get()), (100, 60, 0));
    assert_eq!(five(revoke.balance), (0, 0, 0, 60, -60));
    assert_eq!(books.counters(batch), [0, 0, 60, 0, 40, 0, 60]);
    let again = books.ledger.revoke(&batch, &key("4"), Revoke::points(points(1), "chargeback")).unwrap_err();
    assert_eq!(again.code(), "limit_exceeded");
    let all = books.ledger.revoke(&batch, &key("4"), Revoke::all("chargeback")).unwrap_err();
    assert_eq!(all.code(), "limit_exceeded");
    books.hour(refunded_at);
    let refund = books.ledger.refund(&consume.operation, &key("5"), Refund::all("failed")).unwrap();
    assert_eq!((refund.points.get(), refund.restored.get(), refund.lapsed.get()), (60, 0, 0));
    assert_eq!(five(refund.balance), (0, 0, 0, 0, 0));
    assert_eq!(books.counters(batch), [0, 0, 0, 0, 100, 0, 0]);
    let totals = books.ledger.balance(&books.me).unwrap().totals.unwrap();
    assert_eq!((totals.consumed, totals.refunded, totals.revoked, totals.clawed_back), (60, 60, 100, 0));
    let lines =
        [("recharge", 0, 100), ("consume", 0, 60), ("revoke", 0, 40), ("clawback", 0, 60), ("refund", refunded_at, 60)];
    assert_eq!(books.lines()[1..], lines);
    books.proved();
}

#[test]
fn example_07_a_revoked_batch_is_owed_once_refund_before_expiry() {
    revoked_then_refunded(5);
}

#[test]
fn example_07_a_revoked_batch_is_owed_once_refund_after_expiry() {
    revoked_then_refunded(15);
}

#[test]
fn example_08_a_fast_clock_destroys_nothing() {
    let books = Books::new();
    let batch = books.recharge("1", 100, ExpiresIn::Days(180));
    let day = 24;
    books.hour(200 * day);
    let fast = books.consume("2", 10);
    assert!(fast.clock_suspect);
    assert_eq!((fast.booked_at, fast.recorded_at, fast.open.get()), (hour(0), hour(200 * day), 0));
    assert_eq!(five(fast.balance), (90, 0, 0, 0, 90));
    assert!(books.ledger.balance(&books.me).unwrap().clock_suspect);
    assert_eq!(books.ledger.expire(None).unwrap().points, 0);
    // What is bought meanwhile lives from the reading, so that confirming it would not kill it.
    let bought = books.recharge("3", 50, ExpiresIn::Days(30));
    assert_eq!(books.batch(bought).expires_at, Some(hour(230 * day)));
    books.hour(1);
    let right = books.consume("4", 10);
    assert_eq!((right.clock_suspect, right.booked_at, right.open.get()), (false, hour(1), 0));
    assert_eq!(five(right.balance), (130, 0, 0, 0, 130));
    assert_eq!(books.counters(batch)[3], 0);
    assert_eq!(books.lines().iter().filter(|line| line.0 == "consume").count(), 2);
    assert!(!books.lines().iter().any(|line| line.0 == "expire"));
    books.proved();
}

#[test]
fn example_08_a_new_kiosk_in_the_year_2000_destroys_nothing() {
    let books = Books::at("2000-01-01T00:00:00Z");
    let old = books.recharge("1", 100, ExpiresIn::Days(180));
    books.consume("2", 10);
    books.clock.set(instant("2026-06-01T08:00:00Z"));
    let first = books.consume("3", 10);
    assert!(first.clock_suspect);
    assert_eq!(
        (first.booked_at, first.recorded_at),
        (instant("2000-01-01T00:00:00Z"), instant("2026-06-01T08:00:00Z"))
    );
    assert_eq!((first.open.get(), five(first.balance)), (0, (80, 0, 0, 0, 80)));
    let new = books.recharge("4", 50, ExpiresIn::Days(180));
    assert_eq!(books.batch(new).expires_at, Some(instant("2026-11-28T08:00:00Z")));
    assert_eq!(five(books.consume("5", 10).balance), (120, 0, 0, 0, 120));
    assert_eq!(books.counters(old)[3], 0);
    // Somebody says that the time is right: only now the old points are over, the new ones live on.
    let confirmed = books.ledger.confirm_clock(&key("6"), ConfirmClock::new()).unwrap();
    assert_eq!((confirmed.clock_suspect, confirmed.booked_at), (false, instant("2026-06-01T08:00:00Z")));
    assert_eq!(books.five(), (50, 0, 0, 0, 50));
    let last = books.consume("7", 10);
    assert_eq!((last.booked_at, five(last.balance)), (instant("2026-06-01T08:00:00Z"), (40, 0, 0, 0, 40)));
    books.proved();
}

/// Story: a kiosk's charge arrived days late. Booked in time it would have been debt, and points bought before it arrived would have
/// paid that; booked late it drew only what had been live when it occurred, and its holder was worse off by the points that had
/// lapsed meanwhile.
#[test]
fn a_late_consume_is_paid_by_what_came_after_it_occurred_too() {
    let books = Books::new();
    books.ledger.configure(&key("0"), Configure::late_window(hours(20))).unwrap();
    books.hour(8);
    let later = books.recharge("1", 10, ExpiresIn::At(hour(12)));
    books.hour(9);
    let never_live_then = books.recharge("2", 4, ExpiresIn::At(hour(11)));
    books.hour(16);
    let consume = books.ledger.consume(&books.me, &key("3"), Consume::points(points(6)).occurred_at(hour(5))).unwrap();
    assert_eq!(paid(&consume.allocations), vec![(never_live_then, 4), (later, 2)]);
    assert_eq!((consume.reinstated.get(), consume.open.get()), (6, 0));
    // What had expired by then stays away.
    let late = books.ledger.consume(&books.me, &key("4"), Consume::points(points(3)).occurred_at(hour(12))).unwrap();
    assert_eq!((late.reinstated.get(), late.open.get()), (0, 3));
    books.proved();
}

#[test]
fn example_09_a_late_consume_reinstates_what_it_needs() {
    let books = Books::new();
    books.ledger.configure(&key("0"), Configure::late_window(hours(20))).unwrap();
    let batch = books.recharge("1", 10, ExpiresIn::At(hour(10)));
    books.hour(16);
    let between: Vec<Five> =
        (10..16).map(|at| five(books.ledger.balance_at(&books.me, hour(at)).unwrap().figures)).collect();
    assert_eq!(between, vec![(0, 0, 0, 0, 0); 6]);
    let consume = books.ledger.consume(&books.me, &key("2"), Consume::points(points(6)).occurred_at(hour(8))).unwrap();
    assert_eq!((paid(&consume.allocations), consume.reinstated.get(), consume.open.get()), (vec![(batch, 6)], 6, 0));
    assert_eq!((consume.occurred_at, consume.booked_at, consume.over_limit), (Some(hour(8)), hour(16), false));
    assert_eq!(books.counters(batch), [0, 0, 6, 4, 0, 0, 0]);
    let after: Vec<Five> =
        (10..16).map(|at| five(books.ledger.balance_at(&books.me, hour(at)).unwrap().figures)).collect();
    assert_eq!(after, between);
    let totals = books.ledger.balance(&books.me).unwrap().totals.unwrap();
    assert_eq!((totals.expired, totals.reinstated), (10, 6));
    assert_eq!(books.lines(), [("open", 0, 0), ("recharge", 0, 10), ("expire", 10, 10), ("consume", 16, 6)]);
    books.proved();
}

#[test]
fn example_10_prices_are_exact() {
    let books = Books::new();
    let book = "[duration_based_costs.fine]\ndivisor = 0.3\n\
        [duration_based_costs.spoken]\ndivisor = 1\nestimation = { seconds_per_char = 0.28 }\n\
        [duration_based_costs.slow]\ndivisor = 1.2\n";
    let book = PriceBook::parse(book, "pricing.toml").unwrap();
    let hash = book.hash();
    books.ledger.set_pricing(book);
    let price = |service: &str, text: &str| books.ledger.price(service, &Usage::seconds(text).unwrap()).unwrap().points;
    assert_eq!(price("fine", "2.1"), 7);
    assert_eq!(books.ledger.estimate("spoken", &Usage::chars(25)).unwrap().points, 7);
    assert_eq!(price("slow", "8.4"), 7);
    // The same figures where points are charged.
    books.recharge("1", 100, ExpiresIn::Never);
    let fine = Consume::service("fine", Usage::seconds("2.1").unwrap());
    let receipt = books.ledger.consume(&books.me, &key("2"), fine).unwrap();
    assert_eq!((receipt.points.get(), receipt.price_book, receipt.quantity.as_deref()), (7, Some(hash), Some("2.1")));
    let spoken =
        books.ledger.hold(&books.me, &key("3"), Hold::estimated("spoken", Usage::chars(25), hours(1))).unwrap();
    assert_eq!(spoken.receipt.points, 7);
    let slow = Consume::service("slow", Usage::duration(Duration::from_millis(8_400)));
    assert_eq!(books.ledger.consume(&books.me, &key("4"), slow).unwrap().points, 7);
    assert_eq!(books.five(), (79, 7, 0, 0, 79));
    books.proved();
}

#[test]
fn example_11_a_dead_batch_pays_no_debt() {
    let books = Books::new();
    let batch = books.recharge("1", 10, ExpiresIn::At(hour(10)));
    let hold = books.ledger.hold(&books.me, &key("2"), Hold::new(points(10), hours(10))).unwrap();
    let consume = books.consume("3", 5);
    assert_eq!(five(consume.balance), (0, 10, 0, 5, -5));
    books.hour(10);
    assert_eq!(books.five(), (0, 0, 0, 5, -5));
    books.ledger.expire(None).unwrap();
    assert_eq!(books.counters(batch), [0, 0, 0, 10, 0, 0, 0]);
    assert_eq!(books.allocations(&consume.operation), []);
    let lines = [("open", 0, 0), ("recharge", 0, 10), ("hold", 0, 10), ("consume", 0, 5), ("hold_expire", 10, 10)];
    assert_eq!(books.lines(), lines);
    let holds = books.ledger.holds(&books.me, &Query::new().all(true)).unwrap().items;
    assert_eq!((holds[0].hold, holds[0].state), (hold.id, HoldState::Expired));
    books.proved();
}

#[test]
fn example_12_what_was_written_off_is_not_refunded() {
    let books = Books::new();
    let batch = books.recharge("1", 10, ExpiresIn::Never);
    let consume = books.consume("2", 15);
    let forgiven = books.ledger.write_off(&books.me, &key("3"), WriteOff::new(points(5), "goodwill")).unwrap();
    assert_eq!(five(forgiven.balance), (0, 0, 0, 0, 0));
    assert_eq!(books.ledger.operation(&consume.operation).unwrap().refundable.unwrap(), 10);
    let too_much =
        books.ledger.refund(&consume.operation, &key("4"), Refund::points(points(11), "failed")).unwrap_err();
    assert_eq!((too_much.code(), &too_much.details()["left"]), ("limit_exceeded", &serde_json::json!(10)));
    let refund = books.ledger.refund(&consume.operation, &key("4"), Refund::all("failed")).unwrap();
    assert_eq!((refund.points.get(), refund.restored.get(), refund.lapsed.get()), (10, 10, 0));
    assert_eq!(five(refund.balance), (10, 0, 0, 0, 10));
    assert_eq!(books.counters(batch), [10, 0, 0, 0, 0, 0, 0]);
    let nothing = books.ledger.refund(&consume.operation, &key("5"), Refund::all("failed")).unwrap_err();
    assert_eq!(nothing.code(), "limit_exceeded");
    books.proved();
}

#[test]
fn example_13_a_late_capture_is_paid_by_its_own_slices() {
    let books = Books::new();
    let batch = books.recharge("1", 10, ExpiresIn::At(hour(10)));
    let hold = books.ledger.hold(&books.me, &key("2"), Hold::new(points(8), hours(12))).unwrap();
    books.clock.set(hour(12) + TimeDelta::seconds(1));
    assert_eq!(books.five(), (0, 0, 0, 0, 0));
    let capture = books.ledger.capture(&hold.id, &key("3"), points(8)).unwrap();
    assert_eq!((paid(&capture.allocations), capture.reinstated.get(), capture.open.get()), (vec![(batch, 8)], 8, 0));
    assert_eq!((capture.over_limit, five(capture.balance)), (false, (0, 0, 0, 0, 0)));
    assert_eq!(books.counters(batch), [0, 0, 8, 2, 0, 0, 0]);
    let lines = [
        ("open", 0, 0),
        ("recharge", 0, 10),
        ("hold", 0, 8),
        ("expire", 10, 2),
        ("hold_expire", 12, 8),
        ("capture", 12, 8),
    ];
    assert_eq!(books.lines(), lines);
    let again = books.ledger.capture(&hold.id, &key("4"), points(8)).unwrap_err();
    assert_eq!(again.code(), "hold_closed");
    books.proved();
}

#[test]
fn example_14_balance_and_history_agree_unswept() {
    let books = Books::new();
    books.recharge("1", 10, ExpiresIn::At(hour(10)));
    books.recharge("2", 5, ExpiresIn::At(hour(12)));
    books.ledger.hold(&books.me, &key("3"), Hold::new(points(3), hours(11))).unwrap();
    let strict = Consume::points(points(4)).policy(Policy::Strict);
    books.ledger.consume(&books.me, &key("4"), strict).unwrap();
    for at in 0..14 {
        books.hour(at);
        let figures = books.ledger.balance(&books.me).unwrap().figures;
        let last = books.history().pop().unwrap();
        let after = (last.after.available, last.after.held, last.after.pending, last.after.debt);
        assert_eq!(
            after,
            (figures.available.get(), figures.held.get(), figures.pending.get(), figures.debt.get()),
            "hour {at}"
        );
        assert_eq!(last.unbooked, at >= 10, "hour {at}");
    }
    assert_eq!(books.ledger.info().unwrap().operations, 4);
    books.proved();
}

/// "Expires on 31 December" was read as its first instant, so the last day was lost; a use in 2062 became one of now without a word.
#[test]
fn a_date_is_its_whole_last_day_and_what_is_yet_to_happen_is_brought_to_now() {
    use counterfoil::clock::{Clock, ManualClock};
    use counterfoil::{AccountId, Ledger, Query, Request};
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(ManualClock::at("2030-12-01T02:00:00Z").unwrap());
    let ledger = Ledger::options().clock(clock.clone()).create_if_missing(true).open(folder.path().join("l")).unwrap();
    let say = |line: &str| ledger.apply(&Request::parse(line).unwrap());
    let recharge = |expiry: &str| {
        format!(
            r#"{{"op":"recharge","account":"a","key":"{}","points":5,"source":"g",{expiry}}}"#,
            expiry.replace('"', "")
        )
    };
    for (expiry, ends) in [
        (r#""expires_at":"2030-12-31","end_of_day":"+08:00""#, "2030-12-31T16:00:00Z"),
        (r#""end_of_day":"Z","expires_at":"2030-12-31""#, "2031-01-01T00:00:00Z"),
        (r#""expires_in_hours":36"#, "2030-12-02T14:00:00Z"),
        (r#""expires_in_hours":13,"end_of_day":"+08:00""#, "2030-12-01T16:00:00Z"),
        // A midnight exactly reached means the next one.
        (r#""expires_in_hours":14,"end_of_day":"+08:00""#, "2030-12-02T16:00:00Z"),
    ] {
        let made = say(&recharge(expiry)).unwrap().batch.unwrap();
        assert_eq!(made.expires_at, Some(ends.parse().unwrap()), "{expiry}");
        assert!(say(&recharge(expiry)).unwrap().replayed);
    }
    // What is kept is the instant, so that written out it is the same request.
    let line = recharge(r#""expires_at":"2030-12-31","end_of_day":"+08:00""#);
    let written = line.replace(r#""2030-12-31","end_of_day":"+08:00""#, r#""2031-01-01T00:00:00+08:00""#);
    assert!(say(&written).unwrap().replayed);
    let error = say(&recharge(r#""expires_at":"2030-12-31""#)).unwrap_err();
    assert!(error.help().contains("the end of that day, which is 2031-01-01T00:00:00+08:00"), "{}", error.help());
    for wrong in [
        r#""expires_at":"2030-12-31T00:00:00Z","end_of_day":"+08:00""#,
        r#""expires_at":"never","end_of_day":"+08:00""#,
        r#""expires_at":"2030-11-30","end_of_day":"+08:00""#,
        r#""expires_at":"2030-12-31","end_of_day":"8""#,
        r#""expires_at":"2030-12-31","end_of_day":null"#,
        r#""expires_in_hours":0"#,
        r#""expires_in_hours":1,"expires_in_days":1"#,
    ] {
        assert_eq!(say(&recharge(wrong)).unwrap_err().code(), "invalid_argument", "{wrong}");
    }
    let late = r#"{"op":"consume","account":"a","key":"late","points":1,"occurred_at":"2062-11-20T10:00:00Z"}"#;
    let receipt = say(late).unwrap();
    assert_eq!(
        (receipt.occurred_at, receipt.occurred_at_given),
        (Some(clock.now()), Some("2062-11-20T10:00:00Z".parse().unwrap()))
    );
    assert_eq!(say(late).unwrap().occurred_at_given, receipt.occurred_at_given);
    let now = r#"{"op":"consume","account":"a","key":"now","points":1,"occurred_at":"2030-12-01T02:00:00Z"}"#;
    assert_eq!(say(now).unwrap().occurred_at_given, None);
    let lines = ledger.history(&AccountId::new("a").unwrap(), &Query::new().kind("consume")).unwrap();
    assert!(lines.items.iter().all(|line| line.occurred_at == Some(clock.now())));
    assert!(ledger.verify().unwrap().ok);
}
