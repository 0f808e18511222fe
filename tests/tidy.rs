//! Keeps the house in order: what no compiler checks and would otherwise erode. Every check is tried on a planted fault.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `src/`, from the top floor down. A room may name those below it, and nothing else.
const FLOORS: [&str; 19] = [
    "lib", "ledger", "exchange", "file", "audit", "report", "writer", "engine", "store", "db", "chain", "notice",
    "model", "pricing", "quantity", "hash", "units", "error", "spelling",
];
/// The engine says in `engine::source` what it has to read and write; the store does it. So the arrow points upwards here.
const UPWARDS: [(&str, &str, &str); 1] = [("store", "engine", "source")];

/// The one circle between files of a room: a session holds the rows at hand, which are written through the session.
const CIRCLE: (&str, &str) = ("store/session", "store/row_cache");

const MAX_FUNCTION: usize = 70;
const MAX_FILE: usize = 800;

/// What rules must not reach for: they are given the time, the books and the prices.
const IMPURE: [&[&str]; 10] = [
    &["std", "fs"],
    &["std", "io"],
    &["std", "env"],
    &["std", "net"],
    &["std", "process"],
    &["std", "thread"],
    &["SystemTime"],
    &["time", "Instant"],
    &["Utc", "now"],
    &["Local", "now"],
];
/// Binary floating point, and the two places that may look at it: the constructor for callers who have nothing better,
/// and the test whether a JSON number is too large.
const FLOATS: [&str; 4] = ["f32", "f64", "as_f32", "as_f64"];
const FLOATS_ALLOWED: [(&str, &str); 4] = [
    ("src/quantity.rs", "f64"),
    ("src/model/fields.rs", "as_f64"),
    // Serde's list of what is read as whatever it is.
    ("src/model/metadata.rs", "f32"),
    ("src/model/metadata.rs", "f64"),
];

/// What may follow the name of the library in one of its texts, so that no command of a shell does.
const NAMED: [&str; 7] = ["answer", "exchange", "ledger", "operation", "question", "reads", "request"];
/// Commands and options of a shell.
const SHELL: [&str; 8] = ["chmod", "chown", "rm", "mv", "cp", "export", "cat", "sudo"];

/// One source file: its path from the root, its text without comments, strings and characters, and the strings.
struct Source {
    path: String,
    code: String,
    strings: Vec<(usize, String)>,
    lines: usize,
    test: bool,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        let (code, strings) = (blank(text), strings(text));
        Source { path: path.into(), code, strings, lines: text.lines().count(), test: false }
    }

    /// The room a file of the library belongs to.
    fn room(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        Some(rest.split('/').next().unwrap_or(rest).trim_end_matches(".rs"))
    }

    fn under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// The code without `#[cfg(test)]` modules; nothing for a file that is one.
    fn shipped(&self) -> String {
        if self.test { String::new() } else { without_test_modules(&self.code) }
    }
}

// ---- reading Rust, as far as these checks need it

/// Replaces comments, strings and characters by spaces, line by line.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = comment_end(&chars, at).or_else(|| string_end(&chars, at)).or_else(|| char_end(&chars, at));
        let end = end.unwrap_or(at);
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

/// Every string as it is written, with the line it begins in.
fn strings(text: &str) -> Vec<(usize, String)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut found, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let string = string_end(&chars, at);
        let end = comment_end(&chars, at).or(string).or_else(|| char_end(&chars, at)).unwrap_or(at + 1);
        if string == Some(end) {
            found.push((line, chars[at..end].iter().collect()));
        }
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    found
}

fn comment_end(chars: &[char], at: usize) -> Option<usize> {
    match chars.get(at..at + 2)? {
        ['/', '/'] => Some(chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| at + n)),
        ['/', '*'] => {
            let (mut depth, mut end) = (1, at + 2);
            while depth > 0 && end < chars.len() {
                match chars.get(end..end + 2) {
                    Some(['/', '*']) => (depth, end) = (depth + 1, end + 2),
                    Some(['*', '/']) => (depth, end) = (depth - 1, end + 2),
                    _ => end += 1,
                }
            }
            Some(end)
        }
        _ => None,
    }
}

