//! The README's tour of the command is run, and prints what the README shows.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    missing_docs
)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Commands (`$ …`) of the README's console blocks, each with the lines shown below it.
fn tour(readme: &str) -> Vec<(String, Vec<String>)> {
    let mut steps: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        match line.strip_prefix("$ ") {
            _ if line.starts_with("```") => inside = line == "```console",
            Some(command) if inside => steps.push((command.to_string(), Vec::new())),
            None if inside => steps.last_mut().expect("a command comes first").1.push(masked(line)),
            _ => {}
        }
    }
    steps
}

/// Ids, hashes, dates and times stand for themselves; runs of blanks count once.
fn masked(line: &str) -> String {
    let mut out = String::new();
    let mut run = String::new();
    for c in line.split_whitespace().collect::<Vec<_>>().join(" ").chars().chain(['\n']) {
        if c.is_ascii_alphanumeric() || "-:.".contains(c) {
            run.push(c);
        } else {
            let word = run.trim_end_matches([':', '.']);
            out.push_str(mask(word));
            out.push_str(&run[word.len()..]);
            run.clear();
            out.push(c);
        }
    }
    out.trim_end().to_string()
}

fn mask(run: &str) -> &str {
    let shape: String = run.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    if run.starts_with("cf-") {
        "<file>"
    } else if ["9999-99-99", "99:99:99Z", "9999-99-99T99:99:99.999Z"].contains(&shape.as_str()) {
        "<time>"
    } else if run.len() >= 36 && run.chars().all(|c| c.is_ascii_hexdigit() || c == '-') {
        "<id>"
    } else {
        run
    }
}

/// All commands in one shell, as a reader would type them.
fn play(commands: &[&str], folder: &Path) -> Vec<Vec<String>> {
    let mut script = String::from("exec 2>&1\n");
    for command in commands {
        writeln!(script, "echo '=== next'\n{command}").unwrap();
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_counterfoil")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    for name in
        ["COUNTERFOIL_FILE", "COUNTERFOIL_ACCOUNT", "COUNTERFOIL_PRICING", "COUNTERFOIL_ACTOR", "CLICOLOR_FORCE"]
    {
        shell.env_remove(name);
    }
    let output = shell.arg("-c").arg(script).current_dir(folder).env("PATH", path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // The README's reader is at home.
    let text = text.replace(folder.canonicalize().unwrap().to_str().unwrap(), "/home/kim");
    let answers = text.split("=== next\n").skip(1);
    answers.map(|answer| answer.lines().map(masked).collect()).collect()
}

#[test]
fn the_tour_prints_what_the_readme_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let steps = tour(&fs::read_to_string(root.join("README.md")).unwrap());
    assert!(steps.len() > 10, "{steps:?}");
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("config")).unwrap();
    fs::copy(root.join("config/pricing.toml"), folder.path().join("config/pricing.toml")).unwrap();
    let commands: Vec<&str> = steps.iter().map(|(command, _)| command.as_str()).collect();
    let answers = play(&commands, folder.path());
    assert_eq!(answers.len(), steps.len());
    for ((command, shown), printed) in steps.iter().zip(answers) {
        assert_eq!(shown.join("\n"), printed.join("\n"), "$ {command}");
    }
}
