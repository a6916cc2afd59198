//! Can the wall be set up here, and does it stand?

use std::io;

use super::Finding;
use crate::admission::firewall::FirewallError;
use crate::admission::nft::{Layout, Program, Table, inspect};
use crate::admission::zone::Zone;

/// What it means that no kernel is touched.
pub fn dry(zones: &[Zone]) -> Finding {
    const CHECK: &str = "wall";
    const WHAT: &str =
        "admission.firewall is \"dry\": the list of devices is kept, and every device passes";
    if zones.is_empty() {
        return Finding::good(CHECK, WHAT);
    }
    Finding::warning(
        CHECK,
        WHAT,
        "set it to \"nft\", and run the gateway as root",
    )
}

/// Whether `nft` is there and speaks JSON.
pub fn program(program: &str) -> Finding {
    const CHECK: &str = "nft";
    match Program::at(program).list("tables") {
        Ok(printed) => match serde_json::from_slice::<serde_json::Value>(&printed) {
            Ok(_) => Finding::good(CHECK, "it is there and speaks JSON"),
            Err(_) => without_json(),
        },
        Err(FirewallError::Refused { said }) if said.contains("JSON") => without_json(),
        Err(FirewallError::Refused { said }) => Finding::bad(
            CHECK,
            said,
            "run the doctor as root; a kernel without nf_tables needs kmod-nft-core and kmod-nft-nat (OpenWrt)",
        ),
        Err(FirewallError::NoProgram { program, source }) => Finding::bad(
            CHECK,
            format!("cannot run {program}: {source}"),
            "install nftables, or set admission.nft to where it is",
        ),
        Err(error) => Finding::bad(
            CHECK,
            error.to_string(),
            "the gateway cannot set its wall up as long as that is so",
        ),
    }
}

fn without_json() -> Finding {
    Finding::bad(
        "nft",
        "this nft was built without JSON",
        "on OpenWrt install nftables-json instead of nftables-nojson",
    )
}

/// Whether the table is there, and whole.
pub fn table(layout: &Layout) -> Finding {
    judge(inspect(layout))
}

fn judge(table: io::Result<Table>) -> Finding {
    const CHECK: &str = "wall";
    match table {
        Ok(Table::Complete) => Finding::good(CHECK, "table inet maitred is there and whole"),
        Ok(Table::Incomplete { what }) => Finding::bad(
            CHECK,
            format!("table inet maitred is not whole: {what}"),
            "a running gateway makes it anew within seconds; start it, and look what else changes the rules",
        ),
        Ok(Table::Absent) => Finding::bad(
            CHECK,
            "there is no table inet maitred: every device passes",
            "start the gateway; its log says why it could not set the table up",
        ),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Finding::warning(
            CHECK,
            "who is not root cannot see it",
            "run the doctor as root",
        ),
        Err(error) => Finding::bad(
            CHECK,
            format!("the kernel does not answer: {error}"),
            "look whether the kernel has nf_tables",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_wall_with_a_hole_is_bad_and_one_that_cannot_be_seen_is_a_warning() {
        let what = "no set up".to_owned();
        for table in [Table::Absent, Table::Incomplete { what }] {
            assert_eq!(judge(Ok(table)).health, Health::Bad);
        }
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        assert_eq!(judge(Err(denied)).health, Health::Warning);
        assert_eq!(judge(Ok(Table::Complete)).health, Health::Good);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let finding = program("/no/such/nft");
        assert_eq!(finding.health, Health::Bad);
        assert!(finding.what.contains("/no/such/nft"), "{finding:?}");
    }
}
