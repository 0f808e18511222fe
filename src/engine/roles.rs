//! Roles: what a file is to others, what it books as that, and the devices of a hub.

use std::mem;
use std::sync::Arc;

use super::Booking;
use super::source::Source;
use crate::error::{Error, Result};
use crate::hash::PublicKey;
use crate::model::{
    Action, Admission, Certificate, Command, DeviceRow, DeviceState, Granted, HUB_LATE_WINDOW, Key, LedgerRow, OpKind,
    Right, Role, Setting, Standing, WhenExpelled, device_tag,
};
use crate::units::{DAY_MILLIS, add};

/// Refuses what a file of this role does not book, whatever is in it.
pub(crate) fn check(ledger: &LedgerRow, command: &Command) -> Result<()> {
    match ledger.standing.role {
        Role::Device => check_device(&ledger.standing, command),
        Role::Standalone | Role::Hub if matches!(command.kind, OpKind::Reconcile | OpKind::Return) => {
            Err(conflict(ledger.standing.role, "this file is no device, and hears of no hub", "take it to the device"))
        }
        Role::Standalone if is_of_hub(command) => Err(conflict(
            Role::Standalone,
            "this file is no hub, and has no devices",
            "make it a hub first: become_hub",
        )),
        Role::Standalone | Role::Hub => Ok(()),
    }
}

/// Whether what has this key is one over all devices of this hub and itself: a payment told twice is money, and so may other sales be.
/// Other keys are their device's.
pub(super) fn is_one_over_all(standing: &Standing, kind: OpKind, key: &Key) -> bool {
    let begins = |beginning: &Key| key.as_str().starts_with(beginning.as_str());
    standing.role == Role::Hub
        && match kind {
            OpKind::Recharge => true,
            OpKind::Consume => standing.global_keys.as_ref().is_some_and(|keys| keys.iter().any(begins)),
            _ => false,
        }
}

/// What is about devices, or about what they sent.
fn is_of_hub(command: &Command) -> bool {
    use OpKind::{Acknowledge, Admit, Allot, AllotWriteOff, Approve, Dismiss, Expel, Import, Recall};
    matches!(command.kind, Admit | Expel | Import | Approve | Dismiss | Acknowledge | Allot | Recall | AllotWriteOff)
        || matches!(command.action, Action::Configure(Setting::GlobalKeys(_)))
}

fn conflict(role: Role, message: impl Into<String>, help: impl Into<String>) -> Error {
    Error::RoleConflict { role: role.as_str(), message: message.into(), help: help.into() }
}

fn check_device(standing: &Standing, command: &Command) -> Result<()> {
    // What the library books of its own accord goes on.
    let stops = standing.policy.as_ref().is_none_or(|policy| policy.when_expelled == WhenExpelled::Stop);
    if stops && command.asked && standing.heard.as_ref().is_some_and(|heard| heard.expelled) {
        return Err(Error::DeviceRevoked);
    }
    let refused = |message: String| Err(Error::NotOnDevice { op: command.kind.as_str(), message });
    if !command.kind.is_on_device() {
        return refused("a device does not book it".into());
    }
    let may = |right| standing.policy.as_ref().is_some_and(|policy| policy.rights.contains(&right));
    let most = standing.policy.as_ref().and_then(|policy| policy.max_recharge);
    match (&command.action, most) {
        (Action::Recharge { .. }, _) if !may(Right::Recharge) => refused("this device has no right to recharge".into()),
        (Action::Recharge { points, .. }, Some(most)) if most < *points => {
            refused(format!("{points} points are more than the {most} of one recharge on this device"))
        }
        (Action::Refund { .. }, _) if !may(Right::Refund) => refused("this device has no right to refund".into()),
        _ => Ok(()),
    }
}

/// The device an operation is about, if the hub knows it; but for `admit` there is none other. Boxed, for most are about none.
pub(super) fn device_of(source: &dyn Source, action: &Action) -> Result<Option<Box<DeviceRow>>> {
    match action {
        Action::Admit(admission) => Ok(source.device(device_tag(&admission.device))?.map(Box::new)),
        Action::Expel { device } | Action::Allot { device, .. } => {
            let found = source.device(device_tag(device))?.filter(|row| row.device == *device);
            found.map(|row| Some(Box::new(row))).ok_or_else(|| Error::UnknownDevice { device: device.to_string() })
        }
        _ => Ok(None),
    }
}

/// The standing of a file that may still get a role.
fn unbound(ledger: &mut LedgerRow) -> Result<&mut Standing> {
    let role = ledger.standing.role;
    if role != Role::Standalone {
        let help = "a role is given once: make a new file for the other";
        return Err(conflict(role, format!("this file is a {role} already"), help));
    }
    Ok(Arc::make_mut(&mut ledger.standing))
}

