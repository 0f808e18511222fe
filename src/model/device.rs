//! What a ledger file is to others: by itself, a device, or the hub of devices; and what a device may do.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use super::codes::{AccountsOpen, codes};
use super::heard::Heard;
use super::ids::Key;
use super::words::words;
use crate::hash::{Hash, PublicKey};
use crate::units::{Points, json_schema, utc_option};

codes!(
    /// What a ledger file is to others. An operation changes it, once.
    #[derive(Default)]
    Role {
        /// By itself, as it is made.
        #[default]
        Standalone = 0 "standalone",
        /// It goes on charging without a network, and sends its operations to a hub.
        Device = 1 "device",
        /// It books what its devices did.
        Hub = 2 "hub",
    }
);

codes!(
    /// Whether a hub books what a device sends.
    DeviceState {
        /// It does.
        Admitted = 0 "admitted",
        /// It keeps it for somebody to look at.
        Expelled = 1 "expelled",
    }
);

words!(
    /// What a device may do besides charging.
    Right {
        /// Give points.
        Recharge "recharge",
        /// Give points of a charge back.
        Refund "refund",
    }
);

words!(
    /// The accounts a device hears of.
    #[derive(Default)]
    Scope {
        /// Those it ever booked in; it opens those it is to know beforehand.
        #[default]
        Seen "seen",
        /// All there are.
        All "all",
    }
);

words!(
    /// What a device decides by between two exchanges.
    #[derive(Default)]
    Offline {
        /// What it knows of the account.
        #[default]
        Open "open",
        /// What was set aside for it.
        Allotted "allotted",
    }
);

words!(
    /// What a device does once it hears that it was expelled.
    #[derive(Default)]
    WhenExpelled {
        /// It charges no more.
        #[default]
        Stop "stop",
        /// It goes on by itself.
        GoOn "go_on",
    }
);

/// What a device may do, and how it goes on by itself. Its hub says so; fields left out are as in the default.
///
/// ```
/// use counterfoil::exchange::{DevicePolicy, Right, Scope};
/// let mut policy = DevicePolicy::default();
/// policy.rights = vec![Right::Refund];
/// assert_eq!((policy.scope, policy.max_recharge), (Scope::Seen, None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct DevicePolicy {
    /// What it may do besides charging, each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<Right>,
    /// The most points of one recharge, 1 or more; none: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_recharge: Option<Points>,
    /// The most points it recharges in one day of UTC, 1 or more; none: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_recharge_per_day: Option<Points>,
    /// The accounts it hears of.
    pub scope: Scope,
    /// What it decides by between two exchanges.
    pub offline: Offline,
    /// So many seconds after it last heard of its hub it decides nothing strictly any more; none: it always does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_offline: Option<i64>,
    /// What it does once it hears that it was expelled.
    pub when_expelled: WhenExpelled,
    /// The price book it is to use, by its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prices: Option<Hash>,
}

/// What a file is to others, as the operations have made it: a part of its `ledger` row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    pub(crate) role: Role,
    /// Its own name and key; none while it stands alone.
    pub(crate) name: Option<String>,
    pub(crate) public_key: Option<PublicKey>,
    /// Of a device: its hub.
    pub(crate) hub_ledger: Option<Uuid>,
    pub(crate) hub_key: Option<PublicKey>,
    pub(crate) policy: Option<Arc<DevicePolicy>>,
    /// Of a hub: what keys of consumes begin with that are one sale, whichever device it was made at.
    pub(crate) global_keys: Option<Arc<Vec<Key>>>,
    /// Of a device: the operation up to which its hub has them all.
    pub(crate) acked_seq: i64,
    pub(crate) acked_hash: Option<Hash>,
    /// Of a device: how far it has heard of its hub.
    pub(crate) heard: Option<Arc<Heard>>,
    /// Of a device whose recharges are bounded by the day: the newest day with one, since 1970, and the points of that day.
    pub(crate) recharge_day: i64,
    pub(crate) recharged: i64,
}

/// What a hub was told of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) device: Uuid,
    pub(crate) public_key: PublicKey,
    pub(crate) name: String,
    /// Of one that was admitted before.
    pub(crate) renew: bool,
    pub(crate) policy: DevicePolicy,
}

/// What a hub certifies of a device it has admitted, and the hub's own settings, by which both decide. JSON shape
/// `counterfoil.certificate/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Certificate {
    /// The device.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What the device signs by.
    pub public_key: PublicKey,
    /// What people call it.
    pub name: String,
    /// The hub's ledger id.
    #[serde(with = "uuid_text")]
    pub hub: Uuid,
    /// What the hub signs by.
    pub hub_key: PublicKey,
    /// What the device may do.
    #[serde(flatten)]
    pub policy: DevicePolicy,
    /// When accounts are opened.
    pub accounts: AccountsOpen,
    /// Seconds a late consume may reach back.
    pub late_window: i64,
    /// Seconds a hold may last.
    pub max_hold: i64,
    /// Seconds the clock may jump before it is suspect.
    pub max_clock_jump: i64,
}

