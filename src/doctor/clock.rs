//! Is the clock plausible? A box without a battery wakes up in 1970.

use jiff::Timestamp;

use super::Finding;

/// No box ran this version before it was written.
const FIRST_RELEASE: &str = "2026-11-01T00:00:00Z";

pub fn check(now: Timestamp) -> Finding {
    let released: Timestamp = FIRST_RELEASE.parse().expect("a literal time");
    if now < released {
        Finding::bad(
            "clock",
            format!("the clock says {now:.0}, before this version existed"),
            "let the box reach a time server (NTP), or set the time by hand",
        )
    } else {
        Finding::good("clock", format!("the clock says {now:.0}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_box_in_1970_is_told_to_find_a_time_server() {
        assert_eq!(check(Timestamp::UNIX_EPOCH).health, Health::Bad);
    }
}