impl Booking<'_, '_> {
    pub(super) fn become_hub(&mut self, ledger: &mut LedgerRow, public_key: PublicKey, name: &str) -> Result<()> {
        let standing = unbound(ledger)?;
        (standing.role, standing.public_key, standing.name) = (Role::Hub, Some(public_key), Some(name.into()));
        if ledger.settings.late_window == 0 {
            self.outcome.before = Some(mem::replace(&mut ledger.settings.late_window, HUB_LATE_WINDOW));
        }
        Ok(())
    }

    /// What the hub decides by is in the log from here on: the replay must decide by it too.
    pub(super) fn enrol(&self, ledger: &mut LedgerRow, certificate: &Certificate) -> Result<()> {
        let own = ledger.writer.1.device;
        let standing = unbound(ledger)?;
        if certificate.device != own {
            let message = format!("the certificate is for device {}, and this is {own}", certificate.device);
            return Err(conflict(Role::Standalone, message, "ask the hub for a certificate for this device"));
        }
        if let Some((seq, kind)) = self.books.source().beyond_devices()? {
            let message = format!("operation {seq} is a {kind}, which no device books");
            let help = "make a new file the device; this one can become a hub";
            return Err(conflict(Role::Standalone, message, help));
        }
        *standing = Standing {
            role: Role::Device,
            name: Some(certificate.name.clone()),
            public_key: Some(certificate.public_key),
            hub_ledger: Some(certificate.hub),
            hub_key: Some(certificate.hub_key),
            policy: Some(Arc::new(certificate.policy.clone())),
            ..Standing::default()
        };
        ledger.settings.go_by(&Granted::from(certificate));
        Ok(())
    }

    pub(super) fn admit(&mut self, admission: &Admission) -> Result<()> {
        let Admission { device, public_key, name, renew, policy } = admission;
        let tag = device_tag(device);
        let known = self.device.as_ref().filter(|row| row.device == *device);
        let no = match (known, renew) {
            (Some(row), true) => {
                self.outcome.before = Some(row.state.code());
                row.no
            }
            (Some(row), false) => {
                let message = format!("device {device} was admitted before, as `{}`", row.name);
                return Err(conflict(Role::Hub, message, "say renew to give it another key, name or policy"));
            }
            (None, true) => return Err(Error::UnknownDevice { device: device.to_string() }),
            // Its ids would be taken for those of another.
            (None, false) if self.device.is_some() || tag == device_tag(&self.context.ledger.writer.1.device) => {
                let message = format!("device {device} has the tag of another, {tag:08x}");
                return Err(conflict(Role::Hub, message, "let the device make a new file"));
            }
            (None, false) => self.books.source().next_device_no()?,
        };
        let (recharge_day, recharged) = known.map_or((0, 0), |row| (row.recharge_day, row.recharged));
        let same_scope = known.filter(|row| row.policy.scope == policy.scope);
        let scope_since = same_scope.map_or(self.seq, |row| row.scope_since);
        let (state, policy) = (DeviceState::Admitted, Arc::new(policy.clone()));
        let (device, public_key, name) = (*device, *public_key, name.clone());
        let row = DeviceRow { no, device, tag, public_key, name, policy, state, scope_since, recharge_day, recharged };
        self.device = Some(Box::new(row));
        Ok(())
    }

    pub(super) fn expel(&mut self) -> Result<()> {
        let device = self.device.as_mut().ok_or_else(|| Error::corrupt("an expulsion has no device"))?;
        self.outcome.before = Some(device.state.code());
        device.state = DeviceState::Expelled;
        Ok(())
    }

    /// Counts what a device recharges in a day, where that is bounded.
    pub(super) fn count_recharge(&self, ledger: &mut LedgerRow) -> Result<()> {
        let Some(most) = ledger.standing.policy.as_ref().and_then(|policy| policy.max_recharge_per_day) else {
            return Ok(());
        };
        let day = self.now.millis() / DAY_MILLIS;
        let before = if ledger.standing.recharge_day == day { ledger.standing.recharged } else { 0 };
        let recharged = add(before, self.points)?;
        if most < recharged {
            let message = format!("{recharged} points are more than the {most} of one day on this device");
            return Err(Error::NotOnDevice { op: self.kind.as_str(), message });
        }
        let standing = Arc::make_mut(&mut ledger.standing);
        (standing.recharge_day, standing.recharged) = (day, recharged);
        Ok(())
    }
}
