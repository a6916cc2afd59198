//! The hosts that phones and computers ask to find out whether they are online.
//!
//! Port 80 of these is never opened to a device that is not let in, even where a walled garden covers the name:
//! a phone whose check gets through sees no portal. While the Internet is away their names still need an
//! address, or a phone asks nobody and shows no page.

use super::garden::covers;

/// In small letters, sorted.
pub const CHECK_HOSTS: [&str; HOSTS] = [
    "captive.apple.com",
    "clients1.google.com",
    "clients3.google.com",
    "conn1.oppomobile.com",
    "conn2.oppomobile.com",
    "connect.rom.miui.com",
    "connectivity-check.ubuntu.com",
    "connectivity.samsung.com.cn",
    "connectivitycheck.android.com",
    "connectivitycheck.cbg-app.huawei.com",
    "connectivitycheck.gstatic.cn",
    "connectivitycheck.gstatic.com",
    "connectivitycheck.oppomobile.com",
    "connectivitycheck.platform.hicloud.com",
    "connectivitycheck.platform.hihonorcloud.com",
    "cp.cloudflare.com",
    "d2uzsrnmmf6tds.cloudfront.net",
    "detectportal.firefox.com",
    "developers.google.cn",
    "edge-http.microsoft.com",
    "fedoraproject.org",
    "g.cn",
    "ipv6.msftconnecttest.com",
    "netcts.cdn-apple.com",
    "network-test.debian.org",
    "networkcheck.kde.org",
    "nmcheck.gnome.org",
    "play.googleapis.com",
    "spectrum.s3.amazonaws.com",
    "test.steampowered.com",
    "wifi.vivo.com.cn",
    "www.airport.us",
    "www.apple.com",
    "www.appleiphonecell.com",
    "www.google.cn",
    "www.google.com",
    "www.googleapis.cn",
    "www.gstatic.com",
    "www.ibook.info",
    "www.itools.info",
    "www.msftconnecttest.com",
    "www.msftncsi.com",
    "www.qualcomm.cn",
    "www.thinkdifferent.us",
];

const HOSTS: usize = 44;

/// Whether `host`, in small letters, is one of them, or under one of them as a resolver's list sees it.
pub fn is_check_host(host: &str) -> bool {
    CHECK_HOSTS.iter().any(|check| covers(check, host))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a question: the host, the path, and the length of the answer.
    const QUESTIONS: &str = include_str!("../../../tests/fixtures/connectivity-checks.txt");

    #[test]
    fn every_recorded_question_is_asked_of_a_host_that_is_known() {
        for line in QUESTIONS.lines().filter(|line| !line.starts_with('#')) {
            let host = line.split(' ').next().unwrap();
            assert!(CHECK_HOSTS.contains(&host), "{host}");
        }
        assert!(CHECK_HOSTS.is_sorted());
        assert!(!is_check_host("weixin.qq.com") && !is_check_host("notg.cn"));
    }
}
