//! Is there an Internet, and headquarters in it?

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Finding;
use crate::uplink::captive::{Probe, Upstream};

/// Longer than a bad line takes.
const WITHIN: Duration = Duration::from_secs(5);

/// Asks what a phone would ask; none where nobody is to be asked.
pub async fn check(probe_url: &str) -> Option<Finding> {
    const CHECK: &str = "Internet";
    Some(match Probe::parse(probe_url)?.look().await {
        Upstream::Open => Finding::good(CHECK, format!("{probe_url} answers as it should")),
        Upstream::Captive => Finding::bad(
            CHECK,
            format!("somebody answers in the place of {probe_url}"),
            "the shop's own line wants a sign-in: open any page from a computer in the shop, and sign in",
        ),
        Upstream::Unreachable => Finding::bad(
            CHECK,
            format!("{probe_url} does not answer"),
            "look at the modem and its cable; guests are shown what works without",
        ),
    })
}

/// Whether headquarters' port can be reached, at `https://host:port`.
pub async fn headquarters(url: &str) -> Finding {
    const CHECK: &str = "headquarters";
    let authority = url.strip_prefix("https://").unwrap_or(url);
    let fault = match timeout(WITHIN, TcpStream::connect(authority)).await {
        Ok(Ok(_)) => return Finding::good(CHECK, format!("{authority} takes connections")),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer in {} s", WITHIN.as_secs()),
    };
    Finding::warning(
        CHECK,
        format!("{authority}: {fault}"),
        "captures wait in the journal and nothing is lost; look at headquarters, or at a firewall on the way",
    )
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::doctor::Health;

    #[tokio::test]
    async fn headquarters_that_is_away_is_a_warning() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        assert_eq!(headquarters(&url).await.health, Health::Good);
        drop(listener);
        assert_eq!(headquarters(&url).await.health, Health::Warning);
    }

    #[tokio::test]
    async fn nobody_is_asked_where_the_settings_name_nobody() {
        assert_eq!(check("").await, None);
    }
}
