//! A run of operations as JSON lines: one answer per line, in order. A conversation through a pipe, or a whole file.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};

use indicatif::ProgressBar;

use counterfoil::{BatchRun, Error, Receipt, Request, Whole};
use serde::Serialize;

use super::{Session, text_variable};
use crate::args::BatchArgs;
use crate::exit::{Failure, Outcome};
use crate::output::same_file;

/// The longest line that is read: 1 MiB.
const MAX_LINE: usize = 1 << 20;
/// What is read ahead.
const BUFFER: usize = 1 << 18;
/// How often the bar tells the number of lines.
const MARK: u64 = 100;
/// The most lines handed over at a time.
const MOST_TOGETHER: usize = 1000;

type Input = BufReader<Box<dyn Read>>;

/// A line as it was read: what it asks for, or why it cannot be understood.
type Line = (u64, Result<Request, Error>);

/// The answer to a refused line.
#[derive(Serialize)]
struct Refusal<'e> {
    error: &'e Error,
    line: u64,
}

pub(super) fn run(session: &mut Session, args: &BatchArgs) -> Result<Outcome, Failure> {
    let actor = text_variable("COUNTERFOIL_ACTOR")?;
    let named = session.named_book()?;
    // Where the answers run over the screen, they show how far it is.
    let bar = if session.out.is_watched() { ProgressBar::hidden() } else { session.notes.bar("lines") };
    let lines = Lines { input: input(session, args, &bar)?, number: 0, actor, bar: bar.clone() };
    let ledger = session.change()?;
    session.load_book(&ledger, named)?;
    // From here on something may be booked, and its answer must not be thrown away.
    session.out.keep();
    let run = ledger.batch_run().historic(args.historic);
    let outcome = match (args.atomic, args.dry_run) {
        (false, false) => converse(session, run, lines),
        (true, false) => at_once(session, run, lines, Whole::Atomic),
        (true, true) => at_once(session, run, lines, Whole::AtomicDryRun),
        (false, true) => at_once(session, run, lines, Whole::DryRun),
    };
    bar.finish_and_clear();
    outcome
}

fn input(session: &Session, args: &BatchArgs, bar: &ProgressBar) -> Result<Input, Failure> {
    if args.input.as_os_str() == "-" {
        if io::stdin().is_terminal() {
            session.notes.note("reading operations from the terminal, one JSON object per line; Ctrl-D ends");
        }
        return Ok(buffered(io::stdin().lock()));
    }
    let path = &args.input;
    if session.common.file.as_deref().is_some_and(|ledger| same_file(path, ledger)) {
        return Err(Failure::usage(
            format!("{}: that is the ledger itself", path.display()),
            "name a file of JSON lines",
        ));
    }
    let unreadable = |error: io::Error| Failure::Io {
        message: format!("{}: {error}", path.display()),
        help: "check the path and its permissions; nothing was booked".into(),
    };
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(Failure::usage(format!("{}: is a folder", path.display()), "name a file of JSON lines"));
    }
    if metadata.is_file() {
        // How much of it has been read: how many lines it has nobody knows yet.
        bar.set_length(metadata.len());
        return Ok(buffered(bar.wrap_read(file)));
    }
    Ok(buffered(file))
}

fn buffered(input: impl Read + 'static) -> Input {
    BufReader::with_capacity(BUFFER, Box::new(input))
}

/// Answers each line as soon as it is durable. Lines that have come in together are booked together.
fn converse(session: &mut Session, mut run: BatchRun, mut lines: Lines) -> Result<Outcome, Failure> {
    let mut refused = false;
    while let Some(line) = lines.next().transpose()? {
        let mut ready = vec![line];
        while ready.len() < MOST_TOGETHER && lines.has_another() {
            ready.extend(lines.next().transpose()?);
        }
        let mut ready = ready.into_iter().peekable();
        while ready.peek().is_some() {
            let mut group = Vec::new();
            while let Some((number, Ok(request))) = ready.next_if(|(_, request)| request.is_ok()) {
                group.push((number, request));
            }
            let mut rest = group.as_slice();
            while !rest.is_empty() {
                let answers = run.apply_group(rest);
                rest = rest.get(answers.len()..).unwrap_or_default();
                refused |= tell_all(session, &answers)?;
            }
            if let Some((number, Err(error))) = ready.next() {
                refused |= tell_all(session, &[(number, Err(error))])?;
            }
        }
    }
    Ok(if refused { Outcome::Refused } else { Outcome::Done })
}

