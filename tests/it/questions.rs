//! Questions as data: strict like operations, answered like the verbs.

use counterfoil::schema::{FieldKind, QUESTIONS};
use counterfoil::{AccountId, EntryKind, Error, Page, Period, Points, Query, Question, Usage};
use serde_json::{Value, json};

use crate::support::{START, World, instant, sample, situations, sound};

fn world() -> World {
    World::copy(situations(), Some(sample()))
}

fn ask(world: &World, question: &Value) -> Result<Value, Error> {
    world.ledger.ask(&Question::parse(&world.resolve(question).to_string())?).map(|answer| json!(answer))
}

#[test]
fn questions_are_answered_as_the_verbs_answer() {
    let world = world();
    let (ledger, rich) = (&world.ledger, AccountId::new("rich").unwrap());
    let charge = ledger.operations_by_key(&"undone".parse().unwrap()).unwrap()[0];
    let batch = ledger.batches(&rich, &Query::new()).unwrap().items[0].batch;
    let usage = Usage::seconds("61.2").unwrap();
    let (begin, later) = (instant(START), instant("2027-12-01T00:00:00Z"));
    let period = Period::new(Some(begin), None).unwrap();
    let lines = Query::new().kind(EntryKind::Consume).kind("refund").newest_first(true).limit(1);
    let table: &[(Value, Value)] = &[
        (json!({"get": "balance", "account": "rich"}), json!(ledger.balance(&rich).unwrap())),
        (json!({"get": "balance", "account": "rich", "at": START}), json!(ledger.balance_at(&rich, begin).unwrap())),
        (
            json!({"get": "check", "account": "rich", "points": 1000}),
            json!(ledger.check(&rich, Points::new(1000).unwrap()).unwrap()),
        ),
        (json!({"get": "price", "service": "tts", "seconds": "61.2"}), json!(ledger.price("tts", &usage).unwrap())),
        (
            json!({"get": "estimate", "service": "tts", "chars": 1200}),
            json!(ledger.estimate("tts", &Usage::chars(1200)).unwrap()),
        ),
        (
            json!({"get": "batches", "account": "rich", "all": true, "limit": 1}),
            json!(ledger.batches(&rich, &Query::new().all(true).limit(1)).unwrap()),
        ),
        (json!({"get": "holds", "account": "rich"}), json!(ledger.holds(&rich, &Query::new()).unwrap())),
        (
            json!({"get": "plans", "account": "rich", "all": true}),
            json!(ledger.plans(&rich, &Query::new().all(true)).unwrap()),
        ),
        (
            json!({"get": "history", "account": "rich", "kind": ["consume", "refund"], "newest_first": true, "limit": 1}),
            json!(ledger.history(&rich, &lines).unwrap()),
        ),
        (
            json!({"get": "overview", "account": "rich", "limit": 2}),
            json!(ledger.overview(&rich, &Query::new().limit(2)).unwrap()),
        ),
        (
            json!({"get": "expiring", "before": "2027-12-01T00:00:00Z", "account": "rich"}),
            json!(ledger.expiring(later, Some(&rich)).unwrap()),
        ),
        (
            json!({"get": "accounts", "in_debt": true, "state": "active", "matching": "d*"}),
            json!(ledger.accounts(&Query::new().in_debt(true).state("active").matching("d*")).unwrap()),
        ),
        (
            json!({"get": "usage", "by": "month", "offset": "+08:00", "per_account": true}),
            json!(
                ledger
                    .usage(
                        &Query::new()
                            .by_month("+08:00".parse::<counterfoil::report::Calendar>().unwrap())
                            .per_account(true)
                    )
                    .unwrap()
            ),
        ),
        (
            json!({"get": "statement", "account": "rich", "from": START}),
            json!(ledger.statement(&rich, &period).unwrap()),
        ),
        (
            json!({"get": "missing", "account": "rich"}),
            json!(ledger.explain_missing(&rich, &Period::all(), 1000).unwrap()),
        ),
        (json!({"get": "explain", "operation": charge}), json!(ledger.explain(&charge).unwrap())),
        (json!({"get": "explain", "batch": batch}), json!(ledger.explain_batch(&batch).unwrap())),
        (json!({"get": "explain", "operation": "undone", "account": "rich"}), json!(ledger.explain(&charge).unwrap())),
        (
            json!({"get": "explain", "operation": charge.sequence().to_string()}),
            json!(ledger.explain(&charge).unwrap()),
        ),
        (
            json!({"get": "find", "text": "undone", "limit": 2}),
            json!(ledger.find(&Query::new().text("undone").limit(2)).unwrap()),
        ),
        (
            json!({"get": "history", "kind": "transfer_in", "newest_first": true}),
            json!(ledger.history_of_all(&Query::new().kind("transfer_in").newest_first(true)).unwrap()),
        ),
        (json!({"get": "info"}), json!(ledger.info().unwrap())),
        (json!({"get": "sync"}), json!(ledger.sync_status().unwrap())),
        (json!({"get": "devices", "limit": 5}), json!(ledger.devices(&Query::new().limit(5)).unwrap())),
        (json!({"get": "staged", "all": true}), json!(ledger.staged(&Query::new().all(true)).unwrap())),
        (json!({"get": "flags", "limit": 5}), json!(ledger.flags(&Query::new().limit(5)).unwrap())),
        (json!({"get": "allotments", "all": true}), json!(ledger.allotments(&Query::new().all(true)).unwrap())),
        (json!({"get": "clock"}), json!(ledger.clock().unwrap())),
        (json!({"get": "verify"}), json!(ledger.verify().unwrap())),
        (json!({"get": "verify", "quick": true}), json!(ledger.verify_quick().unwrap())),
    ];
    for (question, expected) in table {
        assert_eq!(
            &ask(&world, question).unwrap_or_else(|error| panic!("{error}: {question}")),
            expected,
            "{question}"
        );
    }
    let told = ask(&world, &json!({"get": "operation", "operation": "undone"})).unwrap();
    assert_eq!(told["operation"], json!(charge));
    let told = ask(&world, &json!({"get": "operation", "operation": "@spent"})).unwrap();
    assert_eq!((&told["op"], &told["paid_by"][0]["points"]), (&json!("consume"), &json!(20)));
    for kind in QUESTIONS {
        assert!(kind.name == "operation" || table.iter().any(|(question, _)| question["get"] == kind.name), "{kind:?}");
    }
}

