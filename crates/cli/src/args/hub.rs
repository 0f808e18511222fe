//! Commands of hubs and devices: who is what, and the files by which they get to know each other.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::values::{NONE, count, or_none, whole_span};
use super::{Confirm, Paging, SendArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Make this file the hub of devices, for good, with a key beside it
    #[command(after_help = "Example:\n  counterfoil hub init --name 'head office'")]
    Init(HubInitArgs),
    /// Let a device send its operations: reads what `device ask` wrote, and writes the certificate for `device join`
    #[command(after_help = "Examples:
  counterfoil hub admit cf-ask-1c0b7f42-9f86d081884c.cfx --name 'kiosk 12' --out /media/stick
  counterfoil hub admit cf-ask-1c0b7f42-9f86d081884c.cfx --renew --rights recharge,refund --max-recharge 500
  counterfoil hub admit cf-ask-1c0b7f42-9f86d081884c.cfx --renew --rights none")]
    Admit(Box<AdmitArgs>),
    /// Book no more of what a device sends: it waits to be looked at. Asks first
    #[command(after_help = "Example:\n  counterfoil hub expel 'kiosk 12' --reason stolen")]
    Expel(ExpelArgs),
    /// After this hub was set back to an earlier state: what it lost, by what devices were told before (`device evidence`). Writes
    /// nothing
    #[command(after_help = "Examples:
  counterfoil hub evidence -f hub.ledger /media/stick/cf-evidence-*.cfx.gz
  counterfoil hub evidence cf-evidence-0b2c4d6e-5012-0123456789ab.cfx.gz --format json

Let all devices send what they did first (`sync run`): what comes again that way is not lost. For each batch that is, the command
is shown that enters it again; after that no file shows it as lost. Where the payment's own key is known, give that instead: what paid
calls again under it. It is what the device says, of the accounts it hears of and up to
when it last heard: compare it with what was paid. Sums show a loss only until the account is used again. Exit code 8: something is lost.")]
    Evidence(EvidenceArgs),
    /// The devices of this hub
    #[command(after_help = "Example:\n  counterfoil hub devices --format json")]
    Devices(Paging),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Write a file for `hub admit`: what this ledger is, signed with a key that is made beside it
    #[command(after_help = "Example:\n  counterfoil device ask --name 'kiosk 12' --out /media/stick")]
    Ask(AskArgs),
    /// Make this file a device, for good, by the hub's certificate. Shows the hub's fingerprint and asks first
    #[command(after_help = "Examples:
  counterfoil device join cf-cert-1c0b7f42-2c26b46b68ff.cfx
  counterfoil device join cf-cert-1c0b7f42-2c26b46b68ff.cfx --hub-fingerprint 6a90f5b9a1f1b9ae")]
    Join(JoinArgs),
    /// Write what its hub has told this device, for a hub that was set back and lost some of it (`hub evidence`)
    #[command(after_help = "Example:\n  counterfoil device evidence -f kiosk.ledger --out /media/stick")]
    Evidence(SendArgs),
    /// Begin a fresh file for this device, when this one has become long: everything must have come to the hub
    #[command(after_help = "Example:
  counterfoil device renew-file -f kiosk-2026.ledger kiosk-2027.ledger

The fresh file has the same device, key and policy, and an empty log. It knows no account before it has exchanged with the hub: run
`sync run` with it next, and let the app open it from then on, and this one no more: it is kept as it is, to read. What was charged
before is refunded at the hub. It keeps no price book before one is used: give one (--pricing FILE).")]
    RenewFile(RenewFileArgs),
    /// What this file is: its role, its hub, and what it may do
    #[command(after_help = "Example:\n  counterfoil device info")]
    Info,
}