fn string_end(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] == '"' {
        let mut end = at + 1;
        while end < chars.len() && chars[end] != '"' {
            end += if chars[end] == '\\' { 2 } else { 1 };
        }
        return Some((end + 1).min(chars.len()));
    }
    if chars[at] != 'r' || (at > 0 && is_word(chars[at - 1]) && chars[at - 1] != 'b') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    (chars.get(at + 1 + hashes) == Some(&'"')).then(|| {
        let close: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
        let start = at + 2 + hashes;
        let found = chars[start..].windows(close.len()).position(|window| window == close);
        found.map_or(chars.len(), |n| start + n + close.len())
    })
}

/// A character, and not a lifetime.
fn char_end(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] != '\'' {
        return None;
    }
    if chars.get(at + 1) == Some(&'\\') {
        return chars[at + 3..].iter().position(|c| *c == '\'').map(|n| at + 4 + n);
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, `::`, and single signs, each with its line.
fn tokens(code: &str) -> Vec<(String, usize)> {
    let mut found: Vec<(String, usize)> = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let chars: Vec<char> = line.chars().collect();
        let mut at = 0;
        while at < chars.len() {
            let length = match chars[at] {
                c if is_word(c) => chars[at..].iter().take_while(|c| is_word(**c)).count(),
                ':' if chars.get(at + 1) == Some(&':') => 2,
                _ => 1,
            };
            if !chars[at].is_whitespace() {
                found.push((chars[at..at + length].iter().collect(), number + 1));
            }
            at += length;
        }
    }
    found
}

/// Every path (`a::b::c`) with its line; trees of imports are spread out.
fn paths(code: &str) -> Vec<(Vec<String>, usize)> {
    let tokens = tokens(code);
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at = if tokens[at].0.starts_with(is_word) { path(&tokens, at, &[], &mut found) } else { at + 1 };
    }
    found
}

fn path(tokens: &[(String, usize)], start: usize, before: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.0.as_str());
    let mut here = before.to_vec();
    here.push(text(start).to_string());
    let mut at = start + 1;
    while text(at) == "::" && text(at + 1).starts_with(is_word) {
        here.push(text(at + 1).to_string());
        at += 2;
    }
    if text(at) != "::" || text(at + 1) != "{" {
        found.push((here, tokens[start].1));
        return at;
    }
    at += 2;
    while at < tokens.len() && text(at) != "}" {
        at = if text(at).starts_with(is_word) { path(tokens, at, &here, found) } else { at + 1 };
    }
    at + 1
}

/// Where the block that opens at or after `from` ends (a token's place), unless a `;` comes first.
fn block_end(tokens: &[(String, usize)], from: usize) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, (token, _)) in tokens.iter().enumerate().skip(from) {
        match token.as_str() {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            ";" if brackets == 0 && braces == 0 => return None,
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// Which lines (by number, from 1) are not of `#[cfg(test)]` modules.
fn shipped_lines(code: &str) -> Vec<bool> {
    let all = tokens(code);
    let texts: Vec<&str> = all.iter().map(|token| token.0.as_str()).collect();
    let mut keep: Vec<bool> = vec![true; code.lines().count() + 1];
    for at in 0..texts.len() {
        if texts[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]", "mod"])
            && let Some(end) = block_end(&all, at + 8)
        {
            keep[all[at].1..=all[end].1].fill(false);
        }
    }
    keep
}

fn without_test_modules(code: &str) -> String {
    let lines = code.lines().zip(shipped_lines(code).into_iter().skip(1));
    lines.map(|(line, keep)| if keep { format!("{line}\n") } else { "\n".to_string() }).collect()
}

// ---- the checks: each gives what is wrong

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|name| *name == room)
}

fn imports_upwards(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        let Some(room) = source.room() else { continue };
        let Some(own) = floor(room) else {
            wrong.push(format!("{}: room `{room}` has no floor", source.path));
            continue;
        };
        let depth = if source.path.ends_with("/mod.rs") { 1 } else { source.path.matches('/').count() };
        for (path, line) in paths(&source.code) {
            let ups = path.iter().take_while(|segment| *segment == "super").count();
            let rest = if path[0] == "crate" {
                &path[1..]
            } else if ups >= depth && floor(path.get(ups).map_or("", String::as_str)).is_some() {
                &path[ups..]
            } else {
                continue;
            };
            let Some(target) = rest.first() else { continue };
            let inner = rest.get(1).map_or("", String::as_str);
            let allowed = target == room
                || own == 0
                || UPWARDS.contains(&(room, target.as_str(), inner))
                || floor(target).is_some_and(|floor| floor > own);
            if !allowed {
                wrong.push(format!("{}:{line}: {room} must not use {}", source.path, rest.join("::")));
            }
        }
    }
    wrong
}

