//! Broken books: each fault with its place and words, all of them at once, and how the report looks.

use counterfoil::pricing::{MAX_BOOK_BYTES, PriceBook, PricingErrors};

fn refused(text: &str) -> PricingErrors {
    match PriceBook::parse(text, "pricing.toml") {
        Err(faults) => faults,
        Ok(_) => panic!("this book was accepted:\n{text}"),
    }
}

/// `line:column message`, and the help in brackets.
fn listed(faults: &PricingErrors) -> Vec<String> {
    let line = |fault: &counterfoil::pricing::PricingFault| {
        let help = fault.help.as_ref().map(|help| format!(" [{help}]"));
        let place = format!("{}:{}", fault.line, fault.column);
        format!("{place} {}{}", fault.message, help.unwrap_or_default())
    };
    faults.faults().iter().map(line).collect()
}

/// The broken books, each followed by what is said about it, a line each after `> `.
fn cases() -> Vec<(String, Vec<&'static str>)> {
    let mut cases = vec![(String::new(), Vec::new())];
    for line in include_str!("broken.txt").lines() {
        let (text, faults) = cases.last_mut().unwrap();
        match line.strip_prefix("> ") {
            Some(fault) => faults.push(fault),
            None if !faults.is_empty() => cases.push((String::new(), Vec::new())),
            None => *text = format!("{text}{line}\n"),
        }
    }
    cases
}

#[test]
fn every_fault_has_its_place_and_words() {
    let cases = cases();
    assert!(cases.len() >= 81, "{}", cases.len());
    for (text, expected) in cases {
        let text = text.strip_suffix('\n').unwrap();
        let faults = refused(text);
        assert_eq!(listed(&faults), expected, "{text}\n{faults}");
        for fault in faults.faults() {
            let place = format!("pricing.toml:{}:{}", fault.line, fault.column);
            assert!(faults.rendered().contains(&place), "{faults}");
        }
        // Windows line ends and a byte order mark move nothing.
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(listed(&refused(&windows)), expected, "{windows:?}");
    }
}

const MANY: &str = r#"expiration_days = 0
promo_source = ["gift"]
free_services = ["配音", "tts", "配音"]

[fixed_costs]
script = -1

[duration_based_costs.tts]
divisor = 0
multiplier = 2
"#;

const MANY_DRAWN: &str = r#"error: `expiration_days` must be from 1 to 36500 days
 --> pricing.toml:1:19
  |
1 | expiration_days = 0
  |                   ^

error: unknown key `promo_source` at the top of the file
 --> pricing.toml:2:1
  |
2 | promo_source = ["gift"]
  | ^^^^^^^^^^^^
  |
  = help: did you mean `promo_sources`?

error: `配音` stands twice in `free_services`
 --> pricing.toml:3:31
  |
3 | free_services = ["配音", "tts", "配音"]
  |                                 ^^^^^^

error: the price of `script` cannot be negative
 --> pricing.toml:6:10
  |
6 | script = -1
  |          ^^

error: `tts` has two prices
 --> pricing.toml:8:23
  |
8 | [duration_based_costs.tts]
  |                       ^^^
  |
  = help: it is also in free_services, line 3; keep one of them

error: `divisor` must be more than 0
 --> pricing.toml:9:11
  |
9 | divisor = 0
  |           ^

error: `tts` has both `divisor` and `multiplier`
  --> pricing.toml:10:1
   |
10 | multiplier = 2
   | ^^^^^^^^^^
   |
   = help: keep one of them

7 faults in pricing.toml; nothing of it was loaded"#;

#[test]
fn all_faults_are_drawn_at_once() {
    let faults = refused(MANY);
    assert_eq!(faults.to_string(), MANY_DRAWN, "\n{faults}");
    assert_eq!(faults.rendered(), faults.to_string());
    assert_eq!(faults.file(), "pricing.toml");
}

#[test]
fn columns_count_characters_not_bytes() {
    let faults = refused("[fixed_costs]\n\"配音\" = -1\n");
    assert_eq!(listed(&faults), ["2:8 the price of `配音` cannot be negative"]);
}

#[test]
fn a_book_has_at_most_one_mebibyte() {
    let mut text = "# a comment\n".repeat(MAX_BOOK_BYTES / 12);
    text.push_str(&"#".repeat(MAX_BOOK_BYTES - text.len()));
    assert!(PriceBook::parse(&text, "pricing.toml").is_ok());
    text.push('#');
    let faults = refused(&text);
    assert_eq!(listed(&faults), ["1:1 a price book is at most 1048576 bytes, this one has 1048577"]);
    assert!(faults.rendered().len() < 500, "{faults}");
}

#[test]
fn a_book_of_noise_is_listed_in_full_and_drawn_in_part() {
    let mut text = String::from("[fixed_costs]\n");
    for n in 0..50_000 {
        text.push_str(&format!("a{n}=-1\n"));
    }
    let faults = refused(&text);
    assert_eq!(faults.faults().len(), 50_000);
    assert!(faults.rendered().len() < 20_000);
    let end = "50000 faults in pricing.toml (49900 of them not drawn); nothing of it was loaded";
    assert!(faults.rendered().ends_with(end));
}

#[test]
fn very_long_lines_are_named_and_not_drawn() {
    let faults = refused(&format!("{}expiration_days = 0", " ".repeat(100_000)));
    assert_eq!(faults.faults()[0].column, 100_019);
    assert!(faults.rendered().contains("pricing.toml:1:100019"));
    assert!(faults.rendered().len() < 500);
}

#[test]
fn hostile_names_cannot_disturb_the_report() {
    let text = format!("\"\\u001b[31m{}\" = 1\n", "y".repeat(200));
    let faults = PriceBook::parse(&text, "evil\u{1b}\n.toml").unwrap_err();
    assert!(!faults.to_string().contains('\u{1b}'), "{faults}");
    assert!(faults.rendered().contains("--> evil\\u{1b}\\u{a}.toml:1:1"), "{faults}");
    assert!(faults.faults()[0].message.starts_with("unknown key `\\u{1b}[31myyy"));
    assert!(faults.faults()[0].message.len() < 120);
}

#[test]
fn names_of_services_end_at_128_bytes() {
    let name = "x".repeat(129);
    let faults = refused(&format!("free_services = [\"{name}\"]\n[fixed_costs]\n{name} = 1\n"));
    let message = "a name is at most 128 bytes, this one has 129";
    assert_eq!(listed(&faults), [format!("1:18 {message}"), format!("3:1 {message}")]);
}

#[test]
fn faults_serialize_with_their_places() {
    let faults = refused("expiration_day = 1\n");
    assert_eq!(
        serde_json::to_string(&faults).unwrap(),
        concat!(
            r#"{"file":"pricing.toml","faults":[{"line":1,"column":1,"#,
            r#""message":"unknown key `expiration_day` at the top of the file","#,
            r#""help":"did you mean `expiration_days`?"}]}"#
        )
    );
}
