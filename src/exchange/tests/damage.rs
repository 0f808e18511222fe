//! A file on a stick that broke: whatever is missing or turned, it is refused, or says the same.

use super::*;

fn refused_or_the_same(whole: &FileInfo, damaged: &[u8], what: &str) -> bool {
    match read(damaged) {
        Ok(found) => {
            assert_eq!((&found.header, found.digest), (&whole.header, whole.digest), "{what}");
            false
        }
        Err(error) => {
            assert!(error.code() == "bad_file" || error.code() == "file_too_new", "{what}: {error}");
            true
        }
    }
}

fn damage(bytes: &[u8], may_be_the_same: usize) {
    let whole = read(bytes).unwrap();
    for length in 0..bytes.len() {
        assert!(refused_or_the_same(&whole, &bytes[..length], &format!("{length} bytes of it")));
    }
    let (mut turned, mut same) = (bytes.to_vec(), 0);
    for bit in 0..bytes.len() * 8 {
        turned[bit / 8] ^= 1 << (bit % 8);
        same += usize::from(!refused_or_the_same(&whole, &turned, &format!("bit {bit} turned")));
        turned[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(same <= may_be_the_same, "{same} flips went unnoticed");
}

/// Of the footer's hexadecimal digits the case says nothing: 64 + 16 + 128 letters at most.
const CASES: usize = 208;
/// Of a gzip's header nothing says when and where it was packed: 9 bytes but for the method.
const WHEN: usize = 72;

#[test]
fn a_damaged_up_file_is_refused() {
    damage(&written(&up(20), false), CASES);
}

#[test]
fn a_damaged_down_file_is_refused() {
    damage(&written(&down(20), false), CASES);
}

#[test]
fn a_damaged_packed_file_is_refused() {
    damage(&written(&up(20), true), WHEN);
    damage(&written(&down(20), true), WHEN);
}
