//! The statement as a page, in a real browser: it says what the ledger says, asks for nothing, and fits.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::browser::{Browser, address};
use crate::home::{BOOK, Home};

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/creator.jsonl");

/// Three months of a creator, as the README tells them.
fn creator() -> Home {
    let home = Home::new();
    home.args(&["batch", "--historic", SAMPLE, "--pricing", BOOK]).ok();
    home.run("hold 120 -a alice --service video --deadline 2h --key render:7 --description Short_5_render").ok();
    home
}

/// An account in whose books everything that a caller may write is as hostile as it can be.
const HOSTILE: [&str; 7] = [
    "<script>alert(1)</script>",
    "\"onload=\"alert(2)\" x='",
    "</title></style></svg><img src=http://203.0.113.9/x.png>",
    "{{ account }} {% raw %} &lt;b&gt;",
    "safe\u{202e}gnp.exe \u{200b}hidden",
    "東京の夜景 👩\u{200d}💻 مرحبا",
    "url(http://203.0.113.9/y) javascript:alert(3)",
];

fn hostile() -> Home {
    let home = Home::new();
    let long = "W".repeat(300);
    let texts = HOSTILE.iter().copied().chain([long.as_str()]);
    for (n, text) in texts.enumerate() {
        // Names are short; a description may be long.
        let name: String = text.chars().take(128).collect();
        for what in [["recharge", "50", "--source"], ["consume", "20", "--service"]] {
            let key = format!("{n}:{}", what[0]);
            let mut args = [what.as_slice(), &[&name, "-a", HOSTILE[0], "--key", &key]].concat();
            args.extend(["--reference", &name, "--actor", &name, "--description", text]);
            home.args(&args).ok();
        }
    }
    home
}

/// Both forms of one statement.
fn both(home: &Home, words: &[&str]) -> (PathBuf, Value) {
    let mut html = vec!["statement", "--html", "--output", "page.html", "--force"];
    let mut json = vec!["statement", "--format", "json"];
    html.extend(words);
    json.extend(words);
    home.args(&html).ok();
    (home.path("page.html"), home.args(&json).ok().json())
}

/// Texts of the cells of a table, row by row.
fn cells(browser: &mut Browser, table: &str) -> Vec<Vec<String>> {
    let found = browser.value(&format!(
        "[...document.querySelectorAll('{table} tbody tr')].map(row => [...row.cells].map(cell => cell.innerText))"
    ));
    serde_json::from_value(found).unwrap()
}

