//! What the command says of itself: shell completions and manual pages. Needs no ledger.

use std::fs;
use std::io;
use std::path::Path;

use clap::builder::Resettable;
use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};
use clap_mangen::Man;

use super::Session;
use crate::args::{Cli, ManArgs};
use crate::exit::{Failure, Outcome};

pub(super) fn completions(session: &mut Session, shell: Shell) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "counterfoil", &mut script);
    session.out.bytes(&script)?;
    Ok(Outcome::Done)
}

pub(super) fn man(session: &mut Session, args: &ManArgs) -> Result<Outcome, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    if let Some(folder) = &args.dir {
        let wrong = |error: io::Error| Failure::Io {
            message: format!("{}: {error}", folder.display()),
            help: "check the folder and its permissions".into(),
        };
        fs::create_dir_all(folder).map_err(wrong)?;
        let pages = write_pages(&command, "counterfoil", folder).map_err(wrong)?;
        session.notes.note(&format!("wrote {pages} pages into {}", folder.display()));
        return Ok(Outcome::Done);
    }
    let mut wanted = &command;
    let mut name = "counterfoil".to_string();
    for word in &args.command {
        wanted = wanted.find_subcommand(word).ok_or_else(|| {
            Failure::usage(format!("{name} has no command `{word}`"), format!("see them with {name} --help"))
        })?;
        name = format!("{name} {word}");
    }
    session.out.bytes(&page(wanted, &name.replace(' ', "-")).map_err(|error| Failure::write(&error))?)?;
    Ok(Outcome::Done)
}

fn page(command: &Command, name: &str) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let version = concat!("counterfoil ", env!("CARGO_PKG_VERSION"));
    let plain = command.clone().after_help(Resettable::Reset).after_long_help(Resettable::Reset);
    Man::new(plain).title(name).source(version).render(&mut page)?;
    if let Some(text) = command.get_after_long_help().or(command.get_after_help()) {
        page.extend_from_slice(examples(&text.to_string()).as_bytes());
    }
    Ok(page)
}

/// What follows the options in the help, for `man`: commands and tables keep their lines, sentences are set anew.
fn examples(text: &str) -> String {
    let mut page = String::from(".SH EXAMPLES\n.nh\n");
    for paragraph in text.split("\n\n") {
        let kept = paragraph.lines().any(|line| line.starts_with(' '));
        page.push_str(if kept { ".nf\n" } else { ".PP\n" });
        for line in paragraph.lines().filter(|line| !line.starts_with("Example")) {
            let line = line.replace('\\', "\\e").replace('-', "\\-");
            // A dot or a quote at the beginning would be a request.
            page.push_str(if line.starts_with(['.', '\'']) { "\\&" } else { "" });
            page.push_str(&line);
            page.push('\n');
        }
        page.push_str(if kept { ".fi\n.PP\n" } else { "" });
    }
    page
}

/// A page for the command and for each below it; how many.
fn write_pages(command: &Command, name: &str, folder: &Path) -> io::Result<usize> {
    fs::write(folder.join(format!("{name}.1")), page(command, name)?)?;
    command.get_subcommands().try_fold(1_usize, |pages, below| {
        Ok(pages.saturating_add(write_pages(below, &format!("{name}-{}", below.get_name()), folder)?))
    })
}
