//! Every operation described once. The parser, the schema of requests, the command's arguments and help, and the
//! tables in the documentation follow from [`OPERATIONS`].

use super::codes::{AccountsOpen, codes};
use super::device::{Offline, Right, Scope, WhenExpelled};
use super::ids::{MAX_EPOCH, MAX_SEQUENCE};
use super::link::FlagCode;

codes!(
    /// What a caller asked for.
    OpKind {
        Open = 1 "open", SetLimit = 2 "set_limit", Recharge = 3 "recharge", Consume = 4 "consume", Hold = 5 "hold",
        Capture = 6 "capture", Release = 7 "release", Renew = 8 "renew", Refund = 9 "refund", Revoke = 10 "revoke",
        SetExpiry = 11 "set_expiry", Transfer = 12 "transfer", WriteOff = 13 "write_off", Freeze = 14 "freeze",
        Unfreeze = 15 "unfreeze", Close = 16 "close", Configure = 17 "configure", ConfirmClock = 18 "confirm_clock",
        Restore = 19 "restore", Expire = 20 "expire", Plan = 21 "plan", Stop = 22 "stop", BecomeHub = 23 "become_hub",
        Admit = 24 "admit", Expel = 25 "expel", Enrol = 26 "enrol", RenewEpoch = 27 "renew_epoch",
        Reconcile = 28 "reconcile", Return = 29 "return", Import = 30 "import", Stage = 31 "stage", Approve = 32 "approve",
        Dismiss = 33 "dismiss", Allot = 34 "allot", Recall = 35 "recall", AllotWriteOff = 36 "allot_write_off",
        Acknowledge = 37 "acknowledge",
    }
);

/// What a field holds, and its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldKind {
    /// The id of a hold, batch or operation.
    Id,
    /// 1 to 128 bytes without control characters, and without white space at either end.
    Name,
    /// 1 to so many bytes without control characters, and without white space at either end.
    Text(usize),
    /// 1 to so many bytes without control characters but newlines.
    Lines(usize),
    /// A JSON object of up to so many bytes.
    Object(usize),
    /// Whole points, so many (0 or 1) or more.
    Points(i64),
    /// Whole points, 1 or more, or `"all"`.
    PointsOrAll,
    /// A whole number from the first to the second.
    Count(i64, i64),
    /// So many hours, days or months: 1 or more.
    Span,
    /// True or false.
    Flag,
    /// An instant (RFC 3339).
    Instant,
    /// An instant (RFC 3339), or one of these words.
    InstantOr(&'static [&'static str]),
    /// A UTC offset like `"+08:00"`.
    Offset,
    /// Seconds above 0 with at most three decimals: a whole number or decimal text.
    Seconds,
    /// 0 or more: a whole number or decimal text.
    Quantity,
    /// So many whole characters: as a number or as text.
    Chars,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The hash of a price book, or a public key: 64 lower-case hexadecimal digits.
    Hash,
    /// A UUID: the id of a ledger or of a device.
    Uuid,
    /// Any text.
    Any,
    /// One of these words, or a list of them.
    Choices(&'static [&'static str]),
    /// A JSON object with these fields.
    Part(&'static [Field]),
    /// The value of a setting: whole seconds up to so many, `first_use` or `explicit`, or a list of beginnings of keys.
    Setting(i64),
}

/// One field of an operation, or of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// For a field that must be given: what a request without it is told.
    pub required: Option<&'static str>,
    /// What it is when left out, where that is one value. Written out, it is the same request.
    pub default: Option<&'static str>,
    /// `expiry`, `every`, `rollover`, `usage`, `policy` or `facts`, for fields that belong together.
    pub group: Option<&'static str>,
    /// What it means, in a line.
    pub help: &'static str,
}

/// One kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    pub(crate) kind: OpKind,
    /// Its name: the value of the field `op`.
    pub name: &'static str,
    /// What it does, in a line.
    pub help: &'static str,
    /// The field that names what it is done to: `account`, `hold`, `batch`, `plan` or `operation`; none for the file itself.
    pub target: Option<&'static Field>,
    /// Its own fields, in the order in which they are judged. Every operation has [`FACTS`] besides.
    pub fields: &'static [Field],
    /// Whether a device may book it; the others are done at its hub.
    pub on_device: bool,
}

