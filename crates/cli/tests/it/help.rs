//! What the command says of itself: help, suggestions, completions, manual pages. None of it needs a ledger.

use crate::home::Home;

#[test]
fn completions_for_every_shell() {
    let home = Home::empty();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = home.args(&["completions", shell]).ok();
        for word in ["confirm-clock", "doctor", "--pricing"] {
            // fish writes long options without their dashes.
            assert!(ran.out.contains(word.trim_start_matches('-')), "{shell}: {word}");
        }
        assert_eq!(ran.err, "");
    }
    let ran = home.run("completions cmd");
    assert!(ran.code == 2 && ran.err.contains("possible values: bash"), "{ran:?}");
}

#[test]
fn bash_takes_its_completions() {
    let home = Home::empty();
    home.write("script", home.run("completions bash").ok().out);
    let asked = "source ./script && COMP_WORDS=(counterfoil doc) COMP_CWORD=1 && _counterfoil counterfoil doc counterfoil \
                 && echo \"${COMPREPLY[*]}\"";
    let Ok(answer) = std::process::Command::new("bash").args(["-c", asked]).current_dir(home.path("")).output() else {
        // No bash here.
        return;
    };
    assert_eq!(String::from_utf8_lossy(&answer.stdout).trim(), "doctor", "{answer:?}");
}

#[test]
fn manual_pages() {
    let home = Home::empty();
    let main = home.run("man").ok().out;
    for text in [".TH counterfoil 1", "Exit codes", "COUNTERFOIL_FILE", "counterfoil\\-recharge(1)"] {
        assert!(main.contains(text), "{text}: {main}");
    }
    let page = home.run("man pricing check").ok().out;
    assert!(page.contains(".TH counterfoil-pricing-check 1") && page.contains("every fault is drawn"), "{page}");
    // Commands are not set as sentences are.
    let batch = home.run("man batch").ok().out;
    assert!(batch.contains(".nf\n  counterfoil batch operations.jsonl \\-\\-atomic\n  echo "), "{batch}");
    home.run("man pricing chekc").fails(2, "usage");
    home.run("man --dir pages").ok();
    let mut pages: Vec<String> = std::fs::read_dir(home.path("pages"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    assert!(pages.len() > 40 && pages.contains(&"counterfoil-set-expiry.1".into()), "{pages:?}");
    assert!(pages.contains(&"counterfoil.1".into()) && pages.iter().all(|page| page.ends_with(".1")), "{pages:?}");
    assert_eq!(std::fs::read_to_string(home.path("pages/counterfoil-pricing-check.1")).unwrap(), page);
}

/// Which operations and fields a line may have was told nowhere that an installed command could show.
#[test]
fn the_help_of_batch_lists_operations_and_fields() {
    let home = Home::empty();
    for text in [home.run("batch --help").ok().out, home.run("man batch").ok().out.replace("\\-", "-")] {
        for words in
            ["set_expiry               batch, expiry", "shortfall (debt, clamp)", "ref_line", "RFC 3339", "--atomic"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
    assert!(!home.run("batch -h").ok().out.contains("ref_line"));
}

#[test]
fn completions_offer_the_kinds_of_lines() {
    let script = Home::empty().run("completions bash").ok().out;
    assert!(script.contains("transfer_out") && !script.contains("transfer-out"), "{script}");
}

#[test]
fn what_is_misspelt_is_guessed() {
    let home = Home::new();
    for (words, guess) in [
        ("blance", "'balance'"),
        ("docter", "'doctor'"),
        ("set-limt 5", "'set-limit'"),
        ("balance --acount alice", "'--account'"),
        ("recharge 5 -a alice --sorce gift", "'--source'"),
        ("history -a alice --fromat csv", "'--format'"),
        ("balance -a alice --format jsn", "'json'"),
    ] {
        let ran = home.run(words);
        assert!(ran.code == 2 && ran.err.contains("similar") && ran.err.contains(guess), "{words}: {ran:#?}");
    }
}
