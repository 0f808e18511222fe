//! Commands for the files between devices and their hub.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Write what this device has booked and its hub has not heard of, as far as one file goes
    #[command(after_help = "Examples:
  counterfoil sync export -f kiosk.ledger --out /media/stick
  counterfoil sync export --plain --format json")]
    Export(SendArgs),
    /// Check a file by itself: whether it is whole, and signed with a key; takes nothing of it, and needs no ledger
    #[command(after_help = "Examples:
  counterfoil sync check cf-up-0b2c4d6e-101-350-0123456789ab.cfx.gz
  counterfoil sync check file.cfx --key ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c --format json")]
    Check(CheckFileArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The folder for the file
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
    /// Leave the file as lines one can read, not packed
    #[arg(long)]
    pub(crate) plain: bool,
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
