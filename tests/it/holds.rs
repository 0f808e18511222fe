//! Stories of holds: quoted and charged, free, captured without an amount.

use std::time::Duration;

use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, Capture, Hold, HoldId, Key, Points, Query, Quote, Recharge, Usage};
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
    world.ledger.capture(hold, &key("task:19"), Usage::seconds(seconds).unwrap()).unwrap().points
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
    assert_eq!((held.receipt.points, held.receipt.price_book.as_ref()), (100, Some(&quote.price_book)));
    assert_eq!(charge(&world, &held.id, "300"), 100);
    // What is asked now is the price of the day.
    assert_eq!(world.ledger.estimate("tts", &Usage::chars(1_200)).unwrap().points, 120);
    let charged = world.ledger.consume(
        &alice(),
        &key("now"),
        counterfoil::Consume::service("tts", Usage::seconds("300").unwrap()),
    );
    assert_eq!(charged.unwrap().points, 120);
    assert!(world.ledger.verify().unwrap().ok);
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
        (held.receipt.replayed, held.receipt.points, charged.replayed, charged.points)
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
    assert!(ledger.verify().unwrap().ok);
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
