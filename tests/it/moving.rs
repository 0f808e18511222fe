//! The Python service's tables, moved: docs/moving.md tells how, the example does it, here it is held to its word.

use std::path::Path;

use counterfoil::{AccountId, Ledger, Request};

use crate::examples_run::run;

const USERS: &str = "\
id,user_id,balance,total_recharged,total_consumed,total_expired
1,u-1001,258,420,62,100
2,u-1002,-12,0,12,0
3,u-1003,-5,30,15,20
4,u-1004,40,40,0,0
";
/// u-1001's gift ran out before it was used; u-1003's second batch ran out although 5 of it were owed for the first; u-1004's has
/// run out too, and the sweep has not come yet.
const BATCHES: &str = "\
id,user_id,amount,remaining,expired_at,source,created_at
b1,u-1001,320,258,2027-05-09 09:00:00+00,wxpay,2026-05-09 17:00:00+08
b2,u-1001,100,0,2026-06-01 00:00:00+00,gift,2026-05-02 08:00:00+00
b3,u-1003,10,0,2026-07-01 00:00:00+00,invite,2026-05-03 08:00:00+00
b4,u-1003,20,0,2026-08-01 00:00:00+00,gift,2026-05-05 08:00:00+00
b5,u-1004,40,40,2026-09-01 00:00:00+00,compensation,2026-05-06 08:00:00+00
";
const TRANSACTIONS: &str = "\
id,user_id,type,amount,balance_before,balance_after,source_type,source_id,batch_id,description,duration,created_at
7,u-1001,consume,62,420,358,tts,task-19,b1,\u{3010}配音合成\u{3011},61.2,2026-06-02 10:15:00.5+00
1,u-1001,recharge,100,0,100,gift,,b2,welcome,,2026-05-02 08:00:00+00
2,u-1003,recharge,10,0,10,invite,,b3,,,2026-05-03 08:00:00+00
3,u-1003,consume,15,10,-5,script,task-3,b3,,,2026-05-04 08:00:00+00
4,u-1003,recharge,20,-5,15,gift,,b4,,,2026-05-05 08:00:00+00
5,u-1004,recharge,40,0,40,compensation,,b5,,,2026-05-06 08:00:00+00
6,u-1001,recharge,320,100,420,wxpay,881,b1,wxpay 881,,2026-05-09 17:00:00+08
8,u-1001,expire,100,358,258,gift,,b2,,,2026-06-03 03:00:00+00
9,u-1002,consume,12,0,-12,video,task-20,,,8.4,2026-06-05 08:00:00+00
10,u-1003,expire,20,15,-5,gift,,b4,,,2026-08-02 03:00:00+00
";

fn tables(folder: &Path) {
    for (name, text) in [("user_point", USERS), ("point_batch", BATCHES), ("point_transaction", TRANSACTIONS)] {
        std::fs::write(folder.join(name).with_extension("csv"), text).unwrap();
    }
}

fn load(ledger: &Ledger, lines: &str) {
    let mut batch = ledger.batch_run().historic(true);
    for (line, n) in lines.lines().zip(1..) {
        batch.apply(n, &Request::parse(line).unwrap()).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

/// Three tables of the old service, with its late sweeps, its debt, and its worst defect: points that a later recharge was owed
/// for expired once more, so that u-1003 stands at -5 although nothing is owed. Everybody else comes out equal, and u-1003 is told.
#[test]
fn balances_come_out_equal_but_where_the_old_ones_were_wrong() {
    let folder = tempfile::tempdir().unwrap();
    tables(folder.path());
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_string();
    let lines = run("moving", folder.path(), &["lines", &at("")]);
    assert!(lines.status.success(), "{lines:?}");
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert_eq!(lines.lines().count(), 8, "{lines}");

    let ledger = Ledger::create(at("points.ledger")).unwrap();
    load(&ledger, &lines);
    let once = ledger.info().unwrap().operations;
    load(&ledger, &lines);
    assert_eq!(ledger.info().unwrap().operations, once, "loaded again, nothing is booked twice");
    assert!(ledger.verify().unwrap().ok);
    let kept = ledger.balance(&AccountId::new("u-1001").unwrap()).unwrap().totals.unwrap();
    assert_eq!((kept.recharged, kept.consumed, kept.expired), (420, 62, 100));
    ledger.close().unwrap();

    let compared = run("moving", folder.path(), &["compare", &at(""), &at("points.ledger"), "2026-10-01T00:00:00Z"]);
    let told = String::from_utf8(compared.stdout).unwrap();
    assert_eq!(
        told.trim_end(),
        "u-1003: -5 in the old service, 0 here, +5\n3 of 4 accounts have the same balance",
        "{}",
        String::from_utf8_lossy(&compared.stderr)
    );
    assert_eq!(compared.status.code(), Some(1));
}

/// A table that is not what it should be is named, with the row.
#[test]
fn a_wrong_table_is_named() {
    let folder = tempfile::tempdir().unwrap();
    tables(folder.path());
    let path = folder.path().join("point_transaction.csv");
    std::fs::write(&path, TRANSACTIONS.replace("recharge,100,", "recharge,ten,")).unwrap();
    let ran = run("moving", folder.path(), &["lines", folder.path().to_str().unwrap()]);
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1));
    assert!(told.contains("point_transaction.csv") && told.contains("line: 3"), "{told}");
}
