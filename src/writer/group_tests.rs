//! Callers carried together: what each gets is what it would have got alone. Counts, never seconds.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::tests::{WAIT, add, new_ledger, total, writer_on};
use super::*;
use crate::store::Session;

type Answer = Result<i64, Failure>;
type Task = fn(&Session<'_>) -> Result<i64>;

/// Counts the commits from here on.
fn count_commits(writer: &Writer) -> Arc<AtomicUsize> {
    let counted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    writer.on_commit(move || {
        count.fetch_add(1, Ordering::SeqCst);
        false
    });
    counted
}

/// Callers in line, one after the other.
fn in_line(writer: &Writer, works: &[(Durability, Task)]) -> Vec<thread::Result<Answer>> {
    thread::scope(|scope| {
        let mut callers = Vec::new();
        writer.gather(works.len(), |until| {
            for (number, (durability, work)) in works.iter().copied().enumerate() {
                callers.push(scope.spawn(move || writer.carried(durability, WAIT, work)));
                until(number + 1);
            }
        });
        callers.into_iter().map(thread::ScopedJoinHandle::join).collect()
    })
}

/// Six of them; the one numbered `odd` does `other` instead of counting up.
fn six(writer: &Writer, odd: usize, other: Task) -> Vec<thread::Result<Answer>> {
    let work = |number| if number == odd { other } else { add };
    in_line(writer, &[0, 1, 2, 3, 4, 5].map(|number| (Durability::Full, work(number))))
}

fn counts(answers: Vec<thread::Result<Answer>>) -> Vec<Option<i64>> {
    answers.into_iter().map(|answer| answer.ok().and_then(Result::ok)).collect()
}

#[test]
fn who_waits_together_is_committed_together_in_order() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let commits = count_commits(&writer);
    assert_eq!(counts(six(&writer, 9, add)), (1..=6).map(Some).collect::<Vec<_>>());
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    assert_eq!(total(&writer), 6);
}

/// Relaxed callers had a transaction each, and eight of them charged at half the rate of durable ones, who shared.
#[test]
fn relaxed_callers_share_a_commit_that_promises_no_less_than_each_wants() {
    use Durability::{Full, Relaxed};
    for (wanted, expected) in [
        (vec![Relaxed, Relaxed, Relaxed], 1),
        (vec![Full, Relaxed, Full, Relaxed], 1),
        // Who wants it durable is not carried by one who does not; those behind are.
        (vec![Relaxed, Relaxed, Full, Relaxed], 2),
    ] {
        let (_folder, path) = new_ledger();
        let writer = writer_on(&path);
        let commits = count_commits(&writer);
        let works: Vec<_> = wanted.iter().map(|durability| (*durability, add as Task)).collect();
        let all = i64::try_from(wanted.len()).unwrap();
        assert_eq!(counts(in_line(&writer, &works)), (1..=all).map(Some).collect::<Vec<_>>());
        assert_eq!(commits.load(Ordering::SeqCst), expected, "{wanted:?}");
        // After a relaxed commit there is something to make durable, after a full one there is not.
        assert_eq!(lock(&writer.shared.state).relaxed, !wanted.contains(&Full), "{wanted:?}");
    }
}

#[test]
fn a_refused_member_leaves_the_others_alone() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    // The one who leads, one in the middle, the last.
    for (round, odd) in [0, 3, 5].into_iter().enumerate() {
        let commits = count_commits(&writer);
        let answers = six(&writer, odd, |_| Err(Error::out_of_range("points", "too many")));
        assert!(matches!(&answers[odd], Ok(Err(Failure::Refused(Error::OutOfRange { .. })))));
        let first = 5 * i64::try_from(round).unwrap();
        let mut expected: Vec<_> = (first + 1..=first + 5).map(Some).collect();
        expected.insert(odd, None);
        assert_eq!(counts(answers), expected);
        assert_eq!(commits.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn a_failing_member_makes_everyone_run_alone() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    for odd in [0, 3, 5] {
        let before = total(&writer);
        let commits = count_commits(&writer);
        // Part of it was written.
        let answers = six(&writer, odd, |conn| add(conn).and(Err(Error::storage("planted"))));
        assert!(matches!(&answers[odd], Ok(Err(Failure::Refused(Error::Storage { .. })))));
        let mut booked: Vec<i64> = counts(answers).into_iter().flatten().collect();
        booked.sort_unstable();
        assert_eq!(booked, (before + 1..=before + 5).collect::<Vec<_>>());
        assert_eq!(total(&writer), before + 5);
        // Those before it go alone; those behind it were not in it yet.
        assert_eq!(commits.load(Ordering::SeqCst), odd + usize::from(odd < 5));
    }
}

#[test]
fn a_failed_commit_is_told_to_every_member() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    writer.on_commit(|| true);
    for answer in six(&writer, 9, add) {
        assert!(matches!(answer, Ok(Err(Failure::CommitFailed { certain: true, alone: false, .. }))));
    }
    assert_eq!(total(&writer), 0);
    writer.on_commit(|| true);
    let alone = writer.carried(Durability::Full, WAIT, add);
    assert!(matches!(alone, Err(Failure::CommitFailed { certain: true, alone: true, .. })));
    assert_eq!(writer.carried(Durability::Full, WAIT, add).unwrap(), 1);
}

