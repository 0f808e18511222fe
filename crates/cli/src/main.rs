//! `counterfoil`: the command of the credit-points ledger. Data goes to stdout, everything said about it to stderr.

mod args;
mod commands;
mod confirm;
mod exit;
mod ids;
mod notes;
mod output;
mod shell;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::exit::Outcome;
use crate::notes::Notes;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come this way too. Nobody left to read them is no failure.
        Err(answer) => {
            let words: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
            let hint = args::hint(&answer, &words);
            if let Some(format) = args::format(&words).filter(|_| answer.use_stderr()) {
                let failure = args::refused(&answer, hint);
                Notes::new(format).failure(&failure);
                return Outcome::from(&failure).code();
            }
            let _ = answer.print();
            if let Some(hint) = hint {
                Notes::new(args::Format::Table).help(hint);
            }
            return ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2));
        }
    };
    let notes = Notes::new(cli.common.format());
    match commands::run(cli, notes) {
        Ok(outcome) => outcome.code(),
        Err(failure) => {
            notes.failure(&failure);
            Outcome::from(&failure).code()
        }
    }
}
