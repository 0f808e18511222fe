//! Text from outside, made fit to be shown: nothing in it can move the cursor, hide, or turn other text around.

/// Longest text in a cell of a list, in characters.
const CELL: usize = 60;

/// Characters that show nothing of themselves, or change how others are shown.
pub(crate) fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}'
                | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

fn escaped(text: &str, keep_newlines: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' if keep_newlines => safe.push('\n'),
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            _ if is_hidden(letter) => safe.extend(letter.escape_unicode()),
            _ => safe.push(letter),
        }
    }
    safe
}

/// On one line.
///
/// ```
/// assert_eq!(counterfoil_report::safe::line("a\u{1b}[2J\nb"), "a\\u{1b}[2J\\nb");
/// ```
#[must_use]
pub fn line(text: &str) -> String {
    escaped(text, false)
}

/// With its line breaks.
#[must_use]
pub fn lines(text: &str) -> String {
    escaped(text, true)
}

/// On one line, and cut to sixty characters.
#[must_use]
pub fn cell(text: &str) -> String {
    let safe = line(text);
    match safe.char_indices().nth(CELL) {
        Some((end, _)) => format!("{}…", safe.get(..end).unwrap_or_default()),
        None => safe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_paint_over_other_output() {
        assert_eq!(line("a\u{1b}[2J\rb"), "a\\u{1b}[2J\\u{d}b");
        assert_eq!(line("x\u{202e}y\u{200b}z\u{feff}\u{9b}"), "x\\u{202e}y\\u{200b}z\\u{feff}\\u{9b}");
        assert_eq!(line("two\nlines\tand a tab"), "two\\nlines\\tand a tab");
        assert_eq!(lines("two\nlines\r"), "two\nlines\\u{d}");
        assert_eq!(line("été 東京 🎬"), "été 東京 🎬");
        assert_eq!(cell(&"é".repeat(61)).chars().count(), 61);
        assert_eq!(cell(&"é".repeat(60)), "é".repeat(60));
    }
}
