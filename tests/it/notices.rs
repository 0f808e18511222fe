//! Watching a ledger: what is committed is told, once, in the order of the log, and nothing else is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use counterfoil::batch::Whole;
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::notice::{Changed, LowBalance};
use counterfoil::{
    AccountId, Durability, Error, ExpiresIn, Key, Ledger, Notice, Options, Points, Receipt, Recharge, Request, Watch,
};
use serde_json::{Value, json};

use crate::model::generate::Random;
use crate::support::{START, World, folder, options};

const FILE: &str = "COUNTERFOIL_NOTICES_FILE";
const LATER: &str = "COUNTERFOIL_NOTICES_LATER";
const NONE: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(20);

fn id(name: &str) -> AccountId {
    AccountId::new(name).unwrap()
}

fn ids(names: &[&str]) -> Vec<AccountId> {
    names.iter().map(|name| id(name)).collect()
}

fn request(line: &str) -> Request {
    Request::parse(line).unwrap()
}

fn apply(ledger: &Ledger, line: &str) -> Receipt {
    ledger.apply(&request(line)).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn recharge(ledger: &Ledger, account: &str, key: &str, points: i64) -> Receipt {
    let line = json!({"op": "recharge", "account": account, "key": key, "points": points, "source": "wxpay"});
    apply(ledger, &line.to_string())
}

fn consume(ledger: &Ledger, account: &str, key: &str, points: i64) -> Receipt {
    let line = json!({"op": "consume", "account": account, "key": key, "points": points});
    apply(ledger, &line.to_string())
}

/// A recharge that expires so many days later.
fn for_days(ledger: &Ledger, account: &str, key: &str, points: i64, days: i64) -> Receipt {
    let line = json!({"op": "recharge", "account": account, "key": key, "points": points, "source": "gift",
        "expires_in_days": days});
    apply(ledger, &line.to_string())
}

fn changed(notice: Option<Notice>) -> Changed {
    match notice {
        Some(Notice::Changed(changed)) => changed,
        other => panic!("{other:?}"),
    }
}

fn low(notice: Option<Notice>) -> LowBalance {
    match notice {
        Some(Notice::LowBalance(low)) => low,
        other => panic!("{other:?}"),
    }
}

/// All that can be told without waiting.
fn drain(watch: &mut Watch) -> Vec<Notice> {
    std::iter::from_fn(|| watch.next(NONE).unwrap()).collect()
}

/// The log numbers told, and the accounts.
fn told(notices: Vec<Notice>) -> (Vec<i64>, BTreeSet<AccountId>) {
    let all: Vec<Changed> = notices.into_iter().map(|notice| changed(Some(notice))).collect();
    assert!(all.iter().all(|one| !one.everything), "{all:?}");
    let accounts = all.iter().flat_map(|one| one.accounts.clone()).collect();
    (all.into_iter().flat_map(|one| one.changes).map(|change| change.sequence).collect(), accounts)
}

#[test]
fn a_watch_can_be_sent_to_its_thread() {
    fn sent<T: Send + 'static>() {}
    sent::<Watch>();
}

/// Eight threads over two handles and many commits shared: each operation once, in order, and neither refusals nor
/// repetitions. Long enough that the log is folded in on the way, which is nobody's change.
#[test]
fn each_operation_of_this_process_is_told_once() {
    let folder = folder();
    let path = folder.path().join("watched.ledger");
    let ledger = Ledger::create(&path).unwrap();
    recharge(&ledger, "before", "b", 1);
    let other = Ledger::open(&path).unwrap();
    let mut watch = ledger.watch().unwrap();
    let mut second = other.watch().unwrap().look_every(Duration::from_millis(1));
    let booked: BTreeSet<(i64, String)> = std::thread::scope(|scope| {
        let run = |thread: usize| {
            let ledger = if thread.is_multiple_of(2) { &ledger } else { &other };
            let account = format!("a{}", thread / 2);
            let mut made = Vec::new();
            for n in 0..60 {
                // Two threads want each key; one gets the first answer again.
                made.push(recharge(ledger, &account, &format!("{n}"), 2));
                let strict =
                    json!({"op": "consume", "account": account, "key": "no", "points": 9999, "policy": "strict"});
                assert_eq!(ledger.apply(&request(&strict.to_string())).unwrap_err().code(), "insufficient_points");
            }
            made
        };
        let callers: Vec<_> = (0..8).map(|thread| scope.spawn(move || run(thread))).collect();
        let mut seen = Vec::new();
        while seen.len() < 240 {
            let one = changed(watch.next(LONG).unwrap());
            assert!(!one.everything, "{one:?}");
            assert_eq!(
                (one.first.unwrap(), one.last.unwrap()),
                (one.changes[0].sequence, one.changes.last().unwrap().sequence)
            );
            seen.extend(one.changes);
        }
        assert!(seen.iter().map(|change| change.sequence).eq(2..=241));
        let receipts = callers.into_iter().flat_map(|caller| caller.join().unwrap());
        let booked = receipts.map(|receipt| (receipt.operation.sequence(), receipt.operation.to_string())).collect();
        assert_eq!(
            seen.iter().map(|change| (change.sequence, change.operation.to_string())).collect::<BTreeSet<_>>(),
            booked
        );
        booked
    });
    assert_eq!(booked.len(), 240);
    assert_eq!(watch.next(NONE).unwrap(), None);
    let quick = ledger.with_durability(Durability::Relaxed);
    (0..800).for_each(|n| drop(consume(&quick, "a0", &format!("c{n}"), 1)));
    quick.flush().unwrap();
    assert_eq!(told(drain(&mut watch)), ((242..=1041).collect(), ids(&["a0"]).into_iter().collect()));
    let (all, accounts) = told(drain(&mut second));
    assert!(all.into_iter().eq(2..=1041) && accounts.into_iter().eq(ids(&["a0", "a1", "a2", "a3"])));
}

#[test]
fn runs_are_told_when_they_are_booked() {
    let world = World::empty();
    let mut watch = world.ledger.watch().unwrap();
    let lines = |text: &[&str]| -> Vec<(u64, Request)> { (1..).zip(text.iter().map(|line| request(line))).collect() };
    let good = lines(&[
        r#"{"op":"recharge","account":"a","key":"1","points":50,"source":"wxpay"}"#,
        r#"{"op":"transfer","account":"a","key":"2","to":"b","points":20}"#,
    ]);
    let bad = lines(&[
        r#"{"op":"recharge","account":"c","key":"1","points":50,"source":"wxpay"}"#,
        r#"{"op":"consume","account":"c","key":"2","points":70,"policy":"strict"}"#,
    ]);
    let mut run = world.ledger.batch_run();
    run.apply_whole(&good, Whole::DryRun).unwrap();
    world.ledger.dry_run(&good[0].1).unwrap();
    run.apply_whole(&bad, Whole::Atomic).unwrap();
    assert_eq!(watch.next(NONE).unwrap(), None);
    run.apply_whole(&good, Whole::Atomic).unwrap();
    let one = changed(watch.next(NONE).unwrap());
    assert_eq!((one.accounts.clone(), one.first, one.last), (ids(&["a", "b"]), Some(1), Some(2)));
    let shown = json!(Notice::Changed(one.clone()));
    assert_eq!(
        shown,
        json!({"notice": "changed", "accounts": ["a", "b"], "first": 1, "last": 2, "changes": [
            {"sequence": 1, "operation": one.changes[0].operation.to_string(), "op": "recharge", "account": "a",
                "points": 50, "booked_at": "2027-01-10T12:00:00.000Z"},
            {"sequence": 2, "operation": one.changes[1].operation.to_string(), "op": "transfer", "account": "a", "to": "b",
                "points": 20, "booked_at": "2027-01-10T12:00:00.000Z"},
        ]})
    );
    assert!(world.ledger.batch_run().apply_group(&bad)[1].1.is_err());
    assert_eq!(told(drain(&mut watch)), (vec![3], ids(&["c"]).into_iter().collect()));
    apply(&world.ledger, r#"{"op":"configure","key":"s","setting":"late_window","value":60}"#);
    let one = changed(watch.next(NONE).unwrap());
    assert_eq!(
        (one.changes[0].op.as_str(), one.accounts.len(), one.changes[0].account.clone()),
        ("configure", 0, None)
    );
}

#[test]
fn a_sweep_names_its_accounts() {
    let world = World::empty();
    ["a", "b", "c"].iter().for_each(|account| drop(for_days(&world.ledger, account, "1", 10, 5)));
    recharge(&world.ledger, "d", "1", 10);
    let mut watch = world.ledger.watch().unwrap();
    assert_eq!(world.ledger.expire(None).unwrap().accounts, 0);
    assert_eq!(drain(&mut watch), []);
    world.advance(6 * 86_400);
    // The first sweep of a day books the day.
    world.ledger.expire(Some(2)).unwrap();
    let told = changed(drain(&mut watch).into_iter().next());
    // The third is not swept yet, and has changed all the same.
    assert_eq!(json!(told.accounts), json!(["a", "b", "c"]));
    assert_eq!(
        told.changes.iter().map(|change| (change.sequence, change.op.as_str())).collect::<Vec<_>>(),
        [(5, "expire")]
    );
    world.ledger.expire(None).unwrap();
    assert_eq!(drain(&mut watch), []);
    ["a", "c"].iter().for_each(|account| drop(for_days(&world.ledger, account, "2", 10, 5)));
    drain(&mut watch);
    world.advance(6 * 86_400);
    // The day was booked by another's operation, so a sweep books none of its own.
    recharge(&world.ledger, "d", "2", 10);
    world.ledger.expire(None).unwrap();
    let told = changed(watch.next(NONE).unwrap());
    assert_eq!((json!(told.accounts), told.first, told.last), (json!(["a", "c", "d"]), Some(8), Some(8)));
    assert_eq!(drain(&mut watch), []);
}

/// A creator's window showed 50 points all evening: the batch had expired at six, and nobody booked anything that would have
/// told the window to draw again. Whatever time does is told, once, and its sweep is no second news.
#[test]
fn what_time_alone_does_is_told_once() {
    let world = World::empty();
    let (ledger, hour) = (&world.ledger, 3600);
    let looker = options(&world.clock).read_only(true).open(ledger.path()).unwrap();
    for_days(ledger, "a", "1", 50, 1);
    let hold = r#"{"op":"hold","account":"a","key":"h","points":10,"deadline_seconds":7200}"#;
    apply(ledger, hold);
    let later = r#"{"op":"recharge","account":"b","key":"1","points":5,"source":"wxpay","effective_at":"2027-01-11T18:00:00Z"}"#;
    apply(ledger, later);
    let plan = r#"{"op":"plan","account":"c","key":"p","points":7,"source":"gift","every_days":1,"expires_in_hours":30,"count":3}"#;
    apply(ledger, plan);
    recharge(ledger, "d", "1", 1);
    let length = ledger.info().unwrap().operations;
    let mut watches = [ledger.watch().unwrap(), looker.watch().unwrap().look_every(LONG)];
    // Hours later, and whose balance is another then.
    let expected: [(u64, &[&str]); 7] = [
        (1, &[]),
        (1, &["a"]),       // the hold's deadline
        (22, &["a", "c"]), // the batch's end, the second period
        (6, &["b", "c"]),  // effective; the first period's points lapse
        (1, &[]),
        (17, &["c"]), // the third period
        (100, &["c"]),
    ];
    for (hours, names) in expected {
        world.advance(hours * hour);
        for watch in &mut watches {
            let one = drain(watch);
            let told = |accounts: &[&str]| json!([{"notice": "changed", "accounts": accounts}]);
            assert_eq!(json!(one), if names.is_empty() { json!([]) } else { told(names) }, "{hours}");
        }
    }
    assert_eq!(ledger.info().unwrap().operations, length, "nobody booked anything");
    ledger.expire(None).unwrap();
    assert_eq!(changed(watches[0].next(NONE).unwrap()).accounts, [], "the sweep's own operation");
    world.advance(hour);
    assert_eq!(drain(&mut watches[0]), []);
}

/// Whoever waits is woken by the clock of the ledger, however seldom other processes are looked for; and a clock that stands
/// still just before something falls due keeps nobody busy.
#[test]
fn who_waits_is_woken_when_something_falls_due() {
    struct Counting(ManualClock, AtomicUsize);
    impl Clock for Counting {
        fn now(&self) -> DateTime<Utc> {
            self.1.fetch_add(1, Ordering::SeqCst);
            self.0.now()
        }
    }
    let folder = folder();
    let ledger = Ledger::create(folder.path().join("soon.ledger")).unwrap();
    let soon = Recharge::new(Points::new(10).unwrap(), "gift");
    let soon = soon.expires(ExpiresIn::At(Utc::now() + chrono::TimeDelta::milliseconds(400)));
    ledger.recharge(&id("a"), &Key::new("1").unwrap(), soon).unwrap();
    let (began, mut watch) = (Instant::now(), ledger.watch().unwrap().look_every(Duration::from_secs(3600)));
    assert_eq!(changed(watch.next(LONG).unwrap()).accounts, [id("a")]);
    assert_eq!(ledger.balance(&id("a")).unwrap().figures.available, 0);
    assert!(began.elapsed() < LONG);

    let clock = Arc::new(Counting(ManualClock::at(START).unwrap(), AtomicUsize::new(0)));
    let ledger = Options::default().clock(clock.clone()).create(folder.path().join("still.ledger")).unwrap();
    for_days(&ledger, "a", "1", 10, 1);
    clock.0.advance(Duration::from_millis(86_400_000 - 3));
    let mut watch = ledger.watch().unwrap();
    clock.1.store(0, Ordering::SeqCst);
    assert_eq!(watch.next(Duration::from_millis(200)).unwrap(), None);
    assert!(clock.1.load(Ordering::SeqCst) <= 50, "{:?}", clock.1);
    clock.0.advance(Duration::from_secs(86_400 * 200));
    clock.1.store(0, Ordering::SeqCst);
    // Nothing lapses by a clock that is not believed.
    assert_eq!(watch.next(Duration::from_millis(600)).unwrap(), None);
    assert!(clock.1.load(Ordering::SeqCst) <= 50, "{:?}", clock.1);
}

/// Named is whoever's balance said that it would change by then, whatever was booked and swept on the way.
#[test]
fn exactly_those_are_named_whose_balance_changes() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let world = World::empty();
        let (ledger, accounts) = (&world.ledger, ids(&["a", "b", "c", "d"]));
        let mut watch = ledger.watch().unwrap();
        for n in 0..60 {
            let (account, hours) = (random.pick(&accounts), random.range(1, 40));
            let line = match random.range(0, 6) {
                0 => json!({"op": "recharge", "points": 9, "source": "gift", "expires_in_hours": hours}),
                1 => json!({"op": "hold", "points": 2, "deadline_seconds": 3600}),
                2 => {
                    json!({"op": "plan", "points": 3, "source": "gift", "every_days": 1, "count": 3, "expires_in_hours": hours,
                    "rollover": {"cap": 2, "expires_in_hours": 5}})
                }
                3 => json!({"op": "consume", "points": 4}),
                4 => json!({"op": "recharge", "points": 5, "source": "gift",
                    "effective_at": (world.clock.now() + chrono::TimeDelta::hours(hours)).to_rfc3339()}),
                _ => json!(null),
            };
            if let Value::Object(mut line) = line {
                line.insert("account".into(), json!(account));
                line.insert("key".into(), json!(n.to_string()));
                // A hold may be refused.
                let _ = ledger.apply(&request(&Value::Object(line).to_string()));
            } else if random.percent(25) {
                ledger.expire(Some(1)).unwrap();
            }
            drain(&mut watch);
            let before: Vec<_> = accounts.iter().map(|id| ledger.balance(id).unwrap()).collect();
            world.advance(random.range(0, 20) as u64 * 1800);
            let now = world.clock.now();
            let due = before.iter().filter(|balance| balance.next_change_at.is_some_and(|at| at <= now));
            let due: BTreeSet<_> = due.map(|balance| balance.account.clone()).collect();
            assert_eq!(told(drain(&mut watch)), (vec![], due), "seed {seed}, step {n}");
        }
    }
}

