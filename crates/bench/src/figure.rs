//! Figures and how they are shown: a table for people, JSON for programs.

use serde::Serialize;

use crate::stats::{median, percentile};

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Target::AtLeast(bound) => measured >= bound,
            Target::AtMost(bound) => measured <= bound,
        }
    }

    fn text(self) -> String {
        match self {
            Target::AtLeast(bound) => format!("≥ {}", number(bound)),
            Target::AtMost(bound) => format!("≤ {}", number(bound)),
        }
    }
}

/// One measured figure.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    benchmark: &'static str,
    what: String,
    unit: &'static str,
    measured: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rounds: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
    #[serde(skip_serializing_if = "String::is_empty")]
    beside: String,
}

impl Figure {
    /// A figure that was measured once.
    pub(crate) fn once(benchmark: &'static str, what: impl Into<String>, unit: &'static str, measured: f64) -> Self {
        let what = what.into();
        Figure {
            benchmark,
            what,
            unit,
            measured,
            p99: None,
            rounds: None,
            target: None,
            met: None,
            beside: String::new(),
        }
    }

    /// The median of several rounds, with the lowest and the highest.
    pub(crate) fn of_rounds(
        benchmark: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        rounds: &[f64],
    ) -> Self {
        let ends = [percentile(rounds, 0.0), percentile(rounds, 100.0)];
        Figure { rounds: Some(ends), ..Figure::once(benchmark, what, unit, median(rounds)) }
    }

    /// The median of many samples, with their 99th percentile.
    pub(crate) fn of_samples(
        benchmark: &'static str,
        what: impl Into<String>,
        unit: &'static str,
        samples: &[f64],
    ) -> Self {
        Figure { p99: Some(percentile(samples, 99.0)), ..Figure::once(benchmark, what, unit, median(samples)) }
    }

    /// With what is wanted of it.
    pub(crate) fn wanted(mut self, target: Target) -> Self {
        self.met = Some(target.is_met(self.measured));
        self.target = Some(target);
        self
    }

    /// With what it is to be compared with, from the same run.
    pub(crate) fn beside(mut self, beside: impl Into<String>) -> Self {
        self.beside = beside.into();
        self
    }

    fn cells(&self) -> [String; 6] {
        let spread = match (self.p99, self.rounds) {
            (Some(p99), _) => format!("p99 {}", number(p99)),
            (None, Some([low, high])) => format!("{} … {}", number(low), number(high)),
            (None, None) => String::new(),
        };
        let verdict = match self.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        [
            format!("{}: {}", self.benchmark, self.what),
            self.target.map(Target::text).unwrap_or_default(),
            format!("{} {}", number(self.measured), self.unit),
            spread,
            verdict.to_owned(),
            self.beside.clone(),
        ]
    }
}

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: String,
    load_at_the_end: String,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new(machine: String) -> Self {
        Report { machine, load_at_the_end: String::new(), figures: Vec::new() }
    }

    /// Adds a figure, and shows at once that it is there.
    pub(crate) fn add(&mut self, figure: Figure) {
        let [what, _, measured, spread, ..] = figure.cells();
        eprintln!("  {what}: {measured} ({spread})");
        self.figures.push(figure);
    }

    pub(crate) fn finish(&mut self, load: String) {
        self.load_at_the_end = load;
    }

    /// Prints the table or the JSON document.
    pub(crate) fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
            return Ok(());
        }
        println!("{}, {} at the end; clients share the processors\n", self.machine, self.load_at_the_end);
        let head = ["figure", "wanted", "median", "p99 or rounds", "verdict", "beside it, in the same run"];
        let rows: Vec<[String; 6]> = self.figures.iter().map(Figure::cells).collect();
        let widths: [usize; 6] = std::array::from_fn(|column| {
            let cells = rows.iter().map(|row| row[column].chars().count());
            cells.chain([head[column].len()]).max().unwrap_or_default()
        });
        print_row(&head.map(str::to_owned), widths);
        print_row(&widths.map(|width| "-".repeat(width)), widths);
        rows.iter().for_each(|row| print_row(row, widths));
        Ok(())
    }
}

fn print_row(cells: &[String; 6], widths: [usize; 6]) {
    let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
    println!("| {} |", padded.join(" | "));
}

/// Three significant digits, or every digit before the point.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => grouped(value.round() as i64),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

fn grouped(value: i64) -> String {
    let digits = value.abs().to_string();
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let check = |value: f64, text: &str| assert_eq!(number(value), text);
        check(1_234_567.0, "1,234,567");
        check(100.4, "100");
        check(12.34, "12.3");
        check(1.234, "1.23");
        check(0.0123, "0.0123");
    }

    #[test]
    fn a_verdict_follows_from_the_target() {
        let verdict = |target| Figure::once("x", "y", "z", 10.0).wanted(target).met;
        assert_eq!(verdict(Target::AtLeast(10.0)), Some(true));
        assert_eq!(verdict(Target::AtLeast(10.1)), Some(false));
        assert_eq!(verdict(Target::AtMost(10.0)), Some(true));
        assert_eq!(verdict(Target::AtMost(9.9)), Some(false));
    }
}
