//! Files made by hand and damaged: what the public writer never writes must be refused as well.
#![cfg(feature = "sync")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

#[cfg(test)]
mod damage;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod random;
#[cfg(test)]
mod signer;

use std::io::{Cursor, Write};

use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use uuid::Uuid;

use super::frame::Footer;
use super::header::{Down, Header, Leaf, Link, Position, Up};
use super::incoming::{FileInfo, inspect};
use super::keys::SigningKey;
use super::outgoing::Outgoing;
use super::up;
use crate::error::Result;
use crate::hash::Hash;
use crate::model::{Metadata, Writer, batch_no};

const HUB: Uuid = Uuid::from_u128(0x1111_2222_3333_4444_5555_6666_7777_8888);
pub(crate) const DEVICE: Uuid = Uuid::from_u128(0x9999_aaaa_bbbb_4ccc_8ddd_eeee_ffff_0000);

pub(crate) fn key() -> SigningKey {
    SigningKey::from_secret([7; 32])
}

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_790_000_000_000 + millis).unwrap()
}

fn link(seq: i64) -> Link {
    Link { seq, hash: Hash::of(&seq.to_le_bytes()) }
}

fn position(seq: i64) -> Position {
    Position { shard: 0, epoch: 3, seq, hash: Hash::of(b"hub") }
}

const BOOK: &str = "expiration_days = 30\n\n[fixed_costs]\n\"a\\u0062c\" = 10 # \u{20ac}\n";

/// Lines as a device writes them, of many shapes.
fn operations(from: i64, count: i64) -> Vec<String> {
    let shapes = [
        r#""k":"consume","a":"card-7","i":"sale-17","t":1790000000000,"b":1790000000000,"c":0,"p":7,"x":0,"q":{"service":"tts","seconds":"21"}"#,
        r#""k":"recharge","a":"caf\u00e9 \"1\"","i":"order:881","t":5,"b":6,"c":1,"p":320,"q":{"points":320,"source":"wxpay"}"#,
        r#""k":"confirm_clock","i":"clock:1","t":0,"b":253402300799999,"c":2,"p":0,"q":{}"#,
        r#""k":"consume","a":"b","i":"k","t":1,"b":1,"c":0,"p":9000000000000000,"q":{"metadata":{"price":1.10,"id":420000123420261126123456789012}}"#,
        r#""k":"a newer kind","a":"b","i":"n","t":1,"b":1,"c":0,"p":0,"q":{"x":[[]]},"newer":{"a":[1,-2,"."]}"#,
    ];
    (0..count).map(|n| format!("{{\"s\":{},\"r\":1,{}}}", from + n, shapes[usize::try_from(n).unwrap() % 5])).collect()
}

/// Of a file without lines.
fn question() -> Up {
    let mut up = Up::new(HUB, DEVICE, 7, link(100), at(0));
    up.seen = vec![position(5012)];
    up.newest = vec![position(5040)];
    up.marks = [100, 99, 98, 96, 92, 84, 68, 36, 0].map(link).to_vec();
    up.soft = "counterfoil test".into();
    up
}

/// A header and lines that fit it.
fn up(count: i64) -> (Header, Vec<String>) {
    let mut up = question();
    up.price_books = vec![Hash::of(BOOK.as_bytes())];
    let lines = operations(101, count);
    let writer = Writer { device: DEVICE, epoch: 7 };
    for line in &lines {
        up.head = up::link(&up::read(line.as_bytes()).unwrap(), &up.head, writer, &up.price_books).unwrap();
    }
    up.count = count;
    (Header::Up(up), lines)
}

/// An account with nothing in it, as the fields of a line.
const EMPTY: &str = r#""a":"x","state":"active","limit":0,"last":5,"totals":[0,0,0,0,0,0,0,0,0,0,0],"rest":[0,0,0,0]"#;

/// An account that was recharged with so many points.
fn account(n: i64) -> String {
    let (batch, maker) = (Writer { device: HUB, epoch: 3 }.batch(batch_no(n + 1, 1)), n + 1);
    format!(
        r#"{{"a":"card-{n}","state":"active","limit":0,"last":5,"totals":[{maker},0,0,0,0,0,0,0,0,0,0],"rest":[0,0,0,0],"b":[["{batch}",null,"wxpay",0,50,{maker},{maker},0,0,0,0,0,0,4,null,null,7,0,1,null,0,0,0]],"later":{{"deep":[[]]}}}}"#
    )
}

