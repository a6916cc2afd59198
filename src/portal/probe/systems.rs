//! What each system asks to find out whether it is online, and the answer that it takes for yes.
//!
//! Names, paths and bodies byte for byte as the systems ask: Apple, AOSP and the makers of phones in China,
//! Microsoft, Mozilla, Amazon, and the Linux desktops (`NetworkManager`). A path that only ever means one thing
//! is known at any host, because makers change their hosts and not their paths.

/// The answer that means "online" to whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// 204, without a body.
    NoContent,
    /// 204 with the header that Ubuntu's `NetworkManager` looks at.
    NetworkManager,
    Html(&'static str),
    Text(&'static str),
}

impl Expected {
    pub(super) fn is_apples(self) -> bool {
        [Self::Html(APPLE), Self::Html(APPLE_AND_LINE_FEED)].contains(&self)
    }
}

/// 68 bytes; what most hosts of Apple say.
const APPLE: &str = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>";

/// 69 bytes: `captive.apple.com` adds a line feed.
const APPLE_AND_LINE_FEED: &str =
    "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>\n";

/// A Kindle looks for this number anywhere in the page.
const KINDLE: &str = "<html><body>81ce4465-7167-4dcb-835b-dcc9e44c112a</body></html>";

const MOZILLA: &str = "<meta http-equiv=\"refresh\" content=\"0;url=https://support.mozilla.org/kb/captive-portal\"/>";

/// Hosts of which Apple's systems ask any path.
const APPLES: [&str; 7] = [
    "captive.apple.com",
    "netcts.cdn-apple.com",
    "www.appleiphonecell.com",
    "www.airport.us",
    "www.ibook.info",
    "www.itools.info",
    "www.thinkdifferent.us",
];

/// What the asker of `path` at `host` takes for "online"; none if this is no such question.
pub(super) fn expected(host: &str, path: &str) -> Option<Expected> {
    let answer = match (host, path) {
        (_, "/generate_204" | "/gen_204" | "/captiveportal/generate_204")
        | ("test.steampowered.com", "/204") => Expected::NoContent,
        ("captive.apple.com", _) | (_, "/hotspot-detect.html") => {
            Expected::Html(APPLE_AND_LINE_FEED)
        }
        (_, "/library/test/success.html") => Expected::Html(APPLE),
        (host, _) if APPLES.contains(&host) => Expected::Html(APPLE),
        (_, "/connecttest.txt") => Expected::Text("Microsoft Connect Test"),
        (_, "/ncsi.txt") => Expected::Text("Microsoft NCSI"),
        ("detectportal.firefox.com", "/success.txt") => Expected::Text("success\n"),
        ("detectportal.firefox.com", "/canonical.html") => Expected::Html(MOZILLA),
        (_, "/kindle-wifi/wifistub.html" | "/kindle-wifi/wifistub-eink.html") => {
            Expected::Html(KINDLE)
        }
        ("connectivity-check.ubuntu.com", _) => Expected::NetworkManager,
        ("nmcheck.gnome.org", "/check_network_status.txt") => {
            Expected::Text("NetworkManager is online")
        }
        ("network-test.debian.org", "/nm") => Expected::Text("NetworkManager is online\n"),
        ("networkcheck.kde.org", _) | ("fedoraproject.org", "/static/hotspot.txt") => {
            Expected::Text("OK")
        }
        _ => return None,
    };
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One line a question: the host, the path, and the length of the body that says yes.
    const QUESTIONS: &str = include_str!("../../../tests/fixtures/connectivity-checks.txt");

    #[test]
    fn every_system_is_known_and_gets_a_body_of_the_length_it_expects() {
        let mut asked = 0;
        for line in QUESTIONS.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let mut word = || words.next().unwrap();
            let (host, path, bytes) = (word(), word(), word().parse::<usize>().unwrap());
            let length = match expected(host, path) {
                Some(Expected::NoContent | Expected::NetworkManager) => 0,
                Some(Expected::Html(body) | Expected::Text(body)) => body.len(),
                None => panic!("{line} is not known"),
            };
            assert_eq!(length, bytes, "{line}");
            asked += 1;
        }
        assert!(asked > 30, "{asked}");
    }

    #[test]
    fn a_page_of_ours_is_no_question() {
        for (host, path) in [
            ("sz01.sw.cn", "/menu"),
            ("www.apple.com", "/"),
            ("detectportal.firefox.com", "/"),
        ] {
            assert_eq!(expected(host, path), None, "{host}{path}");
        }
    }
}
