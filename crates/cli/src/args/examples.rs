//! Every command shows how it is used, and what it shows is right.

use clap::{Command, CommandFactory};

use super::Cli;

/// The words of a shell line up to the next command in it, quotes taken off.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        match (quote, letter) {
            (None, '\'' | '"') => quote = Some(letter),
            (Some(open), _) if open == letter => quote = None,
            (None, '|' | '&' | '>' | ';') => break,
            (None, ' ') => words.push(String::new()),
            _ => {
                if let Some(word) = words.last_mut() {
                    word.push(letter);
                }
            }
        }
    }
    words.into_iter().filter(|word| !word.is_empty()).collect()
}

/// The examples of a help text: what stands from the name of the command on.
fn examples(command: &Command) -> Vec<Vec<String>> {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = help.lines().skip_while(|line| !line.starts_with("Example")).take_while(|line| !line.is_empty());
    let calls = lines.filter_map(|line| line.find("counterfoil ").and_then(|at| line.get(at..)));
    calls.map(words).collect()
}

/// Collects what is wrong with the help of a command and of those below it.
fn walk(command: &Command, path: &[&str], wrong: &mut Vec<String>) {
    let (name, mut own) = (path.join(" "), 0_usize);
    for example in examples(command) {
        match Cli::command().try_get_matches_from(&example) {
            Err(error) => wrong.push(format!("{name}: {example:?}: {error}")),
            Ok(matches) => {
                let (mut names, mut below) = (vec!["counterfoil"], matches.subcommand());
                while let Some((name, matches)) = below {
                    names.push(name);
                    below = matches.subcommand();
                }
                own += usize::from(names.starts_with(path));
            }
        }
    }
    if own == 0 {
        wrong.push(format!("{name}: has no example of its own"));
    }
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        walk(below, &[path, &[below.get_name()]].concat(), wrong);
    }
}

#[test]
fn every_command_has_an_example_that_parses() {
    let mut wrong = Vec::new();
    walk(&Cli::command(), &["counterfoil"], &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn clap_finds_no_fault_in_the_command_line() {
    Cli::command().debug_assert();
}

#[test]
fn examples_are_found_and_judged() {
    assert_eq!(
        words("counterfoil refund 12 all --reason 'render failed' | x"),
        ["counterfoil", "refund", "12", "all", "--reason", "render failed"]
    );
    let bad = Command::new("x").after_help("Example:\n  counterfoil blance -a alice");
    let mut wrong = Vec::new();
    walk(&bad, &["counterfoil", "x"], &mut wrong);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}