/// Whether any was refused.
fn tell_all(session: &mut Session, answers: &[(u64, Result<Receipt, Error>)]) -> Result<bool, Failure> {
    let told = answers.iter().try_for_each(|(number, answer)| tell(session, *number, answer));
    // Whoever sent the lines must not think that all were booked.
    told.and_then(|()| session.out.flush()).map_err(|failure| match (failure, answers.last()) {
        (Failure::ReaderGone, Some((last, _))) => Failure::Io {
            message: format!("nobody reads the answers any more: stopped after line {last}"),
            help: "later lines were not booked; give all of them again: what is booked is only answered".into(),
        },
        (failure, _) => failure,
    })?;
    if let Some((line, Err(error))) = answers.last()
        && error.is_failure()
    {
        // The next lines would only meet it again.
        let help =
            format!("{}; then give the lines from {line} on again: what is booked is only answered", error.help());
        return Err(Failure::advised(error.clone(), help));
    }
    Ok(answers.iter().any(|(_, answer)| answer.is_err()))
}

/// Reads all lines, then books (or tries) them in one transaction.
fn at_once(session: &mut Session, mut run: BatchRun, mut lines: Lines, whole: Whole) -> Result<Outcome, Failure> {
    let mut requests: Vec<(u64, Request)> = Vec::new();
    let mut unreadable: Vec<(u64, Result<Receipt, Error>)> = Vec::new();
    while let Some((number, request)) = lines.next().transpose()? {
        match request {
            Ok(request) => requests.push((number, request)),
            Err(error) if whole == Whole::DryRun => unreadable.push((number, Err(error))),
            Err(error) => {
                // All or nothing: with a line that says nothing, it is nothing.
                tell(session, number, &Err(error))?;
                return Ok(Outcome::Refused);
            }
        }
    }
    let mut answers = run.apply_whole(&requests, whole)?;
    answers.append(&mut unreadable);
    answers.sort_by_key(|(number, _)| *number);
    for (number, answer) in &answers {
        tell(session, *number, answer)?;
    }
    session.out.flush()?;
    if whole != Whole::Atomic {
        session.notes.note("dry run: nothing was booked");
    }
    let refused = answers.iter().any(|(_, answer)| answer.is_err());
    Ok(if refused { Outcome::Refused } else { Outcome::Done })
}

fn tell(session: &mut Session, line: u64, answer: &Result<Receipt, Error>) -> Result<(), Failure> {
    match answer {
        Ok(receipt) => session.out.json(receipt, false),
        Err(error) => session.out.json(&Refusal { error, line }, false),
    }
}

/// The lines of the input, one at a time: empty ones are counted and passed over, bad ones come as refusals.
struct Lines {
    input: Input,
    number: u64,
    /// Who does it, where a line does not say.
    actor: Option<String>,
    bar: ProgressBar,
}

impl Lines {
    fn next(&mut self) -> Option<Result<Line, Failure>> {
        loop {
            let bytes = match read_line(&mut self.input) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return None,
                Err(error) => {
                    let message = format!("the input broke off after line {}: {error}", self.number);
                    let help = "what was answered is booked; give the rest again".into();
                    return Some(Err(Failure::Io { message, help }));
                }
            };
            self.number = self.number.saturating_add(1);
            if self.number.is_multiple_of(MARK) {
                self.bar.set_message(format!("{} lines", self.number));
            }
            let line = match bytes.as_deref().map(str::from_utf8) {
                None => Err(unfit(format!("is longer than {MAX_LINE} bytes"))),
                Some(Err(error)) => Err(unfit(format!("is not UTF-8: {error}"))),
                Some(Ok(text)) => {
                    let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { text };
                    if text.trim_ascii().is_empty() {
                        continue;
                    }
                    Request::parse(text)
                }
            };
            return Some(Ok((self.number, line.map(|request| self.signed(request)))));
        }
    }

    /// Whether a whole line has been read ahead: the next one can be had without waiting for it.
    fn has_another(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    fn signed(&self, request: Request) -> Request {
        match &self.actor {
            Some(actor) if request.get("actor").is_none_or(serde_json::Value::is_null) => {
                request.with("actor", actor.as_str())
            }
            _ => request,
        }
    }
}

fn unfit(message: String) -> Error {
    Error::InvalidArgument { field: "line".into(), message, help: "write one JSON object per line, in UTF-8".into() }
}

/// Reads to the end of a line. `None` at the end of the input; `Some(None)` for a line that is too long, which is
/// passed over without being kept.
fn read_line(input: &mut dyn BufRead) -> io::Result<Option<Option<Vec<u8>>>> {
    let mut line = Some(Vec::new());
    let mut begun = false;
    loop {
        let part = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            part => part?,
        };
        if part.is_empty() {
            return Ok(begun.then_some(line));
        }
        begun = true;
        let end = part.iter().position(|byte| *byte == b'\n');
        let text = part.get(..end.unwrap_or(part.len())).unwrap_or_default();
        if let Some(kept) = &mut line {
            kept.extend_from_slice(text);
            if kept.len() > MAX_LINE {
                line = None;
            }
        }
        let used = end.map_or(part.len(), |end| end.saturating_add(1));
        input.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}
