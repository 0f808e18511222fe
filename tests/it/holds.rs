//! Stories of holds: quoted and charged, free, captured without an amount.

use std::time::Duration;

use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, Capture, Hold, HoldId, Key, Ledger, Points, Query, Quote, Recharge, Usage};
use serde_json::{Value, json};

use crate::prices::book;
use crate::support::{World, options};

const HOUR: Duration = Duration::from_secs(3600);

fn alice() -> AccountId {
    AccountId::new("alice").unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// A world with these prices, and 1 000 points of alice's.
fn world(prices: &str) -> World {
    let world = World::empty();
    world.ledger.set_pricing(book(prices));
    let thousand = Recharge::new(Points::new(1_000).unwrap(), "wxpay");
    world.ledger.recharge(&alice(), &key("order"), thousand).unwrap();
    world
}

fn speech(divisor: &str) -> String {
    format!("[duration_based_costs.tts]\ndivisor = {divisor}\nestimation = {{ seconds_per_char = 0.25 }}\n")
}

fn quote(world: &World) -> Quote {
    world.ledger.estimate("tts", &Usage::chars(1_200)).unwrap()
}

fn charge(world: &World, hold: &HoldId, seconds: &str) -> i64 {
    world.ledger.capture(hold, &key("task:19"), Usage::seconds(seconds).unwrap()).unwrap().points.get()
}

fn proved(ledger: &Ledger) {
    assert_eq!(
        ledger.verify().unwrap().faults.iter().map(|fault| json!(fault).to_string()).collect::<Vec<_>>(),
        [""; 0]
    );
}

/// Story: an app showed 100 points for a speech, loaded new prices while the customer made up her mind, held what it had shown,
/// and charged 120 for exactly the quoted seconds: the hold had taken the book of the day, not that of its quote.
#[test]
fn a_quote_is_charged_as_it_was_quoted() {
    let world = world(&speech("3"));
    let quote = quote(&world);
    assert_eq!(quote.points, 100);
    world.ledger.set_pricing(book(&speech("2.5")));
    let held = world.ledger.hold(&alice(), &key("task:19"), Hold::quoted(&quote, HOUR)).unwrap();
    assert_eq!((held.receipt.points.get(), held.receipt.price_book.as_ref()), (100, Some(&quote.price_book)));
    assert_eq!(charge(&world, &held.id, "300"), 100);
    // What is asked now is the price of the day.
    assert_eq!(world.ledger.estimate("tts", &Usage::chars(1_200)).unwrap().points, 120);
    let charged = world.ledger.consume(
        &alice(),
        &key("now"),
        counterfoil::Consume::service("tts", Usage::seconds("300").unwrap()),
    );
    assert_eq!(charged.unwrap().points, 120);
    proved(&world.ledger);
}

/// Story: the price list was raised in the evening. In the morning the app, which had lost its answers, ran its three lines
/// again: estimate, hold, capture, with the keys of yesterday. It was told `key_reused` and, as the help says, took a new key:
/// the job was held and charged twice.
#[test]
fn the_same_lines_after_new_prices_are_a_repeat() {
    let world = world(&speech("3"));
    let three_lines = || {
        let held = world.ledger.hold(&alice(), &key("task:19"), Hold::quoted(&quote(&world), HOUR)).unwrap();
        let charged = world.ledger.capture(&held.id, &key("task:19"), Usage::seconds("300").unwrap()).unwrap();
        (held.receipt.replayed, held.receipt.points.get(), charged.replayed, charged.points.get())
    };
    assert_eq!(three_lines(), (false, 100, false, 100));
    world.ledger.set_pricing(book(&speech("2.5")));
    assert_eq!(three_lines(), (true, 100, true, 100));
    // Another job is another job.
    let other = world.ledger.estimate("tts", &Usage::chars(1_201)).unwrap();
    let refused = world.ledger.hold(&alice(), &key("task:19"), Hold::quoted(&other, HOUR)).unwrap_err();
    assert_eq!((refused.code(), &refused.details()["fields"]), ("key_reused", &json!(["chars"])));
    assert_eq!(world.ledger.balance(&alice()).unwrap().figures.available, 900);
}

/// A hold's points are no input where a price book says them: by a quote, or because none are named. Where a caller names them
/// they are, with a label or without.
#[test]
fn points_are_compared_where_the_caller_names_them() {
    let world = world(&speech("3"));
    let hash = quote(&world).price_book.to_string();
    let line = |key: &str, more: Value| {
        let mut line = json!({"op": "hold", "account": "alice", "key": key, "deadline_seconds": 60});
        line.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        match world.apply(&line) {
            Ok(receipt) => format!("replayed {}", receipt.replayed),
            Err(error) => error.details()["fields"].to_string(),
        }
    };
    let quoted = json!({"points": 2, "service": "tts", "seconds": 6});
    let by_hash = json!({"points": 3, "service": "tts", "seconds": 6, "price_book": hash});
    let unnamed = json!({"service": "tts", "seconds": 6});
    let labelled = json!({"points": 2, "service": "tts"});
    let fixed = json!({"points": 2, "service": "tts", "price_book": hash});
    let bare = json!({"points": 2});
    for (key, first, again, answer) in [
        ("1", &quoted, &by_hash, "replayed true"),
        ("2", &by_hash, &unnamed, "replayed true"),
        ("3", &unnamed, &quoted, "replayed true"),
        ("4", &labelled, &json!({"points": 3, "service": "tts"}), r#"["points"]"#),
        ("5", &fixed, &json!({"points": 3, "service": "tts", "price_book": hash}), "replayed true"),
        ("6", &bare, &json!({"points": 3}), r#"["points"]"#),
        ("7", &quoted, &json!({"points": 2, "service": "tts", "seconds": 7}), r#"["seconds"]"#),
        ("8", &quoted, &bare, r#"["points"]"#),
    ] {
        assert_eq!(line(key, first.clone()), "replayed false", "{key}");
        let told = line(key, again.clone());
        let all = key == "8" && told == r#"["seconds","service"]"#;
        assert!(told == answer || all, "{key}: {told}");
    }
}

/// Story: a window of the app had its own handle on the file, and the quote was made by another. Or the app was restarted
/// between the two. The quote carries its book; one that came as JSON names it by its hash alone, and then it must be known.
#[test]
fn a_quote_of_another_handle_brings_its_book() {
    let world = world(&speech("9"));
    // The recharge names, and so stores, the one before.
    world.ledger.set_pricing(book(&speech("3")));
    let quote = quote(&world);
    let path = world.ledger.path();
    world.ledger.close().unwrap();
    let ledger = options(&world.clock).pricing(book(&speech("2.5"))).open(&path).unwrap();
    let read_back: Quote = serde_json::from_str(&serde_json::to_string(&quote).unwrap()).unwrap();
    assert_eq!(read_back.usage, quote.usage);
    let refused = ledger.hold(&alice(), &key("json"), Hold::quoted(&read_back, HOUR)).unwrap_err();
    assert_eq!((refused.code(), refused.help().contains("estimate again")), ("pricing", true), "{refused:?}");
    let held = ledger.hold(&alice(), &key("task:19"), Hold::quoted(&quote, HOUR)).unwrap();
    let charged = ledger.capture(&held.id, &key("task:19"), Capture::from(Usage::seconds("300").unwrap())).unwrap();
    assert_eq!(charged.points, 100);
    // The book in force is the ledger's own, and the quote's now stands in the file.
    assert_eq!(ledger.estimate("tts", &Usage::chars(1_200)).unwrap().points, 120);
    let held = ledger.hold(&alice(), &key("json"), Hold::quoted(&read_back, HOUR)).unwrap();
    assert_eq!(held.receipt.price_book, Some(quote.price_book));
    assert_eq!(ledger.holds(&alice(), &Query::new()).unwrap().items.len(), 1);
    // In a run, too, and in one with a quote of a third book.
    let third = PriceBook::parse(&speech("2"), "third").unwrap();
    world_of(third, |quote| {
        let answers = ledger.batch(&[Hold::quoted(quote, HOUR).on(&alice(), &key("run"))]);
        assert_eq!(answers[0].as_ref().unwrap().price_book.as_ref(), Some(&quote.price_book));
    });
    proved(&ledger);
}

/// A quote made by a ledger of its own, with another book.
fn world_of(book: PriceBook, run: impl FnOnce(&Quote)) {
    let world = World::empty();
    world.ledger.set_pricing(book);
    run(&quote(&world));
}

/// What is said of a price book is judged as every field.
#[test]
fn a_hash_is_a_hash() {
    let world = world(&speech("3"));
    let hash = quote(&world).price_book.to_string();
    let short = hash.get(1..).unwrap_or_default();
    for (more, code) in [
        (json!({"service": "tts", "price_book": short}), "invalid_argument"),
        (json!({"service": "tts", "price_book": hash.to_uppercase()}), "invalid_argument"),
        (json!({"service": "tts", "price_book": 7}), "invalid_argument"),
        (json!({"price_book": hash}), "invalid_argument"),
        (json!({"service": "tts", "price_book": "0".repeat(64)}), "pricing"),
    ] {
        let mut line = json!({"op": "hold", "account": "alice", "key": "k", "points": 5, "deadline_seconds": 60});
        line.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        assert_eq!(world.apply(&line).unwrap_err().code(), code, "{line}");
    }
}

const MENU: &str = "free_services = [\"preview\"]\n[fixed_costs]\nscript = 10\n[metered_costs.tokens]\nunit = \"token\"\n\
                    package = 10\npoints = 3\nincluded = 100\n";

fn hold(world: &World, name: &str, hold: Hold) -> HoldId {
    world.ledger.hold(&alice(), &key(name), hold).unwrap().id
}

/// Story: an app holds, works, captures, and refunds what failed. For a preview that cost nothing it needed another path: the hold was
/// refused, and so was the refund. Right is the same path for every service, with a trace of each step.
#[test]
fn free_work_takes_the_path_of_all_work() {
    let world = world(MENU);
    let tokens = |n: u64| Usage::quantity(n).unit("token");
    let quotes =
        [world.ledger.estimate("preview", None).unwrap(), world.ledger.estimate("tokens", &tokens(80)).unwrap()];
    for (n, quote) in quotes.iter().enumerate() {
        let held = hold(&world, &format!("job {n}"), Hold::quoted(quote, HOUR));
        let captured = world.ledger.capture(&held, &key(&format!("job {n}")), Capture::held()).unwrap();
        assert_eq!(
            (captured.points.get(), captured.balance.available.get(), captured.hold.unwrap().state.as_str()),
            (0, 1_000, "captured")
        );
        let refund = |name: &str| {
            world
                .ledger
                .refund(&captured.operation, &key(name), counterfoil::Refund::all("it failed"))
                .map(|receipt| receipt.points)
        };
        assert_eq!(refund(&format!("ticket {n}")).unwrap(), 0);
        assert_eq!(refund(&format!("again {n}")).unwrap_err().code(), "limit_exceeded");
        let told = world.ledger.explain(&captured.operation).unwrap();
        assert_eq!(serde_json::to_value(&told).unwrap()["since"].as_array().map(Vec::len), Some(1), "{told:?}");
    }
    let kinds: Vec<String> = world
        .ledger
        .history(&alice(), &Query::new())
        .unwrap()
        .items
        .iter()
        .map(|entry| entry.kind.to_string())
        .collect();
    assert_eq!(kinds, ["open", "recharge", "hold", "capture", "refund", "hold", "capture", "refund"]);
    let usage = world.ledger.usage(&Query::new().account(&alice())).unwrap().items;
    assert_eq!(usage.iter().map(|line| line.uses).sum::<i64>(), 2, "{usage:?}");
    // Beyond what is included the work has a price, and nobody was asked for it: so much is short.
    let held = hold(&world, "long", Hold::estimated("tokens", tokens(80), HOUR));
    let captured = world.ledger.capture(&held, &key("long"), Capture::from(tokens(130))).unwrap();
    assert_eq!((captured.points.get(), captured.short.get()), (0, 9));
    let held = hold(&world, "asked", Hold::estimated("tokens", tokens(80), HOUR));
    let captured = world.ledger.capture(&held, &key("asked"), Capture::from(tokens(130)).uncapped()).unwrap();
    assert_eq!((captured.points.get(), captured.short.get(), captured.balance.available.get()), (9, 0, 991));
    // A consume that cost nothing is refunded likewise; one that cost something, of which nothing is left, is not.
    let free = world.ledger.consume(&alice(), &key("free"), counterfoil::Consume::fixed("preview")).unwrap();
    let all = || counterfoil::Refund::all("it failed");
    world.ledger.refund(&free.operation, &key("r"), all()).unwrap();
    let one = counterfoil::Refund::points(Points::new(1).unwrap(), "too much");
    assert_eq!(world.ledger.refund(&free.operation, &key("r2"), one).unwrap_err().code(), "limit_exceeded");
    world.ledger.refund(&captured.operation, &key("r3"), all()).unwrap();
    assert_eq!(world.ledger.refund(&captured.operation, &key("r4"), all()).unwrap_err().code(), "limit_exceeded");
    proved(&world.ledger);
}

/// A free hold can be released, renewed, and run out, like any; and an account with one is not empty.
#[test]
fn a_free_hold_is_a_hold() {
    let world = World::empty();
    world.ledger.set_pricing(book(MENU));
    let free = |name: &str| hold(&world, name, Hold::fixed("preview", HOUR));
    let (released, renewed, late) = (free("1"), free("2"), free("3"));
    assert!(world.ledger.balance(&alice()).unwrap().exists);
    let close = |name: &str| world.ledger.close_account(&alice(), &key(name), "asked").map(|receipt| receipt.points);
    let refused = close("early").unwrap_err();
    assert_eq!((refused.code(), &refused.details()["open_hold"]), ("account_not_empty", &json!(true)));
    world.ledger.release(&released, &key("1"), counterfoil::Release::new()).unwrap();
    world.ledger.renew(&renewed, &key("2"), HOUR * 2).unwrap();
    world.advance(3_601);
    let states = |all: bool| world.ledger.holds(&alice(), &Query::new().all(all)).unwrap().items;
    assert_eq!((states(false).len(), states(true).len()), (1, 3));
    let captured = world.ledger.capture(&late, &key("3"), Capture::held()).unwrap();
    assert_eq!(captured.points, 0);
    assert_eq!(close("still").unwrap_err().code(), "account_not_empty");
    world.advance(3_600);
    close("now").unwrap();
    // A trace does not bring a closed account back.
    world.ledger.refund(&captured.operation, &key("r"), counterfoil::Refund::all("it failed")).unwrap();
    assert_eq!(world.ledger.balance(&alice()).unwrap().state.map(|state| state.to_string()).as_deref(), Some("closed"));
    proved(&world.ledger);
}

/// Story: a script costs 10, so an app held it, wrote it, and captured it. It was asked for an amount that it does not know: the
/// price is the book's.
#[test]
fn what_is_held_can_be_captured_without_an_amount() {
    let world = world(MENU);
    let held = hold(&world, "1", Hold::fixed("script", HOUR));
    let captured = world.ledger.capture(&held, &key("1"), Capture::held()).unwrap();
    assert_eq!(
        (captured.points.get(), captured.service.as_deref(), captured.balance.available.get()),
        (10, Some("script"), 990)
    );
    // What credit backs is held too, and a hold that has run out is captured late.
    world.ledger.set_limit(&alice(), &key("limit"), Points::new(50).unwrap()).unwrap();
    let held = hold(&world, "2", Hold::new(Points::new(1_020).unwrap(), HOUR));
    world.advance(3_600);
    let captured = world.ledger.capture(&held, &key("2"), Capture::held()).unwrap();
    assert_eq!((captured.points.get(), captured.open.get(), captured.balance.debt.get()), (1_020, 30, 30));
    let told = world.ledger.explain(&captured.operation).unwrap().reckoning.unwrap();
    assert_eq!((told.by.as_str(), told.points.get(), told.pinned_by.is_some()), ("held", 1_020, true));
    proved(&world.ledger);
}

/// Story: a job was held at 10 and ran away: 500 were captured and 416 became debt. Whoever promised no more than was held says so.
#[test]
fn a_cap_bounds_what_is_taken() {
    let world = world(MENU);
    let ten = || Hold::new(Points::new(10).unwrap(), HOUR);
    let of = |points| Capture::points(Points::new(points).unwrap());
    for (n, capture, points, short) in [
        ("1", of(500).at_most_held(), 10, 490),
        ("2", of(500), 500, 0),
        ("3", of(7).at_most_held(), 7, 0),
        ("4", of(12).uncapped(), 12, 0),
        ("5", Capture::held().at_most_held(), 10, 0),
    ] {
        let held = hold(&world, n, ten());
        let captured = world.ledger.capture(&held, &key(n), capture).unwrap();
        assert_eq!((captured.points.get(), captured.short.get()), (points, short), "{n}");
        assert_eq!(captured.restored, 10_i64.saturating_sub(points).max(0), "{n}");
    }
    // The amount is bounded, not the debt: what was held late may be gone.
    let held = hold(&world, "late", ten());
    world.advance(3_600);
    world.ledger.consume(&alice(), &key("all"), counterfoil::Consume::points(Points::new(461).unwrap())).unwrap();
    let captured = world.ledger.capture(&held, &key("late"), of(12).at_most_held()).unwrap();
    assert_eq!((captured.points.get(), captured.short.get(), captured.open.get()), (10, 2, 10));
    proved(&world.ledger);
}

/// Story: a new customer had no points. `check` said so; `hold` said that there is no such account, and the app showed an error for
/// what is a matter of buying some.
#[test]
fn a_hold_of_a_new_customer_answers_as_check_does() {
    let world = World::empty();
    let five = Points::new(5).unwrap();
    let check = world.ledger.check(&alice(), five).unwrap();
    let refused = world.ledger.hold(&alice(), &key("1"), Hold::new(five, HOUR)).unwrap_err();
    assert_eq!(
        (check.reason.unwrap().to_string(), refused.code()),
        ("insufficient_points".into(), "insufficient_points")
    );
    assert!(!world.ledger.balance(&alice()).unwrap().exists, "a refused hold opens nothing");
    let explicit = json!({"op": "configure", "key": "c", "setting": "accounts", "value": "explicit"});
    world.apply(&explicit).unwrap();
    let check = world.ledger.check(&alice(), five).unwrap();
    let refused = world.ledger.hold(&alice(), &key("1"), Hold::new(five, HOUR)).unwrap_err();
    assert_eq!((check.reason.unwrap().to_string(), refused.code()), ("unknown_account".into(), "unknown_account"));
}

/// Story: an app held points for task 19 and captured them when it was done. The charge belonged to no task: the reference stood with
/// the hold alone, and whoever looked for the charges of task 19 found none.
#[test]
fn a_capture_belongs_to_what_its_hold_belongs_to() {
    let world = world(MENU);
    let ten = || Hold::new(Points::new(10).unwrap(), HOUR);
    let held = hold(&world, "1", ten().reference("task 19"));
    let written = || Capture::held().reference("task 19");
    assert!(!world.ledger.capture(&held, &key("1"), Capture::held()).unwrap().replayed);
    assert!(world.ledger.capture(&held, &key("1"), Capture::held()).unwrap().replayed);
    assert!(world.ledger.capture(&held, &key("1"), written()).unwrap().replayed, "written out it is the same");
    let other = world.ledger.capture(&held, &key("1"), Capture::held().reference("task 20")).unwrap_err();
    assert_eq!((other.code(), &other.details()["fields"]), ("key_reused", &json!(["reference"])));
    let held = hold(&world, "2", ten().reference("task 19"));
    world.ledger.capture(&held, &key("2"), written()).unwrap();
    assert!(world.ledger.capture(&held, &key("2"), Capture::held()).unwrap().replayed);
    let held = hold(&world, "3", ten().reference("task 19"));
    world.ledger.capture(&held, &key("3"), Capture::held().reference("overtime")).unwrap();
    assert_eq!(world.ledger.capture(&held, &key("3"), Capture::held()).unwrap_err().code(), "key_reused");
    let held = hold(&world, "4", ten());
    world.ledger.capture(&held, &key("4"), Capture::held()).unwrap();
    let captures = world.ledger.history(&alice(), &Query::new().kind("capture")).unwrap().items;
    let references: Vec<Option<&str>> = captures.iter().map(|entry| entry.reference.as_deref()).collect();
    assert_eq!(references, [Some("task 19"), Some("task 19"), Some("overtime"), None]);
    let found = world.ledger.history(&alice(), &Query::new().reference("task 19")).unwrap().items;
    assert_eq!(found.len(), 5);
    proved(&world.ledger);
}

/// Story: an app was started again, repeated its hold, and read `open` and 990 points left in the answer: those of yesterday, and the job
/// had been captured since. An answer to a key used before says what is now beside what was then.
#[test]
fn a_repeated_answer_says_what_is_now() {
    let world = world(MENU);
    let again = || world.ledger.hold(&alice(), &key("1"), Hold::new(Points::new(10).unwrap(), HOUR)).unwrap().receipt;
    let first = again();
    assert_eq!((first.balance_now, first.state_now), (None, None));
    let told = |receipt: counterfoil::Receipt| {
        let (then, now) = (receipt.hold.unwrap().state, receipt.state_now.unwrap());
        let left = [receipt.balance, receipt.balance_now.unwrap()].map(|balance| balance.available.get());
        (then.as_str(), left[0], now.as_str(), left[1])
    };
    world.ledger.consume(&alice(), &key("c"), counterfoil::Consume::points(Points::new(90).unwrap())).unwrap();
    assert_eq!(told(again()), ("open", 990, "open", 900));
    // Time alone counts, swept or not.
    world.advance(3_600);
    assert_eq!(told(again()), ("open", 990, "expired", 910));
    world.ledger.capture(&first.hold.clone().unwrap().id, &key("1"), Points::new(4).unwrap()).unwrap();
    assert_eq!(told(again()), ("open", 990, "captured", 906));
}

/// Story: of two holds in the list nobody knew which was whose job, and when anything would change by itself an app could only
/// guess.
#[test]
fn a_hold_says_whose_it_is_and_a_balance_when_it_changes() {
    let world = world(MENU);
    let next = || world.ledger.balance(&alice()).unwrap().next_change_at.unwrap();
    let start = crate::support::instant(crate::support::START);
    let days = chrono::TimeDelta::days;
    assert_eq!(next(), start + days(180));
    let later = Recharge::new(Points::new(5).unwrap(), "gift").effective_at(start + days(2));
    world.ledger.recharge(&alice(), &key("later"), later).unwrap();
    assert_eq!(next(), start + days(2));
    let made = world
        .ledger
        .hold(&alice(), &key("task:1"), Hold::new(Points::new(10).unwrap(), HOUR).reference("task 1"))
        .unwrap();
    assert_eq!(next(), start + chrono::TimeDelta::hours(1));
    let hold = world.ledger.holds(&alice(), &Query::new()).unwrap().items.remove(0);
    assert_eq!(
        (hold.operation, hold.key.as_str(), hold.booked_at),
        (made.receipt.operation, "task:1", made.receipt.booked_at)
    );
    assert_eq!(hold.reference.as_deref(), Some("task 1"));
    // Passed, and not booked yet, is not next.
    world.advance(3_600);
    assert_eq!(next(), start + days(2));
    world.advance(2 * 24 * 3_600);
    assert_eq!(next(), start + days(180));
}
