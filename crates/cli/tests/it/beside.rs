//! The command beside a running app: an app charges without a pause while the command charges the same file. Neither
//! starves, and nobody is told `busy`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use counterfoil::{AccountId, Consume, Key, Ledger, Points};

use super::home::Home;

#[test]
fn the_command_charges_while_an_app_charges() {
    let home = Home::new();
    home.run("recharge 1000000 -a alice --source test --key first").ok();
    let app = Ledger::open(home.path("points.ledger")).unwrap();
    let alice = AccountId::new("alice").unwrap();
    let (done, charged) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let n = charged.fetch_add(1, Ordering::SeqCst);
                app.consume(&alice, &Key::new(format!("app:{n}")).unwrap(), Consume::points(Points::new(1).unwrap()))
                    .unwrap();
            }
        });
        for n in 0..25 {
            home.run(&format!("consume 2 -a alice --key cli:{n}")).ok();
            // The look commands work beside it too.
            home.run("balance -a alice").ok();
        }
        done.store(true, Ordering::SeqCst);
    });
    let charged = i64::try_from(charged.into_inner()).unwrap();
    assert!(charged >= 25, "the app charged {charged} times beside 25 of the command");
    let left = app.balance(&alice).unwrap().figures.available;
    assert_eq!(left, 1_000_000 - charged - 25 * 2);
    assert!(app.verify().unwrap().ok);
}
