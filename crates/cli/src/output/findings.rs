//! What `doctor` found, for people: a line for each check, and below it what to do.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use counterfoil::diagnosis::{Finding, Level};
use counterfoil::error::ErrorInfo;
use serde::Serialize;

use super::blocks::words;
use super::sheets::Listed;
use super::table::{Column, text};
use super::{Out, safe};
use crate::exit::Failure;
use crate::notes;

/// What the library found, with what to do about each.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    pub(crate) path: String,
    pub(crate) level: Level,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<ErrorInfo>,
    pub(crate) findings: Vec<Advised>,
}

/// A finding, and what to do; nothing where all is well.
#[derive(Debug, Serialize)]
pub(crate) struct Advised {
    #[serde(flatten)]
    pub(crate) finding: Finding,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
}

impl Listed for Advised {
    const COLUMNS: &'static [Column<Self>] = &[
        text("check", |f| words(&f.finding.check)),
        text("level", |f| words(&f.finding.level)),
        text("found", |f| f.finding.found.clone()),
        text("help", |f| f.help.clone().unwrap_or_else(|| "-".into())),
    ];
    const CSV: &'static [&'static str] = &["check", "level", "found", "help"];
}

impl Out {
    /// A diagnosis; the levels are words, coloured on a terminal.
    pub(crate) fn diagnosis(&mut self, diagnosis: &Diagnosis) -> Result<(), Failure> {
        let colour = self.sink.is_terminal() && notes::is_colour_wanted();
        print(diagnosis, colour, &mut self.sink).map_err(|error| Failure::write(&error))
    }
}

fn print(diagnosis: &Diagnosis, colour: bool, sink: &mut dyn Write) -> io::Result<()> {
    writeln!(sink, "{}: {}", safe::line(&diagnosis.path), summary(diagnosis))?;
    let checks = diagnosis.findings.iter().map(|advised| advised.finding.check.as_str().len());
    let width = checks.max().unwrap_or(0);
    for Advised { finding, help } in &diagnosis.findings {
        let style = if colour { style(finding.level) } else { Style::new() };
        let (level, check) = (finding.level, finding.check);
        writeln!(sink, "{style}{level:7}{style:#}  {check:width$}  {}", safe::line(&finding.found))?;
        if let Some(help) = help {
            writeln!(sink, "{:7}  {:width$}  help: {}", "", "", safe::line(help))?;
        }
    }
    Ok(())
}

fn summary(diagnosis: &Diagnosis) -> String {
    let many = |level: Level, one: &str, many: &str| {
        let count = diagnosis.findings.iter().filter(|advised| advised.finding.level == level).count();
        (count > 0).then(|| format!("{count} {}", if count == 1 { one } else { many }))
    };
    let said = [
        many(Level::Fault, "fault", "faults"),
        many(Level::Warning, "warning", "warnings"),
        many(Level::Note, "note", "notes"),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    if said.is_empty() { "all is well".into() } else { said.join(", ") }
}

fn style(level: Level) -> Style {
    match level {
        Level::Ok => AnsiColor::Green.on_default(),
        Level::Note => AnsiColor::Cyan.on_default(),
        Level::Warning => AnsiColor::Yellow.on_default().bold(),
        _ => AnsiColor::Red.on_default().bold(),
    }
}
