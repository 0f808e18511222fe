//! Exchange files as programs see them: the memory a check takes.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::DateTime;
use counterfoil::Metadata;
use counterfoil::exchange::{Down, Header, Outgoing, SigningKey, inspect, open_file};

const FILE: &str = "COUNTERFOIL_EXCHANGE_FILE";

/// A process of its own that checks a file, and then says how much memory it had at most.
#[test]
fn child() {
    let Some(path) = std::env::var_os(FILE) else { return };
    let file = inspect(open_file(&path).unwrap()).unwrap();
    file.signed_by(&SigningKey::from_secret([7; 32]).public()).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    std::fs::write(Path::new(&path).with_extension("status"), status).unwrap();
}

/// The most memory a child that checks a file of so many lines of nearly 1 MiB has had, in KiB.
fn peak(count: i64, packed: bool) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("file.cfx"), SigningKey::from_secret([7; 32]));
    let (hub, device) = (uuid(1), uuid(2));
    let policy = Metadata::parse("{}").unwrap();
    let mut down = Down::new(hub, key.public(), device, policy, DateTime::from_timestamp_millis(0).unwrap());
    down.count = count;
    let mut file = Outgoing::begin(File::create(&path).unwrap(), Header::Down(Box::new(down)), packed).unwrap();
    // As many batches as a line has room for, whose numbers are not alike, so that there is something to unpack.
    let batch = |n: i64| {
        let (id, points) = (
            uuid(0x0000_0007_0000_8001_8000_0000_0010_0001 + (i128::from(n) << 20).unsigned_abs()),
            n * 7_919 % 1_000_003 + 1,
        );
        format!(r#"["{id}",null,"wxpay",0,50,{points},{points},0,0,0,0,0,0,{n},null,null,{points},0,1,null,0,0,0]"#)
    };
    let points: i64 = (0..8_200).map(|n| n * 7_919 % 1_000_003 + 1).sum();
    let batches = (0..8_200).map(batch).collect::<Vec<_>>().join(",");
    for n in 0..count {
        let totals = format!(r#""totals":[{points},0,0,0,0,0,0,0,0,0,0],"rest":[0,0,0,0]"#);
        let line = format!(r#"{{"a":"card-{n}","state":"active","limit":0,"last":0,{totals},"b":[{batches}]}}"#);
        file.line(&line).unwrap_or_else(|error| panic!("{error}: {}", line.len()));
    }
    assert!(count == 0 || (60 << 20..64 << 20).contains(&std::fs::metadata(&path).unwrap().len()) || packed);
    file.finish(&key).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "exchanged::child", "--test-threads=1"])
        .env(FILE, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let told = std::fs::read_to_string(path.with_extension("status")).unwrap();
    let peak = told.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.split_whitespace().next().unwrap().parse().unwrap()
}

fn uuid(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(n)
}

#[test]
fn a_file_as_long_as_may_be_takes_little_memory() {
    let empty = peak(0, false);
    for packed in [false, true] {
        let full = peak(64, packed);
        assert!(full - empty < 8 << 10, "{empty} KiB, and {full} KiB for a full file, packed: {packed}");
    }
}
