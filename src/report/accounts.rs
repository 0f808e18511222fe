//! The list of accounts, and which of them to give.

use super::lists::{READ, collect};
use super::{Look, PASSED_OVER};
use crate::engine::Source;
use crate::error::Result;
use crate::model::{AccountId, AccountRow, Balance, Filter, Page};
use crate::store;

impl Look<'_, '_> {
    /// The accounts after one, or this one alone.
    fn rows_of(&self, id: Option<&AccountId>, after: i64) -> impl Iterator<Item = Result<AccountRow>> {
        let one = id.and_then(|id| self.source.account_by_id(id).transpose());
        let one = one.filter(|row| row.as_ref().map_or(true, |row| row.no > after));
        let all = id.is_none().then(|| store::accounts(self.session, after, READ));
        one.into_iter().chain(all.into_iter().flatten())
    }

    /// Accounts with their balances, in order of opening.
    pub(crate) fn accounts(&self, query: &Filter) -> Result<Page<Balance>> {
        let (states, expiring) = (&query.states, query.expiring);
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
            query,
            PASSED_OVER,
            |after| self.rows_of(query.account.as_ref(), after),
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
