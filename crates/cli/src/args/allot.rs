//! Commands for what a hub sets aside for its devices.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::Confirm;
use super::sync::EverythingArgs;
use super::values::count;

#[derive(Debug, Subcommand)]
pub(crate) enum AllotCommand {
    /// At a hub: set points of an account aside for one device, which can spend them offline
    #[command(after_help = "Example:\n  counterfoil allot new 500 -a card-7 --device 'kiosk 12' --until 2027-02-01")]
    New(NewAllotmentArgs),
    /// What is set aside and not spent; of an account, if one is named with -a
    #[command(
        after_help = "Examples:\n  counterfoil allot list\n  counterfoil allot list -a card-7 --all --format json"
    )]
    List(EverythingArgs),
    /// At a hub: have the device give back what is left, at its next exchange
    #[command(after_help = "Example:\n  counterfoil allot recall 1182")]
    Recall(AllotmentArgs),
    /// On the device: give back what is left
    #[command(after_help = "Example:\n  counterfoil allot return -f kiosk.ledger 0193f1a2-4c5d-8e8f-9a0b-1c2d3e4f5a6b")]
    Return(AllotmentArgs),
    /// At a hub: give it back to the account without its device, which is lost. Asks first
    #[command(after_help = "Example:\n  counterfoil allot write-off 1182 --reason 'the kiosk was stolen'")]
    WriteOff(AllotmentWriteOffArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NewAllotmentArgs {
    /// How many points
    #[arg(value_name = "POINTS", value_parser = count)]
    pub(crate) points: Value,
    /// The device, by its id or its name
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: String,
    /// Until when the device may spend them: an instant (RFC 3339), or a date. They are of batches that end later
    #[arg(long, value_name = "TIME")]
    pub(crate) until: String,
    /// Idempotency key: the same key never books twice [default: a new one]
    #[arg(long, value_name = "KEY")]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AllotmentArgs {
    /// By its id, or at the hub by its number in the log
    #[arg(value_name = "ALLOTMENT")]
    pub(crate) allotment: String,
}

#[derive(Debug, Args)]
pub(crate) struct AllotmentWriteOffArgs {
    /// By its id, or its number in the log
    #[arg(value_name = "ALLOTMENT")]
    pub(crate) allotment: String,
    /// Why; it is kept in the books
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}