/// Each field holds something no field takes: whoever does not read it does not notice.
#[test]
fn every_field_of_the_table_is_read() {
    for kind in QUESTIONS {
        for field in kind.fields {
            let mut question = json!({"get": kind.name});
            for other in kind.fields.iter().filter(|other| other.required.is_some() && other.name != field.name) {
                question[other.name] = match other.kind {
                    FieldKind::Points(_) => json!(1),
                    FieldKind::Instant => json!(START),
                    FieldKind::Id => json!(crate::support::NOBODY),
                    _ => json!("x"),
                };
            }
            if let Some(told) = field.required {
                let error = Question::parse(&question.to_string()).unwrap_err();
                assert!(error.to_string().contains(field.name), "{error}: {question}");
                assert_eq!(error.help(), told);
            }
            if field.name == "unit" {
                question["quantity"] = json!(1);
            }
            question[field.name] = json!({"no": "such value"});
            let error = Question::parse(&question.to_string()).unwrap_err();
            sound(&error);
            assert_eq!(error.details()["field"], field.name, "{error}: {question}");
        }
    }
}

#[test]
fn questions_are_strict() {
    for (text, message, help) in [
        ("[]", "question: not one JSON object", "write one question per line"),
        ("{}", "get: is missing", "say what is asked"),
        (r#"{"get":"ballance"}"#, "there is no question \"ballance\"", "did you mean `balance`?"),
        (r#"{"get":7}"#, "there is no question 7", "use one of balance, check"),
        (r#"{"get":"balance","account":"a","account":"b"}"#, "`account` is given twice", "write one"),
        (r#"{"get":"balance","acount":"a"}"#, "`balance` has no field `acount`", "did you mean `account`?"),
        (r#"{"get":"info","account":"a"}"#, "`info` has no field `account`", "it has no fields"),
        (r#"{"get":"check","account":"a","unit":"x"}"#, "`check` has no field `unit`", "account, points"),
        (r#"{"get":"history","account":"a","kind":["consume","expiry"]}"#, "there is no kind `expiry`", "set_expiry"),
        (r#"{"get":"explain"}"#, "operation: is missing", "name an operation, or a batch"),
        (r#"{"get":"find","key":"a","sequence":1}"#, "sequence: is given beside `key`", "give one of them"),
        (r#"{"get":"find"}"#, "text: is missing", "name a number, an id, a key or a reference"),
        (r#"{"get":"usage","offset":"8"}"#, "offset: `8` is not a UTC offset", "+08:00"),
        (
            r#"{"get":"usage","offset":"+01:00, +02:00"}"#,
            "offset: `+02:00` is not a UTC offset",
            "2026-03-29T01:00:00Z +02:00",
        ),
        (r#"{"get":"accounts","limit":0}"#, "limit: 0 is not allowed", "give 1 to 1000000"),
    ] {
        let error = Question::parse(text).unwrap_err();
        sound(&error);
        assert_eq!(error.code(), "invalid_argument");
        assert!(
            error.to_string().contains(message) && error.help().contains(help),
            "{text}: {error}; {}",
            error.help()
        );
    }
    let world = world();
    let rich = AccountId::new("rich").unwrap();
    let error = world.ledger.batches(&rich, &Query::new().service("tts")).unwrap_err();
    assert!(error.to_string().contains("`batches` has no field `service`"), "{error}");
    let error = world.ledger.batches(&rich, &Query::new().account(&rich)).unwrap_err();
    assert_eq!(error.details()["field"], "account");
    let error = world.ledger.history(&rich, &Query::new().account(&rich)).unwrap_err();
    assert_eq!(error.details()["field"], "account");
    let error = world.ledger.ask(&Question::new("balance")).unwrap_err();
    assert_eq!(error.help(), "name the account");
}

#[test]
fn pages_are_followed_to_the_last() {
    let world = world();
    let rich = AccountId::new("rich").unwrap();
    let whole = world.ledger.history(&rich, &Query::new()).unwrap().items;
    for size in [1, 2, 7, 1000] {
        let each = Query::new().limit(size).each(|query| world.ledger.history(&rich, query));
        assert_eq!(each.collect::<Result<Vec<_>, _>>().unwrap(), whole);
    }
    let mut broken = Query::new().after("x").each(|query| world.ledger.history(&rich, query));
    assert_eq!(broken.next().unwrap().unwrap_err().code(), "invalid_argument");
    assert!(broken.next().is_none());
    let none = Query::new().each(|_| Ok(serde_json::from_value::<Page<i64>>(json!({"items": []})).unwrap()));
    assert_eq!(none.count(), 0);
}
