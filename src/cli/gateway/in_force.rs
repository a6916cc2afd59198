//! The campaigns that a shop without headquarters runs, kept over restarts: `<state dir>/in-force/`.
//!
//! Rules that come with a newer version do not stop what guests hold coupons of. A box with headquarters knows that
//! from the bundle it has; here it is the files as they were when they were let through, with what was answered for
//! and whose law counted then.

use std::io;
use std::path::Path;

use crate::ops::files::{Readers, read_tree, write_tree};
use crate::wire::bundle::{Bundle, Files};

/// Leaves out of `bundle`, which was read from `dir`, what the linter refuses and did not run here before.
pub(super) fn leave_out_refused(
    bundle: &mut Bundle,
    dir: &Path,
    state_dir: &Path,
) -> io::Result<()> {
    let kept = state_dir.join("in-force");
    // At the first start nothing is kept, and what cannot be read does not run.
    let read = match read_tree(&kept) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Files::new()),
        read => read,
    };
    let files = read.as_ref().cloned().unwrap_or_default();
    let running = Bundle::from_folder(&files).unwrap_or_else(|faults| {
        for fault in &faults {
            tracing::error!(%fault, "a campaign that ran before cannot be read, and none counts as such");
        }
        Bundle::default()
    });
    let verdict = bundle.leave_out_refused(&running);
    for fault in &verdict.faults {
        tracing::error!(%fault, "a campaign is refused and left out");
    }
    for fault in &verdict.flagged {
        tracing::warn!(%fault, "a campaign that newer rules refuse runs on");
    }
    for fault in bundle.leave_out_refused_words() {
        tracing::error!(%fault, "words are refused; guests read others or none");
    }
    if let Err(error) = read {
        // Nothing is written over it: whoever mends it has it back with the next start.
        tracing::error!(
            kind = %error.kind(),
            "the campaigns that ran before cannot be read; what the linter refuses does not run until they can"
        );
        return Ok(());
    }
    let mut in_force = Files::new();
    for file in bundle.judged() {
        if dir.join(&file).exists() {
            in_force.insert(file.clone(), fs_err::read(dir.join(&file))?);
        }
    }
    write_tree(&kept, &in_force, Readers::OnlyUs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../tests/fixtures/chain/campaigns/quiet-hours.toml");
    const UNLAWFUL: &str = include_str!("../../../tests/fixtures/unlawful/share-to-moments.toml");

    struct TestShop {
        dir: tempfile::TempDir,
    }

    impl TestShop {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            fs_err::create_dir_all(dir.path().join("chain/campaigns")).unwrap();
            Self { dir }
        }

        fn write(&self, file: &str, text: &str) {
            fs_err::write(self.dir.path().join(file), text).unwrap();
        }

        /// The campaigns after a start.
        fn start(&self) -> Vec<String> {
            let chain = self.dir.path().join("chain");
            let mut bundle = Bundle::from_folder(&read_tree(&chain).unwrap()).unwrap();
            leave_out_refused(&mut bundle, &chain, &self.dir.path().join("state")).unwrap();
            bundle.campaigns.keys().map(ToString::to_string).collect()
        }
    }

    #[test]
    fn what_is_refused_never_runs_and_what_ran_is_not_stopped_by_newer_rules() {
        let shop = TestShop::new();
        shop.write("chain/campaigns/quiet-hours.toml", GOOD);
        shop.write("chain/campaigns/share-to-moments.toml", UNLAWFUL);
        assert_eq!(shop.start(), ["quiet-hours"]);
        assert_eq!(shop.start(), ["quiet-hours"]);

        // As if it had been let through by rules that did not know better.
        shop.write("state/in-force/campaigns/share-to-moments.toml", UNLAWFUL);
        assert_eq!(shop.start(), ["quiet-hours", "share-to-moments"]);
        assert_eq!(shop.start(), ["quiet-hours", "share-to-moments"]);

        let edited = UNLAWFUL.replace("percent = 50", "percent = 40");
        shop.write("chain/campaigns/share-to-moments.toml", &edited);
        assert_eq!(shop.start(), ["quiet-hours"]);
        shop.write("chain/campaigns/share-to-moments.toml", UNLAWFUL);
        assert_eq!(shop.start(), ["quiet-hours"], "it was stopped once");

        let answers = "[share-to-moments]\nR03 = \"Wang Fang: one shop\"\n\
                       R26 = \"Wang Fang: it hangs by the till\"\n";
        shop.write("chain/overrides.toml", answers);
        assert_eq!(shop.start(), ["quiet-hours", "share-to-moments"]);
        fs_err::remove_file(shop.dir.path().join("chain/overrides.toml")).unwrap();
        assert_eq!(shop.start(), ["quiet-hours"], "nobody answers for it now");
    }

    #[test]
    fn what_ran_before_and_cannot_be_read_does_not_run_until_it_can() {
        let shop = TestShop::new();
        shop.write("chain/campaigns/share-to-moments.toml", UNLAWFUL);
        fs_err::create_dir_all(shop.dir.path().join("state/in-force/campaigns")).unwrap();
        shop.write("state/in-force/campaigns/share-to-moments.toml", UNLAWFUL);
        let unreadable = shop.dir.path().join("state/in-force/campaigns/other.toml");
        // A link to itself can be read by nobody, whoever runs the test.
        fs_err::os::unix::fs::symlink(&unreadable, &unreadable).unwrap();
        assert!(shop.start().is_empty());
        fs_err::remove_file(&unreadable).unwrap();
        assert_eq!(shop.start(), ["share-to-moments"]);
    }
}
