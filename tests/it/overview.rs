//! `overview`: a wallet's page, all of one instant.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use counterfoil::clock::{Clock, ManualClock};
use counterfoil::{AccountId, Options, Query};

use crate::support::{World, sample, situations};

fn id(account: &str) -> AccountId {
    AccountId::new(account).unwrap()
}

/// A clock that is a second further whenever somebody looks.
#[derive(Debug)]
struct Running(ManualClock);

impl Clock for Running {
    fn now(&self) -> DateTime<Utc> {
        let now = self.0.now();
        self.0.advance(Duration::from_secs(1));
        now
    }
}

/// A wallet's page asked for the balance and then for the batches, between which one expired: it showed 50 points, and no batch
/// that had them.
#[test]
fn figures_and_lists_are_of_one_instant() {
    let mut world = World::empty();
    world.must(
        "",
        r#"{"op":"recharge","account":"a","key":"1","points":50,"source":"x","expires_at":"2027-01-10T12:01:00Z"}"#,
    );
    world.must("", r#"{"op":"hold","account":"a","key":"2","points":20,"deadline_seconds":3600}"#);
    let clock = ManualClock::at("2027-01-10T12:00:50Z").unwrap();
    let running = Options::default().read_only(true).clock(Arc::new(Running(clock.clone())));
    let ledger = running.open(world.ledger.path()).unwrap();
    let (a, all) = (id("a"), Query::new());
    let (mut before, mut after) = (0, 0);
    for _ in 0..20 {
        let page = ledger.overview(&a, &all).unwrap();
        let figures = page.balance.figures;
        let remaining: i64 = page.batches.items.iter().map(|batch| batch.remaining.get()).sum();
        let held: i64 = page.holds.items.iter().map(|hold| hold.points.get()).sum();
        assert_eq!((figures.available.get(), figures.held.get()), (remaining, held), "{page:?}");
        assert_eq!(page.history.items[0].after.available, figures.available);
        if remaining > 0 { before += 1 } else { after += 1 }
    }
    assert!(before > 0 && after > 0, "the batch did not expire between");
    // What it was like: each verb reads the clock anew.
    let torn = ["2027-01-10T12:00:50Z", "2027-01-10T12:00:51Z"].iter().any(|begin| {
        clock.set(begin.parse().unwrap());
        (0..10).any(|_| {
            let (balance, batches) = (ledger.balance(&a).unwrap(), ledger.batches(&a, &all).unwrap().items);
            balance.figures.available > 0 && batches.iter().all(|batch| batch.remaining == 0)
        })
    });
    assert!(torn);
}

#[test]
fn it_is_what_the_verbs_say_and_bounded() {
    let world = World::copy(situations(), Some(sample()));
    let ledger = &world.ledger;
    let newest = Query::new().newest_first(true);
    for balance in ledger.accounts(&Query::new()).unwrap().items {
        let account = &balance.account;
        let page = ledger.overview(account, &Query::new()).unwrap();
        assert_eq!(page.balance, balance);
        assert_eq!(page.batches, ledger.batches(account, &Query::new()).unwrap());
        assert_eq!(page.holds, ledger.holds(account, &Query::new()).unwrap());
        assert_eq!(page.plans, ledger.plans(account, &Query::new()).unwrap());
        assert_eq!(page.history, ledger.history(account, &newest).unwrap());
        let first = ledger.overview(account, &Query::new().limit(1)).unwrap();
        assert_eq!(first.history, ledger.history(account, &newest.clone().limit(1)).unwrap());
        assert!(first.batches.items.len() <= 1 && first.holds.items.len() <= 1 && first.plans.items.len() <= 1);
    }
    let nobody = ledger.overview(&id("nobody"), &Query::new()).unwrap();
    assert!(!nobody.balance.exists && nobody.history.items.is_empty());
    let error = ledger.overview(&id("rich"), &Query::new().after("1")).unwrap_err();
    assert!(error.to_string().contains("`overview` has no field `after`"), "{error}");
}