/// The files of each room, by the path of their module, with the other files of the room that they use. A name that a file's
/// parent takes from a third file counts as that file's; what parents and children use of each other is no circle.
fn uses_within_rooms(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeSet<Vec<String>>> {
    let module = |source: &Source| -> Vec<String> {
        let path = source.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').map(str::to_string).collect()
    };
    let shipped = sources.iter().filter(|source| source.room().is_some() && !source.test);
    let files: BTreeMap<Vec<String>, Vec<Vec<String>>> = shipped
        .map(|source| (module(source), paths(&source.shipped()).into_iter().map(|(path, _)| path).collect()))
        .collect();
    let mut uses: BTreeMap<Vec<String>, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (here, path) in files.iter().flat_map(|(here, paths)| paths.iter().map(move |path| (here, path))) {
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        let whole = match path[0].as_str() {
            "crate" => path[1..].to_vec(),
            "super" if ups <= here.len() => [&here[..here.len() - ups], &path[ups..]].concat(),
            _ => continue,
        };
        let Some(mut depth) = (1..=whole.len()).rev().find(|depth| files.contains_key(&whole[..*depth])) else {
            continue;
        };
        let mut file = whole[..depth].to_vec();
        while let Some(name) = whole.get(depth)
            && let Some(from) = files[&file].iter().find(|path| {
                path.len() == 2 && path[1] == *name && files.contains_key(&[&file[..], &path[..1]].concat())
            })
        {
            file.push(from[0].clone());
            depth += 1;
        }
        if file[0] == here[0] && !file.starts_with(here) && !here.starts_with(&file) {
            uses.entry(here.clone()).or_default().insert(file);
        }
    }
    uses
}

/// Files of a room that use each other, directly or by others.
fn circles(sources: &[Source]) -> Vec<String> {
    let mut uses = uses_within_rooms(sources);
    let split = |path: &str| path.split('/').map(str::to_string).collect::<Vec<_>>();
    if let Some(used) = uses.get_mut(&split(CIRCLE.0)) {
        used.remove(&split(CIRCLE.1));
    }
    // What nothing else uses, or what uses nothing, is in no circle.
    loop {
        let users: BTreeSet<Vec<String>> = uses.keys().cloned().collect();
        let used: BTreeSet<Vec<String>> = uses.values().flatten().cloned().collect();
        let before: usize = uses.values().map(BTreeSet::len).sum();
        uses.retain(|file, _| used.contains(file));
        uses.values_mut().for_each(|files| files.retain(|file| users.contains(file)));
        uses.retain(|_, files| !files.is_empty());
        if uses.values().map(BTreeSet::len).sum::<usize>() == before {
            break;
        }
    }
    uses.into_iter()
        .map(|(file, used)| {
            let used: Vec<String> = used.iter().map(|file| file.join("/")).collect();
            format!("{} uses {}", file.join("/"), used.join(", "))
        })
        .collect()
}

fn sql_outside_the_store(sources: &[Source]) -> Vec<String> {
    let outside = sources.iter().filter(|source| source.room().is_some() && !source.under(&["src/store/", "src/db/"]));
    outside.flat_map(|source| named(source, &["rusqlite"])).collect()
}

fn impure_rules(sources: &[Source]) -> Vec<String> {
    let rules =
        sources.iter().filter(|source| source.under(&["src/engine", "src/pricing", "src/quantity", "src/chain"]));
    rules.flat_map(|source| IMPURE.iter().flat_map(|what| named(source, what))).collect()
}

/// Where shipped code names these segments one after the other.
fn named(source: &Source, what: &[&str]) -> Vec<String> {
    let names = |path: &[String]| path.windows(what.len()).any(|window| window == what);
    let found = paths(&source.shipped()).into_iter().filter(|(path, _)| names(path));
    found.map(|(path, line)| format!("{}:{line}: {}", source.path, path.join("::"))).collect()
}

fn too_long(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources {
        if source.lines > MAX_FILE {
            wrong.push(format!("{}: {} lines", source.path, source.lines));
        }
        let tokens = tokens(&source.code);
        for (at, (token, line)) in tokens.iter().enumerate() {
            if token != "fn" || !tokens.get(at + 1).is_some_and(|next| next.0.starts_with(is_word)) {
                continue;
            }
            let length = block_end(&tokens, at).map_or(1, |end| tokens[end].1 + 1 - line);
            if length > MAX_FUNCTION {
                wrong.push(format!("{}:{line}: fn {} has {length} lines", source.path, tokens[at + 1].0));
            }
        }
    }
    wrong
}

fn floats(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.room().is_some()) {
        let mut allowed: Vec<&str> =
            FLOATS_ALLOWED.iter().filter(|(path, _)| *path == source.path).map(|(_, word)| *word).collect();
        for (token, line) in tokens(&source.shipped()).iter().filter(|(token, _)| FLOATS.contains(&token.as_str())) {
            match allowed.iter().position(|word| word == token) {
                Some(place) => {
                    allowed.remove(place);
                }
                None => wrong.push(format!("{}:{line}: {token}", source.path)),
            }
        }
    }
    wrong
}

