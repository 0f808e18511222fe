//! Every answer is read back from its JSON as it was.

use std::fmt::Debug;

use counterfoil::answer::AccountState;
use counterfoil::error::ErrorInfo;
use counterfoil::{EntryKind, Notice, OpKind, Period, Points, Query};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::support::{World, situations};

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(answer: &T) {
    let text = serde_json::to_string(answer).unwrap();
    let read: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&read, answer, "{text}");
}

#[test]
fn every_answer_can_be_read_back() {
    let world = World::copy(situations(), Some(crate::support::sample()));
    let ledger = &world.ledger;
    again(&ledger.info().unwrap());
    again(&ledger.clock().unwrap());
    again(&ledger.verify().unwrap());
    again(&ledger.usage(&Query::new().per_account(true)).unwrap());
    again(
        &ledger
            .price("tts", &counterfoil::Usage::seconds("61.2").unwrap())
            .map(|quote| (quote.points, quote.rule))
            .unwrap(),
    );
    let accounts = ledger.accounts(&Query::new().limit(2)).unwrap();
    assert!(accounts.next.is_some());
    again(&accounts);
    for balance in ledger.accounts(&Query::new()).unwrap().items {
        let id = &balance.account;
        again(&ledger.check(id, Points::new(1000).unwrap()).unwrap());
        again(&ledger.batches(id, &Query::new().all(true)).unwrap());
        again(&ledger.holds(id, &Query::new().all(true)).unwrap());
        again(&ledger.history(id, &Query::new()).unwrap());
        again(&ledger.statement(id, &Period::all()).unwrap());
        again(&ledger.explain_missing(id, &Period::all(), 1000).unwrap());
        for batch in ledger.batches(id, &Query::new().all(true)).unwrap().items {
            again(&ledger.explain_batch(&batch.batch).unwrap());
        }
    }
    let operations = ledger.info().unwrap().operations;
    for sequence in 1..=operations {
        let id = ledger.operation_id(sequence).unwrap();
        again(&ledger.operation(&id).unwrap());
        again(&ledger.allocations(&id).unwrap());
        again(&ledger.explain(&id).unwrap());
    }
}

#[test]
fn receipts_notices_and_errors_can_be_read_back() {
    let mut world = World::empty();
    let mut watch = world.ledger.watch().unwrap();
    again(
        &world.must("", r#"{"op":"recharge","account":"a","key":"1","points":5,"source":"gift","expires_at":"never"}"#),
    );
    let told: Notice = watch.wait().unwrap();
    again(&told);
    let error = world.apply(&json!({"op": "consume", "account": "a", "key": "2", "points": 9, "policy": "strict"}));
    let error = error.unwrap_err();
    let read: ErrorInfo = serde_json::from_value(json!(error)).unwrap();
    assert_eq!(read, ErrorInfo::from(&error));
    again(&read);
}

/// A program in Rust sent what it was answered to its other half, which could not read all of it back.
#[test]
fn whatever_is_written_can_be_read() {
    fn readable<T: Serialize + DeserializeOwned>() {}
    use counterfoil::*;
    readable::<(AccountId, Key, Points, OperationId, BatchId, HoldId, PlanId, answer::Hash)>();
    readable::<(Receipt, Balance, Entry, Quote)>();
    readable::<(answer::Held, answer::BatchInfo, answer::HoldInfo, answer::PlanInfo)>();
    readable::<(Request, Question, Metadata, Notice, notice::Changed, notice::Change, notice::LowBalance)>();
    readable::<(answer::Check, answer::Verification, answer::Closing, answer::ExpireReport, answer::NewValue)>();
    readable::<(report::Statement, report::Missing, report::Explanation, report::BatchLife, report::UsageLine)>();
    readable::<(report::Info, report::ClockInfo, report::OperationInfo, report::PaidOperation)>();
    readable::<(diagnosis::Diagnosis, diagnosis::Finding, diagnosis::Fact, error::ErrorInfo)>();
    readable::<(pricing::Priced, pricing::ServiceRule, pricing::PricingFault, quantity::Quantity)>();
    readable::<(EntryKind, OpKind, answer::Place, answer::AccountState, answer::BatchState, answer::HoldState)>();
}

#[test]
fn kinds_are_their_words() {
    for kind in EntryKind::ALL {
        again(kind);
        assert_eq!((json!(kind), kind.to_string()), (json!(kind.as_str()), kind.as_str().to_string()));
        assert_eq!(*kind, kind.as_str());
    }
    OpKind::ALL.iter().for_each(again);
    AccountState::ALL.iter().for_each(again);
    let unknown = serde_json::from_str::<AccountState>("\"asleep\"").unwrap_err().to_string();
    assert!(unknown.contains("asleep") && unknown.contains("frozen"), "{unknown}");
}