fn down(count: i64) -> (Header, Vec<String>) {
    let policy = Metadata::parse(r#"{"rights":["refund"],"scope":"seen","late_window":7776000}"#).unwrap();
    let mut down = Down::new(HUB, key().public(), DEVICE, policy, at(1));
    down.position = vec![position(6000)];
    down.as_of = at(2);
    down.ack = Some(link(120));
    down.leaves = vec![Leaf { seq: 120, hash: link(120).hash, epoch: 7 }];
    down.since = Some(vec![position(5012)]);
    down.price_books = vec![Hash::of(BOOK.as_bytes())];
    down.soft = "counterfoil test".into();
    down.count = count;
    let line = |n: i64| match n % 4 {
        3 => format!(r#"{{"s":{},"verdict":"stage duplicate_key"}}"#, 101 + n),
        _ => account(n),
    };
    (Header::Down(Box::new(down)), (0..count).map(line).collect())
}

/// The bytes of a file of these operations of [`DEVICE`] in its epoch 7, under one price book, and where they end.
pub(crate) fn sent_up(hub: Uuid, base: Link, book: &str, lines: &[&str]) -> (Vec<u8>, Link) {
    let mut up = Up::new(hub, DEVICE, 7, base, at(0));
    up.price_books = vec![Hash::of(book.as_bytes())];
    let writer = Writer { device: DEVICE, epoch: 7 };
    for line in lines {
        up.head = up::link(&up::read(line.as_bytes()).unwrap(), &up.head, writer, &up.price_books).unwrap();
    }
    (up.count, up.marks) = (i64::try_from(lines.len()).unwrap(), vec![base]);
    let (head, mut bytes) = (up.head, Vec::new());
    let mut file = Outgoing::begin(&mut bytes, Header::Up(up), false).unwrap();
    file.price_book(book).unwrap();
    lines.iter().for_each(|line| file.line(line).unwrap());
    file.finish(&key()).unwrap();
    (bytes, head)
}

fn written((header, lines): &(Header, Vec<String>), packed: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = Outgoing::begin(&mut bytes, header.clone(), packed).unwrap();
    for _ in header.price_books() {
        file.price_book(BOOK).unwrap();
    }
    lines.iter().for_each(|line| file.line(line).unwrap());
    file.finish(&key()).unwrap();
    bytes
}

/// A file of these lines, header and price books included, under a footer that says so: signed, whatever is in it.
fn forged(lines: &[String], count: i64, head: Option<Link>) -> Vec<u8> {
    sealed(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect(), count, head)
}

fn sealed(mut bytes: Vec<u8>, count: i64, head: Option<Link>) -> Vec<u8> {
    let footer = Footer::signed(count, head, bytes.len() as u64, Hash::of(&bytes), &key());
    bytes.extend_from_slice(footer.line().unwrap().as_bytes());
    bytes.push(b'\n');
    bytes
}

/// The same for a header whose price books, if any, are [`BOOK`].
fn forged_under(header: &Header, lines: &[String]) -> Vec<u8> {
    let book = serde_json::json!({ "book": Hash::of(BOOK.as_bytes()), "text": BOOK }).to_string();
    let books = header.price_books().iter().map(|_| book.clone());
    let all: Vec<String> = [header.line().unwrap()].into_iter().chain(books).chain(lines.iter().cloned()).collect();
    forged(&all, header.count(), head(header))
}

fn head(header: &Header) -> Option<Link> {
    match header {
        Header::Up(up) => Some(up.head),
        _ => None,
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// Reads a file and asks who signed it.
fn read(bytes: &[u8]) -> Result<FileInfo> {
    let file = inspect(Cursor::new(bytes))?;
    file.signed_by(&key().public())?;
    Ok(file)
}

/// The code, and the reason of a `bad_file`.
fn refusal(bytes: &[u8]) -> String {
    match read(bytes) {
        Ok(_) => "taken".into(),
        Err(error) => match error.details()["reason"].as_str() {
            Some(reason) => format!("{} {reason}", error.code()),
            None => error.code().into(),
        },
    }
}
