//! What things cost: every formula, at and beside its boundaries, and the words for it.

use std::time::Duration;

use counterfoil::pricing::{PriceBook, PriceError, Priced};
use counterfoil::quantity::{Quantity, Usage, UsageKind};

use super::{SAMPLE, book, sample};

fn seconds(text: &str) -> Usage {
    Usage::seconds(text).unwrap()
}

fn input(text: &str) -> Usage {
    Usage::input_seconds(text).unwrap()
}

fn counted(text: &str) -> Usage {
    Usage::quantity(Quantity::parse(text).unwrap())
}

fn duration(rest: &str) -> PriceBook {
    book(&format!("[duration_based_costs.s]\n{rest}\n"))
}

fn metered(rest: &str) -> PriceBook {
    book(&format!("[metered_costs.s]\n{rest}\n"))
}

fn points(priced: Result<Priced, PriceError>) -> i64 {
    priced.unwrap().points.get()
}

fn advice(priced: Result<Priced, PriceError>) -> String {
    match priced {
        Err(PriceError::Usage(text)) => text,
        other => panic!("no usage error: {other:?}"),
    }
}

#[test]
fn worked_examples_of_the_design() {
    let at = |rest, text| points(duration(rest).price("s", &seconds(text)));
    assert_eq!(at("divisor = 0.3", "2.1"), 7);
    assert_eq!(at("divisor = 1.2", "8.4"), 7);
    let book = duration("divisor = 1\nestimation = { seconds_per_char = 0.28 }");
    assert_eq!(points(book.estimate("s", &Usage::chars(25))), 7);
}

#[test]
fn a_divisor_rounds_up_once_and_costs_at_least_the_minimum() {
    let cases = [
        ("divisor = 3", "0", 1),
        ("divisor = 3", "0.000000001", 1),
        ("divisor = 3", "3", 1),
        ("divisor = 3", "3.000000001", 2),
        ("divisor = 3", "61.2", 21),
        ("divisor = 3", "63", 21),
        ("divisor = 3\nmin_points = 0", "0", 0),
        ("divisor = 3\nmin_points = 0", "0.1", 1),
        ("divisor = 3\nmin_points = 5", "15", 5),
        ("divisor = 3\nmin_points = 5", "15.1", 6),
        ("divisor = 0.1", "0.1", 1),
        ("divisor = 1e-1", "0.3", 3),
        ("divisor = 3.3e+0_0", "3.3", 1),
        ("divisor = 1_000.5", "2001", 2),
        ("divisor = 0x10", "33", 3),
        ("divisor = +2", "4", 2),
        ("divisor = 0.000000000000000001", "0.005", 5_000_000_000_000_000),
    ];
    for (rule, used, expected) in cases {
        let priced = duration(rule).price("s", &seconds(used));
        assert_eq!(points(priced), expected, "{rule}, {used} s");
    }
}

#[test]
fn a_multiplier_rounds_the_seconds_up_first() {
    let cases = [
        ("multiplier = 2", "0", 1),
        ("multiplier = 2", "7.5", 16),
        ("multiplier = 2", "8", 16),
        ("multiplier = 2", "8.000000001", 18),
        ("multiplier = 2\nmin_points = 10", "4.9", 10),
        ("multiplier = 2\nmin_points = 10", "5.1", 12),
        ("multiplier = 1.5", "3", 5),
        ("multiplier = 1.5", "2.1", 5),
        ("multiplier = 0.5", "2.1", 2),
        ("multiplier = 0.28", "25", 7),
        ("multiplier = 0.28", "24.1", 7),
        ("multiplier = 0.28", "25.1", 8),
    ];
    for (rule, used, expected) in cases {
        let priced = duration(rule).price("s", &seconds(used));
        assert_eq!(points(priced), expected, "{rule}, {used} s");
    }
}

