//! A guest at a phone: real Chromium in the phone's namespace, told what to do by a script in
//! `tests/browser`.

use super::{Phone, run};

/// One thing that a guest does.
pub(crate) enum Step<'a> {
    /// Types an address, or follows what the phone shows by itself.
    Open(&'a str),
    /// Taps a link or a button with these words on it.
    Tap(&'a str),
}

/// What stands on the screen in the end.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Screen {
    pub(crate) url: String,
    pub(crate) text: String,
}

impl Phone {
    /// Does these things in a browser; what is on the screen after the last.
    pub(crate) fn browse(&self, steps: &[Step<'_>]) -> Screen {
        let steps: Vec<_> = steps
            .iter()
            .map(|step| match step {
                Step::Open(url) => ["open", *url],
                Step::Tap(words) => ["tap", *words],
            })
            .collect();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/guest.mjs");
        let screen = run(self
            .space
            .command("node")
            .arg(script)
            .arg(serde_json::to_string(&steps).unwrap()));
        serde_json::from_str(&screen).unwrap()
    }
}
