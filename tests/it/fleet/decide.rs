//! What a caller asks for, and what today's rules make of it in the file at hand: a fact or a refusal.

use super::MAX_HOLD;
use super::account::{Account, HoldState, Id, Ms, NEVER, State};
use super::facts::{Act, Kind, Policy, Terms};

pub type Key = u32;
/// Keys from here on count over all devices, as setting `global_keys` says of "order:" and its like.
pub const GLOBAL_KEYS: Key = 1_000_000;

/// One thing a caller asks for. Targets are named by the key they were booked under, so that a step of a schedule means the
/// same in every file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    pub account: u8,
    pub key: Key,
    pub occurred: Option<Ms>,
    pub ask: Ask,
}

/// Points of 0 mean all there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    Open { limit: i64 },
    Consume { points: i64, policy: Policy },
    Hold { points: i64, lasts: Ms },
    Capture { hold: Key, points: i64 },
    Release { hold: Key },
    RenewHold { hold: Key, lasts: Ms },
    Refund { of: Key, captured: bool, points: i64 },
    Recharge { points: i64, life: Option<Ms>, starts: Option<Ms>, priority: i64, promo: bool },
    Return,
    ConfirmClock,
    Expire,
    Revoke { recharge: Key, points: i64, clamp: bool },
    Transfer { to: u8, points: i64 },
    WriteOff { points: i64 },
    Freeze { frozen: bool },
    Close,
    SetLimit { limit: i64 },
    Allot { device: u8, points: i64, lasts: Ms },
    Recall,
    AllotWriteOff,
}

impl Ask {
    /// What is asked for of something that is not there.
    pub fn unknown(&self) -> &'static str {
        match self.target() {
            Some((Kind::Hold, _)) => "unknown_hold",
            Some((Kind::Recharge, _)) => "unknown_batch",
            _ => "unknown_operation",
        }
    }

    /// Whether a device may ask for it, by what its hub has settled.
    pub fn is_allowed(&self, terms: &Terms) -> bool {
        match self {
            Ask::Recharge { points, .. } => *points <= terms.recharge,
            Ask::Refund { .. } => terms.refund,
            _ => true,
        }
    }

    pub fn for_devices(&self) -> bool {
        use Ask::*;
        matches!(
            self,
            Open { .. }
                | Consume { .. }
                | Hold { .. }
                | Capture { .. }
                | Release { .. }
                | RenewHold { .. }
                | Refund { .. }
                | Recharge { .. }
                | Return
                | ConfirmClock
                | Expire
        )
    }

    pub fn kind(&self) -> Kind {
        match self {
            Ask::Consume { .. } => Kind::Consume,
            Ask::Capture { .. } => Kind::Capture,
            Ask::Hold { .. } => Kind::Hold,
            Ask::Refund { .. } => Kind::Refund,
            Ask::Recharge { .. } => Kind::Recharge,
            _ => Kind::Other,
        }
    }

    /// The key of what it is about, and that one's kind.
    pub fn target(&self) -> Option<(Kind, Key)> {
        match self {
            Ask::Capture { hold, .. } | Ask::Release { hold } | Ask::RenewHold { hold, .. } => {
                Some((Kind::Hold, *hold))
            }
            Ask::Refund { of, captured, .. } => Some((if *captured { Kind::Capture } else { Kind::Consume }, *of)),
            Ask::Revoke { recharge, .. } => Some((Kind::Recharge, *recharge)),
            _ => None,
        }
    }
}

/// What the file at hand adds to the account.
pub struct Setting<'a> {
    pub now: Ms,
    /// Whether there is such an account.
    pub known: bool,
    /// From when lives count: the raw reading, where that is not believed.
    pub alive_from: Ms,
    pub occurred: Option<Ms>,
    pub late_window: Ms,
    /// The operation a target's key leads to.
    pub target: Option<Id>,
    /// Of a device: its terms, the allotments it may spend now, and when its base was made.
    pub device: Option<(&'a Terms, Vec<Id>, Option<Ms>)>,
    /// Of the hub: the device's epoch, for `allot`.
    pub epoch: u32,
}

type Refusal = &'static str;

/// What a closed account does not refuse: refunds, late captures, and what is asked of allotments, of which it has none.
fn is_for_closed(ask: &Ask, account: &Account, with: &Setting<'_>) -> bool {
    match ask {
        Ask::Refund { .. } | Ask::Recall | Ask::AllotWriteOff => true,
        Ask::Capture { .. } => {
            let meant = account.holds.iter().find(|hold| Some(hold.id) == with.target);
            meant.is_none_or(|hold| hold.state == HoldState::Expired)
        }
        _ => false,
    }
}