/// A number as the page writes it.
fn number(text: &str) -> i64 {
    let plain: String = text.trim().chars().filter(|c| !matches!(c, ',' | '+')).collect();
    plain.replace('\u{2212}', "-").parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// A change: what the line is about, and below it what came of it. Together they are the change of net.
fn told(cell: &str) -> i64 {
    cell.lines().filter(|line| !line.trim().is_empty()).map(|line| number(line.split(' ').next().unwrap())).sum()
}

/// The figures, the lines and the sum of the page are the statement's.
fn says_what_the_statement_says(browser: &mut Browser, statement: &Value) {
    let figures = cells(browser, ".figures");
    assert_eq!(figures.len(), 5);
    for (row, name) in figures.iter().zip(["available", "held", "pending", "debt", "net"]) {
        assert!(row[0].to_lowercase().starts_with(name), "{row:?}");
        assert_eq!(statement["opening"][name], number(&row[1]), "opening {name}");
        assert_eq!(statement["closing"][name], number(row.last().unwrap()), "closing {name}");
    }
    let sums: Vec<i64> = cells(browser, ".sum").iter().map(|row| number(&row[1])).collect();
    let (last, parts) = sums.split_last().unwrap();
    assert_eq!((parts.iter().sum::<i64>(), statement["closing"]["net"].as_i64()), (*last, Some(*last)));

    let entries = statement["lines"].as_array().unwrap();
    if entries.len() > 200 {
        says_what_the_days_say(browser, statement);
    } else {
        says_what_the_lines_say(browser, entries);
    }
    let used = cells(browser, ".usage");
    let usage = statement["usage"].as_array().unwrap();
    assert_eq!(used.len(), usage.len());
    for (row, usage) in used.iter().zip(usage) {
        assert_eq!(usage["points"], number(row[3].lines().next().unwrap()), "{row:?}");
        assert_eq!(usage["uses"], number(&row[1]), "{row:?}");
        let refunded = usage["refunded"].as_i64().unwrap_or(0);
        assert_eq!(number(&row[4]), usage["points"].as_i64().unwrap() - refunded, "{row:?}");
    }
    let total = browser.value("[...document.querySelectorAll('.usage tfoot td')].map(cell => cell.innerText)");
    if used.len() > 1 {
        let sum = |column: usize| used.iter().map(|row| number(row[column].lines().next().unwrap())).sum::<i64>();
        assert_eq!((number(total[0].as_str().unwrap()), number(total[3].as_str().unwrap())), (sum(1), sum(4)));
    }
}

fn says_what_the_lines_say(browser: &mut Browser, entries: &[Value]) {
    let lines = cells(browser, ".lines");
    assert_eq!(lines.len(), entries.len());
    let net = |four: &Value| four["available"].as_i64().unwrap() - four["debt"].as_i64().unwrap();
    for (line, entry) in lines.iter().zip(entries) {
        assert_eq!((told(&line[2]), number(&line[3])), (net(&entry["change"]), net(&entry["after"])), "{entry}");
    }
}

/// Of many lines the page tells every day, and what the day's lines were about: all of them are in the sums.
fn says_what_the_days_say(browser: &mut Browser, statement: &Value) {
    let days = "[...document.querySelectorAll('.day summary')].map(day => [...day.children].map(e => e.lastChild.textContent))";
    let days: Vec<Vec<String>> = serde_json::from_value(browser.value(days)).unwrap();
    let whats = cells(browser, ".whats");
    let sum = |rows: &[Vec<String>], column: usize| rows.iter().map(|row| number(&row[column])).sum::<i64>();
    let lines = i64::try_from(statement["lines"].as_array().unwrap().len()).unwrap();
    assert_eq!((sum(&days, 1), sum(&whats, 1)), (lines, lines));
    let changed = statement["closing"]["net"].as_i64().unwrap() - statement["opening"]["net"].as_i64().unwrap();
    assert_eq!((sum(&days, 2), sum(&whats, 2)), (changed, changed));
    assert_eq!(statement["closing"]["net"], number(&days.last().unwrap()[3]));
    let told = browser.value("document.querySelectorAll('.lines tbody tr').length").as_u64().unwrap();
    assert!((200..=4_400).contains(&told), "{told} lines told one by one");
}

/// Opens the page in both widths, by day and by night, and calls `look` each time.
fn everywhere(browser: &mut Browser, page: &Path, mut look: impl FnMut(&mut Browser, u32)) {
    let mut papers = Vec::new();
    for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
        browser.open(page, width, dark);
        assert_eq!(browser.value("innerWidth"), width);
        let wide = browser.value("document.scrollingElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= width.into(), "{wide} wide in a window of {width}: {}", widest(browser));
        assert_eq!(broken(browser), "", "at {width}");
        papers.push(browser.value("getComputedStyle(document.documentElement).backgroundColor"));
        look(browser, width);
    }
    assert_eq!((&papers[0], &papers[1]), (&papers[2], &papers[3]));
    assert_ne!(papers[0], papers[1]);
    assert!(browser.said.is_empty(), "{:#?}", browser.said);
    assert!(browser.asked.iter().all(|asked| *asked == address(page)), "{:?}", browser.asked);
}

/// Numbers that a line ends in the midst of, rather than at their thousands; and those that lie over their neighbours.
fn broken(browser: &mut Browser) -> Value {
    browser.value(
        "(() => { const found = [], range = document.createRange();
        const end = (node, at) => { range.setStart(node, at); range.setEnd(node, at + 1); return range.getBoundingClientRect(); };
        for (const cell of document.querySelectorAll('td, .headline b, .due-list b, .batch-foot b')) {
            if (cell.matches('.lines td:nth-child(2)')) continue;
            const box = cell.getBoundingClientRect();
            const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
            for (let node = walk.nextNode(); node; node = walk.nextNode()) {
                const text = node.data;
                for (let at = 0; at < text.length; at++) {
                    const one = end(node, at);
                    if (one.width && box.width && one.left < box.left - 1) found.push('over ' + text);
                    if (at && /[0-9,.+\u{2212}]/.test(text[at - 1]) && /[0-9,.]/.test(text[at]) && one.top > end(node, at - 1).top + 4) found.push(text);
                }
            }
        }
        return found.slice(0, 5).join(' | '); })()",
    )
}

