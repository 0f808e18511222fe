//! Callers who are carried in one transaction, and rows kept between transactions, over the whole path of an operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use super::cost::{file, terms};
use super::{File, Terms};
use crate::error::{Error, Result};
use crate::model::{Receipt, Request};
use crate::notice::{News, Subscriber};
use crate::writer::Durability;

fn book(file: &File, line: &str) -> Result<Receipt> {
    file.apply(&Request::parse(line).unwrap(), Terms { durability: Durability::Full, ..terms(2_000) })
}

/// All the lines at once, each from a thread of its own, in this order.
fn together(file: &File, lines: &[String]) -> Vec<Result<Receipt>> {
    thread::scope(|scope| {
        let mut callers = Vec::new();
        file.call().unwrap().writer().unwrap().gather(lines.len(), |until| {
            for (line, number) in lines.iter().zip(1..) {
                callers.push(scope.spawn(move || book(file, line)));
                until(number);
            }
        });
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    })
}

fn strict(n: i64, points: i64) -> String {
    format!(r#"{{"op":"consume","account":"alice","key":"c{n}","points":{points},"policy":"strict"}}"#)
}

/// A file with 100 points, and how often it commits.
fn alice(
    folder: &tempfile::TempDir,
    mut veto: impl FnMut(usize) -> bool + Send + 'static,
) -> (Arc<File>, Arc<AtomicUsize>) {
    let file = file(folder.path());
    book(&file, r#"{"op":"recharge","account":"alice","key":"r","points":100,"source":"s"}"#).unwrap();
    let commits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&commits);
    file.call().unwrap().writer().unwrap().on_commit(move || veto(count.fetch_add(1, Ordering::SeqCst)));
    (file, commits)
}

fn verified(file: &File) {
    let verification = file.verify(false, &mut |_| Ok(())).unwrap();
    assert!(verification.ok, "{:?}", verification.faults);
}

#[test]
fn each_of_a_group_gets_the_answer_it_would_get_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (file, commits) = alice(&folder, |_| false);
    // 60 are left after the first; 70 are too many; a repeated key; the rest; nothing is left.
    let lines = [strict(1, 40), strict(2, 70), strict(1, 40), strict(3, 60), strict(4, 1)];
    let answers = together(&file, &lines);
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    let shown: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Ok(receipt) => (receipt.balance.available.get(), if receipt.replayed { "replayed" } else { "booked" }),
            Err(error) => (-1, error.code()),
        })
        .collect();
    let short = (-1, "insufficient_points");
    assert_eq!(shown, [(60, "booked"), short, (60, "replayed"), (0, "booked"), short]);
    verified(&file);
}

#[test]
fn a_group_whose_commit_fails_is_booked_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let (file, commits) = alice(&folder, |commit| commit == 0);
    let lines: Vec<String> = (0..5).map(|n| strict(n, 10)).collect();
    let answers = together(&file, &lines);
    let mut left: Vec<i64> = answers.into_iter().map(|answer| answer.unwrap().balance.available.get()).collect();
    left.sort_unstable();
    assert_eq!(left, [50, 60, 70, 80, 90]);
    // The connection was given up, and the hook with it.
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    verified(&file);
}

#[test]
fn a_dry_run_is_not_carried() {
    let folder = tempfile::tempdir().unwrap();
    let (file, commits) = alice(&folder, |_| false);
    thread::scope(|scope| {
        let mut callers = Vec::new();
        file.call().unwrap().writer().unwrap().gather(3, |until| {
            let file = &file;
            callers.push(scope.spawn(|| book(file, &strict(1, 10))));
            until(1);
            callers.push(scope.spawn(|| {
                let request = Request::parse(&strict(2, 10)).unwrap();
                file.apply(&request, Terms { dry_run: true, durability: Durability::Full, ..terms(2_000) })
            }));
            until(2);
            callers.push(scope.spawn(|| book(file, &strict(3, 10))));
        });
        let left: Vec<i64> =
            callers.into_iter().map(|caller| caller.join().unwrap().unwrap().balance.available.get()).collect();
        assert_eq!(left, [90, 80, 80]);
    });
    assert_eq!(commits.load(Ordering::SeqCst), 2);
    verified(&file);
}

/// The rows a writer keeps from one transaction to the next are worth nothing once another process has committed.
#[test]
fn rows_at_hand_give_way_to_what_another_process_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = alice(&folder, |_| false);
    assert_eq!(book(&file, &strict(1, 60)).unwrap().balance.available, 40);
    let other = db_connection(&folder);
    // The batch that pays next is spent elsewhere, and the account may owe something now.
    other
        .execute_batch(
            "BEGIN IMMEDIATE; UPDATE batch SET remaining = 0, used = amount, live = 0, due_at = NULL; \
             UPDATE account SET available = 0, consumed = 100, credit_limit = 7, next_due_at = NULL; COMMIT",
        )
        .unwrap();
    assert_eq!(book(&file, &strict(2, 8)).unwrap_err().code(), "insufficient_points");
    let receipt = book(&file, &strict(3, 7)).unwrap();
    assert_eq!((receipt.balance.available.get(), receipt.balance.debt.get(), receipt.open.get()), (0, 7, 7));
}

/// A refusal, a dry run and a rolled back group leave nothing behind at hand.
#[test]
fn what_was_rolled_back_is_not_at_hand() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = alice(&folder, |_| false);
    let dry = Terms { dry_run: true, ..terms(2_000) };
    let tried = file.apply(&Request::parse(&strict(1, 60)).unwrap(), dry).unwrap();
    assert_eq!(tried.balance.available, 40);
    assert_eq!(book(&file, &strict(2, 101)).unwrap_err().code(), "insufficient_points");
    assert_eq!(book(&file, &strict(3, 30)).unwrap().balance.available, 70);
    let lines = [strict(4, 20), strict(5, 60), strict(6, 50)];
    let tried = std::cell::Cell::new(0);
    let failed = file.apply_together(false, &|| terms(2_000), &|book| {
        for line in &lines {
            tried.set(tried.get() + usize::from(book(&Request::parse(line).unwrap()).is_ok()));
        }
        Err(Error::Closed)
    });
    assert_eq!((failed.unwrap_err().code(), tried.get()), ("closed", 2));
    assert_eq!(book(&file, &strict(7, 70)).unwrap().balance.available, 0);
    assert!(file.verify(false, &mut |_| Ok(())).unwrap().faults.is_empty());
}

fn db_connection(folder: &tempfile::TempDir) -> crate::db::Connection {
    crate::db::Connection::open(folder.path().join("cost.ledger")).unwrap()
}

/// The first commit fails, and what was in it is gone; then it is booked all the same, and told once.
#[test]
fn a_commit_that_fails_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = alice(&folder, |commit| commit == 0);
    let mut subscriber = Subscriber::new(Arc::clone(file.notifier()));
    let mut news = News::default();
    let length = |file: &File| file.look(terms(2_000).reading, |look| Ok(look.length())).unwrap();
    assert!(book(&file, &strict(1, 40)).is_err());
    subscriber.collect(&mut news);
    // The connection is a new one, so it is not known what others did meanwhile.
    assert_eq!((length(&file), news.everything), (1, true));
    book(&file, &strict(1, 40)).unwrap();
    let mut news = News::default();
    subscriber.collect(&mut news);
    assert_eq!((length(&file), news.any, news.everything), (2, true, false));
    // A refusal notifies nobody.
    let mut news = News::default();
    assert!(book(&file, &strict(2, 99)).is_err());
    subscriber.collect(&mut news);
    assert!(!news.any);
}
