//! The examples keep their promises, and the README shows what they print.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use counterfoil::{AccountId, Ledger};

/// `cargo test` builds the examples beside the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().map(|folder| folder.join("examples")).find(|folder| folder.is_dir()).unwrap();
    let path = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build --examples`, or the whole of `cargo test`",
        path.display()
    );
    path
}

pub(crate) fn run(name: &str, folder: &Path, arguments: &[&str]) -> Output {
    Command::new(example(name)).args(arguments).current_dir(folder).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Dates become `<date>`: they depend on the day.
fn masked(text: &str) -> String {
    let date = |word: &str| {
        let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
        shape == "9999-99-99"
    };
    let line =
        |line: &str| line.split(' ').map(|word| if date(word) { "<date>" } else { word }).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn three_kiosks_and_their_office_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let text = said(&run("kiosks", folder.path(), &[]));
    assert!(text.contains("it adds up; all five files verify"), "{text}");
}

#[test]
fn the_creators_project_is_charged_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("project.ledger");
    let arguments = [path.to_str().unwrap()];
    let books = || {
        let ledger = Ledger::open(&path).unwrap();
        let balance = ledger.balance(&AccountId::new("local-user").unwrap()).unwrap();
        let found = (ledger.info().unwrap().operations, ledger.info().unwrap().head, balance.figures, balance.totals);
        ledger.close().unwrap();
        found
    };

    let first = said(&run("desktop_creator", folder.path(), &arguments));
    let after_first = books();
    let second = said(&run("desktop_creator", folder.path(), &arguments));
    assert_eq!(books(), after_first);

    let (length, figures) = (after_first.0, after_first.2);
    assert_eq!((figures.available.get(), figures.held.get(), figures.debt.get()), (188, 0, 0));
    for promise in [
        "1200 characters can cost at most            100",
        "212.4 s it was: charged, 29 given back",
        "the renderer crashed: all given back",
        "refunded",
        "insufficient_points",
        "12 of it as debt",
        "settles the debt first",
        "Verified:",
    ] {
        assert!(first.contains(promise) && second.contains(promise), "{promise}\n{first}\n{second}");
    }
    assert!(first.contains(&format!("This run booked {length} operations and replayed 0.")), "{first}");
    assert!(!first.contains("(replayed)"), "{first}");
    assert!(second.contains(&format!("This run booked 0 operations and replayed {length}.")), "{second}");
    assert!(second.contains("Nothing was charged twice"), "{second}");
    // The four chapters are two operations and one line each.
    assert_eq!(second.matches("(replayed)").count() as i64, length - 4, "{second}");
}

#[test]
fn the_readme_shows_what_the_creator_sees() {
    let folder = tempfile::tempdir().unwrap();
    let printed = said(&run("desktop_creator", folder.path(), &[]));
    assert!(folder.path().join("target/desktop_creator.ledger").is_file());
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut blocks = readme.split("```text\n").skip(1).filter_map(|rest| rest.split("```").next());
    let shown = blocks.find(|block| block.starts_with("The ledger is")).expect("the README shows the example's output");
    assert_eq!(masked(shown.trim_end()), masked(printed.trim_end()));
}

#[test]
fn a_failing_example_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not a ledger");
    std::fs::write(&path, "hello").unwrap();
    let output = run("desktop_creator", folder.path(), &[path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a counterfoil ledger"));
    assert_eq!(run("kiosk", folder.path(), &["nonsense"]).status.code(), Some(1));
}

#[test]
fn the_kiosk_survives_its_clock_and_its_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let printed = said(&run("kiosk", folder.path(), &[]));
    for promise in [
        "0 left, debt 4",
        "the tea is settled",
        "80 left; clock suspect",
        "the ledger stays at 2026-03-01",
        "75 left",
        "20 expired points reinstated",
        "every acknowledged ride is in the file",
        "none twice",
        "verified",
    ] {
        assert!(printed.contains(promise), "{promise}\n{printed}");
    }
    assert_eq!(said(&run("kiosk", folder.path(), &[])), printed, "the story is the same each time");
}
