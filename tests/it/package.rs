//! What the package promises beside its code: which versions it takes, and its pages.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The minor versions a dependency may have: of `>=0.a, <0.b`.
fn minors(manifest: &str, name: &str) -> std::ops::Range<u64> {
    let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
    let (from, to) = line.split_once(">=0.").unwrap().1.split_once(", <0.").unwrap();
    from.parse().unwrap()..to.split('"').next().unwrap().parse().unwrap()
}

/// The minor version a package is locked at.
fn locked(lock: &str, name: &str) -> u64 {
    let version = lock.split_once(&format!("name = \"{name}\"\nversion = \"0.")).unwrap().1;
    version.split('.').next().unwrap().parse().unwrap()
}

/// An app with rusqlite 0.41 added counterfoil, whose manifest took it, and Cargo found no versions that fit: every version of
/// r2d2_sqlite wants exactly one of rusqlite, and there is none for 0.41.
#[test]
fn what_the_manifest_promises_can_be_had() {
    let (manifest, lock) = (read("Cargo.toml"), read("Cargo.lock"));
    let (rusqlite, pool) = (minors(&manifest, "rusqlite"), minors(&manifest, "r2d2_sqlite"));
    // 0.34 takes 0.39, and so on.
    assert_eq!((rusqlite.start, rusqlite.end), (pool.start + 5, pool.end + 5));
    assert_eq!(locked(&lock, "rusqlite"), locked(&lock, "r2d2_sqlite") + 5);
    assert!(rusqlite.contains(&locked(&lock, "rusqlite")));
}

/// Somebody wanted to move from the Python service, and nothing led to the page that tells how.
#[test]
fn the_readme_leads_to_every_page_of_the_package() {
    assert!(read("Cargo.toml").lines().any(|line| line.trim() == "\"/docs\","));
    let readme = read("README.md");
    for page in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")).unwrap() {
        let name = page.unwrap().file_name().into_string().unwrap();
        assert!(!name.ends_with(".md") || readme.contains(&format!("](docs/{name})")), "nothing leads to docs/{name}");
    }
}
