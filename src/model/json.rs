//! A look through a text that is JSON: what reading it into values would not tell.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// A look through a JSON text, whose numbers are left alone.
#[derive(Default)]
pub(crate) struct Look {
    /// A name that is given twice in its object.
    pub(crate) twice: Option<String>,
    /// What cannot be kept.
    pub(crate) wrong: Option<&'static str>,
    /// How many objects and arrays stand in each other, where that is most.
    pub(crate) depth: usize,
    /// Some number in it is not written as a whole one.
    pub(crate) fraction: bool,
}

impl Look {
    pub(crate) fn at(text: &str) -> Self {
        Self::over(text, usize::MAX, |_| {})
    }

    /// Goes no deeper than asked: of what is deeper nothing more is said.
    pub(crate) fn within(text: &str, deepest: usize) -> Self {
        Self::over(text, deepest, |_| {})
    }

    /// Hands over the text piece by piece, without what is white between its parts.
    pub(super) fn over<'t>(text: &'t str, deepest: usize, mut piece: impl FnMut(&'t str)) -> Self {
        let mut look = Look::default();
        // Of each object that is open the names so far; an array has none.
        let mut open: Vec<Option<BTreeSet<Cow<'t, str>>>> = Vec::new();
        let (mut string, mut escaped, mut name, mut from) = (None, false, false, 0_usize);
        let mut digit = false;
        for (at, byte) in text.bytes().enumerate() {
            if let Some(begin) = string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => {
                        string = None;
                        let said = look.string(text.get(begin..=at).unwrap_or_default());
                        if let Some(Some(names)) = open.last_mut().filter(|_| name)
                            && !names.insert(said.clone())
                        {
                            look.twice.get_or_insert_with(|| said.into_owned());
                        }
                    }
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => string = Some(at),
                b'{' | b'[' => {
                    open.push((byte == b'{').then(BTreeSet::new));
                    look.depth = look.depth.max(open.len());
                    if look.depth > deepest {
                        return look;
                    }
                    name = byte == b'{';
                }
                b'}' | b']' => {
                    open.pop();
                }
                b',' => name = matches!(open.last(), Some(Some(_))),
                b':' => name = false,
                b'.' | b'e' | b'E' => look.fraction |= digit,
                b' ' | b'\t' | b'\n' | b'\r' => {
                    piece(text.get(from..at).unwrap_or_default());
                    from = at.saturating_add(1);
                }
                _ => {}
            }
            digit = byte.is_ascii_digit();
        }
        piece(text.get(from..).unwrap_or_default());
        look
    }

    /// What a string with its quotes says.
    fn string<'t>(&mut self, quoted: &'t str) -> Cow<'t, str> {
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        if !inner.contains('\\') {
            return inner.into();
        }
        match serde_json::from_str::<String>(quoted) {
            Ok(said) if said.contains('\0') => self.wrong = Some("contains a NUL character"),
            Ok(said) => return said.into(),
            Err(_) => self.wrong = Some("contains half a character"),
        }
        inner.into()
    }
}