/// The account is caught up; nothing is changed.
pub fn decide(ask: &Ask, account: &Account, with: &Setting<'_>) -> Result<Act, Refusal> {
    let now = with.now;
    let all = |points: i64, most: i64| match points {
        0 => most,
        points => points,
    };
    if account.state == State::Closed && !is_for_closed(ask, account, with) {
        return Err("account_closed");
    }
    match *ask {
        Ask::Open { limit } if with.known && limit != account.limit => Err("account_exists"),
        Ask::Open { limit } => Ok(Act::Open { limit }),
        Ask::Consume { points, policy } => consume(points, policy, account, with),
        Ask::Hold { points, lasts } => hold(points, lasts, account, with),
        Ask::Capture { points, .. } => capture(points, account, with),
        Ask::Release { .. } => open_hold(account, with).map(|hold| Act::Release { hold }),
        Ask::RenewHold { lasts, .. } => {
            open_hold(account, with).map(|hold| Act::RenewHold { hold, lasts, deadline: now + lasts })
        }
        Ask::Refund { points: asked, .. } => refund(asked, account, with),
        Ask::Recharge { points, life, starts, priority, promo } => {
            let expires_at = life.map_or(NEVER, |life| starts.unwrap_or(now).max(with.alive_from) + life);
            Ok(Act::Recharge { points, life, expires_at, starts, priority, promo })
        }
        Ask::Return => Err("unknown_allotment"),
        Ask::ConfirmClock => Ok(Act::ConfirmClock),
        Ask::Expire => Ok(Act::Expire),
        Ask::Revoke { points, clamp, .. } => {
            let id = with.target.ok_or("unknown_batch")?;
            let batch = account.batches.iter().find(|batch| batch.id == id).ok_or("unknown_batch")?;
            let most = batch.amount - batch.revoked - batch.owed;
            match all(points, most) {
                points if points > most || points == 0 => Err("limit_exceeded"),
                points => Ok(Act::Revoke { batch: id, points, clamp }),
            }
        }
        Ask::Transfer { to, points } => {
            let backed: i64 = account.draw(points, now, None).iter().map(|part| part.1).sum();
            match account.state {
                State::Frozen => Err("account_frozen"),
                _ if backed < points => Err("insufficient_points"),
                _ => Ok(Act::Transfer { to, points }),
            }
        }
        Ask::WriteOff { points } => {
            let debt = account.figures()[3];
            match all(points, debt) {
                points if points > debt || points == 0 => Err("limit_exceeded"),
                points => Ok(Act::WriteOff { points }),
            }
        }
        Ask::Freeze { frozen } => Ok(Act::Freeze { frozen }),
        Ask::Close => {
            let open = account.holds.iter().any(|hold| hold.state == HoldState::Open);
            let allotted = account.allotments.iter().any(|a| a.left() > 0);
            match open || allotted || account.figures() != [0; 4] {
                true => Err("account_not_empty"),
                false => Ok(Act::Close),
            }
        }
        Ask::SetLimit { limit } => Ok(Act::SetLimit { limit }),
        Ask::Allot { device, points, lasts } => {
            let spend_until = now + lasts;
            match allottable(account, points, now, spend_until).iter().map(|part| part.1).sum::<i64>() {
                backed if backed < points => Err("insufficient_points"),
                _ => Ok(Act::Allot { device, epoch: with.epoch, points, spend_until }),
            }
        }
        Ask::Recall => {
            let open = account.allotments.iter().find(|a| !a.recalled && a.left() > 0);
            open.map(|a| Act::Recall { allotment: a.id }).ok_or("unknown_allotment")
        }
        Ask::AllotWriteOff => {
            let open = account.allotments.iter().find(|a| a.left() > 0);
            open.map(|a| Act::AllotWriteOff { allotment: a.id }).ok_or("unknown_allotment")
        }
    }
}

/// What an allotment is made of: live batches that outlive it.
pub fn allottable(account: &Account, points: i64, now: Ms, spend_until: Ms) -> Vec<(usize, i64)> {
    let mut left = points;
    let all = account.draw(i64::MAX / 2, now, None);
    let lasting = all.into_iter().filter(|(i, _)| account.batches[*i].expires_at > spend_until);
    let parts = lasting.map(|(i, there)| {
        let points = there.min(left);
        left -= points;
        (i, points)
    });
    parts.filter(|part| part.1 > 0).collect()
}

/// Parts of usable allotments, oldest first.
fn from_allotments(account: &Account, usable: &[Id], want: i64) -> Vec<(Id, i64)> {
    let mut left = want;
    let own = account.allotments.iter().filter(|a| usable.contains(&a.id));
    let parts = own.map(|a| {
        let points = a.left().min(left);
        left -= points;
        (a.id, points)
    });
    parts.filter(|part| part.1 > 0).collect()
}

fn sum(parts: &[(Id, i64)]) -> i64 {
    parts.iter().map(|part| part.1).sum()
}