#[test]
fn a_price_per_so_many_seconds_counts_those_begun() {
    let cases = [
        ("per = 5\npoints = 8\nmin_points = 20", "61.2", 104),
        ("per = 5\npoints = 8\nmin_points = 20", "0", 20),
        ("per = 5\npoints = 8\nmin_points = 20", "10", 20),
        ("per = 5\npoints = 8\nmin_points = 20", "10.000000001", 24),
        ("per = 5\npoints = 8", "0", 1),
        ("per = 5\npoints = 8", "5", 8),
        ("per = 5\npoints = 8", "5.1", 16),
        ("per = 0.3\npoints = 2", "2.1", 14),
        ("points = 0\nper = 1\nmin_points = 0", "9", 0),
        ("per = 1\npoints = 9000000000000000", "1", 9_000_000_000_000_000),
    ];
    for (rule, used, expected) in cases {
        let priced = duration(rule).price("s", &seconds(used));
        assert_eq!(points(priced), expected, "{rule}, {used} s");
    }
    let book = duration("per = 5\npoints = 8\nestimation = { seconds_per_char = 0.25 }");
    let priced = book.estimate("s", &Usage::chars(41)).unwrap();
    assert_eq!((priced.points.get(), priced.rule.as_str()), (24, "ceil(41 char * 0.25 s / 5) * 8, at least 1"));
    let out = duration("per = 1\npoints = 9000000000000000").price("s", &seconds("2"));
    assert_eq!(out, Err(PriceError::OutOfRange("s".to_owned())));
}

/// Story: speech was priced by its seconds, and one day by packages of seconds, the first of them free. The app, which counts
/// seconds, was refused from then on: it should have given a quantity. Which kind of price a service has is the book's business.
#[test]
fn an_app_does_not_change_when_a_price_does() {
    let estimations = ["", "estimation = { seconds_per_char = 0.25 }", "estimation = { use_input_seconds = true }"];
    for estimation in estimations {
        let by_time = duration(&format!("divisor = 3\nmin_points = 0\n{estimation}"));
        let counting = metered(&format!("unit = \"second\"\npackage = 3\npoints = 1\n{estimation}"));
        let usages = [
            seconds("61.2"),
            seconds("0"),
            seconds("3"),
            Usage::chars(1_201),
            input("61.2"),
            counted("61.2").unit("second"),
            seconds("5").unit("minute"),
            counted("5").unit("token"),
            seconds("5").unit("second"),
        ];
        for usage in &usages {
            let told =
                |priced: Result<Priced, PriceError>| priced.map(|it| (it.points, it.quantity, it.unit)).map_err(drop);
            assert_eq!(told(by_time.price("s", usage)), told(counting.price("s", usage)), "{usage:?} {estimation}");
            assert_eq!(
                told(by_time.estimate("s", usage)),
                told(counting.estimate("s", usage)),
                "{usage:?} {estimation}"
            );
        }
    }
    let speech = metered("unit = \"second\"\npoints = 2\nincluded = 60\nestimation = { seconds_per_char = 0.25 }");
    assert_eq!(points(speech.price("s", &seconds("61.2"))), 4);
    assert_eq!(points(speech.price("s", &Usage::duration(Duration::from_millis(61_200)))), 4);
    assert_eq!(points(speech.estimate("s", &Usage::chars(240))), 0);
    let priced = speech.estimate("s", &Usage::chars(241)).unwrap();
    assert_eq!((priced.points.get(), priced.rule.as_str()), (2, "ceil((241 char * 0.25 s - 60) / 1) * 2"));
    assert_eq!(advice(speech.price("s", &Usage::chars(5))), "for service `s` give the seconds that were used");
    let characters = metered("unit = \"char\"\npackage = 1000\npoints = 3");
    for priced in [characters.price("s", &Usage::chars(1_001)), characters.estimate("s", &Usage::chars(1_001))] {
        let priced = priced.unwrap();
        assert_eq!((priced.points.get(), priced.unit.as_deref()), (6, Some("char")));
        assert_eq!(priced.rule, "ceil(1001 char / 1000) * 3");
    }
    assert_eq!(points(characters.price("s", &counted("1001").unit("char"))), 6);
    assert_eq!(advice(characters.price("s", &seconds("5"))), "for service `s` give the number of characters");
    // A rule without a unit counts quantities: it cannot know what seconds are to it.
    assert_eq!(advice(metered("points = 1").price("s", &seconds("5"))), "for service `s` give the quantity");
    assert_eq!(
        advice(duration("divisor = 3").price("s", &counted("5"))),
        "for service `s` give the seconds that were used"
    );
}

