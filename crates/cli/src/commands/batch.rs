//! A run of operations as JSON lines: one answer per line, in order. A conversation through a pipe, or a whole file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use counterfoil::batch::{BatchRun, Whole};
use counterfoil::schema::TARGETS;
use counterfoil::{Error, Receipt, Request};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Session, text_variable};
use crate::args::{BatchArgs, Format};
use crate::exit::{Failure, Outcome};
use crate::output::{Sink, same_file};

/// The longest line that is read: 1 MiB.
const MAX_LINE: usize = 1 << 20;
/// What is read ahead.
const BUFFER: usize = 1 << 18;
/// How often the bar tells the number of lines.
const MARK: u64 = 100;
/// The most lines handed over at a time.
const MOST_TOGETHER: usize = 1000;

type Input = BufReader<Box<dyn Read>>;

/// A line as it was read: what it asks for, or why it cannot be understood. Its text only where refused lines are kept.
struct Line {
    number: u64,
    text: Option<Vec<u8>>,
    request: Result<Request, Error>,
}

/// The answer to a refused line, with what tells whose it is.
#[derive(Serialize)]
struct Refusal<'r> {
    error: &'r Error,
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'r str>,
}

/// What a run came to.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// Those answered; empty lines do not count.
    lines: u64,
    booked: u64,
    /// Booked by an earlier run, and only answered.
    replayed: u64,
    refused: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dry_run: bool,
    /// Where to go on after a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_line: Option<u64>,
}

impl Summary {
    fn count(&mut self, answer: &Result<Receipt, Error>) {
        let kind = match answer {
            Ok(receipt) if receipt.replayed => &mut self.replayed,
            Ok(_) => &mut self.booked,
            Err(error) if error.is_failure() => return,
            Err(_) => &mut self.refused,
        };
        *kind = kind.saturating_add(1);
        self.lines = self.lines.saturating_add(1);
    }

    fn outcome(&self) -> Outcome {
        if self.refused > 0 { Outcome::Refused } else { Outcome::Done }
    }

    fn told(&self) -> String {
        let lines = if self.lines == 1 { "1 line".into() } else { format!("{} lines", self.lines) };
        let (booked, refused) =
            if self.dry_run { ("would be booked", "would be refused") } else { ("booked", "refused") };
        let parts = [(self.booked, booked), (self.replayed, "booked before"), (self.refused, refused)];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        let told = if parts.is_empty() { lines } else { format!("{lines}: {}", parts.join(", ")) };
        match self.next_line {
            Some(line) => format!("{told}; go on at line {line}"),
            None => told,
        }
    }
}

pub(super) fn run(session: &mut Session, args: &BatchArgs) -> Result<Outcome, Failure> {
    if let Some(format @ (Format::Table | Format::Csv)) = session.common.format {
        let name = if format == Format::Csv { "csv" } else { "table" };
        return Err(Failure::usage(
            format!("--format {name}: batch always answers JSON lines"),
            "leave --format out, or write --format jsonl",
        ));
    }
    let actor = text_variable("COUNTERFOIL_ACTOR")?;
    let named = session.named_book()?;
    // Where the answers run over the screen, they show how far it is.
    let bar = if session.out.is_watched() { ProgressBar::hidden() } else { session.notes.bar("lines") };
    let input = input(session, args, &bar)?;
    let kept = args.refused.as_deref().map(|path| Kept::new(session, path)).transpose()?;
    let lines = Lines { input, number: 0, actor, bar: bar.clone(), keep: kept.is_some() };
    let ledger = session.change()?;
    session.load_book(&ledger, named)?;
    // From here on something may be booked, and its answer must not be thrown away.
    session.out.keep();
    let run = ledger.batch_run().historic(args.historic);
    let notes = session.notes;
    let mut talk = Talk { session, run, kept, summary: Summary { dry_run: args.dry_run, ..Summary::default() } };
    let outcome = match (args.atomic, args.dry_run) {
        (false, false) => talk.converse(lines),
        (true, false) => talk.at_once(lines, Whole::Atomic),
        (true, true) => talk.at_once(lines, Whole::AtomicDryRun),
        (false, true) => talk.at_once(lines, Whole::DryRun),
    };
    bar.finish_and_clear();
    notes.summary(&talk.summary, &talk.summary.told());
    if args.dry_run || args.atomic && talk.summary.refused > 0 {
        notes.note(if args.dry_run { "dry run: nothing was booked" } else { "nothing was booked" });
    }
    if let (Some(kept), Some(path)) = (talk.kept, &args.refused)
        && kept.finish()?
    {
        notes.note(&format!("wrote {}: the lines that were refused", path.display()));
    }
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

/// A run under way.
struct Talk<'s> {
    session: &'s mut Session,
    run: BatchRun,
    kept: Option<Kept>,
    summary: Summary,
}

