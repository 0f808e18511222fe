//! Kinds of something, each with its name and the code it is stored under.

/// Kinds of something, with the code each is stored under.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $code:literal $text:literal),+ $(,)? }) => {
        $crate::model::words::words!($(#[$doc])* $name { $($(#[$of])* $variant $text),+ });

        impl $name {

            pub(crate) const fn code(self) -> i64 {
                match self { $($name::$variant => $code),+ }
            }

            pub(crate) fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some($name::$variant),)+ _ => None }
            }
        }
    };
}
pub(super) use codes;

codes!(
    /// What a line of an account's books records.
    EntryKind {
        Open = 1 "open", SetLimit = 2 "set_limit", Recharge = 3 "recharge", Consume = 4 "consume", Hold = 5 "hold",
        Capture = 6 "capture", Release = 7 "release", Renew = 8 "renew", Refund = 9 "refund", Revoke = 10 "revoke",
        SetExpiry = 11 "set_expiry", TransferOut = 12 "transfer_out", WriteOff = 13 "write_off", Freeze = 14 "freeze",
        Unfreeze = 15 "unfreeze", Close = 16 "close", TransferIn = 20 "transfer_in", Settle = 21 "settle",
        Expire = 22 "expire", Activate = 23 "activate", HoldExpire = 24 "hold_expire", Clawback = 25 "clawback",
        Reopen = 26 "reopen", Reinstate = 27 "reinstate", Plan = 28 "plan", Stop = 29 "stop",
        Rollover = 30 "rollover", Reconcile = 31 "reconcile", Allot = 32 "allot", AllotReturn = 33 "allot_return",
        Stage = 34 "stage", Dismiss = 35 "dismiss", Recall = 36 "recall", Unback = 37 "unback",
    }
);

impl EntryKind {
    /// Whether it is what a device did of its own accord that its hub books too.
    pub(crate) fn arrives(self) -> bool {
        matches!(self, Self::Recharge | Self::Consume | Self::Capture | Self::Refund | Self::AllotReturn)
    }
}

codes!(
    /// Whether an account takes part.
    AccountState { Active = 0 "active", Frozen = 1 "frozen", Closed = 2 "closed" }
);

codes!(
    /// What became of a hold.
    HoldState {
        /// Waiting for its job.
        Open = 0 "open",
        /// Charged.
        Captured = 1 "captured",
        /// Given back.
        Released = 2 "released",
        /// Past its deadline; it can still be captured once.
        Expired = 3 "expired",
    }
);

codes!(
    /// What an operation's clock reading was taken for.
    ClockMark { Plain = 0 "plain", Suspect = 1 "suspect", Trusted = 2 "trusted" }
);

super::words::words!(
    /// When accounts are opened: a setting of the file.
    AccountsOpen {
        /// By the first operation on them.
        FirstUse "first_use",
        /// By `open` alone.
        Explicit "explicit",
    }
);
