//! What clap cannot know about a command line it refuses: what was probably meant.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error};

use super::{Cli, is_number};

/// A word of advice on a refused command line, if there is one; `words` is that command line.
pub(crate) fn hint(refused: &Error, words: &[String]) -> Option<&'static str> {
    let text = |kind| match refused.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        // Of several that are missing, the first.
        Some(ContextValue::Strings(texts)) => texts.first().map_or("", String::as_str),
        _ => "",
    };
    let argument = text(ContextKind::InvalidArg);
    let cli = Cli::command();
    let command = words.iter().skip(1).find(|word| cli.find_subcommand(word).is_some()).map_or("", String::as_str);
    match (refused.kind(), command) {
        (ErrorKind::UnknownArgument, command) => unknown(argument, command),
        (ErrorKind::ArgumentConflict, "explain") if argument.starts_with("--missing") => {
            Some("the account is named with -a: explain --missing -a ACCOUNT")
        }
        (ErrorKind::MissingRequiredArgument, "explain") => {
            Some("name an operation, as in explain 12, or ask why points are gone: explain --missing -a ACCOUNT")
        }
        (ErrorKind::InvalidValue, "usage") if argument.starts_with("--by") => {
            Some("for each account by itself add --per-account")
        }
        (ErrorKind::InvalidValue, _) if argument.starts_with("--format") => match text(ContextKind::InvalidValue) {
            "html" => Some("a page is made by statement --html"),
            "hledger" => Some("write export --as hledger"),
            "beancount" => Some("write export --as beancount"),
            _ => None,
        },
        _ => None,
    }
}

/// A word too many is most often an account, a source or a service; an option of another name a habit from elsewhere.
fn unknown(argument: &str, command: &str) -> Option<&'static str> {
    Some(match (argument, command) {
        ("--json", _) => "write --format json",
        ("--jsonl", _) => "write --format jsonl",
        ("--csv", _) => "write --format csv",
        ("--html", _) => "a page is made by statement --html",
        ("--active", "accounts") => "write --state active",
        ("--frozen", "accounts") => "write --state frozen",
        ("--closed", "accounts") => "write --state closed",
        ("--to", "transfer") => "the account that receives comes first, without --to: transfer bob 5 -a alice",
        ("--user", _) => "an account is named with -a ACCOUNT, or --account",
        (option, _) if option.starts_with('-') => return None,
        ("hledger" | "beancount" | "csv" | "jsonl", "export") => "the program is named with --as: export --as hledger",
        (_, "verify" | "doctor" | "info") => "the ledger file is named with -f FILE",
        (file, _) if file.ends_with(".ledger") => "the ledger file is named with -f FILE",
        (number, "expiring") if is_number(number) => "days from now are given with --days: expiring --days 60",
        (_, "recharge") => "a source is named with --source SOURCE, an account with -a ACCOUNT",
        _ => "an account is named with -a ACCOUNT, a service with --service SERVICE",
    })
}
