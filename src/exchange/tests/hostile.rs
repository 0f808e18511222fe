//! Files somebody made on purpose, signed with the right key: the holder of a key may be anybody.

use super::*;

/// The header of an up-file without lines, with one text in it put in the place of another.
fn header_with(old: &str, new: &str) -> Vec<u8> {
    let up = question();
    let line = Header::Up(up.clone()).line().unwrap();
    assert!(line.contains(old), "{old} in {line}");
    forged(&[line.replacen(old, new, 1)], 0, Some(up.head))
}

#[test]
fn headers_are_read_strictly() {
    for (old, new, expected) in [
        ("", "", "taken"),
        ("\"soft\"", "\"newer\":{\"a\":[1,true,null]},\"soft\"", "taken"),
        ("\"cfx\":1", "\"cfx\":2", "taken"),
        ("\"cfx\":1,\"min_reader\":1", "\"cfx\":2,\"min_reader\":2", "file_too_new"),
        ("\"cfx\":1,\"min_reader\":1,\"kind\":\"up\"", "\"cfx\":9,\"min_reader\":3,\"kind\":\"other\"", "file_too_new"),
        ("\"min_reader\":1", "\"min_reader\":2", "bad_file format"),
        ("\"cfx\":1", "\"cfx\":0", "bad_file format"),
        ("\"cfx\":1,", "", "bad_file format"),
        ("\"kind\":\"up\"", "\"kind\":\"upp\"", "bad_file format"),
        ("\"kind\":\"up\"", "\"kind\":\"ask\"", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":0", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":268435456", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":7.0", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":\"7\"", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":7,\"epoch\":7", "bad_file format"),
        ("\"epoch\":7", "\"epoch\":7,\"\\u0065poch\":7", "bad_file format"),
        ("\"soft\"", "\"newer\":1,\"newer\":1,\"soft\"", "bad_file format"),
        ("\"soft\"", "\"newer\":{\"a\":1,\"a\":1},\"soft\"", "bad_file format"),
        ("\"soft\"", "\"newer\":[1.5],\"soft\"", "bad_file format"),
        ("\"soft\"", "\"newer\":1e3,\"soft\"", "bad_file format"),
        ("\"count\":0", "\"count\":-1", "bad_file format"),
        ("\"count\":0", "\"count\":1", "bad_file truncated"),
        ("\"hub\":\"1111", "\"hub\":\"111", "bad_file format"),
        ("\"hub\":\"11112222-3333", "\"hub\":\"111122223333", "bad_file format"),
        ("\"seen\":[[0,", "\"seen\":[[", "bad_file format"),
        ("\"seen\":[[0,", "\"seen\":[[0,0,", "bad_file format"),
        ("\"exported_at\":1", "\"exported_at\":-1", "bad_file format"),
        ("{\"cfx\"", "\u{feff}{\"cfx\"", "bad_file format"),
        ("{\"cfx\"", "[{\"cfx\"", "bad_file format"),
    ] {
        assert_eq!(refusal(&header_with(old, new)), expected, "{old} as {new}");
    }
}

/// A file whose second line is this.
fn line_with(header: &Header, line: &str) -> Vec<u8> {
    forged_under(header, &[line.to_string()])
}

