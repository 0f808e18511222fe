//! What was measured, and how it is shown.

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// One line of the report; without a goal it is there to compare with.
#[derive(Debug)]
pub(crate) struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Figure { name: name.into(), value, unit, goal: None }
    }

    pub(crate) fn at_most(self, most: f64) -> Self {
        Figure { goal: Some(Goal::AtMost(most)), ..self }
    }

    pub(crate) fn at_least(self, least: f64) -> Self {
        Figure { goal: Some(Goal::AtLeast(least)), ..self }
    }

    fn ok(&self) -> Option<bool> {
        self.goal.map(|goal| match goal {
            Goal::AtMost(most) => self.value <= most,
            Goal::AtLeast(least) => self.value >= least,
        })
    }

    fn goal(&self) -> Option<String> {
        self.goal.map(|goal| match goal {
            Goal::AtMost(most) => format!("≤ {}", short(most)),
            Goal::AtLeast(least) => format!("≥ {}", short(least)),
        })
    }

    /// The section keeps names apart.
    fn json(&self, section: &str) -> serde_json::Value {
        serde_json::json!({
            "name": format!("{section}: {}", self.name), "value": self.value, "unit": self.unit, "goal": self.goal(), "ok": self.ok(),
        })
    }
}

/// Three significant digits, and whole numbers whole.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 100.0 || v.fract() == 0.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 0.1 => 2,
        _ => 3,
    };
    let digits = format!("{value:.decimals$}");
    if value.abs() < 10_000.0 {
        return digits;
    }
    // Groups of three, from the right.
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    format!("{sign}{}", groups.join(" "))
}

/// Prints the figures of one section: as a Markdown table, so that it can be pasted into a document, or as JSON lines.
pub(crate) fn show(section: &str, title: &str, figures: &[Figure], json: bool) {
    if json {
        figures.iter().for_each(|figure| println!("{}", figure.json(section)));
        return;
    }
    let mut rows = vec![[title.into(), "value".into(), "unit".into(), "goal".into(), String::new()]];
    rows.extend(figures.iter().map(|figure| {
        let verdict = figure.ok().map_or("", |ok| if ok { "ok" } else { "MISSED" });
        let goal = figure.goal().unwrap_or_default();
        [figure.name.clone(), short(figure.value), figure.unit.into(), goal, verdict.into()]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(2);
    let widths: [usize; 5] = std::array::from_fn(width);
    for (number, row) in rows.iter().enumerate() {
        let [name, value, unit, goal, ok] = row;
        let [a, b, c, d, e] = widths;
        println!("| {name:a$} | {value:>b$} | {unit:c$} | {goal:>d$} | {ok:e$} |");
        if number == 0 {
            let line = |width: usize, end: &str| "-".repeat(width + 2 - end.len()) + end;
            println!("|{}|{}|{}|{}|{}|", line(a, ""), line(b, ":"), line(c, ""), line(d, ":"), line(e, ""));
        }
    }
    println!();
}

/// The middle one; of an even number the lower middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}