/// What a device goes by between two exchanges: what it may do, and its hub's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Granted {
    #[serde(flatten)]
    pub(crate) policy: DevicePolicy,
    pub(crate) accounts: AccountsOpen,
    pub(crate) late_window: i64,
    pub(crate) max_hold: i64,
    pub(crate) max_clock_jump: i64,
}

impl From<&Certificate> for Granted {
    fn from(certificate: &Certificate) -> Self {
        let Certificate { policy, accounts, late_window, max_hold, max_clock_jump, .. } = certificate;
        let (accounts, late_window) = (*accounts, *late_window);
        Granted { policy: policy.clone(), accounts, late_window, max_hold: *max_hold, max_clock_jump: *max_clock_jump }
    }
}

/// A device as its hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    pub(crate) no: i64,
    pub(crate) device: Uuid,
    /// What its public ids begin with.
    pub(crate) tag: i64,
    pub(crate) public_key: PublicKey,
    pub(crate) name: String,
    pub(crate) policy: Arc<DevicePolicy>,
    pub(crate) state: DeviceState,
    /// The operation since which its accounts are those of its policy's scope.
    pub(crate) scope_since: i64,
    /// Where its recharges are bounded by the day: the newest day with one, since 1970, by its own clock, and the points of that day.
    pub(crate) recharge_day: i64,
    pub(crate) recharged: i64,
}

impl DeviceRow {
    pub(crate) fn told(self, log: DeviceLog) -> DeviceInfo {
        let DeviceRow { device, public_key, name, policy, state, .. } = self;
        DeviceInfo { device, name, state, public_key, policy: (*policy).clone(), log }
    }
}

/// How far a hub has a device's log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeviceLog {
    /// The epoch it was last heard of in.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<i64>,
    /// The number of its newest operation that has come; 0 when none has.
    pub operations: i64,
    /// When that occurred.
    #[serde(with = "utc_option", skip_serializing_if = "Option::is_none", default)]
    pub last_at: Option<DateTime<Utc>>,
    /// How many of its operations wait for somebody to look at them.
    pub waiting: i64,
}

/// How a file stands with those it exchanges with. JSON shape `counterfoil.sync/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SyncStatus {
    /// What it is to others.
    pub role: Role,
    /// How many operations are booked in it.
    pub operations: i64,
    /// Of a device: its hub.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hub: Option<HubStatus>,
    /// Of a hub: its devices.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub devices: Option<DevicesStatus>,
}

/// How a device stands with its hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HubStatus {
    /// The hub's ledger.
    #[serde(with = "uuid_text")]
    pub ledger: Uuid,
    /// The operation up to which the hub has this file's log, as far as is known here.
    pub acked: i64,
    /// How many operations come after that.
    pub unacked: i64,
    /// As of when the newest answer was that anything was taken of; none before the first.
    #[serde(with = "utc_option", skip_serializing_if = "Option::is_none", default)]
    pub heard_at: Option<DateTime<Utc>>,
    /// All parts of that answer have come.
    pub whole: bool,
    /// The hub has expelled this device.
    pub expelled: bool,
}

/// How a hub stands with its devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DevicesStatus {
    /// How many there are that are not expelled.
    pub admitted: i64,
    /// How many are.
    pub expelled: i64,
    /// How many operations of devices wait for somebody to look at them.
    pub staged: i64,
    /// How many flags nobody has acknowledged.
    pub flags: i64,
    /// Of those that are not expelled, the one that was silent longest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub silent: Option<DeviceInfo>,
}

/// A device's hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct HubInfo {
    /// Its ledger's id.
    #[serde(with = "uuid_text")]
    pub ledger: Uuid,
    /// What it signs by.
    pub public_key: PublicKey,
}

/// A device of a hub. JSON shape `counterfoil.device/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DeviceInfo {
    /// Its id: that of the device which writes its file.
    #[serde(with = "uuid_text")]
    pub device: Uuid,
    /// What people call it.
    pub name: String,
    /// Whether its hub books what it sends.
    pub state: DeviceState,
    /// What its files are signed by.
    pub public_key: PublicKey,
    /// What it may do.
    #[serde(flatten)]
    pub policy: DevicePolicy,
    /// How far its log has come.
    #[serde(flatten)]
    pub log: DeviceLog,
}

/// A UUID as its text.
#[allow(non_camel_case_types, reason = "serde names it as it does a module")]
pub(crate) struct uuid_text;

json_schema!(uuid_text as "Uuid", { "type": "string", "format": "uuid" });

impl uuid_text {
    pub(crate) fn serialize<S: Serializer>(id: &Uuid, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Uuid, D::Error> {
        Uuid::parse_str(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}
