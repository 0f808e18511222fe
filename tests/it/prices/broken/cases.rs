//! The broken books of [`super`], with everything that is said about each.

use super::Case;

pub(super) const TOP: &[Case] = &[
    (
        r#"expiration_day = 180"#,
        &["1:1 unknown key `expiration_day` at the top of the file [did you mean `expiration_days`?]"],
    ),
    (
        r#"colour = "red""#,
        &[
            "1:1 unknown key `colour` at the top of the file [known here: expiration_days, promo_sources, free_services, fixed_costs, duration_based_costs, metered_costs]",
        ],
    ),
    (
        r#"[fixed_cost]
tts = 1"#,
        &["1:2 unknown key `fixed_cost` at the top of the file [did you mean `fixed_costs`?]"],
    ),
    (r#"expiration_days = 0"#, &["1:19 `expiration_days` must be from 1 to 36500 days"]),
    (r#"expiration_days = -5"#, &["1:19 `expiration_days` must be from 1 to 36500 days"]),
    (r#"expiration_days = 36_501"#, &["1:19 `expiration_days` must be from 1 to 36500 days"]),
    (r#"expiration_days = 180.0"#, &["1:19 `expiration_days` must be a whole number, not a decimal number"]),
    (r#"expiration_days = "180""#, &["1:19 `expiration_days` must be a whole number, not text"]),
    (r#"promo_sources = "gift""#, &["1:17 `promo_sources` must be a list of names, not text"]),
    (r#"promo_sources = ["gift", 3]"#, &["1:26 a name in `promo_sources` must be text, not a whole number"]),
    (r#"promo_sources = ["gift", "gift"]"#, &["1:26 `gift` stands twice in `promo_sources`"]),
    (r#"free_services = ["a", "b", "a"]"#, &["1:28 `a` stands twice in `free_services`"]),
    (r#"free_services = [""]"#, &["1:18 a name cannot be empty"]),
    (r#"free_services = ["a\nb"]"#, &["1:18 a name cannot contain control characters"]),
    (r#"free_services = true"#, &["1:17 `free_services` must be a list of names, not true or false"]),
    (r#"fixed_costs = 3"#, &["1:15 `fixed_costs` must be a table, not a whole number"]),
];

pub(super) const FIXED: &[Case] = &[
    (
        r#"[fixed_costs]
script = -1"#,
        &["2:10 the price of `script` cannot be negative"],
    ),
    (
        r#"[fixed_costs]
script = 9_000_000_000_000_001"#,
        &["2:10 the price of `script` is at most 9000000000000000 points"],
    ),
    (
        r#"[fixed_costs]
script = 99999999999999999999999999999999999999999999"#,
        &["2:10 the price of `script` is at most 9000000000000000 points"],
    ),
    (
        r#"[fixed_costs]
script = 10.0"#,
        &["2:10 the price of `script` must be a whole number, not a decimal number"],
    ),
    (
        r#"[fixed_costs]
script = "10""#,
        &["2:10 the price of `script` must be a whole number, not text"],
    ),
    (
        r#"[fixed_costs]
script = true"#,
        &["2:10 the price of `script` must be a whole number, not true or false"],
    ),
    (
        r#"[fixed_costs]
script = 2026-01-01"#,
        &["2:10 the price of `script` must be a whole number, not a date or time"],
    ),
    (
        r#"[fixed_costs]
script = [10]"#,
        &["2:10 the price of `script` must be a whole number, not a list"],
    ),
    (
        r#"[fixed_costs]
a.b = 3"#,
        &["2:1 the price of `a` must be a whole number, not a table"],
    ),
    (
        r#"[fixed_costs]
"" = 3"#,
        &["2:1 a name cannot be empty"],
    ),
    (
        r#"[fixed_costs]
"a\u0007" = 3"#,
        &["2:1 a name cannot contain control characters"],
    ),
];

pub(super) const DURATION: &[Case] = &[
    (
        r#"[[duration_based_costs.tts]]
divisor = 3"#,
        &["1:1 `tts` must be a table, not a list"],
    ),
    (
        r#"[duration_based_costs]
tts = 3"#,
        &["2:7 `tts` must be a table, not a whole number"],
    ),
    (
        r#"[duration_based_costs.tts]"#,
        &["1:23 `tts` has neither `divisor` nor `multiplier` [one of them says how seconds become points]"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
multiplier = 2"#,
        &["3:1 `tts` has both `divisor` and `multiplier` [keep one of them]"],
    ),
    (
        r#"[duration_based_costs.tts]
multiplier = 0
divisor = 3"#,
        &["2:14 `multiplier` must be more than 0", "3:1 `tts` has both `divisor` and `multiplier` [keep one of them]"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 0"#,
        &["2:11 `divisor` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 0.0"#,
        &["2:11 `divisor` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = -0.3"#,
        &["2:11 `divisor` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = -3"#,
        &["2:11 `divisor` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = nan"#,
        &["2:11 `divisor` must be a finite number"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = +inf"#,
        &["2:11 `divisor` must be a finite number"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = -inf"#,
        &["2:11 `divisor` must be a finite number"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = "3""#,
        &["2:11 `divisor` must be a number, not text"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 1e300"#,
        &["2:11 `divisor` is at most 9000000000000000"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 0.1234567890123456789"#,
        &["2:11 `divisor` has at most 18 digits after the point"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 1e-400"#,
        &["2:11 `divisor` has at most 18 digits after the point"],
    ),
    (
        r#"[duration_based_costs.video]
multiplier = -2"#,
        &["2:14 `multiplier` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.video]
multiplier = 9_000_000_000_000_001"#,
        &["2:14 `multiplier` is at most 9000000000000000"],
    ),
    (
        r#"[duration_based_costs.video]
multiplier = 2
min_points = -1"#,
        &["3:14 `min_points` cannot be negative"],
    ),
    (
        r#"[duration_based_costs.video]
multiplier = 2
min_points = 1.5"#,
        &["3:14 `min_points` must be a whole number, not a decimal number"],
    ),
    (
        r#"[duration_based_costs.video]
multiplier = 2
unit = "second""#,
        &[
            "3:1 unknown key `unit` in the duration price `video` [known here: divisor, multiplier, min_points, estimation]",
        ],
    ),
    (
        r#"[duration_based_costs.tts]
divisior = 3"#,
        &[
            "1:23 `tts` has neither `divisor` nor `multiplier` [one of them says how seconds become points]",
            "2:1 unknown key `divisior` in the duration price `tts` [did you mean `divisor`?]",
        ],
    ),
];

pub(super) const ESTIMATION: &[Case] = &[
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = {}"#,
        &["3:1 the estimation of `tts` needs `seconds_per_char` or `use_input_seconds`"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { seconds_per_char = 0.25, use_input_seconds = true }"#,
        &["3:1 the estimation of `tts` takes `seconds_per_char` or `use_input_seconds`, not both"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { seconds_per_char = 0 }"#,
        &["3:35 `seconds_per_char` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { seconds_per_char = -0.25 }"#,
        &["3:35 `seconds_per_char` must be more than 0"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { use_input_seconds = false }"#,
        &["3:36 `use_input_seconds` can only be true [leave `estimation` out where there is none]"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { use_input_seconds = 1 }"#,
        &["3:36 `use_input_seconds` can only be true [leave `estimation` out where there is none]"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = { seconds_per_chars = 0.25 }"#,
        &[
            "3:1 the estimation of `tts` needs `seconds_per_char` or `use_input_seconds`",
            "3:16 unknown key `seconds_per_chars` in the estimation of `tts` [did you mean `seconds_per_char`?]",
        ],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
estimation = 0.25"#,
        &["3:14 `estimation` must be a table, not a decimal number"],
    ),
    (
        r#"[duration_based_costs.tts]
divisor = 3
[duration_based_costs.tts.estimation]
speed = 4"#,
        &[
            "3:27 the estimation of `tts` needs `seconds_per_char` or `use_input_seconds`",
            "4:1 unknown key `speed` in the estimation of `tts` [known here: seconds_per_char, use_input_seconds]",
        ],
    ),
];

pub(super) const METERED: &[Case] = &[
    (
        r#"[metered_costs.tokens]
package = 1000"#,
        &["1:16 `tokens` has no `points` [`points` is the price of one package]"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
package = 0"#,
        &["3:11 `package` must be more than 0"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
package = -1000"#,
        &["3:11 `package` must be more than 0"],
    ),
    (
        r#"[metered_costs.tokens]
points = -3"#,
        &["2:10 `points` cannot be negative"],
    ),
    (
        r#"[metered_costs.tokens]
points = 0.5"#,
        &["2:10 `points` must be a whole number, not a decimal number"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
included = -0.5"#,
        &["3:12 `included` cannot be negative"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
min_points = 10
max_points = 9"#,
        &["4:1 `max_points` 9 is below `min_points` 10"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
max_points = 9_000_000_000_000_001"#,
        &["3:14 `max_points` is at most 9000000000000000 points"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
unit = 7"#,
        &["3:8 `unit` must be text, not a whole number"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
unit = """#,
        &["3:8 a name cannot be empty"],
    ),
    (
        r#"[metered_costs.tokens]
points = 3
free = 200"#,
        &[
            "3:1 unknown key `free` in the metered price `tokens` [known here: unit, package, points, included, min_points, max_points]",
        ],
    ),
];

pub(super) const TWICE: &[Case] = &[
    (
        r#"free_services = ["tts"]

[fixed_costs]
tts = 1"#,
        &["4:1 `tts` has two prices [it is also in free_services, line 1; keep one of them]"],
    ),
    (
        r#"[fixed_costs]
tts = 1
[duration_based_costs.tts]
divisor = 3"#,
        &["3:23 `tts` has two prices [it is also in fixed_costs, line 2; keep one of them]"],
    ),
    (
        r#"[metered_costs.tts]
points = 3
[fixed_costs]
video = 1
tts = 1"#,
        &["5:1 `tts` has two prices [it is also in metered_costs, line 1; keep one of them]"],
    ),
    (
        r#"[fixed_costs]
tts = 1
tts = 2"#,
        &["3:1 duplicate key"],
    ),
    (
        r#"[fixed_costs]
tts = 1
video = -1
[fixed_costs]"#,
        &["3:9 the price of `video` cannot be negative", "4:2 duplicate key"],
    ),
];

pub(super) const SYNTAX: &[Case] = &[
    (
        r#"[fixed_costs
tts = 1"#,
        &["1:13 unclosed table, expected `]`"],
    ),
    (
        r#"[fixed_costs]
tts ="#,
        &["2:6 string values must be quoted, expected literal string"],
    ),
    (
        r#"[fixed_costs]
tts = 1 2"#,
        &["2:7 string values must be quoted, expected literal string"],
    ),
    (
        r#"[fixed_costs]
tts = 01"#,
        &["2:7 unexpected leading zero, expected nothing"],
    ),
    (
        r#"[fixed_costs]
tts = "open"#,
        &[r#"2:12 invalid basic string, expected `"`"#],
    ),
    (r#"this is not TOML"#, &["1:6 key with no value, expected `=`"]),
    (
        r#"tts: 3
"#,
        &["1:4 invalid unquoted key, expected letters, numbers, `-`, `_`", "1:6 key with no value, expected `=`"],
    ),
];