#[test]
fn metered_prices_count_packages_beyond_what_is_included() {
    let full = "package = 1000\npoints = 3\nincluded = 200\nmin_points = 4\nmax_points = 500";
    let cases = [
        ("points = 2", "0", 0),
        ("points = 2", "1", 2),
        ("points = 2", "1.5", 4),
        ("points = 0", "1.5", 0),
        ("points = 2\npackage = 10", "10", 2),
        ("points = 2\npackage = 10", "10.01", 4),
        ("points = 2\npackage = 0.5", "1.2", 6),
        ("points = 2\nincluded = 0.7", "0.7", 0),
        ("points = 2\nincluded = 0.7", "0.71", 2),
        ("points = 0\nmin_points = 4\nincluded = 1", "1", 0),
        ("points = 0\nmin_points = 4\nincluded = 1", "2", 4),
        ("points = 1\nmin_points = 4", "0", 0),
        (full, "0", 0),
        (full, "200", 0),
        (full, "200.001", 4),
        (full, "1200", 4),
        (full, "1201", 6),
        (full, "166200", 498),
        (full, "166201", 500),
        (full, "9000000000000000", 500),
        ("points = 9000000000000000\nmax_points = 7", "9000000000000000", 7),
    ];
    for (rule, used, expected) in cases {
        let priced = metered(rule).price("s", &counted(used));
        assert_eq!(points(priced), expected, "{rule}, {used}");
    }
}

#[test]
fn all_four_estimates() {
    let divisor_chars = duration("divisor = 3\nestimation = { seconds_per_char = 0.25 }");
    let divisor_input = duration("divisor = 3\nestimation = { use_input_seconds = true }");
    let multiplier_chars = duration("multiplier = 2\nestimation = { seconds_per_char = 0.28 }");
    let multiplier_input = duration("multiplier = 2\nestimation = { use_input_seconds = true }");
    assert_eq!(points(divisor_chars.estimate("s", &Usage::chars(1200))), 100);
    assert_eq!(points(divisor_chars.estimate("s", &Usage::chars(1201))), 101);
    assert_eq!(points(divisor_input.estimate("s", &input("61.2"))), 21);
    assert_eq!(points(multiplier_chars.estimate("s", &Usage::chars(25))), 14);
    assert_eq!(points(multiplier_chars.estimate("s", &Usage::chars(26))), 16);
    assert_eq!(points(multiplier_input.estimate("s", &input("7.5"))), 16);
    // Zero is a quantity, and a known usage is priced as it is.
    for book in [&divisor_chars, &multiplier_chars] {
        assert_eq!(points(book.estimate("s", &Usage::chars(0))), 1);
        assert_eq!(book.estimate("s", &seconds("9")), book.price("s", &seconds("9")));
    }
    assert_eq!(points(divisor_input.estimate("s", &input("0"))), 1);
    let tokens = Usage::quantity(1_500_u64).unit("token");
    assert_eq!(points(sample().estimate("llm_tokens", &tokens)), 6);
}

#[test]
fn an_estimate_is_an_upper_bound_of_the_price() {
    let book = duration("divisor = 0.7\nestimation = { seconds_per_char = 0.28 }");
    for chars in 0..500_u64 {
        let bound = points(book.estimate("s", &Usage::chars(chars)));
        let longest = Duration::from_millis(280 * chars);
        assert_eq!(points(book.price("s", &Usage::duration(longest))), bound);
    }
}

