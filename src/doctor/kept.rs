//! Can the files be read by which a box knows after a restart what is in force, and what was refused?
//!
//! Where it cannot read them it asks the linter anew, so a campaign that newer rules refuse stops.

use std::io::ErrorKind;
use std::path::Path;

use super::Finding;
use crate::ops::files::read_tree;

/// Which bundle is in force, and what was refused of either.
const OF_BUNDLES: [&str; 3] = ["bundle/current", "bundle/left-out-a", "bundle/left-out-b"];

/// The campaigns of a shop alone.
const IN_FORCE: &str = "in-force";

pub fn check(state_dir: &Path) -> Finding {
    let lists = OF_BUNDLES.map(|list| fs_err::read_to_string(state_dir.join(list)).map(drop));
    let campaigns = read_tree(&state_dir.join(IN_FORCE)).map(drop);
    for read in lists.into_iter().chain([campaigns]) {
        match read {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                return Finding::warning(
                    "kept files",
                    format!("what is in force cannot be read: {error}"),
                    "give the files below the state directory to the user that the gateway runs as; on a medium that fails, remove the file",
                );
            }
        }
    }
    Finding::good("kept files", "what is in force can be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_list_that_cannot_be_read_is_named_and_one_that_is_not_there_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(check(dir.path()).health, Health::Good);
        let list = dir.path().join("bundle/left-out-a");
        fs_err::create_dir_all(list.parent().unwrap()).unwrap();
        // A link to itself can be read by nobody, whoever runs the test.
        fs_err::os::unix::fs::symlink(&list, &list).unwrap();
        let finding = check(dir.path());
        assert_eq!(finding.health, Health::Warning);
        assert!(finding.what.contains("left-out-a"), "{finding:?}");
    }
}
