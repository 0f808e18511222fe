//! What the lines of the books name, what a mistake is told, and what is no report's business.

use std::ops::ControlFlow;

use counterfoil::answer::ExpireReport;
use counterfoil::batch::Whole;
use counterfoil::{AccountId, Entry, EntryKind, Error, Period, Policy, Query, Question, Request};
use counterfoil_report::{Export, ExportError, StatementPage};
use serde_json::{Value, json};

use crate::support::{World, instant, options};

fn entries(world: &World, account: &str) -> Vec<Entry> {
    world.ledger.history(&AccountId::new(account).unwrap(), &Query::new()).unwrap().items
}

/// The line of this kind, with all that is said of it.
#[track_caller]
fn line(world: &World, account: &str, kind: &str) -> Entry {
    let found = entries(world, account).into_iter().find(|entry| entry.kind == kind);
    found.unwrap_or_else(|| panic!("no {kind} of {account}"))
}

/// Who looked at a transfer, a refund or a capture in the history could not tell whom or what it was about.
#[test]
fn a_line_names_its_other_side() {
    let mut world = World::empty();
    world.must(
        "",
        r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"gift","expires_at":"2027-01-11T12:00:00Z"}"#,
    );
    let used = world.must("used", r#"{"op":"consume","account":"alice","key":"2","points":10}"#).operation;
    let held =
        world.must("held", r#"{"op":"hold","account":"alice","key":"3","points":10,"deadline_seconds":600}"#).operation;
    world.must("", r#"{"op":"renew","hold":"@held","key":"4","deadline_seconds":900}"#);
    world.must("", r#"{"op":"capture","hold":"@held","key":"5","points":4}"#);
    world.must("", r#"{"op":"refund","operation":"@used","key":"6","points":3,"reason":"failed"}"#);
    world.must("", r#"{"op":"transfer","account":"alice","to":"bob","key":"7","points":5}"#);
    world.advance(2 * 24 * 3600);

    let alice = |kind: &str| line(&world, "alice", kind);
    assert_eq!(alice("transfer_out").counterparty.unwrap().as_str(), "bob");
    assert_eq!(line(&world, "bob", "transfer_in").counterparty.unwrap().as_str(), "alice");
    assert_eq!(alice("refund").refers_to, Some(used));
    assert_eq!([alice("renew").refers_to, alice("capture").refers_to], [Some(held); 2]);
    // Nothing else has another side, the first line of an account that a transfer opened neither.
    let others = entries(&world, "alice").into_iter().chain(entries(&world, "bob"));
    for entry in others.filter(|e| ["open", "recharge", "consume", "hold"].contains(&e.kind.as_str())) {
        assert_eq!((&entry.counterparty, entry.refers_to), (&None, None), "{entry:?}");
    }
    let expired = alice("expire");
    assert_eq!((expired.source.as_deref(), expired.unbooked), (Some("gift"), true));
    // Once it is booked, it says the same.
    world.ledger.expire(None).unwrap();
    assert_eq!(line(&world, "alice", "expire").source, expired.source);
}

/// Whoever reads a line that follows from an operation is not told that it mends something, or is of a hold.
#[test]
fn a_line_that_follows_names_nothing() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"me","key":"1","points":10,"source":"gift","expires_at":"never"}"#);
    let used = world.must("used", r#"{"op":"consume","account":"me","key":"2","points":10}"#).operation;
    world.must("", r#"{"op":"consume","account":"me","key":"3","points":5}"#);
    world.must("", r#"{"op":"refund","operation":"@used","key":"4","points":8,"reason":"failed"}"#);
    let held =
        world.must("held", r#"{"op":"hold","account":"me","key":"5","points":3,"deadline_seconds":60}"#).operation;
    world.advance(120);
    world.must("", r#"{"op":"consume","account":"me","key":"6","points":3}"#);
    world.must("", r#"{"op":"close","account":"me","key":"7","reason":"done"}"#);
    world.must("", r#"{"op":"capture","hold":"@held","key":"8","points":1}"#);
    let about: Vec<_> =
        entries(&world, "me").into_iter().filter_map(|e| e.refers_to.map(|id| (e.kind.as_str(), id))).collect();
    assert_eq!(about, [("refund", used), ("capture", held)]);
    for kind in ["settle", "reopen"] {
        line(&world, "me", kind);
    }
}

/// A report about next month showed today's figures as if nothing would fall due until then.
#[test]
fn no_report_is_about_what_has_not_begun() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"alice","key":"1","points":50,"source":"gift"}"#);
    let alice = AccountId::new("alice").unwrap();
    let later = Period::new(Some(instant("2027-01-10T12:00:00.001Z")), None).unwrap();
    let refused = [
        world.ledger.statement(&alice, &later).unwrap_err(),
        world.ledger.explain_missing(&alice, &later, 1000).unwrap_err(),
        world.ledger.usage(&Query::new().within(later)).unwrap_err(),
        world.ledger.walk(None, &later, |_| Ok::<(), Error>(())).unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(&error, Error::InvalidArgument { field, .. } if field == "from"), "{error:?}");
        assert!(error.help().contains("about what was"), "{error:?}");
    }
    // One that begins now, or ends later, is known as far as it goes.
    let now = Period::new(Some(instant("2027-01-10T12:00:00Z")), Some(instant("2027-02-01T00:00:00Z"))).unwrap();
    assert_eq!(world.ledger.statement(&alice, &now).unwrap().closing.available, 50);
    // A clock that was set back does not hide what was booked before.
    world.clock.set(instant("2027-01-10T11:00:00Z"));
    assert_eq!(world.ledger.statement(&alice, &now).unwrap().lines.len(), 2);
}

#[test]
fn one_account_or_one_service_of_many() {
    let mut world = World::empty();
    for account in ["a*", "ab"] {
        world.must(
            "",
            &json!({"op": "consume", "account": account, "key": "1", "points": 7, "service": "x"}).to_string(),
        );
        world.must(
            "",
            &json!({"op": "consume", "account": account, "key": "2", "points": 5, "service": "y"}).to_string(),
        );
    }
    let id = AccountId::new("a*").unwrap();
    let named = |query: Query| {
        let found = world.ledger.accounts(&query).unwrap().items;
        found.into_iter().map(|balance| balance.account.to_string()).collect::<Vec<_>>()
    };
    // An id is no pattern.
    assert_eq!(named(Query::new().account(&id)), ["a*"]);
    assert_eq!(named(Query::new().account(&id).in_debt(false).state("frozen")), Vec::<String>::new());
    assert_eq!(named(Query::new().account(&id).after("1")), Vec::<String>::new());
    let used = |query: Query| json!(world.ledger.usage(&query).unwrap().items);
    assert_eq!(used(Query::new().service("x")), json!([{"service": "x", "uses": 2, "points": 14}]));
    assert_eq!(
        used(Query::new().service("y").account(&id)),
        json!([{"account": "a*", "service": "y", "uses": 1, "points": 5}])
    );
}

/// A misspelt field was answered with `account: is missing`, or with nothing but "check the spelling".
#[test]
fn a_misspelt_field_is_recognised() {
    let world = World::empty();
    for (line, field, help) in [
        (r#"{"op":"consume","acount":"alice","key":"1","points":1}"#, "acount", "did you mean `account`?"),
        (r#"{"op":"consume","account":"alice","kye":"1","points":1}"#, "kye", "did you mean `key`?"),
        (
            r#"{"op":"consume","account":"alice","key":"1","points":1,"polcy":"strict"}"#,
            "polcy",
            "did you mean `policy`?",
        ),
        (
            r#"{"op":"recharge","account":"alice","key":"1","points":1,"soruce":"x"}"#,
            "soruce",
            "did you mean `source`?",
        ),
        (r#"{"op":"consme","account":"alice","key":"1","points":1}"#, "op", "did you mean `consume`?"),
        (r#"{"op":"consume","account":"alice","key":"1","points":1,"colour":"red"}"#, "colour", "see the fields of"),
        // Nothing given is like what is missing; and what is there already was not meant.
        (r#"{"op":"consume","colour":"red","key":"1","points":1}"#, "account", "name the account"),
        (r#"{"op":"consume","account":"alice","key":"1","points":1,"pionts":2}"#, "pionts", "see the fields of"),
        (r#"{"op":"consume","account":"alice","key":"1","service":"tts","chars":5}"#, "usage", "give the seconds"),
        (
            r#"{"op":"recharge","account":"a","key":"1","points":1,"source":"x","expires_at":"2027-12-31"}"#,
            "expires_at",
            "2028-01-01T00:00:00+08:00",
        ),
    ] {
        let error = world.apply_text(line).unwrap_err();
        assert!(matches!(&error, Error::InvalidArgument { field: found, .. } if found == field), "{line}: {error:?}");
        assert!(error.help().contains(help), "{line}: {error:?}");
    }
}

#[test]
fn the_kinds_are_those_history_knows() {
    let world = World::empty();
    let alice = AccountId::new("alice").unwrap();
    for kind in EntryKind::ALL {
        world.ledger.history(&alice, &Query::new().kind(kind.as_str())).unwrap();
    }
    assert_eq!(EntryKind::ALL.len(), 34);
}

/// Story: somebody whose hold had run out was told to charge with consume, which books without the points that were set aside:
/// the capture that would still have worked was never tried. And who had nothing left to refund was told to ask for less.
#[test]
fn what_to_do_fits_what_was_refused() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"me","key":"1","points":50,"source":"gift","expires_at":"never"}"#);
    for name in ["captured", "released", "expired"] {
        let line = json!({"op": "hold", "account": "me", "key": name, "points": 5, "deadline_seconds": 60});
        world.must(name, &line.to_string());
    }
    world.must("used", r#"{"op":"capture","hold":"@captured","key":"c","points":5}"#);
    world.must("", r#"{"op":"release","hold":"@released","key":"r"}"#);
    world.must("", r#"{"op":"refund","operation":"@used","key":"2","points":"all","reason":"x"}"#);
    world.advance(120);
    let help = |line: &Value| world.apply(line).unwrap_err().help();
    for (line, said) in [
        (json!({"op": "renew", "hold": "@expired", "key": "3", "deadline_seconds": 60}), "can still be captured"),
        (json!({"op": "release", "hold": "@expired", "key": "3"}), "can still be captured"),
        (json!({"op": "capture", "hold": "@released", "key": "3", "points": 5}), "charge the work with consume"),
        (json!({"op": "capture", "hold": "@captured", "key": "3", "points": 5}), "mend that with refund"),
        (json!({"op": "refund", "operation": "@used", "key": "3", "points": 1, "reason": "x"}), "nothing is left"),
        (json!({"op": "transfer", "account": "me", "to": "you", "key": "3", "points": 90}), "or ask for less"),
    ] {
        assert!(help(&line).contains(said), "{line}: {}", help(&line));
    }
    world.must("", r#"{"op":"capture","hold":"@expired","key":"e","points":5}"#);
}

/// Story: an app closed its window while a backup was being proved, and had to wait for the end of it: there was no way to stop.
#[test]
fn long_work_stops_when_it_is_told_to() {
    let mut world = World::empty();
    world.must("", r#"{"op":"recharge","account":"me","key":"1","points":50,"source":"gift","expires_at":"never"}"#);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("copy.ledger");
    let stopped = world.ledger.verify_with(|_| ControlFlow::Break(())).unwrap_err();
    assert_eq!((stopped.code(), stopped.is_retryable()), ("cancelled", false));
    for step in ["copy", "storage", "operations"] {
        let stop = |progress: counterfoil::answer::Progress| match progress.step == step {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        assert_eq!(world.ledger.backup_with(&target, stop).unwrap_err().code(), "cancelled", "{step}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{step}: something is left");
    }
    assert!(world.ledger.backup(&target).unwrap().ok);
    assert!(world.ledger.verify_with(|_| ControlFlow::Continue::<()>(())).unwrap().ok);
}

/// Story: somebody closed the window while the first sweep in years was at work, and then while a statement and an export
/// were being written: each stops at its next step, what was booked stays booked, and the file goes on as if nothing had been.
#[test]
fn a_sweep_a_page_and_an_export_stop_when_they_are_told_to() {
    let world = World::empty();
    let line = |n: u64| {
        json!({"op": "recharge", "account": "me", "key": n.to_string(), "points": 1, "source": "gift",
            "expires_in_hours": 1 + n % 100})
    };
    // More than one transaction takes.
    let lines: Vec<_> = (1..=20_000).map(|n| (n, Request::parse(&line(n).to_string()).unwrap())).collect();
    world.ledger.batch_run().apply_whole(&lines, Whole::Atomic).unwrap();
    world.advance(3600 * 101);
    let mut last = ExpireReport::default();
    let stopped = world.ledger.expire_with(None, |report| {
        last = report.clone();
        ControlFlow::Break(())
    });
    assert_eq!(stopped.unwrap_err().code(), "cancelled");
    assert!(last.points > 0 && last.points < 20_000, "{last:?}");
    let me = AccountId::new("me").unwrap();
    let booked = world.ledger.history(&me, &Query::new().kind("expire").after("20001").limit(50_000)).unwrap().items;
    assert_eq!(booked.iter().filter(|line| !line.unbooked).count() as i64, last.points);
    assert!(world.ledger.verify().unwrap().ok);
    let rest = world.ledger.expire_with(None, |_| ControlFlow::Continue::<()>(())).unwrap();
    assert_eq!((last.points + rest.points, rest.more), (20_000, false));

    let code = |stopped: Result<(), ExportError>| counterfoil::Error::from(stopped.unwrap_err()).code();
    let at = |wanted: u64| {
        move |done: u64, _: u64| if done >= wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let page = StatementPage::new(&me);
    // While the lines are summed, and while they are told.
    for wanted in [1, 30_000, 60_000] {
        let mut out = Vec::new();
        assert_eq!(code(page.write_with(&world.ledger, &mut out, at(wanted))), "cancelled", "{wanted}");
        assert!(out.is_empty(), "half a page would pass for one");
    }
    let (mut whole, mut half) = (Vec::new(), Vec::new());
    let export = Export::new(counterfoil_report::JSONL).account(me.clone());
    export.write(&world.ledger, &mut whole).unwrap();
    assert_eq!(code(export.write_with(&world.ledger, &mut half, at(100))), "cancelled");
    assert!(whole.starts_with(&half) && half.len() < whole.len());
    let mut again = Vec::new();
    export.write_with(&world.ledger, &mut again, |_, _| ControlFlow::Continue::<()>(())).unwrap();
    assert!(again == whole && world.ledger.verify().unwrap().ok);
    world.apply(&json!({"op": "consume", "account": "me", "key": "on", "points": 1})).unwrap();
}

/// Story: a bookkeeper asked for the statement of `alcie` and got a page of zeros, which went to the customer.
#[test]
fn nobody_gets_a_statement_of_an_account_that_nobody_opened() {
    let world = World::empty();
    world.apply(&json!({"op": "recharge", "account": "alice", "key": "1", "points": 5, "source": "gift"})).unwrap();
    let (nobody, ledger) = (AccountId::new("alcie").unwrap(), &world.ledger);
    let refused = [
        ledger.statement(&nobody, &Period::all()).unwrap_err(),
        ledger.statement_steps(&nobody, &Period::all(), |_| Ok::<(), Error>(())).unwrap_err(),
        ledger.walk(Some(&nobody), &Period::all(), |_| Ok::<(), Error>(())).unwrap_err(),
        ledger.ask(&Question::parse(r#"{"get":"statement","account":"alcie"}"#).unwrap()).unwrap_err(),
        StatementPage::new(&nobody).write(ledger, &mut Vec::new()).unwrap_err().into(),
        Export::new(counterfoil_report::CSV).account(nobody.clone()).write(ledger, &mut Vec::new()).unwrap_err().into(),
    ];
    for error in refused {
        assert_eq!((error.code(), error.details()["account"].as_str()), ("unknown_account", Some("alcie")));
    }
    // Looking is free: a kiosk asks about a card that it has never seen.
    assert!(!ledger.balance(&nobody).unwrap().exists);
    assert_eq!(ledger.explain_missing(&nobody, &Period::all(), 100).unwrap().did_you_mean.len(), 1);
}

/// Story: an operator raised a customer's limit, was asked by how much, and the answer did not say what it had been. Answers
/// that set something tell both values, and a retry tells what the first call did.
#[test]
fn what_sets_a_value_tells_the_old_one() {
    let mut world = World::empty();
    let changed = |receipt: &counterfoil::Receipt| json!(receipt.changed);
    let said = |what: &str, before: Value, after: Value| json!({"what": what, "before": before, "after": after});
    let opened = world.must("", r#"{"op":"open","account":"me","key":"1","credit_limit":30}"#);
    assert_eq!(changed(&opened), said("credit_limit", json!(0), json!(30)));
    let again = world.must("", r#"{"op":"open","account":"me","key":"2","credit_limit":30}"#);
    assert_eq!(changed(&again), said("credit_limit", json!(30), json!(30)));
    let line = r#"{"op":"set_limit","account":"me","key":"3","credit_limit":80}"#;
    let raised = world.must("", line);
    assert_eq!(changed(&raised), said("credit_limit", json!(30), json!(80)));
    world.must("", r#"{"op":"set_limit","account":"me","key":"4","credit_limit":0}"#);
    let replayed = world.must("", line);
    assert_eq!((replayed.replayed, changed(&replayed)), (true, changed(&raised)));
    for (key, setting, value, before) in [
        ("5", "late_window", json!(60), json!(0)),
        ("6", "max_hold", json!(7200), json!(86_400)),
        ("7", "max_clock_jump", json!(86_400), json!(90 * 86_400)),
        ("8", "clock_patience", json!(3600), json!(86_400)),
        ("9", "accounts", json!("explicit"), json!("first_use")),
        ("10", "accounts", json!("first_use"), json!("explicit")),
        ("11", "late_window", json!(0), json!(60)),
    ] {
        let line = json!({"op": "configure", "key": key, "setting": setting, "value": value});
        assert_eq!(changed(&world.apply(&line).unwrap()), said(setting, before, value), "{line}");
    }
    assert_eq!(
        changed(&world.apply(&json!({"op": "configure", "key": "5", "setting": "late_window", "value": 60})).unwrap()),
        said("late_window", json!(0), json!(60))
    );
    let start = "2027-01-10T12:00:00.000Z";
    world.must("gift", r#"{"op":"recharge","account":"me","key":"1","points":5,"source":"gift","expires_at":"never"}"#);
    let until = json!({"op": "set_expiry", "batch": "@gift", "key": "1", "expires_in_hours": 24, "reason": "x"});
    let until = world.resolve(&until).to_string();
    assert_eq!(changed(&world.must("", &until)), said("expires_at", json!("never"), json!("2027-01-11T12:00:00.000Z")));
    world.must("job", r#"{"op":"hold","account":"me","key":"1","points":2,"deadline_seconds":60}"#);
    let renew = world.resolve(&json!({"op": "renew", "hold": "@job", "key": "1", "deadline_seconds": 120})).to_string();
    let renewed = changed(&world.must("", &renew));
    assert_eq!(
        renewed,
        said("deadline", json!(start.replace("12:00", "12:01")), json!(start.replace("12:00", "12:02")))
    );
    assert!(world.ledger.verify().unwrap().ok);
}

/// Story: an app lets nobody into debt, and one of its forty calls forgot to say so. The default is for the whole handle, says
/// in the books what it was, and never overrules whoever names a policy.
#[test]
fn a_policy_for_whoever_names_none() {
    let world = World::empty();
    let strict = options(&world.clock).default_policy(Policy::Strict).open(world.ledger.path()).unwrap();
    let line = |key: &str| {
        Request::parse(&json!({"op": "consume", "account": "me", "key": key, "points": 5}).to_string()).unwrap()
    };
    let refused = |answer: Result<counterfoil::Receipt, Error>| answer.unwrap_err().code();
    assert_eq!(refused(strict.apply(&line("1"))), "insufficient_points");
    assert_eq!(refused(strict.clone().dry_run(&line("1"))), "insufficient_points");
    assert_eq!(refused(strict.with_durability(counterfoil::Durability::Full).apply(&line("1"))), "insufficient_points");
    let lines = [line("1"), line("2").with("policy", "up_to"), line("3").with("policy", "postpaid")];
    let answers = strict.batch(&lines);
    assert_eq!(answers[0].as_ref().unwrap_err().code(), "insufficient_points");
    assert_eq!(answers[1].as_ref().unwrap().short, 5);
    assert_eq!(answers[2].as_ref().unwrap().balance.debt, 5);
    world.apply(&json!({"op": "recharge", "account": "me", "key": "1", "points": 50, "source": "gift"})).unwrap();
    let booked = strict.apply(&line("4")).unwrap();
    let told = strict.operation(&booked.operation).unwrap().request;
    assert_eq!(told.get("policy"), Some(&json!("strict")));
    assert!(strict.apply(&line("4")).unwrap().replayed);
    // Under another default it is another request.
    let differs = world.ledger.apply(&line("4")).unwrap_err();
    assert_eq!((differs.code(), &differs.details()["fields"]), ("key_reused", &json!(["policy"])));
    assert!(world.ledger.verify().unwrap().ok);
}
