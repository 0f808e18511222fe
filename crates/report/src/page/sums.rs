//! What is at the top: the figures, how they add up, and what was used.

use counterfoil::answer::AccountState;
use counterfoil::report::{Statement, UsageLine};

use super::words::{self, free, points, signed};
use crate::causes::causes;

/// One of the five figures.
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) opening: String,
    pub(super) closing: String,
    pub(super) change: String,
}

pub(super) fn figures(statement: &Statement) -> Vec<Figure> {
    let (opening, closing) = (&statement.opening, &statement.closing);
    let figure = |name, meaning, before: i64, after: i64| Figure {
        name,
        meaning,
        opening: points(before),
        closing: points(after),
        change: signed(after.saturating_sub(before)),
    };
    vec![
        figure("Available", "can be spent", opening.available.get(), closing.available.get()),
        figure("Held", "set aside for work in progress", opening.held.get(), closing.held.get()),
        figure("Pending", "recharged, not usable yet", opening.pending.get(), closing.pending.get()),
        figure("Debt", "used, not paid yet", opening.debt.get(), closing.debt.get()),
        figure("Net", "available less debt", opening.net, closing.net),
    ]
}

/// A line of the sum.
pub(super) struct Sum {
    pub(super) name: String,
    pub(super) value: i64,
    pub(super) text: String,
    pub(super) total: bool,
}

/// From the opening to the closing net, by cause. What was only set aside or is not usable yet has left net as well.
pub(super) fn sums(statement: &Statement) -> Vec<Sum> {
    let (opening, closing) = (&statement.opening, &statement.closing);
    let total = |name: &str, n| Sum { name: name.into(), value: n, text: points(n), total: true };
    let causes = causes(&statement.totals, &statement.change()).into_iter();
    let causes = causes.map(|(name, value)| Sum { name: capital(name), value, text: signed(value), total: false });
    let mut sums = vec![total("Net at the beginning", opening.net)];
    sums.extend(causes);
    sums.push(total("Net at the end", closing.net));
    sums
}

fn capital(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().into_iter().flat_map(char::to_uppercase).chain(rest).collect()
}

pub(super) fn headline(statement: &Statement) -> (&'static str, String) {
    if statement.closing.debt > 0 {
        ("in debt", points(statement.closing.debt))
    } else {
        ("available", points(statement.closing.available))
    }
}

/// What a reader must know before believing the figures.
pub(super) fn notices(statement: &Statement, due: bool) -> Vec<String> {
    let mut said = Vec::new();
    match statement.state {
        Some(AccountState::Frozen) => {
            said.push("The account is frozen: nothing can be spent until it is unfrozen.".into());
        }
        Some(AccountState::Closed) => said.push("The account is closed.".into()),
        _ => {}
    }
    if statement.to.is_some_and(|to| to > statement.as_of) {
        said.push("The period has not ended yet: more lines may follow.".into());
    }
    if due {
        said.push("Lines marked “due” have happened and will be written to the ledger with its next change.".into());
    }
    // What is true of the moment has no place on the page of a period that is over.
    if statement.clock_suspect && statement.end() == statement.as_of {
        said.push("The clock of the machine is not believed at present: nothing expires until it is set right.".into());
    }
    if statement.clock_behind > 0 && statement.end() == statement.as_of {
        said.push("The clock of the machine is behind the newest time in the ledger.".into());
    }
    said
}

/// What was used, by service.
pub(super) struct Usage {
    pub(super) rows: Vec<UsageRow>,
    /// Of several rows.
    pub(super) total: Option<UsageRow>,
}

/// What one service was used for.
pub(super) struct UsageRow {
    pub(super) service: String,
    pub(super) uses: String,
    pub(super) quantity: String,
    pub(super) points: String,
    pub(super) refunded: Option<String>,
    /// Points less what was refunded.
    pub(super) rest: String,
    /// Its part of the largest, in tenths of a percent as CSS writes them.
    pub(super) part: String,
}

impl Usage {
    pub(super) fn new(lines: &[UsageLine]) -> Self {
        let largest = lines.iter().map(|line| line.points).max().unwrap_or(0);
        let row = |service: String, quantity: String, uses, used: i64, refunded: i64| UsageRow {
            service,
            uses: points(uses),
            quantity,
            points: points(used),
            refunded: (refunded != 0).then(|| points(refunded)),
            rest: points(used.saturating_sub(refunded)),
            part: percent(used, largest),
        };
        let named = |line: &UsageLine| line.service.as_deref().map_or_else(|| "without a service".into(), free);
        let rows = lines
            .iter()
            .map(|line| row(named(line), quantity(line, lines), line.uses, line.points, line.refunded))
            .collect();
        let sum = |figure: fn(&UsageLine) -> i64| lines.iter().map(figure).fold(0, i64::saturating_add);
        let total = || row("Total".into(), String::new(), sum(|l| l.uses), sum(|l| l.points), sum(|l| l.refunded));
        Usage { rows, total: (lines.len() > 1).then(total) }
    }
}

/// How much of a service was used. One that was used with and without a quantity has a line for each.
fn quantity(line: &UsageLine, lines: &[UsageLine]) -> String {
    match (&line.quantity, &line.unit) {
        (Some(quantity), unit) => words::amount(quantity, unit.as_deref()),
        _ if lines.iter().any(|other| other.service == line.service && other.quantity.is_some()) => "none given".into(),
        _ => "\u{2013}".into(),
    }
}

/// `part` of `whole`, as CSS writes it.
pub(super) fn percent(part: i64, whole: i64) -> String {
    let tenths = i128::from(part).saturating_mul(1000).checked_div(whole.into()).unwrap_or(0).clamp(0, 1000);
    format!("{}.{}%", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stay_between_nothing_and_all() {
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!(percent(9_000_000_000_000_000, 9_000_000_000_000_000), "100.0%");
        assert_eq!(percent(5, 0), "0.0%");
        assert_eq!(percent(-5, 10), "0.0%");
    }
}