impl Talk<'_> {
    /// Answers each line as soon as it is durable. Lines that have come in together are booked together.
    fn converse(&mut self, mut lines: Lines) -> Result<Outcome, Failure> {
        while let Some(line) = self.read(&mut lines)? {
            let mut ready = vec![line];
            while ready.len() < MOST_TOGETHER
                && let Some(line) = lines.read_ahead()?
            {
                ready.push(line);
            }
            let mut ready = ready.into_iter().peekable();
            while let Some(first) = ready.next() {
                let (mut group, mut texts) = (Vec::new(), vec![first.text]);
                match first.request {
                    Ok(request) => group.push((first.number, request)),
                    Err(error) => {
                        self.answer(&[(first.number, None, texts.pop().flatten(), Err(error))])?;
                        continue;
                    }
                }
                while let Some(line) = ready.next_if(|line| line.request.is_ok()) {
                    group.extend(line.request.into_iter().map(|request| (line.number, request)));
                    texts.push(line.text);
                }
                self.book(&group, texts)?;
            }
        }
        Ok(self.summary.outcome())
    }

    fn read(&mut self, lines: &mut Lines) -> Result<Option<Line>, Failure> {
        lines.next().inspect_err(|_| self.summary.next_line = Some(lines.number.saturating_add(1)))
    }

    fn book(&mut self, mut group: &[(u64, Request)], texts: Vec<Option<Vec<u8>>>) -> Result<(), Failure> {
        let mut texts = texts.into_iter();
        while !group.is_empty() {
            let answers = self.run.apply_group(group);
            let (now, later) = group.split_at_checked(answers.len()).unwrap_or((group, &[]));
            let asked = now.iter().zip(texts.by_ref());
            let told: Vec<Told<'_>> = answers
                .into_iter()
                .zip(asked)
                .map(|((number, answer), ((_, request), text))| (number, Some(request), text, answer))
                .collect();
            self.answer(&told)?;
            group = later;
        }
        Ok(())
    }

    /// Tells the answers, after the lines that were refused have been kept.
    fn answer(&mut self, answers: &[Told<'_>]) -> Result<(), Failure> {
        for (number, request, text, answer) in answers {
            self.summary.count(answer);
            if let (Some(kept), Err(error)) = (&mut self.kept, answer)
                && !error.is_failure()
            {
                kept.add(*number, *request, text.as_deref(), &self.run)?;
            }
        }
        if let Some(kept) = &mut self.kept {
            kept.flush()?;
        }
        let told =
            answers.iter().try_for_each(|(number, request, _, answer)| tell(self.session, *number, *request, answer));
        // Whoever sent the lines must not think that all were booked.
        told.and_then(|()| self.session.out.flush()).map_err(|failure| match (failure, answers.last()) {
            (Failure::ReaderGone, Some((last, ..))) => Failure::Io {
                message: format!("nobody reads the answers any more: stopped after line {last}"),
                help: "later lines were not booked; give all of them again: what is booked is only answered".into(),
            },
            (failure, _) => failure,
        })?;
        if let Some((line, _, _, Err(error))) = answers.last()
            && error.is_failure()
        {
            // The next lines would only meet it again, or be refused for want of this one.
            self.summary.next_line = Some(*line);
            let help =
                format!("{}; then give the lines from {line} on again: what is booked is only answered", error.help());
            return Err(Failure::advised(error.clone(), help));
        }
        Ok(())
    }

    /// Reads all lines, then books (or tries) them in one transaction.
    fn at_once(&mut self, mut lines: Lines, whole: Whole) -> Result<Outcome, Failure> {
        let mut requests: Vec<(u64, Request)> = Vec::new();
        let mut unreadable: Vec<(u64, Result<Receipt, Error>)> = Vec::new();
        let unbooked = |failure| match failure {
            Failure::Io { message, .. } => {
                Failure::Io { message, help: "nothing was booked; give all lines again".into() }
            }
            failure => failure,
        };
        while let Some(line) = lines.next().map_err(unbooked)? {
            match line.request {
                Ok(request) => requests.push((line.number, request)),
                Err(error) => {
                    unreadable.push((line.number, Err(error)));
                    if whole != Whole::DryRun {
                        // All or nothing: with a line that says nothing, it is nothing.
                        requests.clear();
                        break;
                    }
                }
            }
        }
        let mut answers = self.run.apply_whole(&requests, whole).map_err(|error| {
            self.summary.next_line = Some(1);
            let help = format!("{}; then give all lines again: what is booked is only answered", error.help());
            Failure::advised(error, help)
        })?;
        answers.append(&mut unreadable);
        answers.sort_by_key(|(number, _)| *number);
        for (number, answer) in &answers {
            self.summary.count(answer);
            let place = requests.binary_search_by_key(number, |(number, _)| *number).ok();
            let request = place.and_then(|place| requests.get(place)).map(|(_, request)| request);
            tell(self.session, *number, request, answer)?;
        }
        self.session.out.flush()?;
        Ok(self.summary.outcome())
    }
}

/// A line's number, what it asks for when it can be understood, its text where it may be kept, and the answer.
type Told<'r> = (u64, Option<&'r Request>, Option<Vec<u8>>, Result<Receipt, Error>);