#[test]
fn a_missing_or_wrong_usage_is_an_error_that_says_what_to_do() {
    let book = sample();
    let cases = [
        (book.price("tts", None), "for service `tts` give the seconds that were used"),
        (book.price("tts", &Usage::chars(5)), "for service `tts` give the seconds that were used"),
        (book.price("video", &input("5")), "for service `video` give the seconds that were used"),
        (book.price("tts", &counted("5")), "for service `tts` give the seconds that were used"),
        (
            book.estimate("tts", None),
            "for service `tts` give the number of characters, or the seconds when they are known",
        ),
        (
            book.estimate("tts", &input("5")),
            "for service `tts` give the number of characters, or the seconds when they are known",
        ),
        (
            book.estimate("video", &Usage::chars(5)),
            "for service `video` give the input seconds, or the seconds when they are known",
        ),
        (
            duration("divisor = 1").estimate("s", &Usage::chars(5)),
            "for service `s` give the seconds: its price names no estimation",
        ),
        (book.price("llm_tokens", None), "for service `llm_tokens` give the quantity, counted in `token`"),
        (book.price("llm_tokens", &seconds("5")), "for service `llm_tokens` give the quantity, counted in `token`"),
        (metered("points = 1").price("s", None), "for service `s` give the quantity"),
        (
            book.price("llm_tokens", &counted("5").unit("page")),
            "for service `llm_tokens` the price counts in `token`, not in `page`",
        ),
        (
            book.price("tts", &seconds("5").unit("minute")),
            "for service `tts` the price counts in `second`, not in `minute`",
        ),
    ];
    for (priced, expected) in cases {
        assert_eq!(advice(priced), expected);
    }
}

