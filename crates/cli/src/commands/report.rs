//! Commands that tell: reports over a period. The file is opened read-only.

use std::path::Path;

use counterfoil::report::StatementStep;
use counterfoil::{AccountId, Query};
use counterfoil_report::StatementPage;

use super::{Session, advice};
use crate::args::{By, ReportCommand, StatementArgs, UsedArgs};
use crate::exit::{Failure, Outcome};

pub(super) fn run(session: &mut Session, command: &ReportCommand) -> Result<Outcome, Failure> {
    match command {
        ReportCommand::Statement(args) => statement(session, args),
        ReportCommand::Usage(args) => usage(session, args),
    }
}

fn statement(session: &mut Session, args: &StatementArgs) -> Result<Outcome, Failure> {
    let (account, period, calendar) = (session.account()?, args.period.period()?, args.period.calendar());
    if let Some(path) = session.common.output.as_deref().filter(|path| !args.html && is_page(path)) {
        return Err(Failure::usage(format!("--output {}: this would be no page", path.display()), "add --html"));
    }
    let ledger = session.look()?;
    let bar = session.notes.bar("statement");
    if args.html {
        let mut page = StatementPage::new(&account).within(period).calendar(calendar);
        page = args.issuer.iter().fold(page, StatementPage::issuer);
        page = args.number.iter().fold(page, StatementPage::number);
        let done = page.write_with(&ledger, session.out.sink(), |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        done.map_err(|error| advice::nearly(&ledger, error.into()))?;
        session.out.flush()?;
    } else {
        let done = session.out.statement(&calendar, |each| {
            ledger.statement_steps(&account, &period, |step| {
                match &step {
                    StatementStep::Reading { done, lines } => {
                        bar.set_length(lines.unsigned_abs().saturating_mul(2));
                        bar.set_position(done.unsigned_abs());
                    }
                    StatementStep::Line(_) => bar.inc(1),
                    _ => {}
                }
                each(step)
            })
        });
        bar.finish_and_clear();
        done.map_err(|error| advice::nearly(&ledger, error))?;
    }
    Ok(Outcome::Done)
}

/// Whether a browser would be asked to show the file of this name.
fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|end| end.eq_ignore_ascii_case("html") || end.eq_ignore_ascii_case("htm"))
}

fn usage(session: &mut Session, args: &UsedArgs) -> Result<Outcome, Failure> {
    let account = session.one_or_all(args.all_accounts)?;
    let asked = Query::new().within(args.period.period()?).per_account(args.per_account);
    let asked = match args.by {
        By::Service => asked,
        By::Day => asked.by_day(args.period.calendar()),
        By::Month => asked.by_month(args.period.calendar()),
    };
    let question = asked.question("usage").with("service", args.service.clone());
    let question = question.with("account", account.as_ref().map(AccountId::as_str));
    let ledger = session.look()?;
    let any = session.out.usage(args.by != By::Service, args.per_account, &ledger, &question)?;
    if !any {
        let like = |service| advice::service_like(&ledger, account.as_ref(), service);
        let near = args.service.as_deref().map(like).transpose()?.flatten();
        session.notes.note(&match (session.unknown_one(&ledger, account.as_ref())?, near, &account) {
            (Some(unknown), ..) => unknown,
            (None, Some(near), _) => format!("nothing was used; did you mean `{near}`?"),
            (None, None, Some(account)) => format!("`{account}` used nothing; --all-accounts looks at all"),
            (None, None, None) => "nothing was used".into(),
        });
    }
    Ok(Outcome::Done)
}
