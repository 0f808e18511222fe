//! Ids as parts of account names, and texts on one line: two ids never become the same name, and no text becomes syntax.

use std::fmt::Write;

use super::Program;

/// The part of an account name that stands for "none of them". No text is encoded as this.
pub(super) const OTHER: &str = "Other";
/// Before a part that does not begin as beancount wants it.
const PREFIX: &str = "Id-";

/// A text as one part of an account name; every text its own.
pub(super) fn part(program: Program, text: &str) -> String {
    match program {
        Program::Hledger => hledger_part(text),
        Program::Beancount => beancount_part(text),
    }
}

/// Letters, digits, a few signs and single blanks between such stay; every other byte is `%` and two digits.
fn hledger_part(text: &str) -> String {
    let stays = |c: char| (c.is_alphanumeric() && !is_hidden(c)) || "_-.@/+".contains(c);
    if text.is_empty() {
        return "%".into();
    }
    let mut part = String::with_capacity(text.len());
    let (mut before, mut rest) = (None, text.chars());
    while let Some(c) = rest.next() {
        let reserved = before.is_none() && text == OTHER;
        // Two blanks would end the name.
        let blank = c == ' ' && before.is_some_and(stays) && rest.clone().next().is_some_and(stays);
        if (stays(c) || blank) && !reserved {
            part.push(c)
        } else {
            escape(&mut part, "%", c)
        }
        before = Some(c);
    }
    part
}

/// Letters and digits stay, and a single hyphen between such; every other byte is `--` and two digits. What does not
/// begin with a digit or a capital gets a prefix, as does what begins like that prefix.
fn beancount_part(text: &str) -> String {
    let capital = text.starts_with(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase());
    let mut part = String::with_capacity(text.len());
    if !capital || text.starts_with(PREFIX) || text == OTHER {
        part.push_str(PREFIX);
    }
    let (mut before, mut rest) = (None, text.chars());
    while let Some(c) = rest.next() {
        let next = rest.clone().next();
        let reserved = before.is_none() && text == OTHER;
        let hyphen = c == '-' && before != Some('-') && next.is_some_and(is_beancount);
        if (is_beancount(c) || hyphen) && !reserved {
            part.push(c)
        } else {
            escape(&mut part, "--", c)
        }
        before = Some(c);
    }
    part
}

/// Letters that beancount is sure to take for letters.
fn is_beancount(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '一'..='鿋' | '가'..='힣')
}

fn escape(part: &mut String, mark: &str, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(part, "{mark}{byte:02X}");
    }
}

/// Characters that show nothing of themselves, or change how others are shown.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text on one line: `\\`, `\n`, and `\u{…}` for what is hidden or would mean something where it stands.
pub(super) fn line(text: &str, meant: &[char]) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            _ if is_hidden(c) || meant.contains(&c) => line.extend(c.escape_unicode()),
            _ => line.push(c),
        }
    }
    line
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail in any way it likes")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn plain_ids_stay_readable() {
        for (id, hledger, beancount) in [
            ("alice", "alice", "Id-alice"),
            ("U-1001", "U-1001", "U-1001"),
            ("a@b.example", "a@b.example", "Id-a--40b--2Eexample"),
            ("张三", "张三", "Id-张三"),
            ("a:b  c;", "a%3Ab%20%20c%3B", "Id-a--3Ab--20--20c--3B"),
            ("Li Lei", "Li Lei", "Li--20Lei"),
            (" a ; b", "%20a%20%3B%20b", "Id---20a--20--3B--20b"),
            ("Other", "%4Fther", "Id---4Fther"),
            ("🎬", "%F0%9F%8E%AC", "Id---F0--9F--8E--AC"),
        ] {
            assert_eq!(part(Program::Hledger, id), hledger);
            assert_eq!(part(Program::Beancount, id), beancount);
        }
    }

    /// Every text of up to five of the letters that mean something.
    #[test]
    fn no_two_ids_share_a_name() {
        let letters = ['-', '4', 'F', 'I', 'd', '%', ' '];
        let mut texts = vec![String::new()];
        for _ in 0..5 {
            let longer: Vec<String> =
                texts.iter().flat_map(|text| letters.map(|letter| format!("{text}{letter}"))).collect();
            texts.extend(longer);
        }
        texts.extend(
            ["Other", "--4Fther", "%4Fther", "Id-Other", "Id---4Fther", "Id-Id-x", "Id-x", "x"].map(String::from),
        );
        let texts: BTreeSet<String> = texts.into_iter().collect();
        for program in [Program::Hledger, Program::Beancount] {
            let names: BTreeSet<String> = texts.iter().map(|text| part(program, text)).collect();
            assert_eq!(names.len(), texts.len(), "{program:?}");
            assert!(!names.contains(OTHER));
        }
    }

    #[test]
    fn a_text_is_one_line() {
        assert_eq!(line("a\nb\\n; \u{202e}c,", &[';', ',']), "a\\nb\\\\n\\u{3b} \\u{202e}c\\u{2c}");
    }
}
