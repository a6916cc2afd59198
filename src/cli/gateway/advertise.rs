//! When phones may be told where to ask (RFC 8910): while they would reach the API, and believe it.
//!
//! A phone that is told asks nothing else any more, so three things have to be so: phones take the certificate,
//! somebody listens, and in every guest network the portal's name leads to this box. The name is asked of the
//! resolver that phones there ask, every minute and on nobody's way. One that does not lead here takes the
//! address back only when it still does not a moment later: a resolver that is restarted misses a question.

use std::time::Duration;

use tokio::sync::watch;

use crate::admission::zone::Zone;
use crate::doctor::names::leads_here;
use crate::ops::tasks::Tasks;
use crate::portal::https::Https;

/// Somebody who edits the resolver's settings waits no longer than a lease's renewal.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// While the name does not lead here: at the start dnsmasq has yet to read it.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Questions in a row that have to go wrong.
const MISSES: u8 = 2;

/// What phones are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advert {
    /// The address of the API.
    Url(String),
    Nothing(Because),
}

/// Why they are told nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// They would not take the certificate.
    Certificate,
    NobodyListens,
    NameLeadsElsewhere,
}

impl Advert {
    pub(in crate::cli) fn url(&self) -> Option<String> {
        match self {
            Self::Url(url) => Some(url.clone()),
            Self::Nothing(_) => None,
        }
    }
}

/// What it depends on, besides the resolver.
pub(super) struct Conditions {
    pub(super) https: watch::Receiver<Https>,
    pub(super) is_listening: watch::Receiver<bool>,
}

impl Conditions {
    /// The name that has to lead here, and what phones may be told then.
    fn met(&mut self) -> Result<(String, String), Because> {
        let is_listening = *self.is_listening.borrow_and_update();
        let https = self.https.borrow_and_update();
        match (&https.host, https.capport_url()) {
            (Some(host), Some(url)) if is_listening => Ok((host.clone(), url)),
            (Some(_), Some(_)) => Err(Because::NobodyListens),
            (Some(_) | None, None) | (None, Some(_)) => Err(Because::Certificate),
        }
    }
}

/// Follows all three, for phones in `zones`.
pub(super) fn follow(
    conditions: Conditions,
    zones: Vec<Zone>,
    tasks: &Tasks,
) -> watch::Receiver<Advert> {
    let zones: std::sync::Arc<[Zone]> = zones.into();
    let look = move |host: String| {
        let zones = std::sync::Arc::clone(&zones);
        async move {
            for zone in zones.iter() {
                if !leads_here(zone, &host).await {
                    return false;
                }
            }
            true
        }
    };
    follow_by(conditions, look, tasks)
}

