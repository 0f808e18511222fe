//! Commands that take care of the file and the price book.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use clap_complete::Shell;

use super::{AllotCommand, Confirm, DeviceCommand, FlagsCommand, HubCommand, StageCommand, SyncCommand};

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CareCommand {
    /// Make a new ledger file, readable by its owner alone
    #[command(after_help = "Example:\n  counterfoil init points.ledger")]
    Init(InitArgs),
    /// Prove the whole file: hash chain, replay of every operation, every stored row
    #[command(after_help = "Example:\n  counterfoil verify -f points.ledger || call-for-help")]
    Verify(VerifyArgs),
    /// Say what is odd about the ledger and its place, and what to do about it; changes nothing
    #[command(after_help = "Examples:
  counterfoil doctor -f points.ledger
  counterfoil doctor --format json | jq '.findings[] | select(.level != \"ok\")'

Levels: ok; note (good to know); warning (works, and may do harm later); fault (keeps the ledger from working, or makes it
work wrongly). Exit code 0 up to a warning, 4 for a fault; when the ledger cannot be opened, that of any other command
(6, or 5 when busy), with the findings all the same. `verify` proves the figures; this does not.")]
    Doctor,
    /// Copy the ledger to a new file while it is in use, and verify the copy
    #[command(after_help = "Examples:
  counterfoil backup -f points.ledger /backup/points-2026-11-22.ledger
  counterfoil backup -f points.ledger /backup --keep 7

With --keep the copy is named by the instant, like points-2026-11-22T10-00-00Z.ledger (UTC). Once it is verified, older
backups of this ledger in that folder are deleted, so that the newest N are left. Nothing else there is touched.")]
    Backup(BackupArgs),
    /// Make a ledger from a backup, at a new path
    #[command(after_help = "Example:\n  counterfoil restore /backup/points-2026-11-22.ledger points.ledger")]
    Restore(RestoreArgs),
    /// Check a price book, or show its prices
    #[command(subcommand)]
    #[command(after_help = "Examples:
  counterfoil pricing check config/pricing.toml
  counterfoil pricing show -f points.ledger")]
    Pricing(PricingCommand),
    /// A hub of devices: make it, admit and expel devices, list them
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil hub devices")]
    Hub(HubCommand),
    /// A device of a hub: ask for admission, join, say what this file is
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil device info")]
    Device(DeviceCommand),
    /// The files between devices and their hub: write one, take one, check one
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil sync export -f kiosk.ledger --out /media/stick")]
    Sync(SyncCommand),
    /// What devices did and their hub set aside: list it, book it after all, or never
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil stage list")]
    Stage(StageCommand),
    /// What should be seen of what devices did: list it, say that it has been
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil flags list")]
    Flags(FlagsCommand),
    /// Points set aside for a device, which it can spend offline: set some aside, list them, take them back
    #[command(subcommand)]
    #[command(after_help = "Example:\n  counterfoil allot list")]
    Allot(AllotCommand),
    /// A script that completes commands and options in a shell
    #[command(after_help = "Examples:
  counterfoil completions bash > ~/.local/share/bash-completion/completions/counterfoil
  counterfoil completions zsh > ~/.zfunc/_counterfoil
  counterfoil completions fish > ~/.config/fish/completions/counterfoil.fish")]
    Completions(CompletionsArgs),
    /// A manual page, or all of them
    #[command(after_help = "Examples:
  counterfoil man > counterfoil.1
  counterfoil man pricing check > counterfoil-pricing-check.1
  counterfoil man --dir ~/.local/share/man/man1")]
    Man(ManArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The command it is about [default: counterfoil itself]
    #[arg(conflicts_with = "dir")]
    pub(crate) command: Vec<String>,
    /// Write every page into this folder, replacing older ones
    #[arg(long, value_name = "DIR", conflicts_with = "output")]
    pub(crate) dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The file to make [default: the one of -f]
    #[arg(value_name = "FILE", conflicts_with = "file")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A bounded check only: the newest operations, the head, and the sums of some accounts
    #[arg(long)]
    pub(crate) quick: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The copy to make; it must not exist. With --keep: the folder to make it in
    pub(crate) target: PathBuf,
    /// Make it in a folder, and keep the newest N backups of this ledger there
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup to read
    pub(crate) backup: PathBuf,
    /// The ledger to make; it must not exist [default: the one of -f]
    #[arg(conflicts_with = "file")]
    pub(crate) target: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

/// What to do with a price book.
#[derive(Debug, Subcommand)]
pub(crate) enum PricingCommand {
    /// Check a price book file; every fault is drawn at its place
    #[command(after_help = "Example:\n  counterfoil pricing check config/pricing.toml")]
    Check(CheckArgs),
    /// The services of the price book with their rules in words
    #[command(
        after_help = "Examples:\n  counterfoil pricing show --pricing config/pricing.toml\n  counterfoil pricing show -f points.ledger"
    )]
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The price book [default: the one of --pricing]
    #[arg(value_name = "FILE", conflicts_with = "pricing")]
    pub(crate) path: Option<PathBuf>,
}
