//! A reconcile: what a device books of what it hears of its hub.

use serde::Deserialize;
use serde_json::{Value, json};

use super::device::Granted;
use super::fields::Body;
use super::heard::HubPosition;
use super::request::Request;
use crate::error::{Error, Result};
use crate::hash::Hash;
use crate::units::Instant;

/// What a reconcile books: accounts as the hub had them, and what went with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reconcile {
    pub(crate) position: HubPosition,
    /// The hub's time then.
    pub(crate) as_of: Instant,
    /// Up to which of this file's operations the hub had them.
    pub(crate) ack: (i64, Hash),
    /// What this device may do, where that has changed.
    pub(crate) granted: Option<Granted>,
    /// All there is has come: accounts heard of from an earlier epoch of the hub, and not from this one, are no more.
    pub(crate) whole: bool,
    /// The accounts, as they came.
    pub(crate) lines: Vec<String>,
}

impl Reconcile {
    /// The hash of its lines.
    fn content(&self) -> Hash {
        let mut bytes = Vec::new();
        for line in &self.lines {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
        }
        Hash::of(&bytes)
    }

    pub(crate) fn body(&self) -> Body {
        let HubPosition { epoch, seq, hash } = self.position;
        let mut body = Body::default();
        body.add("ack", json!([self.ack.0, self.ack.1]));
        body.add("as_of", self.as_of.to_string().into());
        body.add("content", self.content().to_string().into());
        body.add("lines", self.lines.len().into());
        let granted = self.granted.as_ref().and_then(|granted| serde_json::to_value(granted).ok());
        granted.into_iter().for_each(|granted| body.add("policy", granted));
        body.add("position", json!([0, epoch, seq, hash]));
        if self.whole {
            body.add("whole", true.into());
        }
        body
    }

    /// As it is stored: its body, and the lines beside it. `None` when these are not the lines it was booked with.
    pub(crate) fn stored(body: &Request, lines: Vec<String>) -> Option<Self> {
        let (shard, position) = position(body)?;
        let policy = body.get("policy");
        let found = Reconcile {
            position,
            as_of: Instant::parse("as_of", body.get("as_of")?.as_str()?).ok()?,
            ack: read(body, "ack")?,
            granted: policy.map(|policy| serde_json::from_value(policy.clone()).ok()).unwrap_or_default(),
            whole: body.get("whole") == Some(&Value::Bool(true)),
            lines,
        };
        let same = body.fields().all(|(name, value)| found.body().get(name) == Some(value));
        (same && shard == 0 && body.fields().count() == found.body().names().count()).then_some(found)
    }
}

fn position(body: &Request) -> Option<(i64, HubPosition)> {
    let (shard, epoch, seq, hash) = read(body, "position")?;
    Some((shard, HubPosition { epoch, seq, hash }))
}

/// The position of the hub of which a stored `reconcile` tells.
pub(crate) fn position_of(body: &Request) -> Result<HubPosition> {
    position(body).map(|(_, position)| position).ok_or_else(|| Error::corrupt("a reconcile has no position"))
}

fn read<T: for<'de> Deserialize<'de>>(body: &Request, name: &str) -> Option<T> {
    serde_json::from_value(body.get(name)?.clone()).ok()
}
