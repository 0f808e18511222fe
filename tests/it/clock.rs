//! Clocks that are wrong: what an operation does under them, and the way back.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use counterfoil::{AccountId, Clock, Consume, Key, Points, Recharge};

use crate::support::{START, folder, instant, options};

/// The battery of a kiosk was flat: its clock said 1960, and the charge panicked. Such a clock counts as 1970, and the
/// work is booked as always.
#[test]
fn a_clock_before_1970_counts_as_1970() {
    struct Flat;
    impl Clock for Flat {
        fn now(&self) -> DateTime<Utc> {
            instant("1960-01-01T00:00:00Z")
        }
    }
    let (folder, me) = (folder(), AccountId::new("me").unwrap());
    let path = folder.path().join("flat.ledger");
    let clock = counterfoil::ManualClock::at(START).unwrap();
    let ledger = options(&clock).create(&path).unwrap();
    let bought = Recharge::new(Points::new(10).unwrap(), "wxpay");
    let bought = ledger.recharge(&me, &Key::new("1").unwrap(), bought).unwrap();
    ledger.close().unwrap();
    let ledger = options(&clock).clock(Arc::new(Flat)).open(&path).unwrap();
    let used = ledger.consume(&me, &Key::random(), Consume::points(Points::new(1).unwrap())).unwrap();
    assert_eq!((used.recorded_at, used.booked_at), (DateTime::UNIX_EPOCH, bought.booked_at));
    assert_eq!(used.balance.available, 9);
    assert!(ledger.verify().unwrap().ok);
}
