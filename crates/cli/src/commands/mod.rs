//! What the commands do, through the public API of the library alone.

mod advice;
mod allot;
mod arrivals;
mod batch;
mod care;
mod change;
mod evidence;
mod explain;
mod export;
mod guide;
mod hub;
mod look;
mod pricing;
mod remedy;
mod report;
mod sync;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use counterfoil::answer::Answer;
use counterfoil::pricing::PriceBook;
use counterfoil::{AccountId, Error, Ledger, Options, Question};
use counterfoil_report::CSV;

use crate::args::{Cli, Command, Common, Format, LookCommand};
use crate::exit::{Failure, Outcome};
use crate::ids::Whose;
use crate::notes::Notes;
use crate::output::{Out, Shown, Sink, time};

/// A command being run: where the ledger is, and where the answer goes.
struct Session {
    common: Common,
    notes: Notes,
    out: Out,
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli, notes: Notes) -> Result<Outcome, Failure> {
    let Cli { mut common, command } = cli;
    common.file = common.file.or_else(|| variable("COUNTERFOIL_FILE").map(PathBuf::from));
    common.pricing = common.pricing.or_else(|| variable("COUNTERFOIL_PRICING").map(PathBuf::from));
    if common.bom && !is_sheet(&common, &command) {
        return Err(Failure::usage("--bom is for CSV", "add --format csv (of export, --as csv), or leave it out"));
    }
    // The place of the answer is made before anything is done, so that nothing is done that could not be told.
    let sink = match &common.output {
        Some(path) => Sink::file("--output", path, common.force, common.file.as_deref())?,
        None => Sink::stdout(),
    };
    let sink = if common.bom { sink.marked() } else { sink };
    let out = Out::new(common.format(), notes, sink);
    let mut session = Session { common, notes, out };
    let outcome = match &command {
        // Whoever only asks is refused nothing but what was typed.
        Command::Look(command) => look::run(&mut session, command).map_err(Failure::typed),
        Command::Report(command) => report::run(&mut session, command).map_err(Failure::typed),
        Command::Change(command) => change::run(&mut session, command),
        Command::Care(command) => care::run(&mut session, command).map_err(Failure::typed),
    }?;
    let Session { common, notes, out } = session;
    out.finish()?;
    if let Some(path) = &common.output {
        notes.note(&format!("wrote {}", path.display()));
    }
    Ok(outcome)
}

/// Whether the answer is CSV.
fn is_sheet(common: &Common, command: &Command) -> bool {
    match command {
        Command::Look(LookCommand::Export(args)) => args.target.name == CSV.name,
        _ => common.format() == Format::Csv,
    }
}

/// An environment variable; an empty one is none.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// An environment variable that must be text.
fn text_variable(name: &str) -> Result<Option<String>, Failure> {
    let text = |value: OsString| {
        value.into_string().map_err(|_| Failure::usage(format!("{name} is not UTF-8"), "set it again, or unset it"))
    };
    variable(name).map(text).transpose()
}

impl Session {
    fn file(&self) -> Result<PathBuf, Failure> {
        self.common
            .file
            .clone()
            .ok_or_else(|| Failure::usage("no ledger file is named", "name it with -f FILE, or set COUNTERFOIL_FILE"))
    }

    fn options(&self) -> Options {
        Ledger::options().busy_timeout(Duration::from_secs(self.common.wait.into()))
    }

    /// The ledger, to look at only.
    fn look(&self) -> Result<Ledger, Failure> {
        let ledger = self.options().read_only(true).open(self.file()?)?;
        self.warn(&ledger);
        self.tell_clock(&ledger)?;
        Ok(ledger)
    }

    /// Asks, and shows the answer.
    fn tell<T>(&mut self, ledger: &Ledger, question: &Question) -> Result<T, Failure>
    where
        T: Shown + TryFrom<Answer, Error = Error>,
    {
        let answer = T::try_from(ledger.ask(question)?)?;
        self.out.one(&answer)?;
        Ok(answer)
    }

