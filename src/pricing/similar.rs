//! The name somebody probably meant.

/// Longer names are never compared: the work grows with the square, and names have at most 128 bytes.
const MAX_BYTES: usize = 128;

/// The candidate nearest to `wanted`.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
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
    tolerance: usize,
}

impl Wanted {
    pub(crate) fn new(name: &str) -> Self {
        let letters = if name.len() > MAX_BYTES { Vec::new() } else { letters(name) };
        Wanted { tolerance: letters.len().div_ceil(3), letters }
    }

    /// How far a candidate is from it; `None` when more than about a third differs.
    pub(crate) fn distance(&self, candidate: &str) -> Option<usize> {
        if candidate.len() > MAX_BYTES {
            return None;
        }
        let candidate = letters(candidate);
        // Each letter more or less is one difference at least: most candidates need no closer look.
        if self.letters.len().abs_diff(candidate.len()) > self.tolerance {
            return None;
        }
        Some(distance(&self.letters, &candidate)).filter(|far| *far <= self.tolerance && *far < candidate.len())
    }
}

fn letters(text: &str) -> Vec<char> {
    let fold = |letter| if letter == '-' { '_' } else { letter };
    text.chars().flat_map(char::to_lowercase).map(fold).collect()
}

/// Levenshtein: insertions, deletions and replacements from one to the other.
fn distance(from: &[char], to: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, x) in from.iter().enumerate() {
        let mut left = done.saturating_add(1);
        let mut next = vec![left];
        for (y, above) in to.iter().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            left =
                diagonal.saturating_add(usize::from(x != y)).min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
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
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest(&"v".repeat(200), names), None);
    }
}