/// Texts of the library that name commands: it knows of no shell, and who embeds it may have none.
fn commands_in_texts(sources: &[Source]) -> Vec<String> {
    let mut wrong = Vec::new();
    for source in sources.iter().filter(|source| source.room().is_some() && !source.test) {
        let shipped = shipped_lines(&source.code);
        for (line, text) in source.strings.iter().filter(|(line, _)| shipped[*line]) {
            let words: Vec<&str> = text.split(|c: char| !is_word(c) && c != '-').filter(|w| !w.is_empty()).collect();
            let mut after = text.split("counterfoil ").skip(1).map(|rest| rest.split(|c: char| !is_word(c)).next());
            let shell = words.iter().any(|word| SHELL.contains(word) || (word.starts_with("--") && word.len() > 2));
            if shell || after.any(|word| !NAMED.contains(&word.unwrap_or_default())) {
                wrong.push(format!("{}:{line}: {text}", source.path));
            }
        }
    }
    wrong
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let uses = |source: &Source| tokens(&source.code).into_iter().find(|(token, _)| token == "unsafe");
    sources.iter().filter_map(|source| uses(source).map(|(_, line)| format!("{}:{line}", source.path))).collect()
}

/// A module is named for what it is about.
fn drawers(sources: &[Source]) -> Vec<String> {
    const NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "misc", "common"];
    let mut wrong = Vec::new();
    for source in sources {
        if source.path.split('/').any(|part| NAMES.contains(&part.trim_end_matches(".rs"))) {
            wrong.push(source.path.clone());
        }
        let pairs = tokens(&source.code);
        let inline = pairs.windows(2).find(|pair| pair[0].0 == "mod" && NAMES.contains(&pair[1].0.as_str()));
        wrong.extend(inline.map(|pair| format!("{}:{}: mod {}", source.path, pair[1].1, pair[1].0)));
    }
    wrong
}

/// The names a crate has at its root; of the typed requests, those their table makes.
fn root_names(lib: &str, builders: &str) -> Vec<String> {
    let mut names = Vec::new();
    let uses = lib.split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    for path in uses {
        let list = path.rsplit_once("::").map_or(path, |(_, name)| name);
        let list = path.split_once('{').map_or(list, |(_, list)| list.trim_end_matches('}'));
        let list = list.split(',').map(|name| name.trim().rsplit(' ').next().unwrap());
        names.extend(list.filter(|name| !name.is_empty() && *name != "*").map(str::to_string));
    }
    let made = builders
        .split("\nrequest!(")
        .skip(1)
        .filter_map(|made| made.lines().find(|line| line.starts_with("    ") && !line.contains("///")));
    let named =
        builders.lines().filter_map(|line| line.strip_prefix("pub enum ").or_else(|| line.strip_prefix("pub struct ")));
    names.extend(made.chain(named).map(|line| line.split_whitespace().next().unwrap().to_string()));
    names
}

/// Tables and indexes without a comment right above.
fn bare_schema(schema: &str) -> Vec<String> {
    let lines: Vec<&str> = schema.lines().collect();
    let made = |line: &str| {
        ["CREATE TABLE", "CREATE INDEX", "CREATE UNIQUE INDEX"].iter().any(|start| line.starts_with(start))
    };
    let bare = |at: usize| at == 0 || !lines[at - 1].starts_with("-- ");
    (0..lines.len())
        .filter(|at| made(lines[*at]) && bare(*at))
        .map(|at| format!("schema.sql:{}: {}", at + 1, lines[at]))
        .collect()
}