#[test]
fn a_panic_in_the_work_of_one_leaves_nobody_waiting() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    for odd in [0, 3] {
        let before = total(&writer);
        let answers = six(&writer, odd, |conn| {
            add(conn)?;
            panic!("planted");
        });
        // Whoever led ran into it, and so did its own caller.
        assert!(answers[0].is_err() && answers[odd].is_err());
        let booked = counts(answers).into_iter().flatten().count();
        assert_eq!(total(&writer), before + i64::try_from(booked).unwrap());
        assert_eq!(booked, if odd == 0 { 5 } else { 4 });
    }
}

#[test]
fn work_that_wants_to_be_alone_parts_the_groups() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let commits = count_commits(&writer);
    let answers: Vec<i64> = thread::scope(|scope| {
        let mut callers = Vec::new();
        writer.gather(5, |until| {
            for number in 0..5 {
                let writer = &writer;
                callers.push(scope.spawn(move || match number {
                    2 => writer.transaction(Durability::Full, WAIT, |conn| add(conn).map(Decision::Commit)).unwrap(),
                    _ => writer.carried(Durability::Full, WAIT, add).unwrap(),
                }));
                until(number + 1);
            }
        });
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(answers, [1, 2, 3, 4, 5]);
    assert_eq!(commits.load(Ordering::SeqCst), 3);
}

#[test]
fn a_deadline_ends_the_wait_but_not_the_work() {
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let soon = Duration::from_millis(30);
    // In line: it leaves, and its work is never run.
    writer.gather(0, |_| {
        assert!(matches!(
            writer.carried(Durability::Full, soon, add),
            Err(Failure::Refused(Error::Busy { waited_ms })) if waited_ms >= 30
        ));
    });
    assert_eq!(total(&writer), 0);
    // Taken: it waits for what becomes of it.
    let late = Arc::new(AtomicBool::new(false));
    writer.on_commit({
        let late = Arc::clone(&late);
        move || {
            thread::sleep(soon * 4);
            late.store(true, Ordering::SeqCst);
            false
        }
    });
    thread::scope(|scope| {
        let mut callers = Vec::new();
        writer.gather(2, |until| {
            callers.push(scope.spawn(|| writer.carried(Durability::Full, WAIT, add)));
            until(1);
            callers.push(scope.spawn(|| writer.carried(Durability::Full, soon * 3, add)));
        });
        for caller in callers {
            caller.join().unwrap().unwrap();
            assert!(late.load(Ordering::SeqCst));
        }
    });
    assert_eq!(total(&writer), 2);
}

#[test]
fn callers_that_come_again_and_again_fall_into_groups() {
    const CALLERS: usize = 8;
    const EACH: usize = 10;
    let (_folder, path) = new_ledger();
    let writer = writer_on(&path);
    let commits = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&commits);
    // Slow enough that a busy machine makes no difference.
    writer.on_commit(move || {
        count.fetch_add(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(20));
        false
    });
    let barrier = Barrier::new(CALLERS);
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..EACH {
                    writer.carried(Durability::Full, WAIT, add).unwrap();
                }
            });
        }
    });
    let commits = commits.load(Ordering::SeqCst);
    assert!(commits * 10 <= EACH * 13, "{commits} commits for {EACH} operations of each of {CALLERS} callers");
    assert_eq!(total(&writer), i64::try_from(CALLERS * EACH).unwrap());
}