/// What Strict refuses: the account's state, debt, shortage.
fn strictly(account: &Account, points: i64, uncovered: i64) -> Result<(), Refusal> {
    let debt = account.figures()[3];
    if account.state == State::Frozen {
        return Err("account_frozen");
    }
    if points > 0 && debt > account.limit {
        return Err("account_in_debt");
    }
    let credit = account.limit - debt - account.unbacked(None);
    if uncovered > 0 && uncovered > credit { Err("insufficient_points") } else { Ok(()) }
}

/// The account's state is told of first.
fn too_long_offline(account: &Account, with: &Setting<'_>) -> Result<(), Refusal> {
    match &with.device {
        _ if account.state == State::Frozen => Err("account_frozen"),
        Some((terms, _, Some(base_at))) if terms.max_offline > 0 && with.now - base_at > terms.max_offline => {
            Err("offline_too_long")
        }
        _ => Ok(()),
    }
}

fn consume(asked: i64, policy: Policy, account: &Account, with: &Setting<'_>) -> Result<Act, Refusal> {
    let late = with.occurred.filter(|at| with.now - at <= with.late_window);
    if policy == Policy::Strict {
        too_long_offline(account, with)?;
    }
    let allotted = match &with.device {
        Some((terms, usable, _)) if terms.allotted => from_allotments(account, usable, asked),
        _ => Vec::new(),
    };
    let only_allotted = with.device.as_ref().is_some_and(|(terms, ..)| terms.allotted) && policy != Policy::Postpaid;
    let drawn = match only_allotted {
        true => 0,
        false => account.draw(asked - sum(&allotted), with.now, late).iter().map(|part| part.1).sum(),
    };
    let covered = sum(&allotted) + drawn;
    let uncovered = asked - covered;
    match policy {
        Policy::Strict if only_allotted => {
            strictly(account, asked, 0)?;
            if uncovered > 0 {
                return Err("insufficient_points");
            }
        }
        Policy::Strict => strictly(account, asked, uncovered)?,
        Policy::UpTo if account.state == State::Frozen => return Err("account_frozen"),
        _ => {}
    }
    let points = if policy == Policy::UpTo { covered } else { asked };
    Ok(Act::Consume { asked, points, policy, allotted })
}

fn hold(points: i64, lasts: Ms, account: &Account, with: &Setting<'_>) -> Result<Act, Refusal> {
    too_long_offline(account, with)?;
    if lasts > MAX_HOLD {
        return Err("invalid_argument");
    }
    let deadline = with.now + lasts;
    if let Some((terms, usable, _)) = &with.device
        && terms.allotted
    {
        let allotted = from_allotments(account, usable, points);
        strictly(account, points, 0)?;
        return match sum(&allotted) < points {
            true => Err("insufficient_points"),
            false => Ok(Act::Hold { points, lasts, deadline, allotted }),
        };
    }
    let backed: i64 = account.draw(points, with.now, None).iter().map(|part| part.1).sum();
    strictly(account, points, points - backed)?;
    Ok(Act::Hold { points, lasts, deadline, allotted: Vec::new() })
}

fn open_hold(account: &Account, with: &Setting<'_>) -> Result<Id, Refusal> {
    let id = with.target.ok_or("unknown_hold")?;
    match account.holds.iter().find(|hold| hold.id == id) {
        None => Err("unknown_hold"),
        Some(hold) if hold.state != HoldState::Open => Err("hold_closed"),
        _ => Ok(id),
    }
}

fn capture(asked: i64, account: &Account, with: &Setting<'_>) -> Result<Act, Refusal> {
    let id = with.target.ok_or("unknown_hold")?;
    let hold = account.holds.iter().find(|hold| hold.id == id).ok_or("unknown_hold")?;
    if !matches!(hold.state, HoldState::Open | HoldState::Expired) {
        return Err("hold_closed");
    }
    let points = if asked == 0 { hold.points } else { asked };
    let mut left = points;
    let mut allotted: Vec<(Id, i64)> = Vec::new();
    let slices = hold.slices.iter().filter(|_| hold.state == HoldState::Open);
    for slice in slices {
        let taken = slice.points.min(left);
        left -= taken;
        match (slice.allotment, allotted.last_mut()) {
            (Some(id), Some(last)) if last.0 == id => last.1 += taken,
            (Some(id), _) if taken > 0 => allotted.push((id, taken)),
            _ => {}
        }
    }
    Ok(Act::Capture { hold: id, asked, points, allotted })
}

fn refund(asked: i64, account: &Account, with: &Setting<'_>) -> Result<Act, Refusal> {
    let of = with.target.ok_or("unknown_operation")?;
    let consume = account.consumes.iter().find(|consume| consume.id == of).ok_or("unknown_operation")?;
    let points = if asked == 0 { consume.refundable() } else { asked };
    match points {
        0 if consume.points == 0 && !consume.given_back => Ok(Act::Refund { of, asked, points: 0 }),
        0 => Err("limit_exceeded"),
        points if points > consume.refundable() => Err("limit_exceeded"),
        points => Ok(Act::Refund { of, asked, points }),
    }
}
