//! The list of accounts, and which of them to give.

use chrono::{DateTime, Utc};

use super::lists::{READ, collect};
use super::{Listing, Look, PASSED_OVER, Page};
use crate::engine::Source;
use crate::error::{Error, Result};
use crate::model::{AccountId, AccountRow, AccountState, Balance};
use crate::store;
use crate::units::Instant;

/// Which accounts to give: those that fit all that is asked.
///
/// A page may hold fewer accounts than its limit, or none, and still have a `next`: ten thousand accounts that do not
/// fit end it too.
///
/// ```
/// let query = counterfoil::AccountQuery::new().in_debt(true).matching("kiosk-*").limit(20);
/// ```
#[derive(Debug, Clone, Default)]
pub struct AccountQuery {
    account: Option<AccountId>,
    in_debt: bool,
    states: Vec<String>,
    expiring: Option<DateTime<Utc>>,
    pattern: Option<Vec<char>>,
    listing: Listing,
}

impl AccountQuery {
    /// All accounts, 100 a page.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this account.
    #[must_use]
    pub fn account(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    /// Only accounts in debt.
    #[must_use]
    pub fn in_debt(mut self, in_debt: bool) -> Self {
        self.in_debt = in_debt;
        self
    }

    /// Only accounts in this state: `active`, `frozen` or `closed` (several: any of them).
    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.states.push(state.into());
        self
    }

    /// Only accounts with points left that expire at or before an instant, as in [`Ledger::expiring`](crate::Ledger::expiring).
    #[must_use]
    pub fn expiring(mut self, before: DateTime<Utc>) -> Self {
        self.expiring = Some(before);
        self
    }

    /// Only accounts whose whole id fits a pattern: `*` stands for any text, `?` for any one character.
    #[must_use]
    pub fn matching(mut self, pattern: &str) -> Self {
        self.pattern = Some(pattern.chars().collect());
        self
    }

    /// At most so many accounts (at least one).
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.listing = self.listing.limit(limit);
        self
    }

    /// Begin after the page whose `next` this is.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<String>) -> Self {
        self.listing = self.listing.after(cursor);
        self
    }

    fn states(&self) -> Result<Vec<AccountState>> {
        let known = |name: &String| {
            AccountState::from_text(name).ok_or_else(|| {
                Error::invalid("state", format!("there is no state `{name}`"), "use one of active, frozen, closed")
            })
        };
        self.states.iter().map(known).collect()
    }
}

impl Look<'_, '_> {
    /// Accounts with their balances, in order of opening.
    pub(crate) fn accounts(&self, query: &AccountQuery) -> Result<Page<Balance>> {
        let states = query.states()?;
        let expiring = query.expiring.map(|before| Instant::from_utc("expiring", before)).transpose()?;
        // Time does not change a state, makes no debt, and lets nothing expire before something is due; the way back from a wrong
        // time may reopen an account, and bring points back.
        let may_fit = |row: &AccountRow| {
            let turns = row.turns(&self.clock, self.time);
            (turns || states.is_empty() || states.contains(&row.state))
                && (!query.in_debt || row.balances.debt > 0)
                && expiring.is_none_or(|before| turns || row.next_due_at.is_some_and(|due| due <= before))
                && query.pattern.as_ref().is_none_or(|pattern| fits(pattern, row.id.as_str()))
        };
        collect(
            &query.listing,
            PASSED_OVER,
            |after| match &query.account {
                Some(id) => Ok(self.source.account_by_id(id)?.into_iter().filter(|row| row.no > after).collect()),
                None => store::account_page(self.session, after, READ),
            },
            |row| row.no,
            |row| {
                if !may_fit(&row) {
                    return Ok(None);
                }
                let mut account = self.caught_up(row, None)?;
                if let Some(before) = expiring {
                    let mut found = Vec::new();
                    self.expiring_of(&account, before, &mut found)?;
                    if found.is_empty() {
                        return Ok(None);
                    }
                }
                let (books, row, now) = (&mut account.0, &account.1, account.2);
                if !(states.is_empty() || states.contains(&row.state)) {
                    return Ok(None);
                }
                let balance = self.present(books, &row.id, row, now)?;
                Ok(Some(balance).filter(|balance| !query.in_debt || balance.figures.debt > 0))
            },
        )
    }
}

/// Whether a whole text fits a pattern. Goes back to the last `*` alone, so that no pattern takes long.
fn fits(pattern: &[char], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut place) = (0_usize, 0_usize);
    let mut star: Option<(usize, usize)> = None;
    while let Some(letter) = text.get(place) {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                at = at.saturating_add(1);
                star = Some((at, place));
            }
            (Some(wanted), _) if *wanted == '?' || wanted == letter => {
                (at, place) = (at.saturating_add(1), place.saturating_add(1));
            }
            (_, Some((after, from))) => {
                (at, place) = (after, from.saturating_add(1));
                star = Some((after, place));
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns() {
        for (pattern, text, wanted) in [
            ("alice", "alice", true),
            ("alice", "alice2", false),
            ("ali*", "alice", true),
            ("*ice", "alice", true),
            ("a*c*", "alice", true),
            ("a?ice", "alice", true),
            ("a?ice", "aice", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "東", true),
            ("**b", "aab", true),
            ("*ab", "aaab", true),
            ("*ab*", "aaa", false),
            ("a*", "*", false),
        ] {
            let pattern: Vec<char> = pattern.chars().collect();
            assert_eq!(fits(&pattern, text), wanted, "{pattern:?} {text}");
        }
        let hostile: Vec<char> = "*a".repeat(60).chars().chain(['b']).collect();
        assert!(!fits(&hostile, &"a".repeat(128)));
    }
}