/// Error codes without a row of their own in the table.
fn missing_codes(readme: &str) -> Vec<&'static str> {
    let row = |code: &str| {
        readme.lines().any(|line| line.starts_with(&format!("| `{code}` |")) && line.matches('|').count() == 4)
    };
    counterfoil::error::ERROR_CODES.into_iter().filter(|code| !row(code)).collect()
}

/// Commands the README gives for the tests that `.ci/run` does not run.
fn unrun_commands(readme: &str, ci: &str) -> Vec<String> {
    let commands = readme.lines().map(str::trim).filter(|line| line.starts_with("cargo test"));
    let commands: Vec<String> =
        commands.map(|line| line.split(" #").next().unwrap_or(line).trim().to_string()).collect();
    if commands.is_empty() {
        return vec!["the README names no test command".into()];
    }
    let run: Vec<&str> = ci.lines().map(|line| line.trim().trim_start_matches("run ")).collect();
    commands.into_iter().filter(|command| !run.contains(&command.as_str())).collect()
}

// ---- the house as it is

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), &mut found);
    }
    assert!(found.len() > 10, "{folders:?} has sources");
    mark_tests(&mut found);
    found
}

/// Marks the files declared as `#[cfg(test)] mod name;`.
fn mark_tests(sources: &mut [Source]) {
    let mut names = Vec::new();
    for source in sources.iter() {
        let all = tokens(&source.code);
        let texts: Vec<&str> = all.iter().map(|token| token.0.as_str()).collect();
        let folder = source.path.trim_end_matches("/mod.rs").trim_end_matches(".rs");
        for at in 0..texts.len() {
            if texts[at..].starts_with(&["#", "[", "cfg", "(", "test", ")", "]", "mod"])
                && texts.get(at + 9) == Some(&";")
            {
                names.push(format!("{folder}/{}.rs", texts[at + 8]));
            }
        }
    }
    for source in sources {
        source.test = names.contains(&source.path);
    }
}

fn none<T: std::fmt::Display>(wrong: Vec<T>) {
    let lines: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
}

#[test]
fn imports_point_downwards() {
    let sources = sources(&["src"]);
    let empty = FLOORS.iter().filter(|room| !sources.iter().any(|source| source.room() == Some(**room)));
    none(empty.map(|room| format!("there is no room {room} any more")).collect());
    none(imports_upwards(&sources));
}

#[test]
fn no_files_of_a_room_use_each_other() {
    none(circles(&sources(&["src"])));
}

#[test]
fn sql_stays_in_the_store() {
    none(sql_outside_the_store(&sources(&["src"])));
}

#[test]
fn rules_are_pure() {
    none(impure_rules(&sources(&["src"])));
}

/// What every app needs stands at the root; more of it and none of it is found.
#[test]
fn the_root_has_few_names() {
    let names = root_names(&text("src/lib.rs"), &text("src/model/builders.rs"));
    for name in ["Ledger", "Points", "Recharge", "Policy", "Receipt"] {
        assert!(names.iter().any(|one| one == name), "{name} is not among {names:?}");
    }
    assert!(names.len() <= 54, "{} names at the root, in a module they are found sooner: {names:?}", names.len());
    let lib =
        "mod a;\npub use a::B;\npub mod c {\n    pub use a::D;\n}\npub use a::{\n    E, f as F,\n};\npub use m::*;\n";
    let builders = "use x;\npub enum G {\n}\nrequest!(\n    /// An H.\n    H on account: I\n);\n";
    assert_eq!(root_names(lib, builders), ["B", "E", "F", "H", "G"]);
}

#[test]
fn functions_and_files_are_short() {
    none(too_long(&sources(&["src", "crates/report/src", "crates/cli/src", "benches"])));
}

#[test]
fn no_float_touches_points() {
    none(floats(&sources(&["src"])));
}

#[test]
fn the_library_names_no_commands() {
    none(commands_in_texts(&sources(&["src"])));
}

/// But where SQLite's own functions are called, and called by SQLite, to let them fail.
#[test]
fn nothing_is_unsafe() {
    let places = ["crates/faults/src/memory.rs", "crates/faults/src/vfs.rs"];
    let mut sources = sources(&["src", "crates", "tests", "examples", "benches"]);
    let all = sources.len();
    sources.retain(|source| !places.contains(&source.path.as_str()));
    assert_eq!(all - sources.len(), places.len(), "they are elsewhere");
    none(unsafe_code(&sources));
}

