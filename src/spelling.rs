//! The name somebody probably meant.

/// Longer names are never compared: the work grows with the square, and names have at most 128 bytes.
const MAX_BYTES: usize = 128;

/// The candidate somebody probably meant who wrote `wanted`: one that differs in capitals or blanks alone, else the one
/// with the fewest letters more, fewer, other or exchanged; none when more than about a third differs.
///
/// ```
/// assert_eq!(counterfoil::schema::nearest("vidoe", ["tts", "video"]).as_deref(), Some("video"));
/// ```
#[must_use]
pub fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = Wanted::new(wanted);
    candidates
        .into_iter()
        .filter_map(|candidate| wanted.distance(candidate).map(|distance| (distance, candidate)))
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}

/// A name that is looked for.
pub(crate) struct Wanted {
    letters: Vec<char>,
    exact: Vec<char>,
    tolerance: usize,
}

/// How far a name is from the one looked for: in its letters, and then with its capitals too.
pub(crate) type Distance = (usize, usize);

impl Wanted {
    pub(crate) fn new(name: &str) -> Self {
        let name = if name.len() > MAX_BYTES { "" } else { name.trim() };
        let letters = letters(name);
        Wanted { tolerance: letters.len().div_ceil(3), letters, exact: name.chars().collect() }
    }

    /// How far a candidate is from it; `None` when more than about a third differs.
    pub(crate) fn distance(&self, name: &str) -> Option<Distance> {
        if name.len() > MAX_BYTES {
            return None;
        }
        let candidate = letters(name.trim());
        // Each letter more or less is one difference at least: most candidates need no closer look.
        if self.letters.len().abs_diff(candidate.len()) > self.tolerance {
            return None;
        }
        let far = distance(&self.letters, &candidate);
        let near = far <= self.tolerance && far < candidate.len();
        near.then(|| (far, distance(&self.exact, &name.chars().collect::<Vec<_>>())))
    }
}

fn letters(text: &str) -> Vec<char> {
    let fold = |letter| if letter == '-' { '_' } else { letter };
    text.chars().flat_map(char::to_lowercase).map(fold).collect()
}

/// Insertions, deletions, replacements and exchanges of neighbours from one to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    let (mut before, mut x_before) = (Vec::<usize>::new(), None);
    for (done, x) in from.iter().enumerate() {
        let mut left = done.saturating_add(1);
        let mut next = vec![left];
        let mut y_before = None;
        for (place, (y, above)) in to.iter().zip(row.windows(2)).enumerate() {
            let &[diagonal, above] = above else { continue };
            left =
                diagonal.saturating_add(usize::from(x != y)).min(above.saturating_add(1)).min(left.saturating_add(1));
            if (Some(x), x_before) == (y_before, Some(y))
                && let Some(exchanged) = place.checked_sub(1).and_then(|place| before.get(place))
            {
                left = left.min(exchanged.saturating_add(1));
            }
            next.push(left);
            y_before = Some(y);
        }
        before = std::mem::replace(&mut row, next);
        x_before = Some(x);
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_the_near_and_not_the_far() {
        let names = ["tts", "video", "script_generation"];
        assert_eq!(nearest("vidoe", names).as_deref(), Some("video"));
        assert_eq!(nearest("Video", names).as_deref(), Some("video"));
        assert_eq!(nearest("ttss", names).as_deref(), Some("tts"));
        assert_eq!(nearest("script-generaton", names).as_deref(), Some("script_generation"));
        assert_eq!(nearest("tst", names).as_deref(), Some("tts"));
        assert_eq!(nearest(" tts ", names).as_deref(), Some("tts"));
        assert_eq!(nearest("bbo", ["bob"]).as_deref(), Some("bob"));
        // Exchanged neighbours are one difference; others are not exchanged.
        assert_eq!(nearest("ab", ["ba"]).as_deref(), Some("ba"));
        assert_eq!(nearest("abc", ["cba"]), None);
        // Capitals come after letters, and decide between equals.
        assert_eq!(nearest("alise", ["ALICE", "alice"]).as_deref(), Some("alice"));
        assert_eq!(nearest("ALICE", ["alices", "alice"]).as_deref(), Some("alice"));
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest(&"v".repeat(200), names), None);
    }
}
