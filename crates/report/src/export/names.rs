//! Ids as parts of account names, and texts on one line: two ids never become the same name, and no text becomes syntax.

use std::fmt::Write;

pub(super) use crate::safe::is_hidden;

/// The part of an account name that stands for "none of them". No text is encoded as this.
pub(super) const OTHER: &str = "Other";

/// A character, byte by byte.
pub(super) fn escape(part: &mut String, mark: &str, c: char) {
    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
        // Writing to a String cannot fail.
        let _ = write!(part, "{mark}{byte:02X}");
    }
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
mod tests {
    use std::collections::BTreeSet;

    use super::super::{beancount::Beancount, hledger::Hledger, journal::Syntax};
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
            assert_eq!(Hledger.part(id), hledger);
            assert_eq!(Beancount.part(id), beancount);
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
        for syntax in [&Hledger as &dyn Syntax, &Beancount] {
            let names: BTreeSet<String> = texts.iter().map(|text| syntax.part(text)).collect();
            assert_eq!(names.len(), texts.len(), "{}", syntax.check());
            assert!(!names.contains(OTHER));
        }
    }

    #[test]
    fn a_text_is_one_line() {
        assert_eq!(line("a\nb\\n; \u{202e}c,", &[';', ',']), "a\\nb\\\\n\\u{3b} \\u{202e}c\\u{2c}");
    }
}
