//! Measured values, and what is said of them.

use std::time::Duration;

/// Values of one kind, in order of size.
#[derive(Clone)]
pub(crate) struct Sample(Vec<f64>);

impl Sample {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        assert!(!values.is_empty(), "something was measured");
        Self(values)
    }

    /// In milliseconds.
    pub(crate) fn of_times(times: impl IntoIterator<Item = Duration>) -> Self {
        Self::of(times.into_iter().map(|time| time.as_secs_f64() * 1000.0))
    }

    pub(crate) fn median(&self) -> f64 {
        self.at(0.5)
    }

    pub(crate) fn min(&self) -> f64 {
        self.0[0]
    }

    pub(crate) fn max(&self) -> f64 {
        self.0[self.0.len() - 1]
    }

    /// The value below which this part of all values lies.
    pub(crate) fn at(&self, part: f64) -> f64 {
        let last = self.0.len() - 1;
        self.0[((last as f64) * part).round() as usize]
    }

    /// The median distance from the median, as a part of it.
    pub(crate) fn deviation(&self) -> f64 {
        let median = self.median();
        Self::of(self.0.iter().map(|value| (value - median).abs())).median() / median
    }
}
