//! Which window a page is shown in, and so what works there.
//!
//! | window | what it cannot do | what the pages do about it |
//! |---|---|---|
//! | Apple's, for captive networks | keep cookies, open apps or tabs | the code with "take a screenshot", no links out |
//! | Android's | stay open once the Internet is there | the code again on the page behind the tap |
//! | WeChat's | | a QR is pressed and held |
//! | Alipay's | read WeChat's codes | invitations to WeChat are left out |
//! | a browser | press and hold into WeChat | screenshot, then WeChat's scanner, then the album |
//!
//! It goes by what the phone says of itself, so it decides about hints alone and never about what a guest gets.

use super::texts::Invite;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Environment {
    AppleWindow,
    AndroidWindow,
    WeChat,
    Alipay,
    Browser,
}

/// What a request says of the program that sent it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Says<'a> {
    pub(super) user_agent: &'a str,
    /// `X-Requested-With`: the app that an Android page is shown by.
    pub(super) app: Option<&'a str>,
    /// Whether the box stands in a shop: nobody is led to a captive window from the street.
    pub(super) is_in_a_shop: bool,
}

impl Environment {
    pub(super) fn of(says: Says<'_>) -> Self {
        let has = |word: &str| says.user_agent.contains(word);
        if has("MicroMessenger/") {
            return Self::WeChat;
        }
        if has("AlipayClient/") {
            return Self::Alipay;
        }
        let last = says.user_agent.rsplit(' ').next().unwrap_or_default();
        // Safari names itself last, and an app that shows a page its own name; the window has neither.
        let is_apple = has("(iPhone;") || has("(iPad;") || has("(iPod") || has("(Macintosh;");
        let is_nameless = last.starts_with("Mobile/") || last == "Gecko)";
        // Android says which app it is, or at least that it is one; those of shops and chats say their name.
        let is_androids = match says.app {
            Some(app) => app.contains("captiveportallogin"),
            None => has("; wv)") && last.starts_with("Safari/"),
        };
        if !says.is_in_a_shop {
            Self::Browser
        } else if is_apple && is_nameless {
            Self::AppleWindow
        } else if has("Android") && is_androids {
            Self::AndroidWindow
        } else {
            Self::Browser
        }
    }

    /// Whether the window closes with the way to the Internet, and what it showed with it.
    pub(super) const fn is_passing(self) -> bool {
        matches!(self, Self::AppleWindow | Self::AndroidWindow)
    }

    /// Whether a code of WeChat's leads anywhere from here.
    pub(super) const fn knows_wechat(self) -> bool {
        !matches!(self, Self::Alipay)
    }

    /// How the QR on this very screen gets into WeChat.
    pub(super) fn how_to_scan(self, t: &Invite) -> &str {
        match self {
            Self::WeChat => &t.how_held,
            Self::AppleWindow | Self::AndroidWindow => &t.how_later,
            Self::Alipay | Self::Browser => &t.how_album,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/AP2A.240705.005";

    fn shown_in(user_agent: &str) -> Environment {
        Environment::of(Says {
            user_agent,
            app: None,
            is_in_a_shop: true,
        })
    }

    #[test]
    fn a_window_is_known_by_what_it_does_not_say() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for (user_agent, environment) in [
            (format!("{IPHONE} Mobile/15E148"), Environment::AppleWindow),
            (mac.to_owned(), Environment::AppleWindow),
            (
                format!("{IPHONE} Version/17.5 Mobile/15E148 Safari/604.1"),
                Environment::Browser,
            ),
            (
                format!(
                    "{IPHONE} Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/zh_CN"
                ),
                Environment::WeChat,
            ),
            (
                format!(
                    "{IPHONE} Mobile/15E148 NebulaSDK/1.8 AlipayClient/10.6.10 Language/zh-Hans"
                ),
                Environment::Alipay,
            ),
            (
                format!("{IPHONE} Mobile/15E148 aweme_300"),
                Environment::Browser,
            ),
            (
                format!("{ANDROID}; wv) {webkit} Version/4.0 Chrome/126.0 Mobile Safari/537.36"),
                Environment::AndroidWindow,
            ),
            (
                format!(
                    "{ANDROID}; wv) {webkit} Version/4.0 Chrome/126.0 Mobile Safari/537.36 MicroMessenger/8.0"
                ),
                Environment::WeChat,
            ),
            (
                format!(
                    "{ANDROID}; wv) {webkit} Version/4.0 Chrome/126.0 Mobile Safari/537.36 DingTalk/7.6"
                ),
                Environment::Browser,
            ),
            (
                format!("{ANDROID}) {webkit} Chrome/126.0 Mobile Safari/537.36"),
                Environment::Browser,
            ),
            ("curl/8.5".to_owned(), Environment::Browser),
            (String::new(), Environment::Browser),
        ] {
            assert_eq!(shown_in(&user_agent), environment, "{user_agent}");
        }
    }

    #[test]
    fn an_android_page_may_name_its_app() {
        let user_agent = format!("{ANDROID}; wv) AppleWebKit/537.36 Mobile Safari/537.36");
        let shown_by = |app| {
            Environment::of(Says {
                user_agent: &user_agent,
                app: Some(app),
                is_in_a_shop: true,
            })
        };
        let window = Environment::AndroidWindow;
        assert_eq!(shown_by("com.android.captiveportallogin"), window);
        assert_eq!(shown_by("com.google.android.captiveportallogin"), window);
        assert_eq!(shown_by("com.example.notes"), Environment::Browser);
    }

    #[test]
    fn the_street_has_no_captive_windows() {
        let user_agent = &format!("{IPHONE} Mobile/15E148");
        let says = Says {
            user_agent,
            ..Says::default()
        };
        assert_eq!(Environment::of(says), Environment::Browser);
    }
}
