//! What is done with bytes of anybody's: each target reads them as the library does, and says what must hold.
//!
//! `cargo +nightly fuzz run lines` (after `cargo install cargo-fuzz`) looks for others by coverage; `corpus/` keeps what was found, and
//! the tests of the library replay it on stable.

use std::io::Cursor;
use std::sync::Arc;

use counterfoil::clock::ManualClock;
use counterfoil::exchange::inspect;
use counterfoil::pricing::PriceBook;
use counterfoil::{
    AccountId, BatchId, Durability, Error, HoldId, Key, Ledger, OperationId, Options, PlanId, Question, Request, Usage,
};

/// A target's name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 6] = [
    ("price_book", price_book),
    ("lines", lines),
    ("numbers", numbers),
    ("ids", ids),
    ("exchange_file", exchange_file),
    ("whole_file", whole_file),
];

const SOUND: &[u8] = include_bytes!("../../tests/fixtures/schema-1.ledger");

fn options() -> Options {
    let clock = Arc::new(ManualClock::at("2027-06-01T00:00:00Z").unwrap());
    Ledger::options().clock(clock).durability(Durability::Relaxed)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

thread_local! {
    /// A ledger on which lines are tried, and its folder.
    static LEDGER: (Ledger, tempfile::TempDir) = {
        let folder = folder();
        let book = PriceBook::parse(include_str!("../../config/pricing.toml"), "pricing.toml").unwrap();
        let ledger = options().pricing(book).create(folder.path().join("points.ledger")).unwrap();
        let lines = [
            r#"{"op":"recharge","account":"a","key":"r","points":1000,"source":"wxpay","expires_at":"never"}"#,
            r#"{"op":"hold","account":"a","key":"h","points":10,"service":"tts","deadline_seconds":86400}"#,
            r#"{"op":"consume","account":"a","key":"c","points":7}"#,
            r#"{"op":"consume","account":"b","key":"c","points":7}"#,
        ];
        lines.iter().for_each(|line| drop(ledger.apply(&Request::parse(line).unwrap()).unwrap()));
        (ledger, folder)
    };
}

/// What is said to whoever gave bad input: never that the file or the disk is at fault.
fn refused(error: &Error) {
    assert!(!error.is_failure(), "{error}");
    assert!(!error.to_string().is_empty() && !error.help().is_empty(), "{error:?}");
}

/// Read and written again it is the same book, and any price of it is a price or a refusal.
pub fn price_book(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let book = match PriceBook::parse(text, "pricing.toml") {
        Ok(book) => book,
        Err(errors) => return assert!(!errors.to_string().is_empty()),
    };
    let again = PriceBook::parse(book.text(), "pricing.toml").unwrap();
    assert_eq!(again.hash(), book.hash());
    for service in book.services() {
        for seconds in ["0", "0.001", "7.5", "86400", "999999999999"] {
            let Ok(usage) = Usage::seconds(seconds) else { continue };
            let priced = [book.price(&service.service, &usage), book.estimate(&service.service, &usage)];
            priced.into_iter().flatten().for_each(|priced| assert!(priced.points.get() >= 0));
        }
    }
}

/// Lines of operations and questions: read, said again they mean the same; tried, they are done or refused.
pub fn lines(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines().take(8) {
        one_line(line);
    }
}

fn one_line(line: &str) {
    match Request::parse(line) {
        Err(error) => refused(&error),
        Ok(request) => {
            let said = serde_json::to_string(&request).unwrap();
            let again = Request::parse(&said).unwrap();
            // A number with a fraction is refused wherever it stands, and need not be said to the last digit.
            if !said.contains(['.', 'e', 'E']) {
                assert_eq!(again, request);
            }
            LEDGER.with(|(ledger, _)| match ledger.dry_run(&request) {
                Ok(receipt) => drop(serde_json::to_string(&receipt).unwrap()),
                Err(Error::Pricing { .. }) => {}
                Err(error) => refused(&error),
            });
        }
    }
    match Question::parse(line) {
        Err(error) => refused(&error),
        Ok(question) => LEDGER.with(|(ledger, _)| match ledger.ask(&question) {
            Ok(answer) => drop(serde_json::to_string(&answer).unwrap()),
            Err(Error::Pricing { .. }) => {}
            Err(error) => refused(&error),
        }),
    }
}

/// A text in every place where a number, a time or an offset is expected.
pub fn numbers(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let text = serde_json::to_string(text).unwrap();
    for line in [
        format!(r#"{{"op":"consume","account":"a","key":"k","service":"tts","seconds":{text}}}"#),
        format!(r#"{{"op":"consume","account":"a","key":"k","service":"llm_tokens","quantity":{text}}}"#),
        format!(r#"{{"op":"recharge","account":"a","key":"k","points":5,"source":"s","expires_at":{text}}}"#),
        format!(
            r#"{{"op":"recharge","account":"a","key":"k","points":5,"source":"s","expires_in_days":1,"end_of_day":{text}}}"#
        ),
        format!(r#"{{"op":"consume","account":"a","key":"k","points":5,"occurred_at":{text}}}"#),
        format!(r#"{{"get":"balance","account":"a","at":{text}}}"#),
        format!(r#"{{"get":"price","service":"tts","seconds":{text}}}"#),
    ] {
        one_line(&line);
    }
}

/// A text as a name of each kind: what is read is shown as it was read, or in its one spelling.
pub fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match AccountId::new(text) {
        Ok(id) => assert_eq!(id.as_str(), text),
        Err(error) => refused(&error),
    }
    match Key::new(text) {
        Ok(key) => assert_eq!(key.as_str(), text),
        Err(error) => refused(&error),
    }
    macro_rules! read_again {
        ($($id:ty)*) => {$(
            match text.parse::<$id>() {
                Ok(id) => assert_eq!(id.to_string().parse::<$id>().unwrap(), id),
                Err(error) => refused(&error),
            }
        )*};
    }
    read_again!(OperationId HoldId BatchId PlanId);
    LEDGER.with(|(ledger, _)| {
        if let Err(error) = ledger.operation_named(text, None) {
            refused(&error);
        }
    });
}

/// Read to its end or refused.
pub fn exchange_file(data: &[u8]) {
    match inspect(Cursor::new(data)) {
        Ok(file) => drop(serde_json::to_string(&file.header).unwrap()),
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty(), "{error:?}"),
    }
}

/// A sound ledger with bytes changed: `data` is a length, and changes of five bytes each, a place and what stands there. It is refused,
/// or found, or all that is told of it is as before.
pub fn whole_file(data: &[u8]) {
    let Some((length, changes)) = data.split_at_checked(2) else { return };
    let mut bytes = SOUND.to_vec();
    for change in changes.chunks_exact(5).take(32) {
        let place = u32::from_le_bytes([change[0], change[1], change[2], change[3]]) as usize % bytes.len();
        bytes[place] = change[4];
    }
    // Mostly whole; 0x.. cuts pages off its end.
    let pages = usize::from(length[0] & 0x0f);
    bytes.truncate(bytes.len() - (bytes.len() / 16 * pages));
    let folder = folder();
    let path = folder.path().join("points.ledger");
    std::fs::write(&path, &bytes).unwrap();
    let Ok(ledger) = options().read_only(true).open(&path) else { return };
    if ledger.verify().is_ok_and(|verification| verification.ok) {
        assert_eq!(told(&ledger), told_of_the_sound());
    }
    drop(ledger);
    // To change it: whatever comes of it, it ends.
    if let Ok(ledger) = options().open(&path) {
        let line = r#"{"op":"consume","account":"rich","key":"fuzz","points":1}"#;
        let _ = ledger.apply(&Request::parse(line).unwrap());
    }
}

/// All accounts and the newest of their entries.
fn told(ledger: &Ledger) -> String {
    let ask = |line: &str| ledger.ask(&Question::parse(line).unwrap());
    let answers = [r#"{"get":"accounts","limit":1000}"#, r#"{"get":"history","account":"rich","limit":1000}"#].map(ask);
    answers.map(|answer| serde_json::to_string(&answer.unwrap()).unwrap()).join("\n")
}

fn told_of_the_sound() -> &'static str {
    static TOLD: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    TOLD.get_or_init(|| {
        let folder = folder();
        let path = folder.path().join("points.ledger");
        std::fs::write(&path, SOUND).unwrap();
        told(&options().read_only(true).open(&path).unwrap())
    })
}