/// What sticks out.
fn widest(browser: &mut Browser) -> Value {
    browser.value(
        "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1)
         .map(e => e.tagName + '.' + e.getAttribute('class')).slice(0, 9).join(' ')",
    )
}

#[test]
fn the_page_says_what_the_statement_says() {
    let Some(mut browser) = Browser::start() else { return };
    let home = creator();
    let (page, statement) = both(&home, &["-a", "alice", "--from", "2026-09-01", "--offset", "+08:00"]);
    everywhere(&mut browser, &page, |browser, _| {
        says_what_the_statement_says(browser, &statement);
        // One drawing is seen, it fills its place, and its marks are in colours of this page.
        let seen = "[...document.querySelectorAll('svg.chart')].filter(svg => getComputedStyle(svg).display != 'none')";
        assert_eq!(browser.value(&format!("{seen}.length")), 1);
        assert_eq!(browser.value(&format!("{seen}[0].getBoundingClientRect().width > innerWidth / 2")), true);
        let small = "[...document.querySelectorAll('svg.chart text')].filter(text => {
            const box = text.getBoundingClientRect(); return box.width > 0 && box.height < 11 }).length";
        assert_eq!(browser.value(small), 0, "text of the chart is too small");
        let cut = "[...document.querySelectorAll('svg.chart text')].filter(text => {
            const box = text.getBoundingClientRect(), chart = text.ownerSVGElement.getBoundingClientRect();
            return box.width > 0 && (box.left < chart.left || box.right > chart.right) }).length";
        assert_eq!(browser.value(cut), 0, "a label of the chart is cut off");
    });
    save(&mut browser, &page);
}

/// What is drawn has its colour from the stylesheet alone, so that night does not leave it dark on dark.
#[test]
fn every_colour_of_the_chart_changes_with_the_light() {
    let home = creator();
    let (page, _) = both(&home, &["-a", "alice"]);
    let html = std::fs::read_to_string(page).unwrap();
    let (head, body) = html.split_once("</style>").unwrap();
    let chart = body.split("<figcaption>").next().unwrap().split("<svg").skip(1).collect::<String>();
    assert!(!chart.contains("fill=") && !chart.contains("stroke=") && !chart.contains("style="));
    let drawn: Vec<&str> = ["<path class=\"", "<text class=\""]
        .iter()
        .flat_map(|kind| chart.split(kind).skip(1).map(|rest| rest.split('"').next().unwrap()))
        .collect();
    assert!(drawn.len() > 20);
    for class in drawn {
        assert!(head.contains(&format!(".chart .{} {{", class.replace(' ', "."))), "{class}");
    }
}

/// A customer asked for September's statement again and got another one: with November's batches, what expires from now on,
/// a frozen account, and the date of the day.
#[test]
fn the_page_of_a_past_month_is_the_same_whenever_it_is_made() {
    let home = creator();
    let page = || home.run("statement -a alice --month 2026-09 --html").ok().out;
    let first = page();
    assert!(first.contains("points available on 30 September 2026</p>"));
    for heading in ["Coming expiry <small>", "Batches, soonest to expire first <small>"] {
        assert!(first.contains(&format!("{heading}as of 30 Sep 2026</small></h2>")), "{heading}");
    }
    home.run("recharge 70 -a alice --source later --key later:1").ok();
    home.run("consume 900 -a alice --service tts --key later:2").ok();
    home.run("freeze -a alice --reason asked --key later:3").ok();
    home.run("expire").ok();
    assert_eq!(page(), first);
}