pub(super) const fn field(name: &'static str, kind: FieldKind, help: &'static str) -> Field {
    Field { name, kind, required: None, default: None, group: None, help }
}

impl Field {
    pub(super) const fn required(self, told: &'static str) -> Self {
        Field { required: Some(told), ..self }
    }

    pub(super) const fn default(self, value: &'static str) -> Self {
        Field { default: Some(value), ..self }
    }

    const fn of(self, group: &'static str) -> Self {
        Field { group: Some(group), ..self }
    }
}

const fn on(target: &'static Field, kind: OpKind, help: &'static str, fields: &'static [Field]) -> Operation {
    Operation { target: Some(target), ..on_file(kind, help, fields) }
}

const fn on_file(kind: OpKind, help: &'static str, fields: &'static [Field]) -> Operation {
    Operation { kind, name: kind.as_str(), help, target: None, fields, on_device: false }
}

use FieldKind::{
    Chars, Choice, Choices, Count, Flag, Hash, Id, Instant, InstantOr, Lines, Name, Object, Offset, Part, Points,
    PointsOrAll, Quantity, Seconds, Setting, Span, Text, Uuid,
};

/// Longest description or reason, and longest metadata as JSON text.
const LONG_TEXT: usize = 4096;
const SHORT_TEXT: usize = 1024;
/// The most periods a plan gives: 179 years of days.
pub(crate) const MAX_PERIODS: i64 = (1 << 16) - 1;
/// A hundred years, in seconds: more than any setting needs.
pub(super) const MAX_SETTING_SECONDS: i64 = 3_155_760_000;
pub(super) const MOST_GLOBAL_KEYS: usize = 16;

const GIVE_ID: &str = "give the id from the receipt";
static ACCOUNT: Field = field("account", Name, "The account").required("name the account");
static HOLD: Field = field("hold", Id, "The hold").required(GIVE_ID);
static BATCH: Field = field("batch", Id, "The batch").required(GIVE_ID);
static PLAN: Field = field("plan", Id, "The plan").required(GIVE_ID);
static CHARGE: Field = field("operation", Id, "The consume or capture").required(GIVE_ID);

static LINK: Field = field("link", Id, "The link that waits: what set it aside")
    .required("give the id that the list of what waits shows");
static FLAGGED: Field =
    field("flagged", Id, "The operation that is flagged").required("give the id that the list of flags shows");

static ALLOTMENT: Field = field("allotment", Id, "The allotment: what set it aside")
    .required("give the id that the list of allotments shows");

/// The fields in which an operation names what it is done to. Where it does, it has no account: that follows.
pub static TARGETS: [&str; 7] =
    [HOLD.name, BATCH.name, PLAN.name, CHARGE.name, LINK.name, FLAGGED.name, ALLOTMENT.name];

/// When what a device knew of an account was put together, in milliseconds since 1970: in the body of each of its operations
/// there.
pub(crate) const BASE_AT: &str = "base_at";

/// The idempotency key, which every operation has.
pub static KEY: Field = field("key", Name, "Idempotency key: the same key never books twice")
    .required("give an idempotency key: the same key never books twice")
    .of("facts");

/// What every operation may carry besides. `at` only where history is loaded.
pub static FACTS: &[Field] = &[
    field("at", Instant, "The instant it is booked at, where history is loaded").of("facts"),
    field("reference", Text(SHORT_TEXT), "Order or task it belongs to").of("facts"),
    field("description", Lines(LONG_TEXT), "A text for people").of("facts"),
    field("actor", Text(SHORT_TEXT), "Who does it").of("facts"),
    field("metadata", Object(LONG_TEXT), "A JSON object to keep with it").of("facts"),
];

const SOME_POINTS: Field = field("points", Points(0), "Whole points");
const POINTS: Field = field("points", Points(1), "Whole points");
const NEEDED_POINTS: Field = POINTS.required("give a whole number of points");
const POINTS_OR_ALL: Field =
    field("points", PointsOrAll, "Whole points, or all").required("give a number of points, or \"all\"");
const REASON: Field =
    field("reason", Text(LONG_TEXT), "Why; it is kept in the books").required("say why: it is kept in the books");