/// The clock was a month fast, batches lapsed, and it was put right: every account may have its points back.
#[test]
fn a_clock_put_right_is_told() {
    let world = World::empty();
    for_days(&world.ledger, "a", "1", 50, 20);
    let right = world.clock.now();
    let mut watch = world.ledger.watch().unwrap();
    world.advance(30 * 86_400);
    assert_eq!(changed(watch.next(NONE).unwrap()).accounts, [id("a")]);
    recharge(&world.ledger, "a", "2", 1);
    drain(&mut watch);
    world.clock.set(right);
    apply(&world.ledger, r#"{"op":"confirm_clock","key":"right"}"#);
    let one = changed(watch.next(NONE).unwrap());
    assert!(one.everything && one.changes.len() == 1, "{one:?}");
    assert_eq!(world.ledger.balance(&id("a")).unwrap().figures.available, 51);
    assert_eq!(drain(&mut watch), []);
}

/// More accounts swept than names are kept for somebody who does not listen.
#[test]
fn a_great_sweep_is_told_as_everything() {
    let world = World::empty();
    let lines: Vec<(u64, Request)> = (0..1100)
        .map(|n| {
            let line = json!({"op": "recharge", "account": format!("{n}"), "key": "k", "points": 1, "source": "s",
                "expires_in_days": 1});
            (n, request(&line.to_string()))
        })
        .collect();
    world.ledger.batch_run().apply_whole(&lines, Whole::Atomic).unwrap();
    let mut watch = world.ledger.watch().unwrap();
    world.advance(2 * 86_400);
    let one = changed(watch.next(NONE).unwrap());
    assert!(one.everything && one.accounts.is_empty() && one.first.is_none(), "{one:?}");
    assert_eq!(drain(&mut watch), []);
    let mut watch = world.ledger.watch().unwrap();
    assert_eq!(world.ledger.expire(None).unwrap().accounts, 1100);
    let one = changed(watch.next(NONE).unwrap());
    assert!(one.everything && one.first == one.last && one.accounts.len() <= 1024, "{one:?}");
    assert_eq!(drain(&mut watch), []);
}

/// Not a test of its own: another process that books a little, or sweeps as of a later day.
#[test]
fn child() {
    let Ok(path) = std::env::var(FILE) else { return };
    match std::env::var(LATER) {
        Ok(later) => {
            let clock = ManualClock::at(&later).unwrap();
            assert_eq!(options(&clock).open(path).unwrap().expire(None).unwrap().accounts, 1);
        }
        Err(_) => {
            let ledger = options(&ManualClock::at(START).unwrap()).open(path).unwrap();
            recharge(&ledger, "theirs", "1", 5);
            consume(&ledger, "theirs", "2", 2);
        }
    }
}

fn elsewhere(path: &Path, later: Option<&str>) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "notices::child", "--test-threads=1"]).env(FILE, path);
    later.map(|later| child.env(LATER, later));
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A handle that writes and one that only looks, each waiting in a thread while another process books, and then sweeps.
#[test]
fn another_process_is_noticed() {
    let world = World::empty();
    for_days(&world.ledger, "mine", "1", 10, 5);
    let path = world.ledger.path();
    let looker = options(&world.clock).read_only(true).open(&path).unwrap();
    for handle in [&world.ledger, &looker] {
        let mut watch = handle.watch().unwrap().look_every(Duration::from_millis(20));
        let length = world.ledger.info().unwrap().operations;
        // Nothing has happened yet, and is not made up.
        assert_eq!(watch.next(Duration::from_millis(300)).unwrap(), None);
        let (path, again) = (path.clone(), length > 1);
        let other = std::thread::spawn(move || elsewhere(&path, again.then_some("2027-01-20T12:00:00Z")));
        let mut all = vec![changed(watch.next(LONG).unwrap())];
        other.join().unwrap();
        all.extend(
            std::iter::from_fn(|| watch.next(Duration::from_millis(600)).unwrap()).map(|one| changed(Some(one))),
        );
        assert!(all.iter().all(|one| one.everything), "{all:?}");
        let seen: Vec<_> =
            all.iter().flat_map(|one| &one.changes).map(|change| (change.sequence, change.op.as_str())).collect();
        let expected: &[_] = if again { &[(4, "expire")] } else { &[(2, "recharge"), (3, "consume")] };
        assert_eq!(seen, expected);
    }
    assert_eq!(world.ledger.info().unwrap().operations, 4);
}

