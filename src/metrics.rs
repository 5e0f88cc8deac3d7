//! What this process counts, and how Prometheus reads it.
//!
//! Invariants: labels are names of Gander's own or of the operator's models, so that there are not
//! many of them; none is of a repository, a person or a job. Counting never fails and never waits.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::core::budget::Money;

/// What became of a request to the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum DeliveryResult {
    Accepted,
    Known,
    /// No delivery of GitHub's, by its signature or its form.
    Refused,
    /// One installation sends too much.
    Limited,
    /// Too much at once, or the database was away: GitHub keeps it.
    Unavailable,
}

const DELIVERY_RESULTS: [&str; 5] = ["accepted", "known", "refused", "limited", "unavailable"];

/// In seconds: a step that only shows takes less than one, an attempt of the agent many minutes.
const BUCKETS: [f64; 9] = [0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// The counters of one process. They begin with it.
#[derive(Debug, Default)]
pub struct Metrics {
    deliveries: [AtomicU64; DELIVERY_RESULTS.len()],
    others: Mutex<OtherCounts>,
}

#[derive(Debug, Default)]
struct OtherCounts {
    endings: BTreeMap<&'static str, u64>,
    /// By what they belong to and their name.
    steps: BTreeMap<(&'static str, String), StepCount>,
    models: BTreeMap<String, ModelCount>,
    rate_limit: Option<u64>,
}

#[derive(Debug, Default)]
struct StepCount {
    buckets: [u64; BUCKETS.len()],
    count: u64,
    seconds: f64,
    failed: u64,
}

#[derive(Debug, Default)]
struct ModelCount {
    replies: u64,
    failures: u64,
    tokens: ModelTokens,
    cost: i64,
}

/// Tokens of a reply, none counted twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ModelTokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
}

impl Metrics {
    fn others(&self) -> std::sync::MutexGuard<'_, OtherCounts> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request to the webhook was answered.
    pub fn delivered(&self, result: DeliveryResult) {
        if let Some(count) = self.deliveries.get(result as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A job ended.
    pub fn ended(&self, ending: &'static str) {
        *self.others().endings.entry(ending).or_default() += 1;
    }

    /// A step of a `job` or a `release` came to an end.
    pub fn step(&self, of: &'static str, name: String, seconds: f64, failed: bool) {
        let mut others = self.others();
        let step = others.steps.entry((of, name)).or_default();
        for (bucket, most) in step.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= most);
        }
        step.count += 1;
        step.seconds += seconds;
        step.failed += u64::from(failed);
    }

    /// A model answered.
    pub fn replied(&self, model: &str, tokens: ModelTokens, cost: Money) {
        let mut others = self.others();
        let count = others.models.entry(model.to_owned()).or_default();
        count.replies += 1;
        count.tokens.input += tokens.input;
        count.tokens.output += tokens.output;
        count.tokens.cache_read += tokens.cache_read;
        count.tokens.cache_write += tokens.cache_write;
        count.cost += cost.micros();
    }

    /// A model did not.
    pub fn no_reply(&self, model: &str) {
        self.others().models.entry(model.to_owned()).or_default().failures += 1;
    }

    /// So many requests GitHub still takes from the installation with the fewest.
    pub fn rate_limit(&self, remaining: Option<u64>) {
        self.others().rate_limit = remaining;
    }

    /// All of it, as Prometheus reads it.
    pub fn text(&self) -> String {
        let mut text = MetricsText::default();
        text.family(
            "gander_deliveries_total",
            "counter",
            "Requests to the webhook, by their result.",
        );
        for (name, count) in DELIVERY_RESULTS.iter().zip(&self.deliveries) {
            let count = count.load(Ordering::Relaxed);
            text.sample("gander_deliveries_total", &[("result", name)], count);
        }
        let others = self.others();
        text.family("gander_job_endings_total", "counter", "Jobs that ended, by how.");
        for (ending, count) in &others.endings {
            text.sample("gander_job_endings_total", &[("ending", ending)], count);
        }
        others.write_steps(&mut text);
        others.write_models(&mut text);
        if let Some(remaining) = others.rate_limit {
            let name = "gander_github_rate_limit_remaining";
            text.family(name, "gauge", "Requests GitHub takes until its hour is over, at least.");
            text.sample(name, &[], remaining);
        }
        text.0
    }
}

impl OtherCounts {
    fn write_steps(&self, text: &mut MetricsText) {
        text.family("gander_step_seconds", "histogram", "How long steps took.");
        for ((of, step), count) in &self.steps {
            let labels = [("of", *of), ("step", step.as_str())];
            for (most, within) in BUCKETS.iter().zip(count.buckets) {
                let most = most.to_string();
                let labels = [labels[0], labels[1], ("le", most.as_str())];
                text.sample("gander_step_seconds_bucket", &labels, within);
            }
            let all = [labels[0], labels[1], ("le", "+Inf")];
            text.sample("gander_step_seconds_bucket", &all, count.count);
            text.sample("gander_step_seconds_sum", &labels, count.seconds);
            text.sample("gander_step_seconds_count", &labels, count.count);
        }
        text.family(
            "gander_step_failures_total",
            "counter",
            "Steps that failed, to be tried again or not.",
        );
        for ((of, step), count) in &self.steps {
            let labels = [("of", *of), ("step", step.as_str())];
            text.sample("gander_step_failures_total", &labels, count.failed);
        }
    }

    fn write_models(&self, text: &mut MetricsText) {
        text.family(
            "gander_model_tokens_total",
            "counter",
            "Tokens; `cache_read` came from the provider's cache.",
        );
        for (model, count) in &self.models {
            let tokens = count.tokens;
            for (kind, many) in [
                ("input", tokens.input),
                ("output", tokens.output),
                ("cache_read", tokens.cache_read),
                ("cache_write", tokens.cache_write),
            ] {
                let labels = [("model", model.as_str()), ("kind", kind)];
                text.sample("gander_model_tokens_total", &labels, many);
            }
        }
        text.family(
            "gander_model_cost_dollars_total",
            "counter",
            "What replies of models came to.",
        );
        for (model, count) in &self.models {
            text.sample(
                "gander_model_cost_dollars_total",
                &[("model", model)],
                dollars(count.cost),
            );
        }
        text.family(
            "gander_model_replies_total",
            "counter",
            "Requests to models, by whether a reply came.",
        );
        for (model, count) in &self.models {
            for (result, many) in [("reply", count.replies), ("failure", count.failures)] {
                let labels = [("model", model.as_str()), ("result", result)];
                text.sample("gander_model_replies_total", &labels, many);
            }
        }
    }
}

/// Millionths as dollars.
#[expect(clippy::cast_precision_loss, reason = "nothing costs billions")]
pub fn dollars(micros: i64) -> f64 {
    micros as f64 / 1_000_000.0
}

/// Prometheus' text format, version 0.0.4.
#[derive(Debug, Default)]
pub struct MetricsText(pub String);

impl MetricsText {
    /// What comes next.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One number.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let escaped =
            |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> =
            labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.delivered(DeliveryResult::Known);
        metrics.ended("merged");
        metrics.step("job", "Fix".into(), 12.5, false);
        metrics.step("job", "Fix".into(), 0.2, true);
        let tokens = ModelTokens { input: 7, cache_read: 3, ..ModelTokens::default() };
        metrics.replied("a \"b\"\\", tokens, Money::from_micros(1_500_000));
        metrics.rate_limit(Some(4999));
        let text = metrics.text();
        for line in [
            "gander_deliveries_total{result=\"known\"} 1",
            "gander_deliveries_total{result=\"accepted\"} 0",
            "gander_job_endings_total{ending=\"merged\"} 1",
            "gander_step_seconds_bucket{of=\"job\",step=\"Fix\",le=\"0.5\"} 1",
            "gander_step_seconds_bucket{of=\"job\",step=\"Fix\",le=\"15\"} 2",
            "gander_step_seconds_bucket{of=\"job\",step=\"Fix\",le=\"+Inf\"} 2",
            "gander_step_seconds_sum{of=\"job\",step=\"Fix\"} 12.7",
            "gander_step_failures_total{of=\"job\",step=\"Fix\"} 1",
            "gander_model_tokens_total{model=\"a \\\"b\\\"\\\\\",kind=\"cache_read\"} 3",
            "gander_model_cost_dollars_total{model=\"a \\\"b\\\"\\\\\"} 1.5",
            "gander_github_rate_limit_remaining 4999",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }
}