const SECONDS: Field = field("seconds", Quantity, "Seconds, as a decimal number").of("usage");
const QUANTITY: Field = field("quantity", Quantity, "How much of anything counted, as a decimal number").of("usage");
const UNIT: Field = field("unit", Name, "The unit of the quantity; it must be the price book's").of("usage");
const CHARS: Field = field("chars", Chars, "Characters of the text").of("usage");
const INPUT_SECONDS: Field = field("input_seconds", Quantity, "Seconds of the material, before the work").of("usage");
const EXPIRES_AT: Field = field(
    "expires_at",
    InstantOr(&["never"]),
    "At this instant (RFC 3339), at the end of this day (a date, with end_of_day), or never",
)
.of("expiry");
const IN_HOURS: Field =
    field("expires_in_hours", Span, "So many hours from now, or from effective_at when that is later").of("expiry");
const IN_DAYS: Field =
    field("expires_in_days", Span, "So many days from now, or from when the points become usable, when that is later")
        .of("expiry");
const IN_MONTHS: Field =
    field("expires_in_months", Span, "So many months, the same day and time, counted likewise").of("expiry");
const END_OF_DAY: Field =
    field("end_of_day", Offset, "To the end of that day at this UTC offset, like +08:00").of("expiry");

const SOURCE: Field = field("source", Name, "Where the points come from, like wxpay or gift")
    .required("say where the points come from, like \"wxpay\" or \"gift\"");
const PRIORITY: Field =
    field("priority", Count(0, 1000), "Place in the draw order: lower is drawn first").default("50");
const PROMO: Field =
    field("promo", Flag, "Promotional, or paid for, when that is not what the price book says of the source");

/// What a rollover is.
pub static ROLLOVER: &[Field] = &[
    field(
        "cap",
        Points(1),
        "The most points that move on at the batch's end, into one with a new life; the rest lapses",
    )
    .required("say how many points may move on at most")
    .of("rollover"),
    field("expires_in_hours", Span, "The new life is so many hours, from the batch's end").of("rollover"),
    field("expires_in_days", Span, "The new life is so many days").of("rollover"),
    field("expires_in_months", Span, "The new life is so many months, the same day and time").of("rollover"),
    field("end_of_day", Offset, "To the end of that day at this UTC offset").of("rollover"),
];

const ROLLS: Field =
    field("rollover", Part(ROLLOVER), "What moves on at the batch's end instead of lapsing: {cap, expires_in_…}");

const fn service(help: &'static str) -> Field {
    field("service", Name, help)
}

const fn limit(help: &'static str) -> Field {
    field("credit_limit", Points(0), help)
}

const fn deadline(help: &'static str) -> Field {
    field("deadline_seconds", Seconds, help).required("say when the hold ends by itself, like 3600")
}

const PUBLIC_KEY: Field =
    field("public_key", Hash, "Its public key (Ed25519)").required("give the public key of the key it signs with");
const DEVICE: Field =
    field("device", Uuid, "The device: the id of who writes its file").required("give the device's id");
const DEVICE_NAME: Field = field("name", Name, "What people call it").required("name it");
const RIGHTS: Field =
    field("rights", Choices(Right::TEXTS), "What it may do besides charging: recharge, refund, one or both")
        .of("policy");
const MAX_RECHARGE: Field = field("max_recharge", Points(1), "The most points of one recharge").of("policy");
const MAX_RECHARGE_PER_DAY: Field =
    field("max_recharge_per_day", Points(1), "The most points it recharges in one day of UTC").of("policy");
const SCOPE: Field =
    field("scope", Choice(Scope::TEXTS), "The accounts it hears of: those it booked in, those of a list, or all")
        .default("seen")
        .of("policy");
const OFFLINE: Field = field(
    "offline",
    Choice(Offline::TEXTS),
    "What it decides by meanwhile: what it knows (open), or what was set aside for it (allotted)",
)
.default("open")
.of("policy");
const MAX_OFFLINE: Field = field(
    "max_offline",
    Count(1, MAX_SETTING_SECONDS),
    "So many seconds after it last heard of its hub it decides nothing strictly any more",
)
.of("policy");
const WHEN_EXPELLED: Field = field(
    "when_expelled",
    Choice(WhenExpelled::TEXTS),
    "Once expelled it charges no more (stop), or goes on by itself",
)
.default("stop")
.of("policy");
const PRICES: Field = field("prices", Hash, "The price book it is to use, by its hash").of("policy");

