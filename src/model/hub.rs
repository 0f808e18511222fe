//! The typed requests by which files become hub and device, and a hub admits and expels devices.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::builders::request;
use super::{AccountId, Certificate, DevicePolicy, FlagCode, Key, Metadata, OperationId, Request};
use crate::hash::PublicKey;
use crate::units::Points;

/// The request with each field of a part of it.
fn with_fields(request: Request, part: &impl Serialize) -> Request {
    let Ok(Value::Object(fields)) = serde_json::to_value(part) else { return request };
    fields.into_iter().fold(request, |request, (name, value)| request.with(name, value))
}

request!(
    /// Makes a file the hub of devices, for good.
    ///
    /// ```
    /// use counterfoil::exchange::{BecomeHub, PublicKey};
    /// let request = BecomeHub::new(PublicKey::from([7; 32]), "head office");
    /// ```
    BecomeHub on_file
);

impl BecomeHub {
    /// The public key of the key it signs with, and its name: 1 to 128 bytes.
    pub fn new(public_key: PublicKey, name: impl Into<String>) -> Self {
        let request = Request::new("become_hub").with("public_key", public_key.to_string());
        BecomeHub(request.with("name", name.into()))
    }
}

request!(
    /// Lets a device send a hub its operations.
    ///
    /// ```
    /// use counterfoil::exchange::{Admit, DevicePolicy, PublicKey};
    /// let device = "0193f1a2-4c5d-7e8f-9a0b-1c2d3e4f5a6b".parse().unwrap();
    /// let request = Admit::new(device, PublicKey::from([7; 32]), "kiosk 12", &DevicePolicy::default());
    /// ```
    Admit on_file
);

impl Admit {
    /// The device's id, the public key of the key it signs with, its name (1 to 128 bytes), and what it may do.
    pub fn new(device: Uuid, public_key: PublicKey, name: impl Into<String>, policy: &DevicePolicy) -> Self {
        let request = Request::new("admit").with("device", device.to_string());
        let request = request.with("public_key", public_key.to_string()).with("name", name.into());
        Admit(with_fields(request, policy))
    }

    /// It was admitted before, and gets this key, name and policy instead; one that was expelled is let in again.
    pub fn renew(self) -> Self {
        self.set("renew", true)
    }
}

request!(
    /// Lets a hub book no more of what a device sends.
    ///
    /// ```
    /// use counterfoil::exchange::Expel;
    /// let device = "0193f1a2-4c5d-7e8f-9a0b-1c2d3e4f5a6b".parse().unwrap();
    /// let request = Expel::new(device, "stolen");
    /// ```
    Expel on_file
);

impl Expel {
    /// The device, and why: 1 to 4096 bytes.
    pub fn new(device: Uuid, reason: impl Into<String>) -> Self {
        Expel(Request::new("expel").with("device", device.to_string()).with("reason", reason.into()))
    }
}

request!(
    /// Makes a file a device of a hub, for good.
    Enrol on_file
);

impl Enrol {
    /// By what the hub has certified. Whether the hub has signed it is for whoever reads the certificate to see.
    pub fn new(certificate: &Certificate) -> Self {
        Enrol(with_fields(Request::new("enrol"), certificate))
    }
}

request!(
    /// Books what a device did, and a hub set aside, after all.
    Approve on link: OperationId
);

impl Approve {
    /// With nothing besides.
    pub fn new() -> Self {
        Approve(Request::new("approve"))
    }

    /// It is another sale than the one that was booked under its key.
    pub fn another(self) -> Self {
        self.set("another", true)
    }

    /// Why: 1 to 4096 bytes.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.set("reason", reason.into())
    }
}

impl Default for Approve {
    fn default() -> Self {
        Self::new()
    }
}

request!(
    /// Lets what a device did, and a hub set aside, never be booked.
    Dismiss on link: OperationId
);

impl Dismiss {
    /// Why: 1 to 4096 bytes, kept in the books.
    pub fn new(reason: impl Into<String>) -> Self {
        Dismiss(Request::new("dismiss").with("reason", reason.into()))
    }
}

request!(
    /// Says that what is flagged of an operation has been seen to.
    Acknowledge on flagged: OperationId
);

impl Acknowledge {
    /// Why: 1 to 4096 bytes, kept in the books.
    pub fn new(reason: impl Into<String>) -> Self {
        Acknowledge(Request::new("acknowledge").with("reason", reason.into()))
    }

    /// Only of this flag.
    pub fn flag(self, flag: FlagCode) -> Self {
        self.set("flag", flag.as_str())
    }
}

request!(
    /// Sets points of an account aside for one device, which can spend them offline: nobody else can.
    ///
    /// ```
    /// use counterfoil::Points;
    /// use counterfoil::exchange::Allot;
    /// let device = "0193f1a2-4c5d-7e8f-9a0b-1c2d3e4f5a6b".parse().unwrap();
    /// let request = Allot::new(device, Points::new(20)?, "2030-01-31T00:00:00Z".parse()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    Allot on account: AccountId
);

impl Allot {
    /// The device, how many points, and until when it may spend them: they are of batches that end later.
    pub fn new(device: Uuid, points: Points, spend_until: DateTime<Utc>) -> Self {
        let until = spend_until.to_rfc3339_opts(SecondsFormat::Millis, true);
        let request = Request::new("allot").with("device", device.to_string()).with("points", points.get());
        Allot(request.with("spend_until", until))
    }
}

request!(
    /// Has a device give back what is left of an allotment.
    Recall on allotment: OperationId
);

impl Recall {
    /// At the device's next exchange.
    pub fn new() -> Self {
        Recall(Request::new("recall"))
    }
}

impl Default for Recall {
    fn default() -> Self {
        Self::new()
    }
}

request!(
    /// Gives an allotment back to its account without its device.
    AllotWriteOff on allotment: OperationId
);

impl AllotWriteOff {
    /// Why: 1 to 4096 bytes, kept in the books.
    pub fn new(reason: impl Into<String>) -> Self {
        AllotWriteOff(Request::new("allot_write_off").with("reason", reason.into()))
    }
}

request!(
    /// On a device, gives back what is left of an allotment.
    Return on allotment: OperationId
);

impl Return {
    /// All that neither was spent nor is kept by a hold.
    pub fn new() -> Self {
        Return(Request::new("return"))
    }
}

impl Default for Return {
    fn default() -> Self {
        Self::new()
    }
}
