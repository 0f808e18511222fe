//! The name somebody probably meant.

/// Longer names are never compared: the work grows with the square, and names have at most 128 bytes.
const MAX_BYTES: usize = 128;

/// The candidate nearest to `wanted`, when about a third of it differs at most.
pub(super) fn nearest<'a>(wanted: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if wanted.len() > MAX_BYTES {
        return None;
    }
    let wanted = letters(wanted);
    let tolerance = wanted.len().div_ceil(3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&wanted, &letters(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= tolerance && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate.to_owned())
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
