//! What clap cannot know about a command line it refuses: what was probably meant.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, Error, ValueEnum};

use super::{Cli, Format, is_number};
use crate::exit::Failure;

/// The format asked for by a command line that is refused, when programs read it.
pub(crate) fn format(words: &[String]) -> Option<Format> {
    let words: Vec<&str> = words.iter().map(String::as_str).take_while(|word| *word != "--").collect();
    let given = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| **word == "--format").map(|(_, next)| *next);
    let joined = words.iter().filter_map(|word| word.strip_prefix("--format="));
    given.chain(joined).find_map(|name| Format::from_str(name, false).ok()).filter(|format| format.is_json())
}

/// A refused command line in the shape of every other error.
pub(crate) fn refused(refused: &Error, hint: Option<&str>) -> Failure {
    if refused.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("no command is named", "counterfoil help lists the commands");
    }
    let text = refused.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim);
    let message = parts.next().unwrap_or_default().trim_start_matches("error: ").split_whitespace();
    let message = message.collect::<Vec<_>>().join(" ");
    let help = parts.flat_map(str::lines).map(|line| line.trim().trim_start_matches("tip: "));
    let help: Vec<&str> = hint.into_iter().chain(help.filter(|line| !line.is_empty())).collect();
    Failure::usage(message, help.join("; "))
}

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