/// Of a sweep elsewhere the log tells no account, and one's own commit right after it must not hide it.
#[test]
fn another_process_is_not_hidden_by_this_one() {
    let world = World::empty();
    for_days(&world.ledger, "mine", "1", 10, 5);
    let mut watch = world.ledger.watch().unwrap().look_every(LONG);
    elsewhere(&world.ledger.path(), Some("2027-01-20T12:00:00Z"));
    recharge(&world.ledger, "mine", "2", 1);
    let one = changed(watch.next(NONE).unwrap());
    assert_eq!((one.everything, one.first, one.last), (true, Some(2), Some(3)));
    recharge(&world.ledger, "mine", "3", 1);
    assert!(!changed(watch.next(NONE).unwrap()).everything);
}

#[test]
fn a_slow_watch_is_told_in_pages_and_then_in_one_word() {
    let world = World::empty();
    let book = |from: u64, to: u64| {
        let line = |n| json!({"op": "consume", "account": "a", "key": format!("{n}"), "points": 0}).to_string();
        let lines: Vec<_> = (from..to).map(|n| (n, request(&line(n)))).collect();
        world.ledger.batch_run().apply_whole(&lines, Whole::Atomic).unwrap();
    };
    let mut watch = world.ledger.watch().unwrap();
    book(0, 600);
    let notices = drain(&mut watch);
    let sizes: Vec<usize> = notices.iter().map(|one| changed(Some(one.clone())).changes.len()).collect();
    assert_eq!(sizes, [256, 256, 88]);
    assert!(told(notices).0.into_iter().eq(1..=600));
    book(600, 4700);
    let one = changed(watch.next(NONE).unwrap());
    assert_eq!((one.changes.len(), one.everything, one.first, one.last), (0, true, Some(601), Some(4700)));
    book(4700, 4701);
    assert_eq!(told(drain(&mut watch)).0, [4701]);
}

