//! Stories of recharges for later.

use chrono::{Days, Months};
use counterfoil::{AccountId, ExpiresIn, Key, Points, Recharge, SetExpiry};

use crate::support::{START, World, instant};

/// Story: a shop sold points for the next season. The one sold 200 days ahead was refused for an expiry nobody had named: 180
/// days from today, before it began. The allowance for in 30 days, to last 30 days, was booked without a word and lived for less
/// than a second. Right is that a life is counted from where it begins.
#[test]
fn a_life_is_counted_from_where_it_begins() {
    let world = World::empty();
    let (alice, start) = (AccountId::new("alice").unwrap(), instant(START));
    let later = |days: u64| start + Days::new(days);
    let mut n = 0;
    let mut ends = |effective_in: Option<u64>, expiry: Option<ExpiresIn>| {
        n += 1;
        let mut recharge = Recharge::new(Points::new(10).unwrap(), "card");
        recharge = effective_in.map_or(recharge.clone(), |days| recharge.effective_at(later(days)));
        recharge = expiry.map_or(recharge.clone(), |expiry| recharge.expires(expiry));
        let receipt = world.ledger.recharge(&alice, &Key::new(format!("order:{n}")).unwrap(), recharge).unwrap();
        receipt.batch.unwrap().expires_at.unwrap()
    };
    // The book says 180 days.
    assert_eq!(ends(Some(200), None), later(380));
    assert_eq!(ends(Some(30), Some(ExpiresIn::Days(30))), later(60));
    assert_eq!(ends(Some(30), Some(ExpiresIn::Months(1))), later(30) + Months::new(1));
    // To the end of the last day: from noon to the midnight after.
    assert_eq!(ends(Some(30), Some(ExpiresIn::DaysToEndOfDay(30, 0))), later(60) + chrono::TimeDelta::hours(12));
    // Points for now, or that could have been used before, count from now.
    assert_eq!(ends(None, Some(ExpiresIn::Days(30))), later(30));
    assert_eq!(ends(Some(0), Some(ExpiresIn::Days(30))), later(30));
    let past =
        Recharge::new(Points::new(1).unwrap(), "card").effective_at(start - Days::new(20)).expires(ExpiresIn::Days(5));
    let past = world.ledger.recharge(&alice, &Key::new("past").unwrap(), past).unwrap();
    assert_eq!(past.batch.unwrap().expires_at, Some(later(5)));
    // An instant is an instant.
    let refused =
        Recharge::new(Points::new(1).unwrap(), "card").effective_at(later(30)).expires(ExpiresIn::At(later(30)));
    let refused = world.ledger.recharge(&alice, &Key::new("dead").unwrap(), refused);
    assert_eq!(refused.unwrap_err().code(), "invalid_argument");
    // All of what is to come can be used when its day comes.
    assert_eq!(world.ledger.balance_at(&alice, later(31)).unwrap().figures.available, 50 - 10 - 10 + 10 - 10);
    assert!(world.ledger.verify().unwrap().ok);
}

/// A new expiry of a batch still to come is counted likewise; of one that can be used, from now.
#[test]
fn a_new_expiry_counts_from_the_batch() {
    let world = World::empty();
    let (alice, start) = (AccountId::new("alice").unwrap(), instant(START));
    let recharge = Recharge::new(Points::new(10).unwrap(), "card").effective_at(start + Days::new(100));
    let batch = world.ledger.recharge(&alice, &Key::new("order").unwrap(), recharge).unwrap().batch.unwrap().batch;
    let again = |key: &str| {
        let expiry = SetExpiry::new(ExpiresIn::Days(7), "goodwill");
        world.ledger.set_expiry(&batch, &Key::new(key).unwrap(), expiry).unwrap().batch.unwrap().expires_at.unwrap()
    };
    assert_eq!(again("early"), start + Days::new(107));
    world.advance(102 * 24 * 3600);
    assert_eq!(again("late"), start + Days::new(109));
    assert!(world.ledger.verify().unwrap().ok);
}
