//! For every operation and every two causes that can hold at once, the earlier one is the answer.

use serde_json::{Map, Value};

use super::{fields, json, patched};
use crate::support::{World, Wrong, code_of, sample, situations};

/// Why a request may be refused, in the order of refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Shape,
    Target,
    Key,
    UnknownAccount,
    TimeBackwards,
    State,
    HoldClosed,
    Prices,
    Limits,
}

use Cause::{HoldClosed, Key, Limits, Prices, Shape, State, Target, TimeBackwards, UnknownAccount};

/// An operation that would be booked, and for each cause the change that brings it about, with the code it gives.
struct Operation {
    line: &'static str,
    causes: &'static [(Cause, &'static str, &'static str)],
}

/// Causes that every operation on an account shares.
const COMMON: &[(Cause, &str, &str)] = &[
    (Shape, r#"{"colour":"red"}"#, "invalid_argument"),
    (Key, r#"{"key":"used","reference":"other"}"#, "key_reused"),
    (TimeBackwards, r#"{"at":"2027-01-10T11:00:00Z"}"#, "time_backwards"),
];

const NOBODY: (Cause, &str, &str) = (UnknownAccount, r#"{"account":"nobody"}"#, "unknown_account");
const CLOSED: (Cause, &str, &str) = (State, r#"{"account":"closed"}"#, "account_closed");
const NO_HOLD: (Cause, &str, &str) = (Target, r#"{"hold":"@nobody"}"#, "unknown_hold");
const NO_PLAN: (Cause, &str, &str) = (Target, r#"{"plan":"@nobody"}"#, "unknown_plan");
const NO_BATCH: (Cause, &str, &str) = (Target, r#"{"batch":"@nobody"}"#, "unknown_batch");
const NO_SERVICE: (Cause, &str, &str) = (Prices, r#"{"points":null,"service":"nope"}"#, "unknown_service");
const CLOSED_BATCH: (Cause, &str, &str) = (State, r#"{"batch":"@closed"}"#, "account_closed");
const TOO_LONG: (Cause, &str, &str) = (Limits, r#"{"deadline_seconds":99999}"#, "invalid_argument");
const TOO_MANY: &str = r#"{"points":5000}"#;

const OPERATIONS: &[Operation] = &[
    Operation {
        line: r#"{"op":"open","account":"rich"}"#,
        causes: &[CLOSED, (Limits, r#"{"credit_limit":77}"#, "account_exists")],
    },
    Operation { line: r#"{"op":"set_limit","account":"rich","credit_limit":3}"#, causes: &[NOBODY, CLOSED] },
    Operation {
        line: r#"{"op":"recharge","account":"rich","points":5,"source":"wxpay"}"#,
        causes: &[NOBODY, CLOSED, (Limits, r#"{"expires_at":"2027-01-10T13:00:00Z"}"#, "invalid_argument")],
    },
    Operation {
        line: r#"{"op":"plan","account":"rich","points":5,"source":"wxpay","every_months":1}"#,
        causes: &[NOBODY, CLOSED, (Limits, r#"{"expires_at":"2027-01-10T13:00:00Z"}"#, "invalid_argument")],
    },
    Operation {
        line: r#"{"op":"stop","plan":"@monthly"}"#,
        causes: &[NO_PLAN, (State, r#"{"plan":"@closed_plan"}"#, "account_closed")],
    },
    Operation {
        line: r#"{"op":"consume","account":"rich","points":1,"policy":"strict"}"#,
        causes: &[NOBODY, CLOSED, NO_SERVICE, (Limits, TOO_MANY, "insufficient_points")],
    },
    Operation {
        line: r#"{"op":"consume","account":"debtor","points":0,"policy":"strict"}"#,
        causes: &[
            NOBODY,
            CLOSED,
            NO_SERVICE,
            (Limits, r#"{"points":1}"#, "account_in_debt"),
            (State, r#"{"account":"frozen"}"#, "account_frozen"),
        ],
    },
    Operation {
        line: r#"{"op":"consume","account":"rich","points":1,"policy":"up_to"}"#,
        causes: &[NOBODY, NO_SERVICE, (State, r#"{"account":"frozen"}"#, "account_frozen")],
    },
    Operation {
        line: r#"{"op":"hold","account":"rich","points":1,"deadline_seconds":60}"#,
        causes: &[NOBODY, CLOSED, NO_SERVICE, TOO_LONG],
    },
    Operation {
        line: r#"{"op":"hold","account":"rich","points":1,"deadline_seconds":60}"#,
        causes: &[
            (State, r#"{"account":"frozen"}"#, "account_frozen"),
            NO_SERVICE,
            (Limits, TOO_MANY, "insufficient_points"),
        ],
    },
    Operation {
        line: r#"{"op":"capture","hold":"@open","points":1}"#,
        causes: &[
            NO_HOLD,
            (State, r#"{"hold":"@closed_captured"}"#, "account_closed"),
            (HoldClosed, r#"{"hold":"@captured"}"#, "hold_closed"),
            (Prices, r#"{"points":null,"quantity":5}"#, "invalid_argument"),
        ],
    },
    Operation {
        line: r#"{"op":"release","hold":"@open"}"#,
        causes: &[
            NO_HOLD,
            (State, r#"{"hold":"@closed_released"}"#, "account_closed"),
            (HoldClosed, r#"{"hold":"@late"}"#, "hold_closed"),
        ],
    },
    Operation {
        line: r#"{"op":"renew","hold":"@open","deadline_seconds":60}"#,
        causes: &[
            NO_HOLD,
            (State, r#"{"hold":"@closed_captured"}"#, "account_closed"),
            (HoldClosed, r#"{"hold":"@late"}"#, "hold_closed"),
            TOO_LONG,
        ],
    },
    Operation {
        line: r#"{"op":"refund","operation":"@spent","points":1,"reason":"failed"}"#,
        causes: &[(Target, r#"{"operation":"@nobody"}"#, "unknown_operation"), (Limits, TOO_MANY, "limit_exceeded")],
    },
    Operation {
        line: r#"{"op":"revoke","batch":"@rich","points":1,"reason":"chargeback"}"#,
        causes: &[NO_BATCH, CLOSED_BATCH, (Limits, TOO_MANY, "limit_exceeded")],
    },
    Operation {
        line: r#"{"op":"set_expiry","batch":"@rich","expires_in_days":9,"reason":"goodwill"}"#,
        causes: &[
            NO_BATCH,
            CLOSED_BATCH,
            (Limits, r#"{"expires_in_days":null,"expires_at":"2027-01-10T13:00:00Z"}"#, "invalid_argument"),
        ],
    },
    Operation {
        line: r#"{"op":"transfer","account":"rich","to":"friend","points":1}"#,
        causes: &[
            (UnknownAccount, r#"{"to":"nobody"}"#, "unknown_account"),
            CLOSED,
            (Limits, TOO_MANY, "insufficient_points"),
        ],
    },
    Operation {
        line: r#"{"op":"transfer","account":"rich","to":"friend","points":1}"#,
        causes: &[(State, r#"{"to":"closed"}"#, "account_closed"), (Limits, TOO_MANY, "insufficient_points")],
    },
    Operation {
        line: r#"{"op":"transfer","account":"rich","to":"friend","points":1}"#,
        causes: &[
            (UnknownAccount, r#"{"to":"nobody"}"#, "unknown_account"),
            (State, r#"{"account":"frozen"}"#, "account_frozen"),
            (Limits, TOO_MANY, "insufficient_points"),
        ],
    },
    Operation {
        line: r#"{"op":"write_off","account":"debtor","points":1,"reason":"goodwill"}"#,
        causes: &[NOBODY, CLOSED, (Limits, TOO_MANY, "limit_exceeded")],
    },
    Operation { line: r#"{"op":"freeze","account":"rich","reason":"asked"}"#, causes: &[NOBODY, CLOSED] },
    Operation { line: r#"{"op":"unfreeze","account":"rich","reason":"asked"}"#, causes: &[NOBODY, CLOSED] },
    Operation {
        line: r#"{"op":"close","account":"empty","reason":"left"}"#,
        causes: &[NOBODY, CLOSED, (Limits, r#"{"account":"rich"}"#, "account_not_empty")],
    },
];

/// Operations on the file: only shape and key.
const ON_THE_FILE: &[Operation] = &[
    Operation { line: r#"{"op":"configure","setting":"late_window","value":60}"#, causes: &[] },
    Operation { line: r#"{"op":"confirm_clock"}"#, causes: &[] },
    // Their other causes are in `sync::refused`.
];

type Change = (Cause, Map<String, Value>, &'static str);

impl Operation {
    fn changes(&self, common: &[(Cause, &str, &'static str)]) -> Vec<Change> {
        let all = common.iter().chain(self.causes);
        let mut changes: Vec<Change> = all.map(|(cause, patch, code)| (*cause, fields(patch), *code)).collect();
        changes.sort_by_key(|(cause, ..)| *cause);
        changes
    }
}

/// Whether two causes can hold at once: they do not speak of the same field, and a key is known only where an account is.
fn together(line: &Value, one: &Change, other: &Change) -> bool {
    let apart = one.1.iter().all(|(name, value)| other.1.get(name).is_none_or(|it| it == value));
    let keyless = line["op"] == "close" && line["account"] == "empty";
    let nobody =
        one.0 == Key && (other.1.get("account").is_some_and(|it| it == "nobody") || keyless && other.0 != State);
    // Nothing was consumed on that account.
    let unused = one.0 == Key && line["op"] == "consume" && other.1.get("account").is_some_and(|id| id == "frozen");
    one.0 != other.0 && apart && !nobody && !unused
}

#[test]
fn of_two_causes_the_earlier_is_the_answer() {
    let (mut wrong, mut rows) = (Wrong::default(), 0);
    for (operations, common) in [(OPERATIONS, COMMON), (ON_THE_FILE, &COMMON[..2])] {
        for operation in operations {
            let line = patched(&json(operation.line), &fields(r#"{"key":"fresh"}"#));
            let changes = operation.changes(common);
            for (place, one) in changes.iter().enumerate() {
                for other in changes[place + 1..].iter().filter(|other| together(&line, one, other)) {
                    rows += 1;
                    row(&mut wrong, &line, one, other);
                }
            }
        }
    }
    wrong.none();
    assert!(rows >= 200, "{rows}");
}

fn row(wrong: &mut Wrong, line: &Value, one: &Change, other: &Change) {
    let world = World::copy(situations(), Some(sample()));
    let both = patched(&patched(line, &one.1), &other.1);
    let before = world.shown();
    let code = code_of(|| world.apply(&both));
    wrong.check(code == one.2, || format!("{both}\n    {:?} and {:?}: {code}, expected {}", one.0, other.0, one.2));
    wrong.check(world.shown() == before, || format!("{both}\n    changed something"));
    not_burnt(wrong, &world, line, &both, one, other);
}

/// What was refused left no trace under its key.
fn not_burnt(wrong: &mut Wrong, world: &World, line: &Value, both: &Value, one: &Change, other: &Change) {
    let with = |cause: Cause| [one, other].into_iter().find(|change| change.0 == cause);
    if let Some(used) = with(Key) {
        // Still the older operation's key.
        let place = with(State).map(|state| state.1.clone()).unwrap_or_default();
        let code = code_of(|| world.apply(&patched(&patched(line, &used.1), &place)));
        let known = line["op"] != "close" || with(State).is_some();
        wrong.check(!known || code == "key_reused", || format!("{both}\n    afterwards its key: {code}"));
    } else if let Some(state) = with(State) {
        // A refund opens the closed account, and the frozen one thaws; what happens then is never a reused key.
        let mend = [
            json(r#"{"op":"refund","operation":"@closed_spent","key":"mend","points":3,"reason":"failed"}"#),
            json(r#"{"op":"unfreeze","account":"frozen","key":"mend","reason":"asked"}"#),
        ];
        mend.iter().for_each(|mend| drop(world.apply(mend).unwrap()));
        let again = patched(line, &state.1);
        let code = code_of(|| world.apply(&again).map(|receipt| assert!(!receipt.replayed)));
        let fine = ["ok", "hold_closed", "limit_exceeded", "account_exists", "account_not_empty"];
        wrong.check(fine.contains(&code), || format!("{both}\n    mended: {code}"));
    } else {
        let code = code_of(|| world.apply(line).map(|receipt| assert!(!receipt.replayed)));
        wrong.check(code == "ok", || format!("{both}\n    corrected: {code}"));
    }
}