fn follow_by<L, F>(mut conditions: Conditions, look: L, tasks: &Tasks) -> watch::Receiver<Advert>
where
    L: Fn(String) -> F + Send + 'static,
    F: Future<Output = bool> + Send,
{
    let (sender, receiver) = watch::channel(Advert::Nothing(Because::Certificate));
    let own = tasks.clone();
    tasks.spawn("advertising", async move {
        let mut name = Name::default();
        loop {
            let now = match conditions.met() {
                Err(because) => Advert::Nothing(because),
                Ok((host, url)) => tokio::select! {
                    leads_here = look(host.clone()) => match name.learn(&host, leads_here) {
                        true => Advert::Url(url),
                        false => Advert::Nothing(Because::NameLeadsElsewhere),
                    },
                    () = own.stopping() => return,
                },
            };
            let pause = name.pause();
            tell(&sender, now);
            tokio::select! {
                Ok(()) = conditions.https.changed() => {}
                Ok(()) = conditions.is_listening.changed() => {}
                () = tokio::time::sleep(pause) => {}
                () = own.stopping() => return,
            }
        }
    });
    receiver
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Name {
    host: String,
    leads_here: bool,
    /// In a row.
    misses: u8,
}

impl Name {
    /// Takes in an answer; whether the name is to be taken to lead here.
    fn learn(&mut self, host: &str, leads_here: bool) -> bool {
        if self.host != host {
            *self = Self {
                host: host.to_owned(),
                ..Self::default()
            };
        }
        self.misses = match leads_here {
            true => 0,
            false => self.misses.saturating_add(1),
        };
        self.leads_here = leads_here || (self.leads_here && self.misses < MISSES);
        self.leads_here
    }

    const fn pause(&self) -> Duration {
        match self.misses {
            0 => LOOK_EVERY,
            _ => LOOK_AGAIN_AFTER,
        }
    }
}

fn tell(sender: &watch::Sender<Advert>, now: Advert) {
    if *sender.borrow() == now {
        return;
    }
    match &now {
        Advert::Url(_) => tracing::info!("phones are told where the portal's API is"),
        // Who looks after these has said why.
        Advert::Nothing(Because::Certificate | Because::NobodyListens) => {}
        Advert::Nothing(Because::NameLeadsElsewhere) => tracing::warn!(
            "phones are not told where the portal's API is: its name does not lead here in every guest network"
        ),
    }
    sender.send_replace(now);
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::ops::certificate::Fit;

    const URL: &str = "https://sz01.sw.cn/capport";

    fn https(fit: Fit) -> Https {
        Https {
            host: Some("sz01.sw.cn".to_owned()),
            fit,
            refused: None,
        }
    }

    fn good() -> Fit {
        Fit::Good {
            until: "2027-01-01T00:00:00Z".parse().unwrap(),
        }
    }

    struct Story {
        https: watch::Sender<Https>,
        is_listening: watch::Sender<bool>,
        leads_here: watch::Sender<bool>,
        advert: watch::Receiver<Advert>,
        tasks: Tasks,
    }

    impl Story {
        fn begin() -> Self {
            let (https, follow_https) = watch::channel(https(good()));
            let (is_listening, follow_listening) = watch::channel(true);
            let (leads_here, answer) = watch::channel(true);
            let conditions = Conditions {
                https: follow_https,
                is_listening: follow_listening,
            };
            let tasks = Tasks::new();
            let look = move |_| std::future::ready(*answer.borrow());
            let advert = follow_by(conditions, look, &tasks);
            Self {
                https,
                is_listening,
                leads_here,
                advert,
                tasks,
            }
        }

        /// Waits for it; how long that took.
        async fn until(&mut self, expected: Advert) -> Duration {
            let start = Instant::now();
            self.advert.wait_for(|now| *now == expected).await.unwrap();
            start.elapsed()
        }
    }

    fn told() -> Advert {
        Advert::Url(URL.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn phones_are_told_only_while_all_three_are_so() {
        let mut story = Story::begin();
        story.until(told()).await;

        story.https.send_replace(https(Fit::Expired));
        story.until(Advert::Nothing(Because::Certificate)).await;
        story.https.send_replace(https(good()));
        story.until(told()).await;

        story.is_listening.send_replace(false);
        story.until(Advert::Nothing(Because::NobodyListens)).await;
        story.is_listening.send_replace(true);
        story.until(told()).await;

        story.leads_here.send_replace(false);
        let elsewhere = Advert::Nothing(Because::NameLeadsElsewhere);
        assert!(story.until(elsewhere).await <= LOOK_EVERY + LOOK_AGAIN_AFTER);
        story.leads_here.send_replace(true);
        assert!(story.until(told()).await <= LOOK_AGAIN_AFTER);
        story.tasks.stop();
    }

    #[test]
    fn a_name_that_misses_one_question_still_leads_here_and_a_new_name_does_not() {
        let mut name = Name::default();
        let mut learn = |host, leads_here| name.learn(host, leads_here);
        assert!(!learn("a", false), "it has never led here");
        assert!(learn("a", true));
        assert!(learn("a", false));
        assert!(learn("a", true));
        assert!(learn("a", false));
        assert!(!learn("a", false));
        assert!(learn("a", true));
        assert!(!learn("b", false), "nobody has asked for it before");
    }
}