#[derive(Debug, Args)]
pub(crate) struct HubInitArgs {
    /// What people call it
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct AdmitArgs {
    /// What the device wrote
    #[arg(value_name = "FILE")]
    pub(crate) ask: PathBuf,
    /// What people call it [default: what it calls itself]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// What it may do besides charging: recharge, refund
    #[arg(long, value_name = "RIGHT", value_delimiter = ',', help_heading = "Policy")]
    pub(crate) rights: Vec<String>,
    /// The most points of one recharge
    #[arg(long, value_name = "POINTS", value_parser = or_none(count), help_heading = "Policy")]
    pub(crate) max_recharge: Option<Value>,
    /// The most points it recharges in one day of UTC
    #[arg(long, value_name = "POINTS", value_parser = or_none(count), help_heading = "Policy")]
    pub(crate) max_recharge_per_day: Option<Value>,
    /// The accounts it hears of: seen (those it booked in), all [default: seen]
    #[arg(long, value_name = "SCOPE", help_heading = "Policy")]
    pub(crate) scope: Option<String>,
    /// What it decides by meanwhile: open (what it knows), allotted (what was set aside for it) [default: open]
    #[arg(long, value_name = "HOW", help_heading = "Policy")]
    pub(crate) offline: Option<String>,
    /// So long after it last heard of its hub it decides nothing strictly any more: 30d
    #[arg(long, value_name = "SPAN", value_parser = or_none(whole_span), help_heading = "Policy")]
    pub(crate) max_offline: Option<Value>,
    /// Once expelled it charges no more (stop), or goes on by itself (go-on) [default: stop]
    #[arg(long, value_name = "HOW", help_heading = "Policy")]
    pub(crate) when_expelled: Option<String>,
    /// The price book it is to use, by its hash
    #[arg(long, value_name = "HASH", help_heading = "Policy")]
    pub(crate) prices: Option<String>,
    /// It was admitted before, and gets this key; of name and policy what is not given stays, and none takes away
    #[arg(long)]
    pub(crate) renew: bool,
    /// The folder for the certificate
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The files, as devices wrote them
    #[arg(value_name = "FILE", required = true)]
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RenewFileArgs {
    /// The fresh file
    #[arg(value_name = "NEW")]
    pub(crate) target: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExpelArgs {
    /// The device, by its id or its name
    #[arg(value_name = "DEVICE")]
    pub(crate) device: String,
    /// Why; it is kept in the books
    #[arg(long, value_name = "REASON")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) confirm: Confirm,
}

#[derive(Debug, Args)]
pub(crate) struct AskArgs {
    /// What it calls itself
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) name: String,
    /// The folder for the file
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct JoinArgs {
    /// The certificate, as the hub wrote it
    #[arg(value_name = "FILE")]
    pub(crate) certificate: PathBuf,
    /// The hub's fingerprint, as the hub shows it: it is compared, and nothing is asked
    #[arg(long, value_name = "FINGERPRINT")]
    pub(crate) hub_fingerprint: Option<String>,
}

impl AdmitArgs {
    /// The name and the policy as given; null where it says that there is none.
    pub(crate) fn given(&self) -> [(&'static str, Option<Value>); 9] {
        let word = |word: &Option<String>| word.as_ref().map(|word| Value::from(word.replace('-', "_")));
        let rights = match self.rights.as_slice() {
            [] => None,
            [none] if none == NONE => Some(Value::Null),
            rights => Some(rights.to_vec().into()),
        };
        let prices = self.prices.as_deref().map(|prices| if prices == NONE { Value::Null } else { prices.into() });
        [
            ("name", self.name.clone().filter(|name| !name.is_empty()).map(Value::from)),
            ("rights", rights),
            ("max_recharge", self.max_recharge.clone()),
            ("max_recharge_per_day", self.max_recharge_per_day.clone()),
            ("scope", word(&self.scope)),
            ("offline", word(&self.offline)),
            ("max_offline", self.max_offline.clone()),
            ("when_expelled", word(&self.when_expelled)),
            ("prices", prices),
        ]
    }
}
