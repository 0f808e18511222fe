//! Faults of a price book, each with its place, drawn as a compiler draws them.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use crate::error::{Error, PricingFault};

/// Faults that are drawn; a file of noise could have hundreds of thousands, and all of them stay in the list.
const MAX_DRAWN: usize = 100;

/// Longer lines are not drawn.
const MAX_LINE: usize = 2_000;

/// Every fault of a price book. Displayed, each is drawn at its place in the file, in plain text without colours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PricingErrors {
    file: String,
    faults: Vec<PricingFault>,
    #[serde(skip)]
    rendered: String,
}

impl PricingErrors {
    /// The name of the file, as it was given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The faults in the order of the file; there is at least one.
    #[must_use]
    pub fn faults(&self) -> &[PricingFault] {
        &self.faults
    }

    /// The drawn report, also given by [`Display`](fmt::Display). At most 100 faults are drawn.
    #[must_use]
    pub fn rendered(&self) -> &str {
        &self.rendered
    }

    /// `text` is without byte order mark; the spans are byte ranges in it.
    pub(super) fn new(text: &str, file: &str, mut spans: Vec<Fault>) -> Self {
        spans.sort_by_key(|fault| (fault.span.start, fault.span.end));
        // The renderer draws a path as it is, and a path may hold a line break.
        let path = escaped(file.chars());
        let mut places = Places::new(text);
        let mut faults = Vec::new();
        let mut drawn = Vec::new();
        for fault in spans {
            let place = places.at(fault.span.start);
            if drawn.len() < MAX_DRAWN {
                drawn.push(draw(text, &path, &fault, &place));
            }
            faults.push(PricingFault {
                line: place.line,
                column: place.column,
                message: fault.message,
                help: fault.help,
            });
        }
        drawn.push(summary(&path, faults.len()));
        Self { file: file.to_owned(), faults, rendered: drawn.join("\n\n") }
    }
}

impl fmt::Display for PricingErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered)
    }
}

impl std::error::Error for PricingErrors {}

impl From<PricingErrors> for Error {
    fn from(errors: PricingErrors) -> Self {
        Error::Pricing {
            message: errors.rendered,
            help: "mend what is marked; until then nothing of the file is in force".into(),
            faults: errors.faults,
        }
    }
}

/// A fault before its place is counted out.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

pub(super) struct Place {
    pub(super) line: usize,
    column: usize,
    line_start: usize,
}

/// Counts lines and columns in one pass: the offsets asked for must not run backwards.
pub(super) struct Places<'t> {
    text: &'t str,
    done: usize,
    line: usize,
    column: usize,
    line_start: usize,
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, done: 0, line: 1, column: 1, line_start: 0 }
    }

    pub(super) fn at(&mut self, offset: usize) -> Place {
        let passed = self.text.get(self.done..offset).unwrap_or_default();
        for (at, letter) in passed.char_indices() {
            if letter == '\n' {
                self.line = self.line.saturating_add(1);
                self.column = 1;
                self.line_start = self.done.saturating_add(at).saturating_add(1);
            } else {
                self.column = self.column.saturating_add(1);
            }
        }
        self.done = self.done.saturating_add(passed.len());
        Place { line: self.line, column: self.column, line_start: self.line_start }
    }
}

fn draw(text: &str, file: &str, fault: &Fault, place: &Place) -> String {
    let rest = text.get(place.line_start..).unwrap_or_default();
    let line = rest.split('\n').next().unwrap_or_default();
    // A fault may be the line's end itself, after a lone carriage return.
    let start_in_line = fault.span.start.saturating_sub(place.line_start);
    let line = line.strip_suffix('\r').filter(|line| start_in_line <= line.len()).unwrap_or(line);
    let title = Level::ERROR.primary_title(fault.message.as_str());
    let mut group = if line.len() <= MAX_LINE {
        let start = start_in_line;
        let end = fault.span.end.saturating_sub(place.line_start);
        let span = start.min(line.len())..end.clamp(start, line.len().max(start)).min(line.len());
        title.element(
            Snippet::source(line).line_start(place.line).path(file).annotation(AnnotationKind::Primary.span(span)),
        )
    } else {
        title.element(Origin::path(file).line(place.line).char_column(place.column))
    };
    if let Some(help) = &fault.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    Renderer::plain().render(&[group])
}

fn summary(file: &str, count: usize) -> String {
    let faults = if count == 1 { "fault" } else { "faults" };
    let hidden = count.saturating_sub(MAX_DRAWN);
    let more = if hidden > 0 { format!(" ({hidden} of them not drawn)") } else { String::new() };
    format!("{count} {faults} in {file}{more}; nothing of it was loaded")
}

/// A name from outside, escaped and cut, so that it cannot disturb the message it stands in.
pub(super) fn shown(name: &str) -> String {
    const MAX: usize = 60;
    let mut letters = name.chars();
    let mut text = escaped(letters.by_ref().take(MAX));
    if letters.next().is_some() {
        text.push('…');
    }
    text
}

fn escaped(letters: impl Iterator<Item = char>) -> String {
    let mut text = String::new();
    for letter in letters {
        if letter.is_control() {
            text.extend(letter.escape_unicode());
        } else {
            text.push(letter);
        }
    }
    text
}
