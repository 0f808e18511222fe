//! Plain data: ids, requests, the books' rows, and the answers. No rules, no SQL.

mod action;
mod allotment;
mod answer;
pub(crate) mod builders;
mod calendar;
mod carried;
mod codes;
mod device;
mod evidence;
mod expiry;
mod fields;
mod finding;
mod heard;
mod hub;
mod ids;
mod json;
mod link;
mod metadata;
mod movement;
mod name;
pub(crate) mod operations;
mod period;
mod plan;
mod question;
mod reconcile;
mod request;
mod rollover;
mod rows;
pub(crate) mod schema;
mod words;

pub(crate) use action::{
    Action, Amount, CaptureAmount, Command, Facts, Import, Policy as ConsumePolicy, Setting,
    Shortfall as RevokeShortfall, Subject,
};
pub(crate) use allotment::{ALLOTTED, AllotmentRow, EPOCH, Parts as AllottedParts, parts_of, parts_value};
pub use allotment::{AllotmentInfo, AllotmentState};
pub use answer::{
    Allocation, Balance, BatchInfo, BatchState, Check, Entry, Figures, Held, HoldInfo, HoldMark, Made, Movement,
    NewValue, NextExpiry, Overview, Page, PlanInfo, PlanMark, Quote, Receipt, Slice, Totals,
};
pub(crate) use builders::*;
pub use calendar::Calendar;
pub(crate) use carried::{
    Carried, CarriedAllotment, CarriedBatch, CarriedConsume, CarriedHold, CarriedPlan, CarriedSlice, nothing, terms_of,
    terms_text,
};
pub(crate) use carried::{CarriedPart, CarriedRest};
pub(crate) use codes::ClockMark;
pub use codes::{AccountState, AccountsOpen, EntryKind, HoldState};
pub(crate) use device::{Admission, DeviceRow, Granted, Standing, uuid_text};
pub use device::{
    Certificate, DeviceInfo, DeviceLog, DevicePolicy, DeviceState, DevicesStatus, HubInfo, HubStatus, Offline, Right,
    Role, Scope, SyncStatus, WhenExpelled,
};
pub use evidence::{LostAccount, LostBatch, LostTotal};
pub(crate) use expiry::Expiry;
pub(crate) use fields::Body;
pub use finding::{BookUse, Debtor, Fact, Finding, Level, Open, Rights, SideFile, Topic};
pub(crate) use heard::Parts;
pub(crate) use heard::{BaseRow, ForeignRow, Heard, HubPosition, ReceivedRow};
pub use hub::{Acknowledge, Admit, Allot, AllotWriteOff, Approve, BecomeHub, Dismiss, Enrol, Expel, Recall, Return};
pub(crate) use ids::MAX_SEQUENCE;
pub use ids::{AccountId, BatchId, HoldId, Key, OperationId, PlanId};
pub(crate) use ids::{
    BatchNo, FOREIGN, MAX_EPOCH, MAX_INDEX, MAX_ROLLS, Writer, Writers, batch_no, batch_operation, batch_period,
    check_ends, device_tag, may_have_rolled, period_batch, rolled_batch, rolls_from,
};
pub(crate) use json::Look;
pub(crate) use link::{ChainRow, FlagRow, Line, LinkRow, LinkVerdict, StagedRow, WatchRow};
pub use link::{FlagCode, FlagInfo, StageReason, StageState, StagedInfo};
pub(crate) use metadata::DEEPEST;
pub use metadata::Metadata;
pub use movement::Balances;
pub use movement::Place;
pub(crate) use movement::{MovementRow, changes, decode, encode};
pub(crate) use name::{Name, Reading};
pub use operations::OpKind;
pub(crate) use operations::{BASE_AT, MAX_PERIODS};
pub use period::Period;
pub use plan::{Every, PlanState};
pub(crate) use plan::{PlanRow, Terms};
pub(crate) use question::{Asked, Filter, Sought};
pub use question::{QUESTIONS, Query, Question, QuestionKind};
pub(crate) use reconcile::{Reconcile, position_of};
pub use request::Request;
pub(crate) use rollover::Rolling;
pub use rollover::Rollover;
pub(crate) use rows::*;
pub(crate) use words::words;
