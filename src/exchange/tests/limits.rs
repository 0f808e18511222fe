//! Each limit, at its bound and one beyond, read from files that are right in all else; and what memory a bomb takes.

use std::io::Read;

use super::*;

const LIMITS: &str = "bad_file limits";

fn filled(begin: &str, end: &str, length: usize) -> String {
    format!("{begin}{}{end}", "x".repeat(length - begin.len() - end.len()))
}

/// How a line begins that holds a long text.
fn long() -> String {
    format!(r#"{{{EMPTY},"later":""#)
}

#[test]
fn lines_are_so_long() {
    let bytes = |length: usize| {
        let line =
            filled(r#"{"s":101,"r":1,"k":"k","i":"i","t":1,"b":1,"c":0,"p":0,"q":{"description":""#, "\"}}", length);
        let mut header = question();
        let writer = Writer { device: DEVICE, epoch: 7 };
        header.count = 1;
        header.head = up::link(&up::read(line.as_bytes()).unwrap(), &header.base, writer, &[]).unwrap();
        forged_under(&Header::Up(header), &[line])
    };
    assert_eq!((refusal(&bytes(64 << 10)), refusal(&bytes((64 << 10) + 1))), ("taken".into(), LIMITS.into()));
    let bytes = |length: usize| forged_under(&down(1).0, &[filled(&long(), "\"}", length)]);
    assert_eq!((refusal(&bytes(1 << 20)), refusal(&bytes((1 << 20) + 1))), ("taken".into(), LIMITS.into()));
    let bytes = |length: usize| {
        let mut header = question();
        header.soft.clear();
        let used = Header::Up(header.clone()).line().unwrap().len();
        header.soft = "x".repeat(length - used);
        forged_under(&Header::Up(header), &[])
    };
    assert_eq!((refusal(&bytes(1 << 20)), refusal(&bytes((1 << 20) + 1))), ("taken".into(), LIMITS.into()));
}

#[test]
fn there_are_so_many_lines() {
    let bytes = |count: i64| {
        let (mut header, _) = down(0);
        if let Header::Down(down) = &mut header {
            down.count = count;
        }
        let lines = vec![r#"{"s":1,"verdict":""}"#.to_string(); usize::try_from(count).unwrap()];
        forged_under(&header, &lines)
    };
    assert_eq!((refusal(&bytes(100_000)), refusal(&bytes(100_001))), ("taken".into(), LIMITS.into()));
}

/// 64 MiB to the byte, and one more, packed to next to nothing.
#[test]
fn a_file_is_so_long() {
    let bytes = |length: usize| {
        let line = filled(&long(), "\"}", (1 << 20) - 1);
        let (mut header, _) = down(0);
        if let Header::Down(down) = &mut header {
            down.count = 64;
            down.price_books.clear();
        }
        let mut lines = vec![line; 63];
        let rest = length - forged_under(&header, &lines).len() - 1;
        lines.push(filled(&long(), "\"}", rest));
        let bytes = forged_under(&header, &lines);
        // The footer's own count of bytes has as many digits either way.
        assert_eq!(bytes.len(), length);
        packed(&bytes)
    };
    assert_eq!((refusal(&bytes(64 << 20)), refusal(&bytes((64 << 20) + 1))), ("taken".into(), LIMITS.into()));
}

#[test]
fn nesting_is_so_deep() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (field, most) in [("later", 15), ("later still", 15)] {
        let bytes = |depth: usize| forged_under(&down(1).0, &[format!(r#"{{{EMPTY},"{field}":{}}}"#, nested(depth))]);
        assert_eq!((refusal(&bytes(most)), refusal(&bytes(most + 1))), ("taken".into(), LIMITS.into()));
        assert_eq!(refusal(&bytes(400_000)), LIMITS);
    }
    // A body is as deep as metadata may be.
    let line = |depth: usize| {
        let body = format!(r#"{{"metadata":{{"m":{}}}}}"#, nested(depth));
        format!(r#"{{"s":101,"r":1,"k":"k","i":"i","t":1,"b":1,"c":0,"p":0,"q":{body}}}"#)
    };
    let code =
        |depth: usize| up::read(line(depth).as_bytes()).map(drop).map_err(|error| error.details()["reason"].clone());
    assert_eq!((code(99), code(100), code(30_000)), (Ok(()), Err("limits".into()), Err("limits".into())));
}

#[test]
fn there_are_so_many_marks_and_books() {
    let with = |marks: usize, books: usize| {
        let mut header = question();
        header.marks = vec![link(1); marks];
        header.price_books = vec![Hash::of(BOOK.as_bytes()); books];
        refusal(&forged_under(&Header::Up(header), &[]))
    };
    assert_eq!((with(64, 16), with(65, 16), with(64, 17)), ("taken".into(), LIMITS.into(), LIMITS.into()));
}

#[test]
fn a_price_book_is_so_long() {
    let bytes = |length: usize| {
        let text = "#".repeat(length);
        let mut header = question();
        header.price_books = vec![Hash::of(text.as_bytes())];
        let book = serde_json::json!({ "book": header.price_books[0], "text": text }).to_string();
        forged(&[Header::Up(header.clone()).line().unwrap(), book], 0, Some(header.head))
    };
    assert_eq!((refusal(&bytes(256 << 10)), refusal(&bytes((256 << 10) + 1))), ("taken".into(), LIMITS.into()));
    // The writer names such a one, and leaves its text at home.
    let text = "#".repeat((256 << 10) + 1);
    let mut header = question();
    header.price_books = vec![Hash::of(text.as_bytes())];
    let mut bytes = Vec::new();
    let mut file = Outgoing::begin(&mut bytes, Header::Up(header), false).unwrap();
    file.price_book(&text).unwrap();
    file.finish(&key()).unwrap();
    assert!(bytes.len() < 4096);
    read(&bytes).unwrap();
}

#[test]
fn a_line_has_so_many_fields() {
    let bytes = |count: usize| {
        let fields: String = (6..count).map(|n| format!(",\"f{n}\":0")).collect();
        forged_under(&down(1).0, &[format!("{{{EMPTY}{fields}}}")])
    };
    assert_eq!((refusal(&bytes(256)), refusal(&bytes(257))), ("taken".into(), "bad_file format".into()));
}

/// Bytes without end, and how many of them were read.
struct Endless(Vec<u8>, u64);

impl Read for Endless {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        to.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, from)| *to = *from);
        self.1 += to.len() as u64;
        Ok(to.len())
    }
}

impl std::io::Seek for Endless {
    fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
        Ok(0)
    }
}

/// A file that never ends is given up after its first line's worth; a bomb that would unpack to a gibibyte as soon.
#[test]
fn a_bomb_is_put_down_at_once() {
    let mut endless = Endless(b"{".to_vec(), 0);
    assert_eq!(inspect(&mut endless).unwrap_err().details()["reason"], "limits");
    assert!(endless.1 < 2 << 20, "{} bytes were read", endless.1);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let block = vec![b' '; 1 << 20];
    (0..128).for_each(|_| gzip.write_all(&block).unwrap());
    let bomb = gzip.finish().unwrap();
    assert_eq!(refusal(&bomb), LIMITS);
    assert_eq!(refusal(&packed(&bomb)), "bad_file truncated", "a gzip in a gzip is no file");
}

#[test]
fn a_gzip_has_one_member_and_nothing_after_it() {
    let bytes = written(&down(3), true);
    assert_eq!(refusal(&bytes), "taken");
    assert_eq!(refusal(&[&bytes[..], b"\0"].concat()), "bad_file format");
    assert_eq!(refusal(&[&bytes[..], &bytes].concat()), "bad_file format");
    let plain = written(&down(3), false);
    let (front, back) = plain.split_at(plain.len() / 2);
    assert!(read(&[packed(front), packed(back)].concat()).is_err());
    assert_eq!(refusal(b"\x1f"), "bad_file truncated");
    assert_eq!(refusal(b"\x1f\x8b\x08"), "bad_file truncated");
    assert_eq!(refusal(b"\x1f\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), "bad_file digest");
}
