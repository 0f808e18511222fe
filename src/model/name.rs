//! How somebody names an operation, a batch or a hold: by a number, an id or a key. What a text can be read as; what there
//! is of it, the books say.

use uuid::Uuid;

use super::{BatchId, Key, OperationId};

/// One way to read a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// An operation's number in the log, or which of the things it made.
    Number(i64, Option<i64>),
    Key(Key),
}

/// A name, and all it can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name<'t> {
    pub(crate) text: &'t str,
    /// In full, an id means one thing whatever the keys are.
    pub(crate) id: Option<Uuid>,
    pub(crate) readings: Vec<Reading>,
}

impl<'t> Name<'t> {
    /// `number:2` and `key:2` say which is meant; the whole text may be a key all the same.
    pub(crate) fn new(text: &'t str) -> Self {
        let id = text.parse::<OperationId>().ok().map(OperationId::uuid);
        let first = match (text.strip_prefix("number:"), text.strip_prefix("key:")) {
            (Some(rest), _) => number(rest),
            (None, Some(rest)) => Key::new(rest).ok().map(Reading::Key),
            (None, None) => number(text),
        };
        let whole = Key::new(text).ok().map(Reading::Key);
        Name { text, id, readings: first.into_iter().chain(whole).collect() }
    }

    /// Whether it has the form of a number in the log.
    pub(crate) fn is_number(&self) -> bool {
        self.readings.iter().any(|reading| matches!(reading, Reading::Number(_, None)))
    }

    /// The number of the operation that made what is meant, where the name has the form of a batch: `27.1`, or its id.
    pub(crate) fn made_by(&self) -> Option<i64> {
        let made = self.text.parse::<BatchId>().ok().filter(|id| id.index() > 0).map(BatchId::sequence);
        made.or_else(|| {
            self.readings.iter().find_map(|reading| match reading {
                Reading::Number(number, Some(_)) => Some(*number),
                _ => None,
            })
        })
    }
}

/// `27`, or `27.1`. One too large for any log names nothing.
fn number(text: &str) -> Option<Reading> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (number, index) = match text.split_once('.') {
        Some((number, index)) => (number, Some(index)),
        None => (text, None),
    };
    if !digits(number) || !index.is_none_or(digits) {
        return None;
    }
    let read = |text: &str| text.parse().unwrap_or(i64::MAX);
    Some(Reading::Number(read(number), index.map(read)))
}
