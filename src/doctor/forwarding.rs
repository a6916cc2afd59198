//! Does the kernel pass on what guests send?

use super::Finding;

pub fn check() -> Vec<Finding> {
    [
        (
            "IPv4 forwarding",
            "net/ipv4/ip_forward",
            "net.ipv4.ip_forward",
        ),
        (
            "IPv6 forwarding",
            "net/ipv6/conf/all/forwarding",
            "net.ipv6.conf.all.forwarding",
        ),
    ]
    .map(|(check, file, key)| {
        let is_on = fs_err::read_to_string(format!("/proc/sys/{file}"));
        judge(check, key, is_on.ok().as_deref().map(str::trim))
    })
    .into()
}

fn judge(check: &'static str, key: &str, value: Option<&str>) -> Finding {
    match value {
        Some("1") => Finding::good(check, "on"),
        // A kernel without a version has nothing to forward, and no wall to put before it.
        None => Finding::good(check, "this kernel does not have it"),
        Some(_) => Finding::bad(
            check,
            "off: guests who are let in reach nothing",
            &format!("sysctl -w {key}=1, and the same line in /etc/sysctl.d for the next start"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Health;

    #[test]
    fn a_box_that_does_not_forward_is_told_how() {
        let off = judge("IPv4 forwarding", "net.ipv4.ip_forward", Some("0"));
        assert_eq!(off.health, Health::Bad);
        assert!(
            off.hint
                .unwrap()
                .starts_with("sysctl -w net.ipv4.ip_forward=1")
        );
        assert_eq!(judge("", "", Some("1")).health, Health::Good);
    }
}