#[test]
fn a_threshold_is_told_when_it_is_crossed() {
    let world = World::empty();
    let (ledger, a) = (&world.ledger, id("a"));
    let points = |points| Points::new(points).unwrap();
    let mut watch = ledger.watch().unwrap();
    recharge(ledger, "a", "1", 30);
    ledger.warn_below(&a, points(10));
    ledger.warn_below(&id("poor"), points(1));
    changed(watch.next(NONE).unwrap());
    // Below from the start, whether or not it was ever opened: told once.
    assert_eq!(low(watch.next(NONE).unwrap()).account, id("poor"));
    consume(ledger, "a", "1", 20);
    changed(watch.next(NONE).unwrap());
    assert_eq!(drain(&mut watch), [], "10 is not below 10");
    consume(ledger, "a", "2", 4);
    changed(watch.next(NONE).unwrap());
    let one = low(watch.next(NONE).unwrap());
    assert_eq!((&one.account, one.threshold.get(), one.balance.available.get(), one.balance.net), (&a, 10, 6, 6));
    assert_eq!(
        json!(Notice::LowBalance(one)),
        json!({"notice": "low_balance", "account": "a", "threshold": 10,
        "balance": {"available": 6, "held": 0, "pending": 0, "debt": 0, "net": 6}})
    );
    consume(ledger, "a", "3", 1);
    assert_eq!(drain(&mut watch).len(), 1, "told already");
    // Armed again at the threshold, and crossed again.
    recharge(ledger, "a", "2", 5);
    assert_eq!(drain(&mut watch).len(), 1);
    consume(ledger, "a", "4", 1);
    changed(watch.next(NONE).unwrap());
    assert_eq!(low(watch.next(NONE).unwrap()).balance.available, 9);
    // The same number again changes nothing, another one is new, none is silent.
    ledger.warn_below(&a, points(10));
    assert_eq!(drain(&mut watch), []);
    ledger.warn_below(&a, points(12));
    assert_eq!(low(watch.next(NONE).unwrap()).threshold, 12);
    ledger.warn_below(&a, None);
    recharge(ledger, "a", "3", 50);
    consume(ledger, "a", "5", 59);
    assert!(drain(&mut watch).iter().all(|notice| matches!(notice, Notice::Changed(_))));
    // Another watch has not been told.
    assert_eq!(low(ledger.clone().watch().unwrap().next(NONE).unwrap()).account, id("poor"));
}