#[test]
fn lines_are_read_strictly() {
    let (header, lines) = up(1);
    for (old, new, expected) in [
        ("", "", "taken"),
        ("\"q\":{", "\"newer\":[{\"a\":null}],\"q\":{", "taken"),
        ("\"p\":7", "\"p\":8", "bad_file chain"),
        ("\"c\":0", "\"c\":1", "bad_file chain"),
        ("\"r\":1", "\"r\":2", "bad_file chain"),
        ("\"s\":101", "\"s\":102", "bad_file chain"),
        ("\"q\":{", "\"q\":{ ", "bad_file chain"),
        ("\"x\":0,", "", "bad_file chain"),
        ("\"x\":0,", "\"x\":1,", "bad_file format"),
        ("\"x\":0,", "\"x\":-1,", "bad_file format"),
        ("\"p\":7", "\"p\":9000000000000001", "bad_file format"),
        ("\"p\":7", "\"p\":7e0", "bad_file format"),
        ("\"p\":7", "\"p\":7,\"p\":7", "bad_file format"),
        ("\"c\":0", "\"c\":3", "bad_file format"),
        ("\"c\":0,", "", "bad_file format"),
        ("\"s\":101", "\"s\":0", "bad_file format"),
        ("\"a\":\"card-7\"", "\"a\":\"\"", "bad_file format"),
        ("\"a\":\"card-7\"", "\"a\":\"card\\u0007\"", "bad_file format"),
        ("\"a\":\"card-7\"", "\"a\":\"card-8\"", "bad_file chain"),
        ("\"i\":\"sale-17\"", "\"i\":null", "bad_file format"),
        ("\"q\":{\"service\":\"tts\",\"seconds\":\"21\"}", "\"q\":[]", "bad_file format"),
        ("\"q\":{\"service\":\"tts\",\"seconds\":\"21\"}", "\"q\":{\"a\"}", "bad_file format"),
        ("{\"s\"", "{\"s\":101,\"s\"", "bad_file format"),
        ("{\"s\":101", "{\"end\":1,\"s\":101", "bad_file truncated"),
    ] {
        assert!(lines[0].contains(old), "{old} in {}", lines[0]);
        assert_eq!(refusal(&line_with(&header, &lines[0].replacen(old, new, 1))), expected, "{old} as {new}");
    }
    let not_text = [&b"{\"s\":101,\"k\":\"\xff\"}"[..], b"", b"{}x", b"null", b"{\"s\":101}\r"];
    for line in not_text {
        let text = no_text_as_line(&header, line);
        assert_eq!(refusal(&text), "bad_file format", "{line:?}");
    }
    let (header, _) = down(1);
    for (line, expected) in [
        (format!("{{{EMPTY}}}").as_str(), "taken"),
        (&format!(r#"{{{EMPTY},"later":[[1,{{"c":[]}}]]}}"#), "taken"),
        (&account(4), "taken"),
        (&account(4).replace(",0,4,null", ",1,4,null"), "taken"),
        (&account(4).replace("[5,0", "[6,0"), "bad_file format"),
        (r#"{"a":"x"}"#, "bad_file format"),
        (r#"{"s":5,"verdict":"booked"}"#, "taken"),
        (r#"{"s":5}"#, "bad_file format"),
        (r#"{"a":5}"#, "bad_file format"),
        (&format!(r#"{{{EMPTY},"later":[[1,{{"c":1,"c":2}}]]}}"#), "bad_file format"),
        (&format!(r#"{{{EMPTY},"later":0.5}}"#), "bad_file format"),
        (r#"{"a":"x","a":"y"}"#, "bad_file format"),
    ] {
        assert_eq!(refusal(&line_with(&header, line)), expected, "{line}");
    }
}

/// A file whose line is no text.
fn no_text_as_line(header: &Header, line: &[u8]) -> Vec<u8> {
    let book = serde_json::json!({ "book": Hash::of(BOOK.as_bytes()), "text": BOOK }).to_string();
    let lines = [header.line().unwrap().into_bytes(), book.into_bytes(), line.to_vec()];
    let mut bytes: Vec<u8> = lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect();
    let footer = Footer::signed(1, head(header), bytes.len() as u64, Hash::of(&bytes), &key());
    bytes.extend_from_slice(footer.line().unwrap().as_bytes());
    bytes.push(b'\n');
    bytes
}

#[test]
fn price_books_are_what_the_header_tells_of() {
    let (header, lines) = up(1);
    let hash = Hash::of(BOOK.as_bytes());
    let with = |book: serde_json::Value| {
        let all = [header.line().unwrap(), book.to_string(), lines[0].clone()];
        refusal(&forged(&all, 1, head(&header)))
    };
    assert_eq!(with(serde_json::json!({ "book": hash, "text": BOOK })), "taken");
    assert_eq!(with(serde_json::json!({ "book": hash, "text": null })), "taken");
    assert_eq!(with(serde_json::json!({ "book": hash, "text": "other" })), "bad_file format");
    assert_eq!(with(serde_json::json!({ "book": Hash::of(b"other"), "text": "other" })), "bad_file format");
    assert_eq!(with(serde_json::json!({ "book": hash })), "bad_file format");
}

#[test]
fn footers_tell_the_truth() {
    let sample = up(2);
    let bytes = String::from_utf8(written(&sample, false)).unwrap();
    let (body, footer) = bytes.trim_end().rsplit_once('\n').unwrap();
    let key_id = key().public().id();
    for (old, new, expected) in [
        ("", "", "taken"),
        ("\"count\":2", "\"count\":1", "bad_file truncated"),
        ("\"count\":2", "\"count\":100001", "bad_file format"),
        ("\"bytes\":", "\"bytes\":1", "bad_file truncated"),
        ("\"head\":[102", "\"head\":[103", "bad_file truncated"),
        (",\"head\":", ",\"newer\":", "bad_file format"),
        ("\"end\":1,", "\"end\":1,\"newer\":1,", "bad_file format"),
        ("\"end\":1", "\"end\":2", "bad_file format"),
        ("\"end\":1", "\"end\":1,\"end\":1", "bad_file format"),
        (key_id.as_str(), "0123456789abcdef", "bad_file signature"),
        ("\"sig\":\"", "\"sig\":\"00", "bad_file format"),
        ("{\"end\"", "{ \"end\"", "bad_file format"),
    ] {
        assert!(footer.contains(old));
        let text = format!("{body}\n{}\n", footer.replacen(old, new, 1));
        assert_eq!(refusal(text.as_bytes()), expected, "{old} as {new}");
    }
    let other = Footer::signed(2, head(&sample.0), body.len() as u64 + 1, Hash::of(b"other"), &key()).line().unwrap();
    assert_eq!(refusal(format!("{body}\n{other}\n").as_bytes()), "bad_file digest");
    assert_eq!(refusal(format!("{body}\n{footer}\n\n").as_bytes()), "bad_file format");
    assert_eq!(refusal(format!("{body}\n{footer}\n{bytes}").as_bytes()), "bad_file format");
    assert_eq!(refusal(format!("{body}\n{footer}").as_bytes()), "bad_file truncated");
    assert_eq!(refusal(format!("{body}\n").as_bytes()), "bad_file truncated");
    assert_eq!(refusal(b""), "bad_file truncated");
    assert_eq!(refusal(b"\n"), "bad_file format");
}

/// Somebody else's file, and one whose signature was moved here from another.
#[test]
fn only_the_known_key_is_believed() {
    let file = inspect(Cursor::new(written(&up(1), false))).unwrap();
    let stranger = SigningKey::from_secret([8; 32]).public();
    assert_eq!(file.signed_by(&stranger).unwrap_err().details()["reason"], "signature");
    let (one, two) = (written(&up(1), false), written(&up(2), false));
    let (one, two) = (String::from_utf8(one).unwrap(), String::from_utf8(two).unwrap());
    let signature = |text: &str| text.split("\"sig\":\"").nth(1).unwrap()[..128].to_string();
    let moved = one.replace(&signature(&one), &signature(&two));
    assert_eq!(refusal(moved.as_bytes()), "bad_file signature");
    // A key of small order: some signatures under it are good for any message.
    let weak = crate::hash::PublicKey::from([0; 32]);
    assert!(file.signed_by(&weak).is_err());
}

/// The first half of one file with the second of another of the same device and time.
#[test]
fn spliced_files_are_refused() {
    let (one, two) = (written(&up(3), false), written(&up(4), false));
    let cut = |bytes: &[u8], from: usize, to: usize| -> Vec<u8> {
        bytes.split_inclusive(|byte| *byte == b'\n').take(to).skip(from).flatten().copied().collect()
    };
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    for at in 1..lines(&one) {
        for from in 1..lines(&two) {
            let spliced = [cut(&one, 0, at), cut(&two, from, lines(&two))].concat();
            assert!(read(&spliced).is_err(), "{at} of one, and the other from {from}");
        }
    }
    // Two lines changed places, and everything was signed anew.
    let (header, mut lines) = up(3);
    lines.swap(0, 2);
    assert_eq!(refusal(&forged_under(&header, &lines)), "bad_file chain");
}

#[test]
fn it_is_for_whom_it_names() {
    let file = read(&written(&down(0), false)).unwrap();
    file.concerns(HUB, None).unwrap();
    assert_eq!(file.concerns(DEVICE, Some(DEVICE)).unwrap_err().code(), "not_for_us");
    assert_eq!(file.concerns(HUB, Some(HUB)).unwrap_err().code(), "not_for_us");
}

#[test]
fn the_writer_writes_only_what_its_header_tells_of() {
    let sample = up(1);
    let begin = || Outgoing::begin(Vec::new(), sample.0.clone(), false).unwrap();
    let code = |result: Result<()>| result.unwrap_err().code();
    assert_eq!(code(begin().line(&sample.1[0])), "invalid_argument");
    assert_eq!(code(begin().price_book("other")), "invalid_argument");
    assert_eq!(code(begin().finish(&key()).map(drop)), "invalid_argument");
    let mut file = begin();
    file.price_book(BOOK).unwrap();
    assert_eq!(code(file.line("{\n}")), "invalid_argument");
    assert_eq!(code(file.line(&format!("{{{}}}", " ".repeat(64 << 10)))), "bad_file");
}