#[test]
fn unknown_services_are_named_with_the_likely_one() {
    let unknown = |name: &str| match sample().price(name, None) {
        Err(error @ PriceError::UnknownService { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(unknown("vidoe"), "the price book has no service `vidoe`; did you mean `video`?");
    assert_eq!(unknown("music"), "the price book has no service `music`");
    assert_eq!(unknown("a\nb"), "the price book has no service `a\\u{a}b`");
    assert_eq!(unknown(""), "the price book has no service ``");
}

#[test]
fn out_of_range_is_refused_and_never_wraps() {
    let out = |priced: Result<Priced, PriceError>| {
        assert_eq!(priced, Err(PriceError::OutOfRange("s".to_owned())));
    };
    let most = "9000000000000000";
    assert_eq!(points(duration("divisor = 1").price("s", &seconds(most))), 9_000_000_000_000_000);
    out(duration("divisor = 0.9").price("s", &seconds(most)));
    out(duration("multiplier = 2").price("s", &seconds(most)));
    out(metered("points = 2").price("s", &counted(most)));
    out(metered("points = 9000000000000000").price("s", &counted(most)));
    out(metered("points = 1").price("s", &Usage::quantity(u64::MAX)));
    out(duration("divisor = 9").price("s", &Usage::duration(Duration::MAX)));
    out(book("free_services = [\"s\"]").price("s", &Usage::chars(u64::MAX)));
    let long = "8999999999999999.9999999999999999999999";
    out(duration("divisor = 0.0123456789").price("s", &seconds(long)));
    let chars = Usage::chars(9_000_000_000_000_000);
    out(duration("divisor = 1\nestimation = { seconds_per_char = 2 }").estimate("s", &chars));
}

#[test]
fn fixed_and_free_services_keep_the_usage_as_a_label() {
    let book = sample();
    let priced = book.price("script_generation", &counted("3").unit("page")).unwrap();
    assert_eq!((priced.points.get(), priced.rule.as_str()), (10, "10 per use"));
    assert_eq!(priced.quantity, Some(Quantity::from(3)));
    assert_eq!(priced.unit.as_deref(), Some("page"));
    let free = book.estimate("subtitle_preview", None).unwrap();
    assert_eq!((free.points.get(), free.rule.as_str()), (0, "free"));
    assert_eq!((free.quantity, free.unit), (None, None));
}

#[test]
fn the_rule_in_words_carries_the_numbers_of_the_case() {
    let book = sample();
    let words = |priced: Result<Priced, PriceError>| priced.unwrap().rule;
    let tokens = |text| book.price("llm_tokens", &counted(text));
    assert_eq!(words(book.price("tts", &seconds("61.20"))), "ceil(61.2 s / 3), at least 1");
    assert_eq!(words(book.estimate("tts", &Usage::chars(1200))), "ceil(1200 char * 0.25 s / 3), at least 1");
    assert_eq!(words(book.estimate("video", &input("7.5"))), "ceil(ceil(7.5 s) * 2), at least 10");
    assert_eq!(words(tokens("1500")), "ceil((1500 token - 200) / 1000) * 3, at least 1, at most 500");
    assert_eq!(words(tokens("150")), "150 token, 200 included");
    assert_eq!(words(metered("points = 3").price("s", &counted("2"))), "ceil(2 / 1) * 3");
}

#[test]
fn quantity_and_unit_are_those_that_were_given() {
    let book = sample();
    let label = |priced: Result<Priced, PriceError>| {
        let priced = priced.unwrap();
        format!("{} {}", priced.quantity.unwrap(), priced.unit.unwrap_or_default())
    };
    assert_eq!(label(book.price("tts", &seconds("61.20"))), "61.2 second");
    assert_eq!(label(book.estimate("tts", &Usage::chars(7))), "7 char");
    assert_eq!(label(book.estimate("video", &input("7"))), "7 second");
    assert_eq!(label(book.price("llm_tokens", &counted("7"))), "7 token");
    assert_eq!(label(metered("points = 1").price("s", &counted("7").unit("MB"))), "7 MB");
    assert_eq!(label(metered("points = 1").price("s", &counted("7"))), "7 ");
}

#[test]
fn the_sample_book_is_the_one_of_the_design() {
    let book = sample();
    assert_eq!(book.expiration_days(), 180);
    assert!(book.is_promo("gift") && !book.is_promo("wxpay"));
    let lines: Vec<String> = book
        .services()
        .map(|it| format!("{} {}: {} ({:?})", it.kind.as_str(), it.service, it.rule, it.estimation))
        .collect();
    assert_eq!(
        lines,
        [
            "duration dub: ceil(seconds / 5) * 8, at least 20 (None)",
            "metered llm_tokens: ceil((token - 200) / 1000) * 3, at least 1, at most 500 (None)",
            "fixed script_generation: 10 per use (None)",
            "free subtitle_preview: free (None)",
            "duration tts: ceil(seconds / 3), at least 1 (Some(\"chars * 0.25 s\"))",
            "duration video: ceil(ceil(seconds) * 2), at least 10 (Some(\"input seconds\"))",
        ]
    );
}

#[test]
fn a_book_is_named_by_the_hash_of_its_bytes() {
    let book = sample();
    assert_eq!(book.text(), SAMPLE);
    assert_eq!(book.hash().as_bytes(), blake3::hash(SAMPLE.as_bytes()).as_bytes());
    assert_eq!(book.hash().to_string(), blake3::hash(SAMPLE.as_bytes()).to_hex().to_string());
}

#[test]
fn byte_order_mark_and_windows_line_ends_change_nothing_but_the_hash() {
    let windows = format!("\u{feff}{}", SAMPLE.replace('\n', "\r\n"));
    let other = book(&windows);
    assert_eq!(other.text(), windows);
    assert_ne!(other.hash(), sample().hash());
    assert_eq!(other.services().collect::<Vec<_>>(), sample().services().collect::<Vec<_>>());
}

#[test]
fn an_empty_book_has_the_defaults() {
    let book = book("");
    assert_eq!(book.expiration_days(), 180);
    assert_eq!(book.services().count(), 0);
    assert!(!book.is_promo("gift"));
}

#[test]
fn names_of_any_language_and_of_every_length_allowed() {
    let long = "x".repeat(128);
    let book = book(&format!("[fixed_costs]\n\"配音 服务\" = 2\n{long} = 3\n\"a.b\" = 4\n"));
    for (name, expected) in [("配音 服务", 2), (long.as_str(), 3), ("a.b", 4)] {
        assert_eq!(points(book.price(name, None)), expected);
    }
}

#[test]
fn answers_serialize_as_the_design_says() {
    let priced = sample().price("tts", &Usage::new(UsageKind::Seconds, 61_u64)).unwrap();
    assert_eq!(
        serde_json::to_string(&priced).unwrap(),
        r#"{"service":"tts","points":21,"rule":"ceil(61 s / 3), at least 1","quantity":"61","unit":"second"}"#
    );
}