    /// The ledger, to change.
    fn change(&self) -> Result<Ledger, Failure> {
        let ledger = self.options().open(self.file()?)?;
        self.warn(&ledger);
        self.tell_clock(&ledger)?;
        Ok(ledger)
    }

    /// Says when the computer's clock is slow, or so fast that it is not believed.
    fn tell_clock(&self, ledger: &Ledger) -> Result<(), Failure> {
        let clock = ledger.clock()?;
        if clock.suspect {
            let text = format!(
                "the clock reads {}, far past the newest time in the ledger, {}: it is not believed, and ledger time stands \
                 still; if it is right, say so with `counterfoil confirm-clock`, else set it",
                time(clock.reading),
                time(clock.accepted_at)
            );
            self.notes.remark("clock_suspect", &true.into(), &text);
        }
        if clock.behind > 0 {
            let text = format!(
                "the clock reads {}, {} seconds behind the newest time in the ledger, {}; if it is right, say so with \
                 `counterfoil confirm-clock`, else set it",
                time(clock.reading),
                clock.behind,
                time(clock.accepted_at)
            );
            self.notes.remark("clock_behind", &clock.behind.into(), &text);
        }
        Ok(())
    }

    fn warn(&self, ledger: &Ledger) {
        for warning in ledger.warnings() {
            self.notes.warning(&warning);
        }
    }

    /// The price book named on the command line or in the environment, if any.
    fn named_book(&self) -> Result<Option<PriceBook>, Failure> {
        self.common.pricing.as_deref().map(pricing::read).transpose()
    }

    /// Puts the price book named, else the newest stored one, in force.
    fn load_book(&self, ledger: &Ledger, named: Option<PriceBook>) -> Result<(), Failure> {
        let book = match named {
            Some(book) => Some(book),
            None => ledger.newest_pricing()?,
        };
        if let Some(book) = book {
            ledger.set_pricing(book);
        }
        Ok(())
    }

    /// The account named, or the one of the environment.
    fn some_account(&self) -> Result<Option<String>, Failure> {
        match &self.common.account {
            Some(account) => Ok(Some(account.clone())),
            None => text_variable("COUNTERFOIL_ACCOUNT"),
        }
    }

    fn account_text(&self) -> Result<String, Failure> {
        self.some_account()?
            .ok_or_else(|| Failure::usage("no account is named", "name it with -a ACCOUNT, or set COUNTERFOIL_ACCOUNT"))
    }

    fn account(&self) -> Result<AccountId, Failure> {
        Ok(AccountId::new(self.account_text()?)?)
    }

    /// Whose operations, batches and holds are named.
    fn whose(&self) -> Result<Whose, Failure> {
        let named = self.common.account.as_ref().map(AccountId::new).transpose()?;
        let usual = text_variable("COUNTERFOIL_ACCOUNT")?.map(AccountId::new).transpose()?;
        Ok(Whose { named, usual })
    }

    /// The account named, or none where all are meant.
    fn one_or_all(&self, all: bool) -> Result<Option<AccountId>, Failure> {
        let account = if all { None } else { self.some_account()? };
        Ok(account.map(AccountId::new).transpose()?)
    }

    /// What is said of an account nobody has opened; nothing of one that is there.
    fn unknown(&self, ledger: &Ledger, account: &AccountId) -> Result<Option<String>, Failure> {
        if ledger.balance(account)?.exists { Ok(None) } else { self.nobody(ledger, account).map(Some) }
    }

    /// The same of an account that may not be named: then all are meant.
    fn unknown_one(&self, ledger: &Ledger, account: Option<&AccountId>) -> Result<Option<String>, Failure> {
        account.map_or(Ok(None), |account| self.unknown(ledger, account))
    }

    /// What is said of an account that is known to be nobody's.
    fn nobody(&self, ledger: &Ledger, account: &AccountId) -> Result<String, Failure> {
        let near = ledger.accounts_like(account, 1)?;
        let hint = near.first().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Ok(format!("there is no account `{account}`{hint}"))
    }
}
