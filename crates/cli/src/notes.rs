//! What is said beside the data, on stderr: errors, notes, generated keys. As JSON lines when the data is JSON.

use std::io::{IsTerminal, Write, stderr};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::Failure;
use crate::output::safe;

/// An error as programs read it.
#[derive(Serialize)]
struct Told<E: Serialize> {
    error: E,
}

/// What a command came to as programs read it.
#[derive(Serialize)]
struct Summed<S: Serialize> {
    summary: S,
}

/// An error in the command's own words, in the shape of the library's.
#[derive(Serialize)]
struct Own<'a> {
    code: &'a str,
    message: &'a str,
    retryable: bool,
    help: &'a str,
    details: Value,
}

/// Whether the user wants colour where a terminal can show it.
pub(crate) fn is_colour_wanted() -> bool {
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_colour && std::env::var_os("TERM").is_none_or(|value| value != "dumb")
}

/// How to speak on stderr.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Notes {
    json: bool,
    colour: bool,
}

impl Notes {
    pub(crate) fn new(format: Format) -> Self {
        Notes { json: format.is_json(), colour: is_colour_wanted() && stderr().is_terminal() }
    }

    /// Whoever reads stderr may have gone; that stops nothing.
    fn say(text: &str) {
        // In one piece, so that lines of several processes do not run into one another.
        let _ = stderr().lock().write_all(format!("{text}\n").as_bytes());
    }

    fn say_json(told: &impl Serialize) {
        Self::say(&serde_json::to_string(told).unwrap_or_default());
    }

    fn labelled(self, label: &str, style: Style, text: &str) {
        if self.colour {
            Self::say(&format!("{style}{label}:{style:#} {text}"));
        } else {
            Self::say(&format!("{label}: {text}"));
        }
    }

    fn plain(self, name: &str, text: &str) {
        if self.json {
            Self::say(&json!({ name: text }).to_string());
        } else {
            self.labelled(name, Style::new().bold(), &safe::line(text));
        }
    }

    pub(crate) fn note(self, text: &str) {
        self.plain("note", text);
    }

    pub(crate) fn warning(self, text: &str) {
        self.plain("warning", text);
    }

    /// A warning that is also a fact programs go by.
    pub(crate) fn remark(self, name: &str, fact: &Value, text: &str) {
        if self.json {
            return Self::say(&json!({ "warning": text, name: fact }).to_string());
        }
        self.warning(text);
    }

    /// A key that was made up: with it the same operation can be asked for again without booking twice.
    pub(crate) fn key(self, key: &str) {
        self.plain("key", key);
    }

    /// What a long command came to: figures for programs, a line for people.
    pub(crate) fn summary(self, figures: &impl Serialize, text: &str) {
        if self.json {
            return Self::say_json(&Summed { summary: figures });
        }
        self.note(text);
    }

    /// Where the next page begins.
    pub(crate) fn next(self, cursor: &str) {
        if self.json {
            self.plain("next", cursor);
        } else {
            self.note(&format!("there is more: go on with --after {cursor}"));
        }
    }

    /// A progress bar, where somebody watches.
    pub(crate) fn bar(self, what: &'static str) -> ProgressBar {
        let bar = self.watched(ProgressBar::no_length());
        if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {percent:>3}%") {
            bar.set_style(style);
        }
        bar.set_message(what);
        bar
    }

    /// A sign of life for work of unknown length, where somebody watches.
    pub(crate) fn spinner(self) -> ProgressBar {
        self.watched(ProgressBar::new_spinner())
    }

    fn watched(self, bar: ProgressBar) -> ProgressBar {
        let target = if self.json { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        bar.set_draw_target(target);
        bar
    }

    pub(crate) fn failure(self, failure: &Failure) {
        let (code, message, help) = match failure {
            Failure::ReaderGone => return,
            Failure::Ledger { error, help, .. } => {
                (error.code(), error.to_string(), help.clone().unwrap_or_else(|| error.help()))
            }
            Failure::Usage { message, help } => ("usage", message.clone(), help.clone()),
            Failure::Unconfirmed { message, help } => ("unconfirmed", message.clone(), help.clone()),
            Failure::Io { message, help } => ("io", message.clone(), help.clone()),
        };
        if self.json {
            let (retryable, details) = match failure {
                Failure::Ledger { error, .. } => (error.is_retryable(), error.details()),
                _ => (false, json!({})),
            };
            return Self::say_json(&Told { error: &Own { code, message: &message, retryable, help: &help, details } });
        }
        let message = safe::lines(&message);
        // A drawn report (of a price book) ends with a line that sums it up: that one is the error.
        let (report, error) = message.rsplit_once('\n').unwrap_or(("", &message));
        if !report.is_empty() {
            Self::say(report);
        }
        self.labelled("error", AnsiColor::Red.on_default().bold(), &format!("{error} ({code})"));
        if !help.is_empty() {
            self.help(&help);
        }
    }

    /// What to do.
    pub(crate) fn help(self, text: &str) {
        if self.json {
            return self.plain("help", text);
        }
        self.labelled("help", AnsiColor::Cyan.on_default().bold(), &safe::line(text));
    }
}
