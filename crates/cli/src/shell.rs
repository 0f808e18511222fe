//! Texts as a shell takes them for one word, for the commands that help names.

/// In quotes, whatever it is: a path.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// In quotes where it needs them.
pub(crate) fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(&byte);
    if text.bytes().all(plain) { text.into() } else { quoted(text) }
}
