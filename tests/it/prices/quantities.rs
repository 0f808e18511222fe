//! Quantities and usages at their edges.

use std::time::Duration;

use counterfoil::quantity::{Quantity, QuantityError, Usage, UsageKind};

fn text(input: &str) -> String {
    Quantity::parse(input).unwrap().to_string()
}

#[test]
fn reads_decimal_text_into_one_canonical_form() {
    let cases = [
        ("0", "0"),
        ("0.000", "0"),
        ("00", "0"),
        ("007", "7"),
        ("61.20", "61.2"),
        ("1200", "1200"),
        ("1.2e3", "1200"),
        ("1.2E+3", "1200"),
        ("1200e-5", "0.012"),
        ("0e999999999999999999999", "0"),
        ("9000000000000000", "9000000000000000"),
        ("9000000000000000.000", "9000000000000000"),
        ("9e15", "9000000000000000"),
        ("8999999999999999.9999999999999999999999", "8999999999999999.9999999999999999999999"),
        ("1e-38", "0.00000000000000000000000000000000000001"),
        ("0.10000000000000000000000000000000000000000000", "0.1"),
    ];
    for (input, expected) in cases {
        assert_eq!(text(input), expected, "{input}");
    }
}

#[test]
fn refuses_what_is_no_quantity() {
    use QuantityError::{Empty, Malformed, Negative, TooLarge, TooManyDigits};
    let cases = [
        ("", Empty),
        ("-1", Negative),
        ("-0", Negative),
        ("-0.5e3", Negative),
        ("9000000000000001", TooLarge),
        ("9000000000000000.0000000000000000000001", TooLarge),
        ("1e16", TooLarge),
        ("1e999999999999999999999", TooLarge),
        ("1e-39", TooManyDigits),
        ("1e-999999999999999999999", TooManyDigits),
        ("0.123456789012345678901234567890123456789", TooManyDigits),
        ("123456789012345678901234567890123456789", TooManyDigits),
    ];
    for (input, expected) in cases {
        assert_eq!(Quantity::parse(input), Err(expected), "{input}");
    }
    let malformed = [
        " 1", "1 ", "+1", ".5", "5.", "1e", "1e+", "e3", "1.2.3", "1,5", "1_000", "0x10", "NaN", "inf", "-inf", "-",
        "1e2.5", "１", "1\n", "--1",
    ];
    for input in malformed {
        let result = Quantity::parse(input);
        assert!(matches!(result, Err(Malformed(_))), "{input:?}: {result:?}");
    }
}

#[test]
fn hostile_text_is_cut_and_escaped_in_the_error() {
    let error = Quantity::parse(&format!("\u{1b}[31m{}", "9".repeat(5_000))).unwrap_err();
    let shown = error.to_string();
    assert!(shown.starts_with("`\\u{1b}[31m999") && shown.len() < 120, "{shown}");
}

#[test]
fn floats_are_read_as_their_shortest_text() {
    let read = |value| Quantity::from_f64_seconds(value).map(|it| it.to_string());
    let ok = |text: &str| Ok(text.to_owned());
    assert_eq!(read(2.1), ok("2.1"));
    assert_eq!(read(61.2), ok("61.2"));
    assert_eq!(read(0.1 + 0.2), ok("0.30000000000000004"));
    assert_eq!(read(1e-7), ok("0.0000001"));
    assert_eq!(read(9e15), ok("9000000000000000"));
    assert_eq!(read(0.0), ok("0"));
    assert_eq!(read(-0.0), ok("0"));
    assert_eq!(read(-0.1), Err(QuantityError::Negative));
    assert_eq!(read(f64::NAN), Err(QuantityError::NotFinite));
    assert_eq!(read(f64::INFINITY), Err(QuantityError::NotFinite));
    assert_eq!(read(f64::NEG_INFINITY), Err(QuantityError::NotFinite));
    assert_eq!(read(1e16), Err(QuantityError::TooLarge));
    assert_eq!(read(f64::MAX), Err(QuantityError::TooLarge));
    assert_eq!(read(5e-324), Err(QuantityError::TooManyDigits));
}

#[test]
fn durations_and_whole_numbers_are_exact() {
    assert_eq!(Quantity::from(Duration::from_nanos(1)).to_string(), "0.000000001");
    assert_eq!(Quantity::from(Duration::from_secs(120)).to_string(), "120");
    assert_eq!(Quantity::from(Duration::ZERO), Quantity::ZERO);
    assert_eq!(Quantity::from(Duration::from_millis(61_200)), "61.2".parse().unwrap());
    assert_eq!(Quantity::from(100_u64), Quantity::parse("100").unwrap());
    assert!(Quantity::from(9_000_000_000_000_000_u64).in_range());
    assert!(!Quantity::from(9_000_000_000_000_001_u64).in_range());
    assert!(!Quantity::from(Duration::MAX).in_range());
}

#[test]
fn json_is_text_or_whole_numbers() {
    let read = |json: &str| serde_json::from_str::<Quantity>(json);
    assert_eq!(read("\"61.20\"").unwrap(), Quantity::parse("61.2").unwrap());
    assert_eq!(read("7").unwrap(), Quantity::from(7));
    assert_eq!(serde_json::to_string(&Quantity::parse("61.20").unwrap()).unwrap(), "\"61.2\"");
    for refused in ["61.2", "7.0", "-1", "9000000000000001", "\"\"", "\"x\"", "null", "true", "[1]", "1e3"] {
        assert!(read(refused).is_err(), "{refused}");
    }
}

#[test]
fn a_usage_knows_its_unit() {
    let unit = |usage: &Usage| usage.unit_name().map(str::to_owned);
    assert_eq!(unit(&Usage::chars(3)).as_deref(), Some("char"));
    assert_eq!(unit(&Usage::seconds("3").unwrap()).as_deref(), Some("second"));
    assert_eq!(unit(&Usage::input_duration(Duration::ZERO)).as_deref(), Some("second"));
    assert_eq!(unit(&Usage::quantity(3_u64)), None);
    assert_eq!(unit(&Usage::quantity(3_u64).unit("page")).as_deref(), Some("page"));
    let usage = Usage::input_seconds("1.5").unwrap();
    assert_eq!((usage.kind(), usage.value().to_string()), (UsageKind::InputSeconds, "1.5".to_owned()));
    assert!(Usage::seconds("-1").is_err());
}
