//! What has been counted in this process, and its text for Prometheus.
//!
//! All names and labels are words of the program, so there are few and none belongs to a person. A commit's
//! time is kept in buckets, so what it takes does not grow however long the process runs.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A label and its value.
pub type Label = (&'static str, &'static str);

type Key = (&'static str, Option<Label>);

/// The upper ends of the buckets: from memory to a medium that is about to die.
const BUCKETS_MILLIS: [u64; 11] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(u64),
    Times(Box<Times>),
}

#[derive(Debug, Default)]
struct Times {
    /// How many took at most as long as the bucket of that place.
    within: [u64; BUCKETS_MILLIS.len()],
    count: u64,
    sum: Duration,
}

/// Every series of this process, by name and label.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<BTreeMap<Key, Value>>);

impl Registry {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }

    fn series(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, name: &'static str, label: Option<Label>, more: u64) {
        let mut series = self.series();
        let value = series.entry((name, label)).or_insert(Value::Counter(0));
        if let Value::Counter(count) = value {
            *count += more;
        }
    }

    pub(super) fn set(&self, name: &'static str, label: Option<Label>, now: u64) {
        self.series().insert((name, label), Value::Gauge(now));
    }

    pub(super) fn took(&self, name: &'static str, time: Duration) {
        let mut series = self.series();
        let value = series
            .entry((name, None))
            .or_insert_with(|| Value::Times(Box::default()));
        if let Value::Times(times) = value {
            times.take(time);
        }
    }

    /// All series in the text format of Prometheus.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut before = "";
        for ((name, label), value) in &*self.series() {
            if *name != before {
                before = name;
                // A String takes whatever is written to it.
                writeln!(text, "# TYPE {name} {}", value.kind()).ok();
            }
            value.write(&mut text, name, *label).ok();
        }
        text
    }
}

impl Value {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Counter(_) => "counter",
            Self::Gauge(_) => "gauge",
            Self::Times(_) => "histogram",
        }
    }

    fn write(&self, text: &mut String, name: &str, label: Option<Label>) -> fmt::Result {
        match (self, label) {
            (Self::Counter(number) | Self::Gauge(number), None) => {
                writeln!(text, "{name} {number}")
            }
            (Self::Counter(number) | Self::Gauge(number), Some((label, word))) => {
                writeln!(text, "{name}{{{label}=\"{word}\"}} {number}")
            }
            (Self::Times(times), _) => times.write(text, name),
        }
    }
}

impl Times {
    fn take(&mut self, time: Duration) {
        for (within, end) in self.within.iter_mut().zip(BUCKETS_MILLIS) {
            *within += u64::from(time <= Duration::from_millis(end));
        }
        self.count += 1;
        self.sum += time;
    }

    fn write(&self, text: &mut String, name: &str) -> fmt::Result {
        for (within, end) in self.within.iter().zip(BUCKETS_MILLIS) {
            let seconds = Seconds(Duration::from_millis(end));
            writeln!(text, "{name}_bucket{{le=\"{seconds}\"}} {within}")?;
        }
        let (count, sum) = (self.count, Seconds(self.sum));
        writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {count}")?;
        writeln!(text, "{name}_sum {sum}\n{name}_count {count}")
    }
}

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_name_stand_together_under_its_kind() {
        let registry = Registry::new();
        registry.add("taps_total", None, 1);
        registry.add("frames_total", Some(("spool", "p1")), 3);
        registry.add("frames_total", Some(("spool", "p0")), 2);
        registry.add("frames_total", Some(("spool", "p0")), 2);
        registry.set("waiting", None, 9);
        registry.set("waiting", None, 7);
        assert_eq!(
            registry.text(),
            "# TYPE frames_total counter\n\
             frames_total{spool=\"p0\"} 4\n\
             frames_total{spool=\"p1\"} 3\n\
             # TYPE taps_total counter\n\
             taps_total 1\n\
             # TYPE waiting gauge\n\
             waiting 7\n"
        );
    }

    #[test]
    fn a_time_counts_in_its_own_bucket_and_in_all_wider_ones() {
        let registry = Registry::new();
        for millis in [2, 3, 6000] {
            registry.took("commit_seconds", Duration::from_millis(millis));
        }
        let text = registry.text();
        for line in [
            "# TYPE commit_seconds histogram",
            "commit_seconds_bucket{le=\"0.001000\"} 0",
            "commit_seconds_bucket{le=\"0.002000\"} 1",
            "commit_seconds_bucket{le=\"0.005000\"} 2",
            "commit_seconds_bucket{le=\"5.000000\"} 2",
            "commit_seconds_bucket{le=\"+Inf\"} 3",
            "commit_seconds_sum 6.005000",
            "commit_seconds_count 3",
        ] {
            assert!(text.lines().any(|each| each == line), "{line}: {text}");
        }
    }
}
