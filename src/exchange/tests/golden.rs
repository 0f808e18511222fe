//! One file of each kind as it will always be read.

use std::path::PathBuf;

use super::*;
use crate::exchange::{Ask, Cert, Evidence};

fn samples() -> Vec<(&'static str, (Header, Vec<String>))> {
    let mut ask = Ask::new(Uuid::from_u128(5), DEVICE, 7, key().public(), link(3), at(0));
    ask.name = "Kiosk \u{201e}7\u{201c}".into();
    ask.soft = "counterfoil test".into();
    let certificate = Metadata::parse(r#"{"name":"Kiosk 7","rights":[],"max_hold":86400}"#).unwrap();
    let mut cert = Cert::new(HUB, key().public(), DEVICE, certificate, at(3));
    cert.soft = "counterfoil test".into();
    cert.price_books = vec![Hash::of(BOOK.as_bytes())];
    let mut evidence = Evidence::new(HUB, DEVICE, at(4));
    evidence.position = vec![position(6000)];
    evidence.count = 1;
    evidence.soft = "counterfoil test".into();
    vec![
        ("up", up(5)),
        ("down", down(4)),
        ("ask", (Header::Ask(ask), Vec::new())),
        ("cert", (Header::Cert(Box::new(cert)), Vec::new())),
        ("evidence", (Header::Evidence(evidence), vec![account(7)])),
    ]
}

#[test]
fn the_format_never_changes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exchange");
    let bless = std::env::var_os("COUNTERFOIL_BLESS").is_some();
    let mut names = Vec::new();
    for (kind, sample) in samples() {
        let (bytes, path) = (written(&sample, false), folder.join(format!("{kind}.cfx")));
        if bless {
            std::fs::write(&path, &bytes).unwrap();
        }
        let kept = std::fs::read(&path).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), String::from_utf8(kept.clone()).unwrap(), "{kind}");
        let file = read(&kept).unwrap();
        assert_eq!((&file.header, file.packed), (&sample.0, false));
        file.concerns(HUB, Some(DEVICE)).unwrap();
        names.push(file.header.file_name(&file.digest, false));
        let again = read(&written(&sample, true)).unwrap();
        assert_eq!((again.digest, again.bytes, again.packed), (file.digest, file.bytes, true), "{kind}");
    }
    let named: Vec<&str> = names.iter().map(|name| name.rsplit_once('-').unwrap().0).collect();
    let tag = format!("{:08x}", crate::model::device_tag(&DEVICE));
    let expected = ["cf-up-T-101-105", "cf-down-T-6000-1of1", "cf-ask-T", "cf-cert-T", "cf-evidence-T-6000"];
    assert_eq!(named, expected.map(|name| name.replace('T', &tag)));
}

/// What an operator sees.
#[test]
fn it_tells_what_it_is() {
    let file = read(&written(&up(2), false)).unwrap();
    let told = serde_json::to_value(&file).unwrap();
    assert_eq!((&told["header"]["kind"], &told["header"]["count"]), (&"up".into(), &2.into()));
    assert_eq!((&told["key"], &told["packed"]), (&key().public().id().into(), &false.into()));
    assert_eq!(told.as_object().unwrap().len(), 5);
}