const fn seconds(name: &'static str, least: i64) -> Field {
    field(name, Count(least, MAX_SETTING_SECONDS), "The hub's setting, in seconds")
        .required("give what the certificate says")
}

/// Every operation a request can ask for, with its fields.
///
/// ```
/// let recharge = counterfoil::schema::OPERATIONS.iter().find(|operation| operation.name == "recharge");
/// let priority = recharge.and_then(|recharge| recharge.field("priority"));
/// assert_eq!(priority.and_then(|priority| priority.default), Some("50"));
/// ```
pub static OPERATIONS: &[Operation] = &[
    on(
        &ACCOUNT,
        OpKind::Open,
        "Open an account before its first use",
        &[limit("How far debt may go before strict operations are refused").default("0")],
    )
    .on_device(),
    on(
        &ACCOUNT,
        OpKind::SetLimit,
        "Set how far the account's debt may go before strict operations are refused",
        &[limit("The new limit").required("give 0 or more points")],
    ),
    on(
        &ACCOUNT,
        OpKind::Recharge,
        "Add a batch of points; old debt is settled from it at once",
        &[
            NEEDED_POINTS,
            SOURCE,
            field("effective_at", Instant, "Usable from this instant (RFC 3339), when that is not now"),
            PRIORITY,
            PROMO,
            EXPIRES_AT,
            IN_HOURS,
            IN_DAYS,
            IN_MONTHS,
            END_OF_DAY,
            ROLLS,
        ],
    )
    .on_device(),
    on(
        &ACCOUNT,
        OpKind::Plan,
        "Recharge again and again: one batch for each period, by time alone",
        &[
            NEEDED_POINTS,
            SOURCE,
            field("every_days", Span, "A period is so many days").of("every"),
            field("every_weeks", Span, "A period is so many weeks").of("every"),
            field("every_months", Span, "A period is so many months, which end with a shorter month").of("every"),
            field(
                "anchor",
                Instant,
                "When the first period begins (RFC 3339); left out, now. Those before now are not given",
            ),
            field("offset", Offset, "The UTC offset whose calendar counts, like +08:00").default("+00:00"),
            field("count", Count(1, MAX_PERIODS), "How many periods there are, counted from the anchor"),
            PRIORITY,
            PROMO,
            field(
                "expires_at",
                InstantOr(&["never", "period_end"]),
                "At this instant (RFC 3339), never, or when the next period begins (period_end)",
            )
            .of("expiry"),
            IN_HOURS,
            IN_DAYS,
            IN_MONTHS,
            END_OF_DAY,
            ROLLS,
        ],
    ),
    on(&PLAN, OpKind::Stop, "End a plan; what it has given stays", &[]),
    on(
        &ACCOUNT,
        OpKind::Consume,
        "Charge points, or what the price book asks for a service",
        &[
            SOME_POINTS,
            service("The service used; without points the price book decides"),
            SECONDS,
            QUANTITY,
            UNIT,
            CHARS,
            field(
                "policy",
                Choice(&["postpaid", "strict", "up_to"]),
                "postpaid (always book), strict (refuse when short or in debt), up_to (book what is covered)",
            )
            .default("postpaid"),
            field("occurred_at", Instant, "When it happened (RFC 3339), when that was not now"),
        ],
    )
    .on_device(),
    on(
        &ACCOUNT,
        OpKind::Hold,
        "Set points aside for a job, until a deadline",
        &[
            POINTS,
            service("The service it is for; without points the price book's estimate decides"),
            SECONDS,
            QUANTITY,
            UNIT,
            CHARS,
            INPUT_SECONDS,
            field("price_book", Hash, "The price book that quoted it, by its hash, when that is not the one in force"),
            deadline("When the hold ends by itself, from now"),
        ],
    )
    .on_device(),
    on(
        &HOLD,
        OpKind::Capture,
        "Charge a hold, once: what is held, or so much; what it does not need goes back",
        &[
            SOME_POINTS,
            SECONDS,
            QUANTITY,
            UNIT,
            CHARS,
            field(
                "cap",
                Choice(&["held", "none"]),
                "held (take no more than was held), none (take it all); left out, held where nothing was held, else none",
            ),
        ],
    )
    .on_device(),
    on(&HOLD, OpKind::Release, "Give all of an open hold back", &[]).on_device(),
    on(
        &HOLD,
        OpKind::Renew,
        "Give an open hold a new deadline, counted from now",
        &[deadline("The new deadline, from now")],
    )
    .on_device(),
    on(
        &CHARGE,
        OpKind::Refund,
        "Give points of a consume or capture back to the batches that paid",
        &[POINTS_OR_ALL, REASON],
    )
    .on_device(),
    on(
        &BATCH,
        OpKind::Revoke,
        "Take a batch back: what is left of it, and what was spent as debt",
        &[
            POINTS_OR_ALL,
            field(
                "shortfall",
                Choice(&["debt", "clamp"]),
                "What becomes of points already spent: debt, or clamp (reported, not collected)",
            )
            .default("debt"),
            REASON,
        ],
    ),
    on(
        &BATCH,
        OpKind::SetExpiry,
        "Change when a batch ends; an expired one comes back",
        &[EXPIRES_AT, IN_HOURS, IN_DAYS, IN_MONTHS, END_OF_DAY, REASON],
    ),
    on(
        &ACCOUNT,
        OpKind::Transfer,
        "Move available points to another account; they keep their expiry",
        &[field("to", Name, "The account that receives").required("name the account that receives"), NEEDED_POINTS],
    ),
    on(&ACCOUNT, OpKind::WriteOff, "Forgive debt, oldest first", &[NEEDED_POINTS, REASON]),
    on(&ACCOUNT, OpKind::Freeze, "Stop strict consumes, holds and transfers from the account", &[REASON]),
    on(&ACCOUNT, OpKind::Unfreeze, "End a freeze", &[REASON]),
    on(&ACCOUNT, OpKind::Close, "Close an empty account", &[REASON]),
    on_file(
        OpKind::Configure,
        "Change a setting of the file: accounts, late_window, max_hold, max_clock_jump, clock_patience, global_keys",
        &[
            field(
                "setting",
                Choice(&["accounts", "late_window", "max_hold", "max_clock_jump", "clock_patience", "global_keys"]),
                "accounts, late_window, max_hold, max_clock_jump, clock_patience or global_keys",
            )
            .required("use accounts, late_window, max_hold, max_clock_jump, clock_patience or global_keys"),
            field("value", Setting(MAX_SETTING_SECONDS), "first_use or explicit; a span of time; beginnings of keys")
                .required("give whole seconds"),
        ],
    ),
    on_file(OpKind::ConfirmClock, "Say that the present clock reading is right, however far it jumped", &[])
        .on_device(),
    on_file(
        OpKind::BecomeHub,
        "Make this file the hub of devices, for good; late_window becomes 90 days if it was 0",
        &[PUBLIC_KEY, DEVICE_NAME],
    ),
    on_file(
        OpKind::Admit,
        "Let a device send this hub its operations",
        &[
            DEVICE,
            PUBLIC_KEY,
            DEVICE_NAME,
            field("renew", Flag, "It was admitted before: it gets this key, name and policy instead"),
            RIGHTS,
            MAX_RECHARGE,
            MAX_RECHARGE_PER_DAY,
            SCOPE,
            OFFLINE,
            MAX_OFFLINE,
            WHEN_EXPELLED,
            PRICES,
        ],
    ),
    on_file(OpKind::Expel, "Book no more of what a device sends: it waits to be looked at", &[DEVICE, REASON]),
    on(
        &LINK,
        OpKind::Approve,
        "Book a device's operation that was set aside after all",
        &[
            field("another", Flag, "It is another sale than the one that was booked under its key"),
            field("reason", Text(LONG_TEXT), "Why; it is kept in the books"),
        ],
    ),
    on(&LINK, OpKind::Dismiss, "Never book a device's operation that was set aside", &[REASON]),
    on(
        &FLAGGED,
        OpKind::Acknowledge,
        "Say that what is flagged of an operation has been seen to",
        &[field("flag", Choice(FlagCode::TEXTS), "Which of its flags, when not all of them"), REASON],
    ),
    on(
        &ACCOUNT,
        OpKind::Allot,
        "Set points aside for one device, which it can spend offline",
        &[
            DEVICE,
            NEEDED_POINTS,
            field("spend_until", Instant, "Until when the device may spend them (RFC 3339): they are of batches that end later")
                .required("say until when the device may spend them"),
        ],
    ),
    on(&ALLOTMENT, OpKind::Recall, "Have a device give back what is left of an allotment", &[]),
    on(
        &ALLOTMENT,
        OpKind::AllotWriteOff,
        "Give an allotment back to the account without its device: what that has spent of it is charged once it comes",
        &[REASON],
    ),
    on(&ALLOTMENT, OpKind::Return, "On a device: give back what is left of an allotment", &[]).on_device(),
    on_file(
        OpKind::Enrol,
        "Make this file a device of a hub, for good, by what the hub has certified",
        &[
            DEVICE,
            field("hub", Uuid, "The hub's ledger id").required("give what the certificate says"),
            field("hub_key", Hash, "The hub's public key").required("give what the certificate says"),
            PUBLIC_KEY,
            DEVICE_NAME,
            RIGHTS,
            MAX_RECHARGE,
            MAX_RECHARGE_PER_DAY,
            SCOPE,
            OFFLINE,
            MAX_OFFLINE,
            WHEN_EXPELLED,
            PRICES,
            field("accounts", Choice(AccountsOpen::TEXTS), "The hub's setting").default("first_use"),
            seconds("late_window", 0),
            seconds("max_hold", 1),
            seconds("max_clock_jump", 1),
        ],
    )
    .on_device(),
];

