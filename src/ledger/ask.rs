//! Questions as data, and their answers.

use serde::Serialize;

use super::Ledger;
use crate::audit::Verification;
use crate::error::{Error, Result};
use crate::model::{
    AllotmentInfo, Asked, Balance, BatchInfo, Check, DeviceInfo, Entry, FlagInfo, HoldInfo, Overview, Page, PlanInfo,
    Question, Quote, StagedInfo, SyncStatus,
};
use crate::report::{BatchLife, ClockInfo, Explanation, Found, Info, Missing, PaidOperation, Statement, UsageLine};

/// The answers, each with what it holds; that can be taken out of it.
macro_rules! answers {
    ($($(#[$about:meta])+ $kind:ident($holds:ty),)+) => {
        /// The answer to a [`Question`]. Its JSON is that of what it holds, and is read back as that. Whoever knows what was asked
        /// takes it out:
        ///
        /// ```
        /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
        /// use counterfoil::{Balance, Question};
        /// let balance: Balance = ledger.ask(&Question::new("balance").with("account", "alice"))?.try_into()?;
        /// assert_eq!(balance.figures.available, 50);
        /// # Ok::<(), Box<dyn std::error::Error>>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[serde(untagged)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "there is one at a time, and it is handed on at once")]
        pub enum Answer {
            $($(#[$about])+ $kind($holds),)+
        }

        $(impl TryFrom<Answer> for $holds {
            type Error = Error;

            /// `invalid_argument` when the question was another.
            fn try_from(answer: Answer) -> Result<Self> {
                match answer {
                    Answer::$kind(held) => Ok(held),
                    _ => Err(Error::invalid("get", "has another answer", "take out what this question is answered by")),
                }
            }
        })+
    };
}

answers! {
    /// To `balance`.
    Balance(Balance),
    /// To `check`.
    Check(Check),
    /// To `price` and `estimate`.
    Quote(Quote),
    /// To `batches`.
    Batches(Page<BatchInfo>),
    /// To `holds`.
    Holds(Page<HoldInfo>),
    /// To `plans`.
    Plans(Page<PlanInfo>),
    /// To `history`.
    History(Page<Entry>),
    /// To `overview`.
    Overview(Overview),
    /// To `expiring`.
    Expiring(Vec<BatchInfo>),
    /// To `accounts`.
    Accounts(Page<Balance>),
    /// To `usage`.
    Usage(Page<UsageLine>),
    /// To `statement`.
    Statement(Statement),
    /// To `missing`.
    Missing(Missing),
    /// To `explain` with an operation.
    Explanation(Explanation),
    /// To `explain` with a batch.
    Life(BatchLife),
    /// To `operation`.
    Operation(PaidOperation),
    /// To `find`.
    Found(Page<Found>),
    /// To `info`.
    Info(Info),
    /// To `sync`.
    Sync(SyncStatus),
    /// To `devices`.
    Devices(Page<DeviceInfo>),
    /// To `staged`.
    Staged(Page<StagedInfo>),
    /// To `flags`.
    Flags(Page<FlagInfo>),
    /// To `allotments`.
    Allotments(Page<AllotmentInfo>),
    /// To `clock`.
    Clock(ClockInfo),
    /// To `verify`.
    Verification(Verification),
}

impl Ledger {
    /// Answers a question given as data. The verbs that look answer the same, one each.
    ///
    /// ```
    /// # use counterfoil::*; let (folder, ledger, alice, bought) = include!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/example.rs"));
    /// use counterfoil::Question;
    /// let answer = ledger.ask(&Question::parse(r#"{"get":"check","account":"alice","points":20}"#)?)?;
    /// let json = serde_json::to_string(&answer)?;
    /// assert_eq!(json, r#"{"sufficient":true,"allowed":true,"available":50,"debt":0,"required":20}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `invalid_argument` and `out_of_range` as for [`Question::parse`], and those of the verb.
    pub fn ask(&self, question: &Question) -> Result<Answer> {
        Ok(match question.asked()? {
            Asked::Balance(account, None) => Answer::Balance(self.balance(&account)?),
            Asked::Balance(account, at) => Answer::Balance(self.look(|look| look.balance(&account, at))?),
            Asked::Check(account, points) => Answer::Check(self.check(&account, points)?),
            Asked::Price(service, usage) => Answer::Quote(self.price(&service, usage.as_ref())?),
            Asked::Estimate(service, usage) => Answer::Quote(self.estimate(&service, usage.as_ref())?),
            Asked::Batches(account, filter) => Answer::Batches(self.look(|look| look.batches(&account, &filter))?),
            Asked::Holds(account, filter) => Answer::Holds(self.look(|look| look.holds(&account, &filter))?),
            Asked::Plans(account, filter) => Answer::Plans(self.look(|look| look.plans(&account, &filter))?),
            Asked::History(Some(account), filter) => {
                Answer::History(self.look(|look| look.history(&account, &filter))?)
            }
            Asked::History(None, filter) => Answer::History(self.look(|look| look.history_of_all(&filter))?),
            Asked::Overview(account, filter) => Answer::Overview(self.look(|look| look.overview(&account, filter))?),
            Asked::Expiring(before, account) => {
                Answer::Expiring(self.look(|look| look.expiring(before, account.as_ref()))?)
            }
            Asked::Accounts(filter) => Answer::Accounts(self.look(|look| look.accounts(&filter))?),
            Asked::Usage(filter) => Answer::Usage(self.sum(&filter)?),
            Asked::Statement(account, period) => Answer::Statement(self.statement(&account, &period)?),
            Asked::Missing(account, period, steps) => Answer::Missing(self.explain_missing(&account, &period, steps)?),
            Asked::Explain(name, account) => {
                Answer::Explanation(self.explain(&self.operation_named(&name, account.as_ref())?)?)
            }
            Asked::Life(name, account) => {
                Answer::Life(self.explain_batch(&self.batch_named(&name, account.as_ref())?)?)
            }
            Asked::Operation(name, account) => Answer::Operation(
                self.look(|look| look.paid_operation(&look.operation_named(&name, account.as_ref())?))?,
            ),
            Asked::Find(sought, filter) => Answer::Found(self.look(|look| look.find(&sought, &filter))?),
            Asked::Info => Answer::Info(self.info()?),
            Asked::Sync => Answer::Sync(self.sync_status()?),
            Asked::Devices(filter) => Answer::Devices(self.look(|look| look.devices(&filter))?),
            Asked::Staged(filter) => Answer::Staged(self.look(|look| look.staged(&filter))?),
            Asked::Flags(filter) => Answer::Flags(self.look(|look| look.flags(&filter))?),
            Asked::Allotments(filter) => Answer::Allotments(self.look(|look| look.allotments(&filter))?),
            Asked::Clock => Answer::Clock(self.clock()?),
            Asked::Verify { quick: false } => Answer::Verification(self.verify()?),
            Asked::Verify { quick: true } => Answer::Verification(self.verify_quick()?),
        })
    }
}
