//! What is asked of all accounts at once: the lines operations wrote, and what carries a name.

use std::collections::BTreeSet;

use counterfoil::{Entry, EntryKind, Page, Query};
use serde_json::json;

use crate::support::{World, instant, sample, situations};

fn all(world: &World, query: &Query) -> Vec<Entry> {
    query.clone().each(|query| world.ledger.history_of_all(query)).collect::<Result<_, _>>().unwrap()
}

/// The lines of each account's own history that operations wrote.
fn each(world: &World, query: &Query) -> Vec<Entry> {
    let accounts = world.ledger.accounts(&Query::new().limit(1000)).unwrap().items;
    let lines = accounts.iter().flat_map(|balance| {
        query.clone().each(|query| world.ledger.history(&balance.account, query)).map(Result::unwrap)
    });
    lines.filter(|line| line.operation.is_some()).collect()
}

fn places(lines: &[Entry]) -> BTreeSet<(String, i64)> {
    lines.iter().map(|line| (line.account.to_string(), line.n)).collect()
}

/// Whoever ran a shop of forty accounts had to ask forty times what happened yesterday.
#[test]
fn all_that_operations_did_in_the_order_of_the_log() {
    let world = World::copy(situations(), Some(sample()));
    for query in [
        Query::new(),
        Query::new().kind("transfer_in").kind("transfer_out"),
        Query::new().kind(EntryKind::Consume),
        Query::new().within(counterfoil::Period::new(None, Some(instant("2027-01-10T12:00:01Z"))).unwrap()),
    ] {
        let lines = all(&world, &query);
        let order: Vec<i64> = lines.iter().map(|line| line.operation.unwrap().sequence()).collect();
        assert!(order.is_sorted() && !lines.is_empty(), "{query:?}: {order:?}");
        assert_eq!(places(&lines), places(&each(&world, &query)), "{query:?}");
        assert_eq!(lines.len(), places(&lines).len(), "{query:?}");
        let mut newest = all(&world, &query.clone().newest_first(true));
        newest.reverse();
        assert_eq!(newest, lines, "{query:?}");
        for size in [1, 2, 3, 7] {
            assert_eq!(all(&world, &query.clone().limit(size)), lines, "{size}: {query:?}");
            let mut newest = all(&world, &query.clone().newest_first(true).limit(size));
            newest.reverse();
            assert_eq!(newest, lines, "{size}: {query:?}");
        }
    }
    let transfer = all(&world, &Query::new().kind("transfer_in")).pop().unwrap().operation.unwrap();
    let both = all(&world, &Query::new().operation(transfer));
    let kinds: Vec<EntryKind> = both.iter().map(|line| line.kind).collect();
    assert!(kinds.starts_with(&[EntryKind::TransferOut]) && kinds.contains(&EntryKind::TransferIn), "{kinds:?}");
    for cursor in ["x", "1", "-1.0", "1.x"] {
        let error = world.ledger.history_of_all(&Query::new().after(cursor)).unwrap_err();
        assert_eq!(error.details()["field"], "cursor", "{cursor}");
    }
}

/// An order's number was in a support mail, and nobody knew whose it was.
#[test]
fn an_order_is_found_whosever_it_is() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"a","key":"pay:1","points":9,"source":"x","reference":"881"}"#);
    let held = world.must("", r#"{"op":"hold","account":"a","key":"881","points":4,"deadline_seconds":60}"#);
    world.must(
        "",
        r#"{"op":"recharge","account":"b","key":"pay:1","points":9,"source":"x","metadata":{"reference":"881"}}"#,
    );
    world.must("", r#"{"op":"transfer","account":"a","key":"t","to":"b","points":1,"reference":"say \"881\""}"#);
    let found = |text: &str| -> Vec<i64> {
        let query = Query::new().text(text).limit(1);
        query.each(|query| world.ledger.find(query)).map(|found| found.unwrap().change.sequence).collect()
    };
    assert_eq!(found("881"), [1, 2]);
    assert_eq!(found("pay:1"), [1, 3]);
    assert_eq!(found("say \"881\""), [4]);
    assert_eq!(found("number:3"), [3]);
    assert_eq!(found("key:881"), [2]);
    assert_eq!(found(&held.operation.to_string()), [2]);
    assert_eq!(found(&held.hold.as_ref().unwrap().id.to_string()), [2]);
    assert_eq!(found("88"), [0_i64; 0]);
    let first = &world.ledger.find(&Query::new().reference("881")).unwrap().items;
    let told = json!(first);
    let shown = json!([{"sequence": 1, "operation": first[0].change.operation, "op": "recharge", "account": "a", "points": 9,
        "booked_at": first[0].change.booked_at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true), "key": "pay:1", "reference": "881"}]);
    assert_eq!(told, shown);
    let find = |question: &str| -> Page<counterfoil::report::Found> {
        world.ledger.ask(&counterfoil::Question::parse(question).unwrap()).unwrap().try_into().unwrap()
    };
    let of_key = find(r#"{"get":"find","key":"pay:1","limit":1}"#);
    assert_eq!((of_key.items[0].change.sequence, of_key.next.as_deref()), (1, Some("1")));
    assert_eq!(find(r#"{"get":"find","key":"pay:1","after":"1"}"#).items[0].change.sequence, 3);
    assert!(find(r#"{"get":"find","sequence":5}"#).items.is_empty());
}

/// A reference is looked for ten thousand operations at a time: no page holds up anybody, and none is lost.
#[test]
fn a_long_log_is_gone_through_page_by_page() {
    let mut world = World::empty();
    let line = |n: usize| format!(r#"{{"op":"recharge","account":"a","key":"{n}","points":1,"source":"x"}}"#);
    let lines: Vec<counterfoil::Request> =
        (0..10_050).map(|n| counterfoil::Request::parse(&line(n)).unwrap()).collect();
    for receipt in world.ledger.batch(&lines) {
        receipt.unwrap();
    }
    world.must("", r#"{"op":"recharge","account":"b","key":"k","points":1,"source":"x","reference":"late"}"#);
    let first = world.ledger.find(&Query::new().reference("late")).unwrap();
    assert!(first.items.is_empty() && first.next.is_some());
    let rest = world.ledger.find(&Query::new().reference("late").after(first.next.unwrap())).unwrap();
    assert_eq!((rest.items.len(), rest.next), (1, None));
    let lines = all(&world, &Query::new().reference("late"));
    assert_eq!(lines.len(), 1);
}
