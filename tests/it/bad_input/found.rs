//! Stories of what was found wrong once and mended: each test is the input that showed it.

use chrono::{DateTime, Utc};
use counterfoil::clock::ManualClock;
use counterfoil::{AccountId, Consume, ExpiresIn, Key, Period, Points, Query, Recharge};

use super::Target;
use crate::support::{START, code_of, folder, options};

/// Order of refusals: the shape of the request comes before an unknown hold, batch or operation, also by `ref_line`.
#[test]
fn shape_comes_before_a_reference_to_nothing() {
    let mut target = Target::new();
    for line in [
        r#"{"op":"capture","hold":{"ref_line":9},"key":"k","cap":"most"}"#,
        r#"{"op":"capture","hold":{"ref_line":9},"points":1}"#,
        r#"{"op":"capture","hold":{"ref_line":9},"key":"k","points":-1}"#,
        r#"{"op":"refund","operation":{"ref_line":9},"key":"k","points":1}"#,
        r#"{"op":"revoke","batch":{"ref_line":9},"key":"k","points":1,"reason":"r","colour":1}"#,
        r#"{"op":"consume","account":"rich","hold":{"ref_line":9},"key":"k","points":1}"#,
        r#"{"op":"nonsense","hold":{"ref_line":9},"key":"k"}"#,
    ] {
        target.line(line, "invalid_argument");
    }
    target.done(7);
}

/// §1: out_of_range is for points, balances and the year 9999; every other bad value is invalid_argument.
#[test]
fn other_bad_values_are_invalid_arguments() {
    let mut target = Target::new();
    for line in [
        r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s","priority":1001}"#,
        r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s","priority":9223372036854775807}"#,
        r#"{"op":"recharge","account":"rich","key":"k","points":1,"source":"s","priority":1e30}"#,
        r#"{"op":"configure","key":"k","setting":"late_window","value":9223372036854775807}"#,
        r#"{"op":"configure","key":"k","setting":"max_hold","value":3155760001}"#,
    ] {
        target.line(line, "invalid_argument");
    }
    target.done(5);
}

/// §9: unknown fields are refused.
#[test]
fn an_unknown_field_is_refused_also_when_it_is_null() {
    let mut target = Target::new();
    target.line(r#"{"op":"consume","account":"rich","key":"k","points":1,"colour":null}"#, "invalid_argument");
    target.done(1);
}

/// §8: no panics.
#[test]
fn history_to_the_end_of_time_does_not_panic() {
    let target = Target::new();
    let rich = AccountId::new("rich").unwrap();
    for to in [DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC] {
        let code =
            code_of(|| target.world.ledger.history(&rich, &Query::new().within(Period::new(None, Some(to)).unwrap())));
        assert_eq!(code, "ok", "{to}");
    }
}

/// A message may be shown in a terminal: what a stranger wrote is escaped in it.
#[test]
fn messages_carry_no_control_characters() {
    let target = Target::new();
    for line in [
        r#"{"op":"\u001b[2J","account":"rich","key":"k"}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"\u001b[2J":1}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"policy":"\u001b[2J"}"#,
        r#"{"op":"consume","account":"rich","key":"k","points":1,"occurred_at":"\u001b[2J"}"#,
        r#"{"op":"capture","hold":"\u001b[2J","key":"k","points":1}"#,
        r#"{"op":"consume","account":"rich","key":"k","service":"tts","seconds":"\u001b[2J"}"#,
        r#"{"op":"hold","account":"rich","key":"k","points":1,"deadline_seconds":"\u001b[2J"}"#,
    ] {
        let error = target.world.apply_text(line).unwrap_err();
        let text = format!("{error}{}", error.help());
        assert!(!text.chars().any(char::is_control), "{line}: {text:?}");
    }
}

/// A message is a sentence, not a copy of what was sent.
#[test]
fn messages_stay_short() {
    let target = Target::new();
    let long = "x".repeat(1 << 20);
    for line in [
        format!(r#"{{"op":"{long}","account":"rich","key":"k"}}"#),
        format!(r#"{{"op":"consume","account":"rich","key":"k","points":"{long}"}}"#),
        format!(r#"{{"op":"consume","account":"rich","key":"k","points":1,"policy":"{long}"}}"#),
        format!(r#"{{"op":"consume","account":"rich","key":"k","points":1,"occurred_at":"{long}"}}"#),
        format!(r#"{{"op":"consume","account":"rich","key":"k","points":1,"{long}":1}}"#),
    ] {
        let error = target.world.apply_text(&line).unwrap_err();
        assert!(error.to_string().len() < 2000, "{} bytes", error.to_string().len());
    }
}

/// §1: an instant past the year 9999 is out_of_range, also in the typed requests (as `balance_at` says it).
#[test]
fn instants_past_9999_are_out_of_range_in_typed_requests() {
    let mut target = Target::new();
    let (rich, key, one) = (AccountId::new("rich").unwrap(), Key::new("k").unwrap(), Points::new(1).unwrap());
    let late = DateTime::from_timestamp_millis(253_402_300_800_000).unwrap();
    for request in [Recharge::new(one, "s").effective_at(late), Recharge::new(one, "s").expires(ExpiresIn::At(late))] {
        target.run("recharge", "out_of_range", |world| world.ledger.recharge(&rich, &key, request).map(drop));
    }
    let consume = Consume::points(one).occurred_at(late);
    target.run("consume", "out_of_range", |world| world.ledger.consume(&rich, &key, consume).map(drop));
    target.done(3);
}

/// A path through a file is as bad an argument as a path through a folder that is missing.
#[test]
fn creating_below_a_file_is_an_invalid_argument() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    std::fs::write(folder.path().join("f"), b"x").unwrap();
    for name in ["f/g", "nul\0name", &"x".repeat(300)] {
        let code = code_of(|| options(&clock).create(folder.path().join(name)).map(drop));
        assert_eq!(code, "invalid_argument", "{name:?}");
    }
}

/// Each handle is closed by itself: the other one goes on, and the clones of a closed one do not.
#[test]
fn close_ends_a_handle_and_its_clones_only() {
    let (folder, clock) = (folder(), ManualClock::at(START).unwrap());
    let path = folder.path().join("test.ledger");
    let one = options(&clock).create(&path).unwrap();
    let other = options(&clock).open(&path).unwrap();
    let clone = one.clone();
    one.close().unwrap();
    assert_eq!(code_of(|| clone.info()), "closed");
    assert_eq!(code_of(|| other.info()), "ok");
}
