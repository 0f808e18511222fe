//! counterfoil's side of every comparison: its public API and nothing else.

use std::path::Path;

use counterfoil::batch::Whole;
use counterfoil::{AccountId, Consume, Durability, Key, Ledger, Points, Receipt, Recharge, Request, Result};

/// Enough for every charge of a run.
pub(crate) const PLENTY: i64 = 1_000_000_000_000;

/// The account that is charged where nothing else is said.
pub(crate) const ACCOUNT: &str = "alice";

pub(crate) fn account() -> AccountId {
    AccountId::new(ACCOUNT).unwrap()
}

/// Opens a ledger, making it if there is none.
pub(crate) fn open(path: &Path, durability: Durability) -> Ledger {
    Ledger::options().create_if_missing(true).durability(durability).open(path).unwrap()
}

/// Makes a file with one account and `batches` batches of a million million points.
pub(crate) fn create(path: &Path, account: &str, batches: usize) {
    let ledger = open(path, Durability::Relaxed);
    let one = request("recharge", account).with("points", PLENTY).with("source", "bench");
    // What expires in one instant is added up by a balance: how much that is must not depend on how fast this machine books.
    let batch = |n: usize| one.clone().with("key", format!("order:{n:014}")).with("expires_in_days", n + 180);
    let many: Vec<Request> = (0..batches).map(batch).collect();
    book(&ledger, &many);
    ledger.close().unwrap();
}

/// A request to add a key and more to.
pub(crate) fn request(op: &str, account: &str) -> Request {
    Request::parse(&format!("{{\"op\":\"{op}\"}}")).unwrap().with("account", account)
}

/// A charge of one point, for a batch.
pub(crate) fn charge_request(account: &AccountId, key: &str) -> Request {
    Consume::points(Points::new(1).unwrap()).on(account, &Key::new(key).unwrap())
}

/// A charge of one point.
pub(crate) fn charge(ledger: &Ledger, account: &AccountId, key: &str) -> Result<Receipt> {
    ledger.consume(account, &Key::new(key)?, Consume::points(Points::new(1)?))
}

/// A recharge that pays for everything to come.
pub(crate) fn recharge(ledger: &Ledger, account: &AccountId, key: &str) {
    ledger.recharge(account, &Key::new(key).unwrap(), Recharge::new(Points::new(PLENTY).unwrap(), "bench")).unwrap();
}

/// Operations in one transaction, however long it takes: callgrind makes the time that bounds a group meaningless.
pub(crate) fn together(ledger: &Ledger, operations: Vec<Request>) -> Vec<Result<Receipt>> {
    let lines: Vec<(u64, Request)> = (1..).zip(operations).collect();
    let answers = ledger.batch_run().apply_whole(&lines, Whole::Atomic).unwrap();
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Books many operations, a thousand at a time, all of which must succeed.
pub(crate) fn book(ledger: &Ledger, operations: &[Request]) {
    for some in operations.chunks(1_000) {
        for answer in ledger.batch(some) {
            answer.unwrap();
        }
    }
}

/// A key of 20 bytes in order of `n`; `series` keeps runs apart.
pub(crate) fn key(series: u64, n: u64) -> String {
    format!("job:{series:05}:{n:010}")
}