#[test]
fn hostile_texts_are_text() {
    let Some(mut browser) = Browser::start() else { return };
    let home = hostile();
    let (page, statement) = both(&home, &["-a", HOSTILE[0]]);
    let raw = std::fs::read_to_string(&page).unwrap();
    assert!(!raw.contains(['\u{202e}', '\u{200b}']) && !raw.contains("<script") && !raw.contains("<img"));
    everywhere(&mut browser, &page, |browser, _| {
        says_what_the_statement_says(browser, &statement);
        let text = browser.value("document.body.innerText").as_str().unwrap().to_string();
        for hostile in HOSTILE {
            let shown = hostile.replace('\u{202e}', "\\u{202e}").replace('\u{200b}', "\\u{200b}");
            assert!(text.matches(&shown).count() >= 3, "{shown}");
        }
        assert_eq!(browser.value("document.querySelectorAll('script, img, link, iframe, [onload]').length"), 0);
        assert_eq!(browser.value("document.title"), format!("Points statement: {}", HOSTILE[0]));
    });
}

#[test]
fn the_page_is_whole_when_there_is_little_or_much() {
    let Some(mut browser) = Browser::start() else { return };
    // An account with nothing; the most points there can be.
    let home = Home::new();
    home.run("open -a empty --key 1").ok();
    home.run("recharge 9000000000000000 -a rich --source bank --expires-at never --key 2").ok();
    for account in ["empty", "rich"] {
        let (page, statement) = both(&home, &["-a", account]);
        everywhere(&mut browser, &page, |browser, _| says_what_the_statement_says(browser, &statement));
    }
    let (page, statement) = both(&home, &["-a", "rich", "--month", "2020-01"]);
    everywhere(&mut browser, &page, |browser, _| says_what_the_statement_says(browser, &statement));

    // Ten thousand lines are all in the sums; the drawing and the page stay small.
    let line = |n: i64| {
        let at = chrono::DateTime::from_timestamp(1_760_000_000 + n * 600, 0).unwrap().to_rfc3339();
        let operation = json!({"op": "recharge", "account": "busy", "key": n.to_string(), "points": 3, "source": "s",
            "expires_in_days": 400, "at": at});
        let charge = json!({"op": "consume", "account": "busy", "key": n.to_string(), "points": 1 + n % 5, "at": at});
        if n % 2 == 0 { operation } else { charge }
    };
    home.write("busy.jsonl", (0..10_000).map(|n| format!("{}\n", line(n))).collect::<String>());
    home.run("batch --historic busy.jsonl --output answers.jsonl").ok();
    let (page, statement) = both(&home, &["-a", "busy"]);
    assert!(statement["lines"].as_array().unwrap().len() >= 10_000);
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.len() < 3_000_000 && html.contains("lines are told one by one"), "{} bytes", html.len());
    let drawings = html.split("<svg").skip(1).map(|part| part.split("</svg>").next().unwrap().len());
    let largest = drawings.max().unwrap();
    assert!(largest < 120_000, "a drawing of {largest} bytes");
    everywhere(&mut browser, &page, |browser, width| {
        if width == 1280 {
            // What is folded has no text that is shown.
            browser.value("document.querySelectorAll('details').forEach(one => one.open = true)");
            says_what_the_statement_says(browser, &statement);
        }
    });
}

/// A customer read "Charge for work set aside +46", in green, where 194 had been charged: 240 had been set aside. Both
/// numbers are told, each by its name.
#[test]
fn a_charge_for_work_set_aside_is_told_as_what_it_cost() {
    let home = Home::new();
    home.run("recharge 500 -a alice --source s --key 1").ok();
    home.run("hold 240 -a alice --deadline 2h --key job:1").ok();
    home.run("capture job:1 --points 194 --key 3").ok();
    home.run("hold 50 -a alice --deadline 2h --key job:2").ok();
    home.run("release job:2 --key 5").ok();
    let page = home.run("statement -a alice --html").ok().out;
    let row = |title: &str| {
        let row = page.split("<tr").find(|row| row.contains(&format!("<b>{title}</b>"))).unwrap();
        row.split("<td class=").nth(1).unwrap().split("</td>").next().unwrap().to_string()
    };
    assert_eq!(row("Charge"), "\"minus\">\u{2212}194<small>+240 no longer set aside</small>");
    assert_eq!(row("Set aside for work"), "\"minus\">\u{2212}240");
    assert_eq!(row("No longer set aside"), "\"\">+50", "what is free again is no gain");
    // All of this was within a minute, and has an axis nevertheless.
    assert!(page.matches("class=\"time\"").count() >= 6, "{page}");
}

