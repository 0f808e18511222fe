//! How this computer's clock stands to the times in the file.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Look;
use crate::error::Result;
use crate::store;
use crate::units::{is_zero, utc, utc_option};

/// How the clock stands to the times in the file.
///
/// ```
/// # use counterfoil::*;
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(folder.path().join("points.ledger"))?;
/// let clock = ledger.clock()?;
/// assert!(!clock.suspect && clock.behind == 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ClockInfo {
    /// What it reads.
    #[serde(with = "utc")]
    pub reading: DateTime<Utc>,
    /// The newest accepted reading in the log.
    #[serde(with = "utc")]
    pub accepted_at: DateTime<Utc>,
    /// The reading is not believed: ledger time stands still.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub suspect: bool,
    /// The first of the suspect readings that go on now, of those in the log.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "utc_option")]
    pub suspect_since: Option<DateTime<Utc>>,
    /// Seconds the reading is behind the newest accepted one, if that is more than a minute.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub behind: i64,
}

impl Look<'_, '_> {
    pub(crate) fn clock(&self) -> ClockInfo {
        let clock = &self.ledger.clock;
        ClockInfo {
            reading: self.reading.at.utc(),
            accepted_at: clock.accepted_at.utc(),
            suspect: self.suspect,
            suspect_since: clock.suspect_since.map(crate::units::Instant::utc),
            behind: self.behind,
        }
    }

    /// The points that lapsed by a time later than this reading.
    pub(crate) fn clock_brings_back(&self) -> Result<i64> {
        store::lapsed_after(self.session, self.reading.at)
    }
}