#[test]
fn modules_have_names() {
    none(drawers(&sources(&["src", "crates", "tests", "examples", "benches"])));
}

#[test]
fn the_schema_is_commented() {
    none(bare_schema(&text("schema.sql")));
}

#[test]
fn the_readme_has_every_error_code() {
    none(missing_codes(&text("README.md")));
}

#[test]
fn ci_runs_what_the_readme_says() {
    none(unrun_commands(&text("README.md"), &text(".ci/run")));
}

// ---- each check finds a planted fault, and passes what is right

#[test]
fn code_is_read_without_comments_and_strings() {
    let text = "a('{', '\\'', \"} \\\" //\", r#\"\"{\"#, b'\\n', &'a str) // {\n/* { /* } */ */ b";
    let left: String = blank(text).chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(left, "a(,,,,b,&'astr)b");
    assert_eq!(blank("\"a\nb\"").lines().count(), 2);
    let spread: Vec<String> =
        paths("use crate::{a::{b, c as d}, e}; f::g()").into_iter().map(|(path, _)| path.join("::")).collect();
    for path in ["crate::a::b", "crate::a::c", "crate::e", "f::g"] {
        assert!(spread.iter().any(|found| found == path), "{path} in {spread:?}");
    }
}

#[test]
fn an_import_upwards_is_found() {
    for (path, text) in [
        ("src/store/read.rs", "use crate::engine::Books;"),
        ("src/store/read.rs", "use crate::{db, writer::Writer};"),
        ("src/model/ids.rs", "fn f() -> crate::store::Row { x }"),
        ("src/units.rs", "use super::model::Key;"),
        ("src/model/ids.rs", "use super::super::engine::run;"),
        ("src/units.rs", "use crate::Ledger;"),
        ("src/cellar.rs", "fn f() {}"),
    ] {
        assert_eq!(imports_upwards(&[Source::new(path, text)]).len(), 1, "{path}: {text}");
    }
    for (path, text) in [
        ("src/store/read.rs", "use crate::engine::source::{Changes, Source}; use crate::db;"),
        ("src/ledger/look.rs", "use super::Ledger; use crate::ledger::Options; // crate::lib"),
        ("src/pricing/fields.rs", "use super::report::Fault;"),
        ("src/lib.rs", "pub use crate::ledger::Ledger;"),
        ("crates/cli/src/main.rs", "use crate::args::Cli;"),
    ] {
        none(imports_upwards(&[Source::new(path, text)]));
    }
}

#[test]
fn a_circle_is_found() {
    let files =
        |texts: &[(&str, &str)]| -> Vec<Source> { texts.iter().map(|(path, text)| Source::new(path, text)).collect() };
    let long = files(&[
        ("src/a/mod.rs", "mod b; pub use b::B; mod c; mod d;"),
        ("src/a/b.rs", "use crate::a::c::C;"),
        ("src/a/c.rs", "use super::{d::D, e};"),
        ("src/a/d.rs", "use super::B;"),
    ]);
    assert_eq!(circles(&long), ["a/b uses a/c", "a/c uses a/d", "a/d uses a/b"]);
    none(circles(&files(&[
        ("src/a/mod.rs", "mod b; mod c; use b::B; use c::C;"),
        ("src/a/b.rs", "use super::C; use super::Root; // use super::c;"),
        ("src/a/c.rs", "use super::Root; #[cfg(test)]\nmod tests {\n use crate::a::b::B;\n}"),
    ])));
}

#[test]
fn sql_and_impure_rules_are_found() {
    let sql = "use rusqlite::Connection;";
    assert_eq!(sql_outside_the_store(&[Source::new("src/report/mod.rs", sql)]).len(), 1);
    assert_eq!(sql_outside_the_store(&[Source::new("src/file.rs", "fn f(c: &rusqlite::Connection) {}")]).len(), 1);
    none(sql_outside_the_store(&[Source::new("src/db/config.rs", sql)]));
    none(sql_outside_the_store(&[Source::new(
        "src/report/mod.rs",
        "#[cfg(test)]\nmod tests {\n use rusqlite::Connection;\n}",
    )]));
    for text in
        ["use std::{collections::HashMap, fs};", "use std::time::{Duration, Instant};", "fn f() { Utc::now(); }"]
    {
        assert_eq!(impure_rules(&[Source::new("src/engine/time.rs", text)]).len(), 1, "{text}");
        assert_eq!(impure_rules(&[Source::new("src/pricing/mod.rs", text)]).len(), 1, "{text}");
        none(impure_rules(&[Source::new("src/writer.rs", text)]));
    }
    none(impure_rules(&[Source::new("src/engine/time.rs", "use crate::units::Instant; use std::time::Duration;")]));
    let mut files = [Source::new("src/file.rs", "#[cfg(test)]\nmod cost;"), Source::new("src/file/cost.rs", sql)];
    mark_tests(&mut files);
    none(sql_outside_the_store(&files));
}

