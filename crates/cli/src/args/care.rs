//! Commands that take care of the file and the price book.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Confirm;

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum CareCommand {
    /// Make a new ledger file, readable by its owner alone
    #[command(after_help = "Example:\n  counterfoil init points.ledger")]
    Init(InitArgs),
    /// Prove the whole file: hash chain, replay of every operation, every stored row
    #[command(after_help = "Example:\n  counterfoil verify -f points.ledger || call-for-help")]
    Verify(VerifyArgs),
    /// Copy the ledger to a new file while it is in use, and verify the copy
    #[command(after_help = "Example:\n  counterfoil backup -f points.ledger /backup/points-2026-11-22.ledger")]
    Backup(BackupArgs),
    /// Make a ledger from a backup, at a new path
    #[command(after_help = "Example:\n  counterfoil restore /backup/points-2026-11-22.ledger points.ledger")]
    Restore(RestoreArgs),
    /// Check a price book, or show its prices
    #[command(subcommand)]
    Pricing(PricingCommand),
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
    /// The copy to make; it must not exist
    pub(crate) target: PathBuf,
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