/// Nobody sweeps and nothing is booked: the balance falls by expiry, rises when a hold ends, and falls by expiry again.
#[test]
fn a_threshold_is_crossed_by_time() {
    let world = World::empty();
    let (ledger, a) = (&world.ledger, id("a"));
    for_days(ledger, "a", "1", 50, 5);
    recharge(ledger, "a", "2", 8);
    for_days(ledger, "a", "3", 20, 7);
    ledger.warn_below(&a, Points::new(20).unwrap());
    let mut watch = ledger.watch().unwrap();
    assert_eq!(drain(&mut watch), []);
    world.advance(5 * 86_400);
    changed(watch.next(NONE).unwrap());
    assert_eq!(drain(&mut watch), [], "28 left");
    apply(ledger, r#"{"op":"hold","account":"a","key":"h","points":10,"deadline_seconds":60}"#);
    changed(watch.next(NONE).unwrap());
    assert_eq!(low(watch.next(NONE).unwrap()).balance.available, 18);
    world.advance(61);
    changed(watch.next(NONE).unwrap());
    assert_eq!(drain(&mut watch), [], "armed again");
    world.advance(2 * 86_400);
    // Also somebody who waits is told, at the next look.
    changed(watch.next(LONG).unwrap());
    assert_eq!(low(watch.next(LONG).unwrap()).balance.available, 8);
    assert_eq!(drain(&mut watch), []);
    assert_eq!(ledger.info().unwrap().operations, 4);
}

#[test]
fn what_expires_soon_is_told_once() {
    let world = World::empty();
    let ledger = &world.ledger;
    let week = Duration::from_secs(7 * 86_400);
    let soon = for_days(ledger, "a", "soon", 10, 3).batch.unwrap().batch;
    let later = for_days(ledger, "b", "later", 10, 9).batch.unwrap().batch;
    for_days(ledger, "c", "spent", 10, 2);
    consume(ledger, "c", "1", 10);
    let tell = |account: Option<&str>| -> Vec<_> {
        let found = ledger.clone().expiring_soon(week, account.map(id).as_ref()).unwrap();
        found.into_iter().map(|batch| batch.batch).collect()
    };
    assert_eq!(tell(Some("b")), []);
    assert_eq!((tell(Some("a")), tell(None)), (vec![soon], vec![]));
    world.advance(2 * 86_400);
    assert_eq!((tell(None), tell(None)), (vec![later], vec![]));
    // Another handle has its own memory; another expiry is news.
    let other = options(&world.clock).open(ledger.path()).unwrap();
    assert_eq!(other.expiring_soon(week, None).unwrap().len(), 2);
    let line =
        json!({"op": "set_expiry", "batch": soon.to_string(), "key": "x", "expires_in_days": 4, "reason": "goodwill"});
    apply(ledger, &line.to_string());
    assert_eq!((tell(None), tell(None)), (vec![soon], vec![]));
    assert_eq!(ledger.expiring_soon(Duration::MAX, None).unwrap().len(), 0);
}

/// Whoever waits is woken by a close, and by the last handle's end; a watch left over does not keep the file from being
/// folded into one.
#[test]
fn a_watch_ends_with_its_ledger() {
    let folder = folder();
    let path = folder.path().join("watched.ledger");
    let ledger = Ledger::create(&path).unwrap();
    let other = Ledger::open(&path).unwrap();
    let wait = |ledger: &Ledger| {
        let mut watch = ledger.watch().unwrap().look_every(Duration::from_secs(3600));
        let waiting = std::thread::spawn(move || {
            let ended = watch.next(Duration::from_secs(3600));
            (ended, watch)
        });
        std::thread::sleep(Duration::from_millis(50));
        waiting
    };
    let mut left = other.watch().unwrap();
    let began = Instant::now();
    let waiting = wait(&ledger);
    ledger.close().unwrap();
    let (ended, mut watch) = waiting.join().unwrap();
    assert!(matches!(ended, Err(Error::Closed)) && matches!(watch.next(NONE), Err(Error::Closed)));
    // The other handle goes on, and so does its watch.
    recharge(&other, "a", "1", 5);
    assert_eq!(changed(left.next(NONE).unwrap()).first, Some(1));
    let waiting = wait(&other);
    drop(other);
    let (ended, _watch) = waiting.join().unwrap();
    assert!(matches!(ended, Err(Error::Closed)) && matches!(left.next(NONE), Err(Error::Closed)));
    assert!(began.elapsed() < LONG);

    let ledger = Ledger::open(&path).unwrap();
    let _watch = ledger.watch().unwrap();
    let waiting = wait(&ledger);
    recharge(&ledger, "a", "2", 5);
    ledger.close().unwrap();
    assert_eq!(std::fs::metadata(path.with_extension("ledger-wal")).map_or(0, |file| file.len()), 0);
    assert!(waiting.join().is_ok());
}

#[test]
fn a_closed_ledger_is_not_watched() {
    let world = World::empty();
    let clone = world.ledger.clone();
    world.ledger.close().unwrap();
    assert!(matches!(clone.watch(), Err(Error::Closed)));
}
