//! The one table.

use std::fmt;

use super::sample::Sample;

#[derive(Default)]
pub(crate) struct Table(Vec<Row>);

struct Row {
    what: String,
    median: String,
    spread: String,
    wanted: String,
    verdict: &'static str,
}

/// What a figure must reach.
#[derive(Clone, Copy)]
pub(crate) enum Wanted {
    AtMost(f64),
    AtLeast(f64),
    /// Only shown.
    Nothing,
}

impl Table {
    /// A row for a sample: its median is what counts.
    pub(crate) fn sample(&mut self, what: &str, unit: &str, sample: &Sample, wanted: Wanted) {
        let spread = format!(
            "{} … {}, ±{:.0} %",
            shown(sample.min()),
            shown(sample.max()),
            sample.deviation() * 100.0
        );
        self.row(what, unit, sample.median(), spread, wanted);
    }

    /// A row for one value.
    pub(crate) fn value(&mut self, what: &str, unit: &str, value: f64, wanted: Wanted) {
        self.row(what, unit, value, String::new(), wanted);
    }

    /// A row that is not a figure.
    pub(crate) fn note(&mut self, what: &str, text: &str) {
        self.0.push(Row {
            what: what.to_owned(),
            median: text.to_owned(),
            spread: String::new(),
            wanted: String::new(),
            verdict: "",
        });
    }

    pub(crate) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    fn row(&mut self, what: &str, unit: &str, value: f64, spread: String, wanted: Wanted) {
        let (text, met) = match wanted {
            Wanted::AtMost(most) => (format!("≤ {}", shown(most)), Some(value <= most)),
            Wanted::AtLeast(least) => (format!("≥ {}", shown(least)), Some(value >= least)),
            Wanted::Nothing => (String::new(), None),
        };
        self.0.push(Row {
            what: what.to_owned(),
            median: format!("{} {unit}", shown(value)),
            spread,
            wanted: text,
            verdict: met.map_or("", |met| if met { "met" } else { "MISSED" }),
        });
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str, least: usize| {
            self.0.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
        };
        let what = width(|row| &row.what, 6);
        // A note may be longer than its column: nothing stands to the right of it.
        let figures = self.0.iter().filter(|row| !row.spread.is_empty() || !row.wanted.is_empty());
        let median = figures.map(|row| row.median.chars().count()).max().unwrap_or(0).max(6);
        let (spread, wanted) = (width(|row| &row.spread, 8), width(|row| &row.wanted, 6));
        writeln!(
            f,
            "{:what$}  {:>median$}  {:<spread$}  {:>wanted$}",
            "figure", "median", "min … max, MAD", "wanted"
        )?;
        for Row { what: name, median: value, spread: s, wanted: w, verdict } in &self.0 {
            let line =
                format!("{name:what$}  {value:>median$}  {s:<spread$}  {w:>wanted$}  {verdict}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn shown(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        large if large >= 1000.0 => grouped(value.round() as i64),
        medium if medium >= 100.0 => format!("{value:.0}"),
        small if small >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
