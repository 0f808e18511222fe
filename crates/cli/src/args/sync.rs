//! Commands for the files between devices and their hub.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Paging;

#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Write what this device has booked and its hub has not heard of, in as many files as that takes
    #[command(after_help = "Examples:
  counterfoil sync export -f kiosk.ledger --out /media/stick
  counterfoil sync export --plain --format json")]
    Export(SendArgs),
    /// Take files of others, in the order in which they are named: at a hub what its devices booked
    #[command(after_help = "Examples:
  counterfoil sync import -f hub.ledger /media/stick/cf-up-*.cfx.gz
  counterfoil sync import -f hub.ledger cf-up-0b2c4d6e-101-350-0123456789ab.cfx.gz --dry-run --format json

A file that is refused does not keep the others from being taken; taken again, a file changes nothing. Exit code 8: done, and
somebody should look at it: something was set aside (stage list), or is flagged (flags list), or waits for an earlier file.")]
    Import(TakeArgs),
    /// Write how the accounts stand for the devices that sent these files, for them to import
    #[command(
        after_help = "Example:\n  counterfoil sync answer -f hub.ledger /media/stick/cf-up-*.cfx.gz --out /media/stick"
    )]
    Answer(AnswerArgs),
    /// Exchange everything with the other side through a folder that both reach: on a disk of the network, on a stick, or one that is
    /// synced
    #[command(after_help = "Examples:
  counterfoil sync run -f kiosk.ledger --folder /media/stick
  counterfoil sync run -f hub.ledger --folder /srv/exchange --format json

Devices write into its `up`, the hub into its `down`; each deletes what it wrote itself, once the other side has it. Run it on both
sides, as often as you like. A file that is refused is left where it lies and does not keep others from being taken. Exit code 8:
done, and somebody should look at it.")]
    Run(RunArgs),
    /// How this file stands with its hub, or with its devices
    #[command(after_help = "Example:\n  counterfoil sync status -f kiosk.ledger")]
    Status,
    /// Check a file by itself: whether it is whole, and signed with a key; takes nothing of it, and needs no ledger
    #[command(after_help = "Examples:
  counterfoil sync check cf-up-0b2c4d6e-101-350-0123456789ab.cfx.gz
  counterfoil sync check file.cfx --key ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c --format json")]
    Check(CheckFileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The folder for the files
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Leave the file as lines one can read, not packed
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TakeArgs {
    /// The files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Say what would come of it, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Take it although operations before it are missing and will not come any more, because their device is lost: what gives
    /// points is set aside then
    #[arg(long)]
    pub(crate) accept_gap: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The files of devices
    #[arg(value_name = "FILE", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The folder for the answers
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Leave the answers as lines one can read, not packed
    #[arg(long)]
    pub(crate) plain: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The folder
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StageCommand {
    /// What devices did and this hub set aside
    #[command(after_help = "Example:\n  counterfoil stage list --all --format json")]
    List(EverythingArgs),
    /// Book it after all
    #[command(after_help = "Examples:
  counterfoil stage approve 1182
  counterfoil stage approve 1182 --another-sale --reason 'two sales under one number'")]
    Approve(ApproveArgs),
    /// Never book it. Its device hears of it
    #[command(after_help = "Example:\n  counterfoil stage dismiss 1182 --reason 'the same payment, told twice'")]
    Dismiss(DismissArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum FlagsCommand {
    /// What should be seen of what devices did
    #[command(after_help = "Example:\n  counterfoil flags list --all --format json")]
    List(EverythingArgs),
    /// Say that it has been seen to
    #[command(after_help = "Examples:
  counterfoil flags ack 1182 --reason 'spoken to the holder'
  counterfoil flags ack 1182 --flag overdraft --reason 'spoken to the holder'")]
    Ack(AckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EverythingArgs {
    /// Also what has been seen to
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) paging: Paging,
}

#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// By its id, or its number in the log
    #[arg(value_name = "LINK")]
    pub(crate) link: String,
    /// It is another sale than the one that was booked under its key
    #[arg(long)]
    pub(crate) another_sale: bool,
    /// Why; it is kept in the books
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DismissArgs {
    /// By its id, or its number in the log
    #[arg(value_name = "LINK")]
    pub(crate) link: String,
    /// Why; it is kept in the books
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct AckArgs {
    /// The operation that is flagged, by its id or its number in the log
    #[arg(value_name = "OPERATION")]
    pub(crate) flagged: String,
    /// Which of its flags, when not all of them
    #[arg(long, value_name = "FLAG")]
    pub(crate) flag: Option<String>,
    /// Why; it is kept in the books
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct CheckFileArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) path: PathBuf,
    /// The public key it must be signed with
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}
