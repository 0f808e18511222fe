//! Asking before what cannot be taken back.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use crate::exit::Failure;
use crate::output::safe;

/// How most questions are answered beforehand.
pub(crate) const YES: &str = "add --yes if it is meant";

/// Asks, unless it was answered beforehand; where nobody can be asked, the help says how. Anything but a yes is a no.
pub(crate) fn ask(yes: bool, question: &str, beforehand: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    // Both the question and the answer need a terminal.
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::Unconfirmed {
            message: "this needs a confirmation, and there is no terminal to ask at; nothing was done".into(),
            help: beforehand.into(),
        });
    }
    let declined = || Failure::Unconfirmed { message: "nothing was done".into(), help: "answer y to go on".into() };
    let mut prompt = stderr().lock();
    write!(prompt, "{} [y/N] ", safe::line(question)).and_then(|()| prompt.flush()).map_err(|_| declined())?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).map_err(|_| declined())?;
    match answer.trim() {
        "y" | "Y" | "yes" | "Yes" | "YES" => Ok(()),
        _ => Err(declined()),
    }
}
