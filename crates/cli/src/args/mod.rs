//! The command line: what can be asked for, in clap's words.

mod allot;
mod care;
mod change;
#[cfg(test)]
mod examples;
mod explain;
mod export;
mod hints;
mod hub;
mod look;
mod report;
mod sync;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use allot::*;
pub(crate) use care::*;
pub(crate) use change::*;
pub(crate) use explain::*;
pub(crate) use export::*;
pub(crate) use hints::{format, hint, refused};
pub(crate) use hub::*;
pub(crate) use look::*;
pub(crate) use report::*;
pub(crate) use sync::*;
pub(crate) use values::{instant, is_number};

const EXAMPLES: &str = "\
Examples:
  counterfoil -f points.ledger init
  export COUNTERFOIL_FILE=points.ledger
  counterfoil recharge 320 -a alice --source wxpay --key order:881
  counterfoil consume 20 -a alice --reference task-19
  counterfoil balance -a alice
  counterfoil history -a alice --format csv --output alice.csv

Environment:
  COUNTERFOIL_FILE (-f), COUNTERFOIL_ACCOUNT (-a), COUNTERFOIL_PRICING (--pricing),
  COUNTERFOIL_ACTOR (--actor), NO_COLOR

CSV:
  One number in a cell; times as RFC 3339; --bom for Excel. A text that begins like a formula, with = + - @ (blanks and
  apostrophes before it or not), has an apostrophe put before it, so that no spreadsheet calculates what somebody typed:
  also an id, a key or a reference. Before comparing such a text with the ledger's take one apostrophe away; JSON has all
  texts as they are.

Exit codes:
  0  done
  1  the storage failed, nobody read the answers of a batch, or anything unexpected
  2  the command line is wrong, or a value in it
  3  refused by the books, or a check that says no
  4  verify found a fault, or doctor one
  5  busy: another process kept the file locked
  6  the file or the price book cannot be used
  7  a confirmation could not be asked, or was not given
  8  done, and somebody should look at it: of a file from a device something was set aside or is flagged, or it waits";

/// A ledger of credit points in one file: look at it, charge to it, take care of it.
#[derive(Debug, Parser)]
#[command(name = "counterfoil", version, after_help = EXAMPLES, arg_required_else_help = true, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Common {
    /// The ledger file [env: COUNTERFOIL_FILE]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub(crate) file: Option<PathBuf>,
    /// The account [env: COUNTERFOIL_ACCOUNT]
    #[arg(short, long, value_name = "ACCOUNT", global = true)]
    pub(crate) account: Option<String>,
    /// The price book, a TOML file; else the newest one stored in the ledger [env: COUNTERFOIL_PRICING]
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) pricing: Option<PathBuf>,
    /// How to show the answer; csv leaves out lists within an item (allocations, slices) [default: table]
    #[arg(long, value_name = "FORMAT", value_enum, global = true)]
    pub(crate) format: Option<Format>,
    /// Write the answer to a file, which must not exist
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) output: Option<PathBuf>,
    /// Begin CSV with a byte order mark, by which Excel knows that it is UTF-8
    #[arg(long, global = true)]
    pub(crate) bom: bool,
    /// Let --output replace a file
    #[arg(long, requires = "output", global = true)]
    pub(crate) force: bool,
    /// Seconds to wait for other processes that use the file
    #[arg(long, value_name = "SECONDS", default_value_t = 30, global = true)]
    pub(crate) wait: u32,
}

impl Common {
    pub(crate) fn format(&self) -> Format {
        self.format.unwrap_or(Format::Table)
    }
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// One JSON value
    Json,
    /// One JSON object per line
    Jsonl,
    /// A header and one line per item
    Csv,
}

impl Format {
    /// Whether programs read it, also what is said beside the data.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Format::Json | Format::Jsonl)
    }
}

/// All commands, in four families.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Look(LookCommand),
    #[command(flatten)]
    Report(ReportCommand),
    #[command(flatten)]
    Change(Box<ChangeCommand>),
    #[command(flatten)]
    Care(CareCommand),
}

/// Which page of a list.
#[derive(Debug, Clone, Args)]
pub(crate) struct Paging {
    /// At most so many items [default: all]
    #[arg(long, short_alias = 'n', value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Begin after this place, as told by the page before
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<String>,
}

/// Yes to the question a command asks before what cannot be taken back.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Confirm {
    /// Do not ask: it is meant
    #[arg(long)]
    pub(crate) yes: bool,
}
