//! Fills a file with charges, in batches, and goes on where an earlier run stopped.

use std::path::Path;

use counterfoil::{AccountId, Durability, Key, Ledger, Request};

use super::ours;

/// Accounts the charges go to in turn.
pub(crate) const ACCOUNTS: u64 = 100;
/// Charges in one call of `batch`.
const TOGETHER: u64 = 1_000;

/// Whose keys a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// `Key::random()`: in order of time.
    Minted,
    /// 20 bytes without any order.
    Random,
}

impl Keys {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "minted" => Some(Keys::Minted),
            "random" => Some(Keys::Random),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Keys::Minted => "minted",
            Keys::Random => "random",
        }
    }

    /// The key of the `n`th operation of a file; the same `n` gives the same random key, so no `n` may come twice.
    pub(crate) fn nth(self, n: u64) -> String {
        match self {
            Keys::Minted => Key::random().as_str().to_string(),
            Keys::Random => blake3::hash(&n.to_le_bytes()).to_hex()[..20].to_string(),
        }
    }
}

pub(crate) fn account(n: u64) -> String {
    format!("account {:02}", n % ACCOUNTS)
}

/// An account whose batches are due.
#[allow(dead_code, reason = "for the ratios")]
pub(crate) fn due_account(n: u64) -> String {
    format!("due {n:08}")
}

pub(crate) fn account_id(n: u64) -> AccountId {
    AccountId::new(account(n)).unwrap()
}

/// A file being filled.
#[derive(Debug)]
pub(crate) struct Filling {
    pub(crate) ledger: Ledger,
    keys: Keys,
    operations: u64,
}

impl Filling {
    /// Opens the file, making it if there is none.
    pub(crate) fn open(path: &Path, keys: Keys) -> Self {
        let ledger = ours::open(path, Durability::Relaxed);
        let operations = u64::try_from(ledger.info().unwrap().operations).unwrap();
        Filling { ledger, keys, operations }
    }

    /// Says that others have booked so many more.
    #[allow(dead_code, reason = "for the growth bench")]
    pub(crate) fn booked(&mut self, more: u64) {
        self.operations += more;
    }

    /// Charges that are in the file.
    #[allow(dead_code, reason = "for the growth bench")]
    pub(crate) fn charges(&self) -> u64 {
        self.operations.saturating_sub(ACCOUNTS)
    }

    /// Books what is missing to `charges`, at most one batch; false when there is nothing left to do.
    pub(crate) fn step(&mut self, charges: u64) -> bool {
        let end = charges + ACCOUNTS;
        if self.operations >= end {
            return false;
        }
        // The operation's own number makes it: so a run that was killed is continued without a trace.
        let until = if self.operations < ACCOUNTS { ACCOUNTS } else { end.min(self.operations + TOGETHER) };
        let some: Vec<Request> = (self.operations..until).map(|n| self.operation(n)).collect();
        ours::book(&self.ledger, &some);
        self.operations = until;
        true
    }

    fn operation(&self, n: u64) -> Request {
        if n < ACCOUNTS {
            return ours::request("recharge", &account(n))
                .with("key", format!("order:{n}"))
                .with("points", ours::PLENTY)
                .with("source", "bench");
        }
        ours::charge_request(&account_id(n), &self.keys.nth(n))
    }
}
