//! What the ledger itself tells: who writes it, its clock, its price book, who is in debt, what is due.

use super::{Circumstances, Finding, Level, several};
use crate::engine::{LedgerTime, ledger_time};
use crate::error::{Error, Result};
use crate::model::{AccountRow, ClockMark, LedgerRow};
use crate::pricing::PriceBook;
use crate::report::Look;
use crate::store::{self, BookCache, Session, SqlSource};
use crate::units::{Instant, Reading};

/// Accounts read at a time.
const PAGE: usize = 512;
/// How many of the newest operations are searched for the use of a price book.
const REACH: i64 = 100_000;
/// So many of those deepest in debt are named.
const NAMED: usize = 3;
/// A price book last used longer ago has perhaps been forgotten.
const OLD_BOOK: i64 = 180 * 24 * 3600 * 1000;

/// Hands over what is found, until something cannot be read.
pub(super) fn findings(session: &Session<'_>, with: &Circumstances, tell: &mut dyn FnMut(Finding)) -> Result<()> {
    let ledger = session.ledger()?;
    tell(identity(&ledger));
    let cache = BookCache::default();
    let LedgerTime { at: time, mark, .. } = ledger_time(&SqlSource::new(session, &cache), &ledger, with.reading, None)?;
    tell(clock(&ledger, with.reading, mark));
    tell(price_book(session, &ledger, with.reading.at, with.book.as_ref().map(Option::as_ref))?);
    let writers = store::writers(session)?;
    let look = Look::new(session, &cache, &writers, with.reading)?;
    let walk = walk(session, &look, time)?;
    tell(debts(&walk));
    tell(due(&walk));
    Ok(())
}

fn identity(ledger: &LedgerRow) -> Finding {
    let (_, writer) = ledger.writer;
    let booked = several(ledger.length, "operation", "operations");
    let found = format!("{booked} since {}; device {}, epoch {}", ledger.created_at, writer.device, writer.epoch);
    Finding::ok("ledger", found)
}

fn clock(ledger: &LedgerRow, reading: Reading, mark: ClockMark) -> Finding {
    let (now, accepted) = (reading.at, ledger.clock.accepted_at);
    let ahead = now.since(accepted);
    match mark {
        ClockMark::Suspect => Finding::new(
            "clock",
            Level::Warning,
            format!(
                "suspect: it reads {now}, {} past the newest accepted reading {accepted}; time stands still there, \
                 nothing expires, and everything is booked",
                span(ahead)
            ),
            "if it is right, say so with `counterfoil confirm-clock`, or wait: readings that go on like this for clock_patience \
             are accepted; else set it",
        ),
        ClockMark::Trusted => Finding::ok("clock", format!("{now}, trusted; newest accepted reading {accepted}")),
        ClockMark::Plain if ledger.clock.behind(now) > 0 => {
            let found = format!(
                "it reads {now}, {} behind the newest accepted reading {accepted}: points expire late, and operations show a \
                 wrong time",
                span(ahead)
            );
            let impossible = now < ledger.created_at || ledger.clock.trusted_at.is_some_and(|at| now < at);
            let help = match impossible {
                true => "set the computer's clock: the time is known to be later",
                false => {
                    "if it is right, the clock was fast before: say so with `counterfoil confirm-clock`, which takes time back; \
                     else set it"
                }
            };
            Finding::new("clock", Level::Warning, found, help)
        }
        ClockMark::Plain => Finding::ok("clock", format!("{now}; newest accepted reading {accepted}")),
    }
}

/// A length of time for people, rounded down.
fn span(millis: i64) -> String {
    let seconds = millis.saturating_abs() / 1000;
    match seconds {
        172_800.. => several(seconds / 86_400, "day", "days"),
        7_200.. => several(seconds / 3_600, "hour", "hours"),
        _ => several(seconds / 60, "minute", "minutes"),
    }
}

fn price_book(
    session: &Session<'_>,
    ledger: &LedgerRow,
    now: Instant,
    named: std::result::Result<Option<&PriceBook>, &Error>,
) -> Result<Finding> {
    let named = match named {
        Ok(named) => named,
        Err(error) => {
            let help = "see every fault with `counterfoil pricing check`; until then nothing of it is in force";
            return Ok(Finding { help: Some(help.into()), ..Finding::error("price_book", error) });
        }
    };
    let Some(stored) = store::newest_price_book(session)? else {
        return Ok(match named {
            Some(_) => Finding::ok("price_book", "given, and nothing has been booked under one yet"),
            None => Finding::new(
                "price_book",
                Level::Note,
                "none: nothing has been booked under one",
                "to charge by service, give one (--pricing FILE); charging plain points needs none",
            ),
        });
    };
    let after = ledger.length.saturating_sub(REACH).max(0);
    let used = store::price_book_use(session, stored.no, after)?;
    let (usage, forgotten) = usage(used, after == 0, now);
    let found = format!("{:.12}, {usage}", stored.hash);
    match named {
        Some(book) if book.hash() != stored.hash => Ok(Finding::new(
            "price_book",
            Level::Note,
            format!("given: {:.12}, under which nothing newer is booked; newest in the ledger: {found}", book.hash()),
            "right if the prices have just changed; else give the book that is in force",
        )),
        _ if forgotten => Ok(Finding::new(
            "price_book",
            Level::Warning,
            found,
            "nothing was booked under it for long: make sure that its prices still hold, or give the book in force",
        )),
        _ => Ok(Finding::ok("price_book", found)),
    }
}