fn tell(
    session: &mut Session,
    line: u64,
    request: Option<&Request>,
    answer: &Result<Receipt, Error>,
) -> Result<(), Failure> {
    let named = |field| request.and_then(|request| request.get(field)).and_then(Value::as_str);
    match answer {
        Ok(receipt) => session.out.json(receipt, false),
        Err(error) => {
            let (op, key, account) = (named("op"), named("key"), named("account"));
            session.out.json(&Refusal { error, line, op, key, account }, false)
        }
    }
}

/// The lines that were refused, to be mended and given again.
struct Kept {
    sink: Sink,
    path: PathBuf,
    /// Where each stands in the file, by its number in the input.
    places: HashMap<u64, u64>,
}

impl Kept {
    fn new(session: &Session, path: &Path) -> Result<Self, Failure> {
        if session.common.output.as_deref() == Some(path) {
            return Err(Failure::usage(
                format!("--refused {}: that is where the answers go", path.display()),
                "name another file for the refused lines",
            ));
        }
        let sink = Sink::file("--refused", path, session.common.force, session.common.file.as_deref())?;
        Ok(Kept { sink, path: path.into(), places: HashMap::new() })
    }

    fn add(
        &mut self,
        number: u64,
        request: Option<&Request>,
        text: Option<&[u8]>,
        run: &BatchRun,
    ) -> Result<(), Failure> {
        if self.places.is_empty() {
            self.sink.keep();
        }
        let place = u64::try_from(self.places.len()).unwrap_or(u64::MAX).saturating_add(1);
        self.places.insert(number, place);
        let text = match request.and_then(|request| self.aimed(request, run)) {
            Some(request) => serde_json::to_vec(&request).unwrap_or_default(),
            None => text.unwrap_or_default().to_vec(),
        };
        let written = self.sink.write_all(&text).and_then(|()| self.sink.write_all(b"\n"));
        written.map_err(|error| self.unwritten(&error))
    }

    /// A line that points at another: what that one made by its id, for in this file its number is another's; the new number
    /// of one that was refused too; 0, which is no line's, for one that made nothing.
    fn aimed(&self, request: &Request, run: &BatchRun) -> Option<Request> {
        let (field, line) =
            TARGETS.iter().find_map(|field| Some((*field, request.get(field)?.get("ref_line")?.as_u64()?)))?;
        let place = || json!({ "ref_line": self.places.get(&line).copied().unwrap_or_default() });
        Some(run.aimed(request).unwrap_or_else(|_| request.clone().with(field, place())))
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.sink.flush().map_err(|error| self.unwritten(&error))
    }

    fn unwritten(&self, error: &io::Error) -> Failure {
        Failure::Io {
            message: format!("--refused {}: {error}", self.path.display()),
            help: "make room or name another file, then give all lines again: what is booked is only answered".into(),
        }
    }

    /// Whether there was any: without one there is no file.
    fn finish(self) -> Result<bool, Failure> {
        let any = !self.places.is_empty();
        if any {
            self.sink.finish()?;
        }
        Ok(any)
    }
}

/// The lines of the input, one at a time: empty ones are counted and passed over, bad ones come as refusals.
struct Lines {
    input: Input,
    number: u64,
    /// Who does it, where a line does not say.
    actor: Option<String>,
    bar: ProgressBar,
    /// Whether their text is wanted as well.
    keep: bool,
}

impl Lines {
    fn next(&mut self) -> Result<Option<Line>, Failure> {
        loop {
            match self.step()? {
                Step::End => return Ok(None),
                Step::Empty => {}
                Step::Line(line) => return Ok(Some(line)),
            }
        }
    }

    /// The next line if it can be had without waiting: what was answered already must not wait for it.
    fn read_ahead(&mut self) -> Result<Option<Line>, Failure> {
        while self.input.buffer().contains(&b'\n') {
            if let Step::Line(line) = self.step()? {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn step(&mut self) -> Result<Step, Failure> {
        let bytes = match read_line(&mut self.input) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Step::End),
            Err(error) => {
                let message = format!("the input broke off after line {}: {error}", self.number);
                return Err(Failure::Io { message, help: "what was answered is booked; give the rest again".into() });
            }
        };
        self.number = self.number.saturating_add(1);
        if self.number.is_multiple_of(MARK) {
            self.bar.set_message(format!("{} lines", self.number));
        }
        let request = match bytes.as_deref().map(str::from_utf8) {
            None => Err(unfit(format!("is longer than {MAX_LINE} bytes"))),
            Some(Err(error)) => Err(unfit(format!("is not UTF-8: {error}"))),
            Some(Ok(text)) => {
                let text = if self.number == 1 { text.trim_start_matches('\u{feff}') } else { text };
                if text.trim_ascii().is_empty() {
                    return Ok(Step::Empty);
                }
                Request::parse(text)
            }
        };
        let request = request.map(|request| self.signed(request));
        Ok(Step::Line(Line { number: self.number, text: bytes.filter(|_| self.keep), request }))
    }

    fn signed(&self, request: Request) -> Request {
        match &self.actor {
            Some(actor) if request.get("actor").is_none_or(Value::is_null) => request.with("actor", actor.as_str()),
            _ => request,
        }
    }
}

enum Step {
    End,
    Empty,
    Line(Line),
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
