//! `export`: the books for other programs.

use counterfoil_report::{Export, FORMATS, View};

use super::{Session, advice};
use crate::args::{ExportArgs, ExportView, Format};
use crate::exit::{Failure, Outcome};

pub(super) fn run(session: &mut Session, args: &ExportArgs) -> Result<Outcome, Failure> {
    if session.common.format() != Format::Table {
        let names = FORMATS.map(|format| format.name).join(", ");
        return Err(Failure::usage(
            "--format is not for export",
            format!("what is written is chosen by --as ({names}); for one JSON array see history"),
        ));
    }
    let view = match args.view {
        Some(_) if !args.target.has_view => {
            let sided: Vec<&str> = FORMATS.iter().filter(|format| format.has_view).map(|format| format.name).collect();
            let help = format!("leave it out: {} gives the entries as they are", args.target.name);
            return Err(Failure::usage(format!("--view is for {}", sided.join(" and ")), help));
        }
        Some(ExportView::Holder) => View::Holder,
        Some(ExportView::Issuer) | None => View::Issuer,
    };
    let account = session.one_or_all(args.all_accounts)?;
    let export = Export::new(args.target).view(view).within(args.period.period()?).calendar(args.period.calendar());
    let ledger = session.look()?;
    // The environment named it: what lacks all others should not pass for the whole.
    if let Some(account) = account.as_ref().filter(|_| session.common.account.is_none()) {
        session.notes.note(&format!("only `{account}`; --all-accounts takes all"));
    }
    let export = account.into_iter().fold(export, Export::account);
    let bar = session.notes.bar("exporting");
    let done = export.write_with(&ledger, session.out.sink(), |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    done.map_err(|error| advice::nearly(&ledger, error.into()))?;
    Ok(Outcome::Done)
}