#[test]
fn what_is_too_long_is_found() {
    let function = |lines: usize| {
        format!("fn long<const N: usize>() -> [u8; 2] {{\n{}}}\n", "    { call(\"}\"); }\n".repeat(lines - 2))
    };
    none(too_long(&[Source::new("src/a.rs", &format!("{}fn next() {{}}\n", function(70)))]));
    assert_eq!(too_long(&[Source::new("src/a.rs", &function(71))]), ["src/a.rs:1: fn long has 71 lines"]);
    none(too_long(&[Source::new("src/a.rs", &"//\n".repeat(MAX_FILE))]));
    assert_eq!(too_long(&[Source::new("src/a.rs", &"//\n".repeat(MAX_FILE + 1))]), ["src/a.rs: 801 lines"]);
}

#[test]
fn floats_unsafe_code_and_drawers_are_found() {
    assert_eq!(floats(&[Source::new("src/units.rs", "fn f(x: f64) {}")]), ["src/units.rs:1: f64"]);
    assert_eq!(
        floats(&[Source::new("src/quantity.rs", "fn f(x: f64) {}\nfn g(x: f64) {}")]),
        ["src/quantity.rs:2: f64"]
    );
    none(floats(&[Source::new("src/units.rs", "// f64\nfn from_f64_seconds() { number.is_f64() }")]));
    assert_eq!(unsafe_code(&[Source::new("src/a.rs", "fn f() {\n unsafe { g() } }")]), ["src/a.rs:2"]);
    none(unsafe_code(&[Source::new("src/a.rs", "fn unsafe_sqlite() { \"unsafe\"; }")]));
    assert_eq!(drawers(&[Source::new("src/utils.rs", ""), Source::new("src/a/helpers/b.rs", "")]).len(), 2);
    assert_eq!(drawers(&[Source::new("src/a.rs", "mod util { }")]).len(), 1);
    none(drawers(&[Source::new("src/model/ids.rs", "mod utilisation;")]));
}

#[test]
fn commands_in_texts_are_found() {
    for text in ["run `counterfoil verify`", "(counterfoil expire)", "chmod 600 {path}", "name it (--pricing FILE)"] {
        let found = commands_in_texts(&[Source::new("src/a.rs", &format!("fn f() {{\n g(\"{text}\");\n}}"))]);
        assert_eq!(found, [format!("src/a.rs:2: \"{text}\"")]);
    }
    none(commands_in_texts(&[
        Source::new(
            "src/a.rs",
            "/// `counterfoil verify`\nfn f() { g(\"not a counterfoil ledger; confirm -- verify\"); }",
        ),
        Source::new("src/a.rs", "#[cfg(test)]\nmod tests {\n g(\"counterfoil verify\");\n}"),
        Source::new("crates/cli/src/a.rs", "fn f() { g(\"counterfoil verify\"); }"),
    ]));
}

#[test]
fn gaps_in_the_documents_are_found() {
    assert_eq!(
        bare_schema("-- A.\nCREATE TABLE a (\n);\n\nCREATE TABLE b (\n);\nCREATE UNIQUE INDEX c ON b (d);\n").len(),
        2
    );
    none(bare_schema("-- A.\nCREATE TABLE a (\n);\n-- B.\nCREATE INDEX b ON a (c);\n"));
    assert_eq!(missing_codes("").len(), counterfoil::error::ERROR_CODES.len());
    assert!(!missing_codes("| `busy` | locked | try again |").contains(&"busy"));
    assert!(missing_codes("| `busy` | locked |").contains(&"busy"));
    assert_eq!(unrun_commands("", "").len(), 1);
    assert_eq!(unrun_commands("    cargo test --all   # everything", "run cargo test"), ["cargo test --all"]);
    none(unrun_commands("cargo test --all # everything", "set -eu\nrun cargo test --all"));
}