/// When a price book was used among the newest operations, or among all, and whether it has perhaps been forgotten.
fn usage(used: Option<(Instant, Instant)>, all: bool, now: Instant) -> (String, bool) {
    let Some((first, last)) = used else {
        return (format!("not used in the newest {REACH} operations"), true);
    };
    let age = now.since(last).max(0);
    let first = if all { format!("first used {first}, ") } else { String::new() };
    (format!("{first}last used {last}, {} ago", span(age)), age > OLD_BOOK)
}

/// What a walk over all accounts gathers.
#[derive(Default)]
struct Walk {
    accounts: i64,
    debtors: i64,
    debt: i64,
    /// The deepest debts, the deepest first.
    worst: Vec<(i64, String)>,
    due_accounts: i64,
    batches: i64,
    holds: i64,
    oldest_due: Option<Instant>,
}

fn walk(session: &Session<'_>, look: &Look<'_, '_>, time: Instant) -> Result<Walk> {
    let mut walk = Walk::default();
    let mut after = 0;
    loop {
        let page = store::account_page(session, after, PAGE)?;
        let Some(last) = page.last() else { return Ok(walk) };
        after = last.no;
        for row in &page {
            walk.visit(session, look, row, time)?;
        }
    }
}

impl Walk {
    fn visit(&mut self, session: &Session<'_>, look: &Look<'_, '_>, row: &AccountRow, time: Instant) -> Result<()> {
        self.accounts = self.accounts.saturating_add(1);
        let due = row.next_due_at.filter(|at| *at <= time);
        let debt = match due {
            // What became effective since may have paid it.
            Some(_) if row.balances.debt > 0 => look.balance(&row.id, None)?.figures.debt,
            _ => row.balances.debt,
        };
        if debt > 0 {
            self.debtors = self.debtors.saturating_add(1);
            self.debt = self.debt.saturating_add(debt);
            let place = self.worst.partition_point(|(other, _)| *other >= debt);
            if place < NAMED {
                self.worst.insert(place, (debt, row.id.to_string()));
                self.worst.truncate(NAMED);
            }
        }
        if let Some(at) = due {
            let (batches, holds) = store::overdue(session, row.no, time)?;
            self.due_accounts = self.due_accounts.saturating_add(1);
            self.batches = self.batches.saturating_add(batches);
            self.holds = self.holds.saturating_add(holds);
            self.oldest_due = Some(self.oldest_due.map_or(at, |oldest| oldest.min(at)));
        }
        Ok(())
    }
}

fn debts(walk: &Walk) -> Finding {
    let accounts = several(walk.accounts, "account", "accounts");
    if walk.debtors == 0 {
        return Finding::ok("debts", format!("no debt in {accounts}"));
    }
    let worst: Vec<String> = walk.worst.iter().map(|(debt, account)| format!("{account} {debt}")).collect();
    let found =
        format!("{} of {accounts} in debt, {} points in all; most: {}", walk.debtors, walk.debt, worst.join(", "));
    let help =
        "a recharge settles debt first, `counterfoil write-off` forgives it; see `counterfoil history -a ACCOUNT`";
    Finding::new("debts", Level::Note, found, help)
}

fn due(walk: &Walk) -> Finding {
    let Some(oldest) = walk.oldest_due else {
        return Finding::ok("due", "everything that fell due is booked");
    };
    let found = format!(
        "in {}, since {oldest}, not booked yet: {} past their expiry, {} past their deadline",
        several(walk.due_accounts, "account", "accounts"),
        several(walk.batches, "batch", "batches"),
        several(walk.holds, "hold", "holds"),
    );
    let help =
        "balances count it all the same; `counterfoil expire` books it now, else each account's next operation does";
    Finding::new("due", Level::Note, found, help)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regression: a price book that none of the newest 100 000 operations used was said to be well.
    #[test]
    fn a_price_book_out_of_use_is_doubted() {
        let day = OLD_BOOK / 180;
        let at = |days: i64| Instant::clamped(1_800_000_000_000 + days * day);
        let told = |used, all| usage(used, all, at(200));
        assert_eq!(told(None, false), ("not used in the newest 100000 operations".into(), true));
        let (text, forgotten) = told(Some((at(3), at(19))), false);
        assert!(forgotten && text.starts_with("last used ") && text.ends_with(", 181 days ago"), "{text}");
        let (text, forgotten) = told(Some((at(3), at(20))), true);
        assert!(!forgotten && text.starts_with("first used ") && text.ends_with(", 180 days ago"), "{text}");
    }
}