/// A shop's page said nowhere who issued it.
#[test]
fn the_issuer_and_the_number_stand_at_the_top() {
    let home = creator();
    let args = ["statement", "-a", "alice", "--html", "--issuer", "Mountain & Sons, Berlin", "--number", "2026-117"];
    let page = home.args(&args).ok().out;
    let head = page.split("<main>").next().unwrap();
    assert!(head.contains("Mountain &amp; Sons, Berlin") && head.contains("no. <bdi>2026-117</bdi>"), "{head}");
    assert_eq!(home.run("statement -a alice --number 7").code, 2);
}

/// On a phone the usage table was a block of numbers without a heading; and numbers of sixteen figures came in pieces.
#[test]
fn on_a_phone_every_number_of_the_usage_has_its_name() {
    let Some(mut browser) = Browser::start() else { return };
    let home = creator();
    home.run("recharge 8000000000000000 -a alice --source bank --key big:1").ok();
    home.run("consume 1234567890123456 -a alice --service tts --seconds 12345678.5 --key big:2").ok();
    let (page, _) = both(&home, &["-a", "alice"]);
    for width in [360, 375] {
        browser.open(&page, width, false);
        let unnamed = "[...document.querySelectorAll('.usage :is(tbody, tfoot) td:not(:empty)')]
            .filter(cell => getComputedStyle(cell, '::before').content.length < 5).length";
        assert_eq!(browser.value(unnamed), 0);
        assert_eq!(broken(&mut browser), "", "at {width}");
        let wide = browser.value("document.scrollingElement.scrollWidth").as_u64().unwrap();
        assert!(wide <= width.into(), "{wide} in {width}: {}", widest(&mut browser));
    }
}

/// A quarter of the first printed page was blank: a row of calendars that did not fit went to the next one whole.
#[test]
fn nothing_on_paper_leaves_a_large_gap() {
    let Some(mut browser) = Browser::start() else { return };
    let home = creator();
    for month in 1..=9 {
        let args =
            format!("recharge 70 -a alice --source s{month} --expires-at 2027-0{month}-11T16:00:00Z --key e:{month}");
        home.run(&args).ok();
    }
    let (page, _) = both(&home, &["-a", "alice"]);
    browser.open(&page, 688, false);
    browser.call("Emulation.setEmulatedMedia", json!({"media": "print"}));
    // A sheet is about a thousand pixels high. The drawing stands near the top of the first one.
    let tall = browser.value(
        "[...document.querySelectorAll('body *')].filter(e => getComputedStyle(e).breakInside == 'avoid' &&
         e.tagName != 'FIGURE' && e.getBoundingClientRect().height > 150).map(e => e.className).join(' ')",
    );
    assert_eq!(tall, "");
    assert_eq!(broken(&mut browser), "");
}

#[test]
fn the_page_goes_to_stdout_and_not_into_another_format() {
    let home = creator();
    let page = home.run("statement -a alice --month 2025-11 --html").ok();
    assert!(page.out.starts_with("<!DOCTYPE html>") && page.out.trim_end().ends_with("</html>"), "{}", page.out);
    assert!(page.out.contains("1 November 2025 to 30 November 2025"));
    assert_eq!(home.run("statement -a alice --html --format json").code, 2);
    assert_eq!(home.run("statement -a alice --month 2026-13 --html").code, 2);
    assert_eq!(home.run("statement -a alice --offset 8 --html").code, 2);
}

/// Pictures of the page, into the folder that `COUNTERFOIL_PICTURES` names; for people who want to see it.
fn save(browser: &mut Browser, page: &Path) {
    let Some(folder) = std::env::var_os("COUNTERFOIL_PICTURES").map(PathBuf::from) else { return };
    for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
        browser.open(page, width, dark);
        let png = browser.picture("Page.captureScreenshot", json!({"captureBeyondViewport": true}));
        std::fs::write(folder.join(format!("{width}-{dark}.png.base64")), png).unwrap();
    }
    let pdf = browser.picture("Page.printToPDF", json!({"paperWidth": 8.27, "paperHeight": 11.69}));
    std::fs::write(folder.join("print.pdf.base64"), pdf).unwrap();
}
