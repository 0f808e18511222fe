//! What a device's books say of what its hub told.

use counterfoil::report::StepKind;
use counterfoil::{AccountId, EntryKind, Period, Query};

use super::arrived::{Kiosk, Office, policy};
use super::must;
use super::replied::{exchange, hub_recharges};

fn card() -> AccountId {
    AccountId::new("card").unwrap()
}

/// A kiosk charged on credit; at the office the card was recharged, charged and held of. Then the kiosk charged once more.
fn scene() -> (Office, Kiosk) {
    let office = Office::new();
    let kiosk = office.kiosk("kiosk", &policy());
    kiosk.consume("card", "1", 30);
    hub_recharges(&office, "card", "1", 100);
    must(&office.hub, r#"{"op":"consume","account":"card","key":"office","points":7}"#);
    must(&office.hub, r#"{"op":"hold","account":"card","key":"job","points":5,"deadline_seconds":3600}"#);
    let later = r#"{"op":"recharge","account":"card","key":"later","points":11,"source":"wxpay","effective_at":"2027-02-01T00:00:00Z","expires_at":"never"}"#;
    must(&office.hub, later);
    exchange(&office, &kiosk);
    kiosk.consume("card", "2", 3);
    (office, kiosk)
}

/// An operator asked a kiosk why points were gone, and what its hub had told it. Both times the answer was that the file was damaged.
#[test]
fn what_the_hub_told_is_explained() {
    let (_office, kiosk) = scene();
    let ledger = &kiosk.ledger;
    let entries = ledger.history(&card(), &Query::new()).unwrap().items;
    let told = entries.iter().find(|entry| entry.kind == EntryKind::Reconcile).unwrap();
    let explained = ledger.explain(&told.operation.unwrap()).unwrap();
    let [side] = explained.sides.as_slice() else { panic!("{explained:?}") };
    assert_eq!((side.before.net, side.after.net, side.after.held.get(), side.after.pending.get()), (-30, 58, 5, 11));
    let elsewhere = side.elsewhere.as_ref().unwrap();
    // Its own charge is in both.
    assert_eq!((elsewhere.recharged, elsewhere.consumed), (111, 7));
    for entry in &entries {
        ledger.explain(&entry.operation.unwrap()).unwrap();
    }
    let missing = ledger.explain_missing(&card(), &Period::default(), 10).unwrap();
    assert_eq!((missing.reconciled.points, missing.spent.points, missing.settled.points), (74, 3, 0));
    let figures = (missing.closing.available.get(), missing.held.points, missing.pending.points);
    assert_eq!(figures, (55, 5, 11));
    let equation = missing.reconciled.points - missing.spent.points - missing.held.points - missing.pending.points;
    assert_eq!(equation, missing.closing.available.get(), "{missing:?}");
}

#[test]
fn a_batch_of_the_hub_has_a_life_here() {
    let (office, kiosk) = scene();
    let batches = kiosk.ledger.batches(&card(), &Query::new()).unwrap().items;
    assert_eq!(batches.len(), 2);
    for batch in &batches {
        assert!(office.hub.explain_batch(&batch.batch).is_ok(), "it has the hub's name");
        let life = kiosk.ledger.explain_batch(&batch.batch).unwrap();
        assert!(life.steps.iter().any(|step| step.what == StepKind::Reconciled), "{life:?}");
    }
    let life = kiosk.ledger.explain_batch(&batches[0].batch).unwrap();
    assert_eq!((life.batch.amount.get(), life.batch.remaining.get(), life.batch.held.get()), (100, 55, 5));
    let held = life.steps.iter().find(|step| step.what == StepKind::Held);
    assert_eq!(
        life.uses.iter().map(|step| step.points.get()).sum::<i64>(),
        3,
        "of its own it knows what they paid: {held:?}"
    );
}