/// What the library books of its own accord, where it says more than its kind. Nobody asks for it.
static OWN: &[Operation] = &[on_file(
    OpKind::Import,
    "Tell what was taken of a file from a device",
    &[
        field("digest", Hash, "BLAKE3 of its file").required(""),
        DEVICE,
        field("epoch", Count(1, MAX_EPOCH), "The epoch its operations were booked in").required(""),
        field("first", Count(1, MAX_SEQUENCE), "The first that was new").required(""),
        field("last", Count(1, MAX_SEQUENCE), "The last that was new").required(""),
        field("last_hash", Hash, "Its hash").required(""),
        field("occurred", Hash, "BLAKE3 of what was noted: its number and when it occurred").required(""),
        field("booked", Count(0, MOST_LINKS), "How many were booked").required(""),
        field("staged", Count(0, MOST_LINKS), "How many were set aside").required(""),
        field("noted", Count(0, MOST_LINKS), "How many were noted").required(""),
        field("duplicates", Count(0, MOST_LINKS), "How many had come before").required(""),
        field("flags", Choices(FlagCode::TEXTS), "What should be seen of it"),
    ],
)];

/// More links than a file holds.
const MOST_LINKS: i64 = 100_000;

impl Operation {
    const fn on_device(self) -> Self {
        Operation { on_device: true, ..self }
    }

    /// Every field but `op`, with the target, the key and the facts, in the order in which they are judged.
    pub fn all_fields(&self) -> impl Iterator<Item = &'static Field> {
        self.target.into_iter().chain([&KEY]).chain(FACTS).chain(self.fields)
    }

    /// One of its fields.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.all_fields().find(|field| field.name == name)
    }
}

impl OpKind {
    /// Its description; none for what the library books of its own accord and its kind says it all.
    pub(crate) fn described(self) -> Option<&'static Operation> {
        OPERATIONS.iter().chain(OWN).find(|operation| operation.kind == self)
    }

    /// Whether a device may book it. What the library books of its own accord it may book anywhere, but for what a device did.
    pub(crate) fn is_on_device(self) -> bool {
        self != OpKind::Stage && self.described().is_none_or(|operation| operation.on_device)
    }
}

/// The name of every field there is: what a misspelt one may have been meant for.
pub(super) fn field_names() -> impl Iterator<Item = &'static str> {
    OPERATIONS.iter().flat_map(Operation::all_fields).map(|field| field.name).chain(["op", "ref_line"])
}
