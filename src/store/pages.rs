//! Rows read a page at a time: no statement is open for long, and no list is long.

use std::iter;

use crate::error::Result;

/// The rows after one, in the order of their keys; each page is read when the one before it is used up. An error ends them.
pub(crate) fn pages<K: Copy, R>(
    after: K,
    size: usize,
    mut read: impl FnMut(K, usize) -> Result<Vec<R>>,
    key: impl Fn(&R) -> K,
) -> impl Iterator<Item = Result<R>> {
    let (mut after, mut more, mut page) = (after, true, Vec::new().into_iter());
    iter::from_fn(move || {
        if page.len() == 0 && more {
            match read(after, size) {
                Ok(rows) => (more, page) = (rows.len() >= size, rows.into_iter()),
                Err(error) => {
                    more = false;
                    return Some(Err(error));
                }
            }
        }
        let row = page.next()?;
        after = key(&row);
        Some(Ok(row))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_page_is_read_when_it_is_needed() {
        let mut read = Vec::new();
        let rows: Result<Vec<i64>> = pages(
            0,
            2,
            |after, size| {
                read.push(after);
                Ok((after + 1..=5).take(size).collect())
            },
            |row| *row,
        )
        .collect();
        assert_eq!((rows.unwrap(), read), (vec![1, 2, 3, 4, 5], vec![0, 2, 4]));
        let failing =
            pages(0, 1, |after, _| if after < 2 { Ok(vec![after + 1]) } else { Err(Error::Closed) }, |row| *row);
        let rows: Vec<Result<i64>> = failing.collect();
        assert!(matches!(rows.as_slice(), [Ok(1), Ok(2), Err(Error::Closed)]));
        assert_eq!(pages(0, 9, |_, _| Ok(Vec::<i64>::new()), |row| *row).count(), 0);
    }
}
