//! Many guests at once, who remember what they were shown.
//!
//! A guest who got no answer taps again with the same tap, as a phone's reload does, until there is one. So
//! at the end every tap was answered, and whatever else headquarters has was never asked for.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;
use maitred::ops::tasks::Tasks;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{claim_fields, table};

/// How many tables of the fixture the guests sit at.
const TABLES: usize = 7;

/// The form of one landing page.
pub(crate) type Tapped = [(&'static str, String); 3];

/// A tap that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) tapped: Tapped,
    /// Where the answer led: `/c/<coupon>`.
    pub(crate) path: String,
    /// What the crowd's clock said when the answer was there.
    pub(crate) at: u64,
}

impl Held {
    pub(crate) fn coupon(&self) -> &str {
        self.path.strip_prefix("/c/").unwrap()
    }
}

/// What the guests have seen together.
#[derive(Debug, Default)]
struct Seen {
    held: Vec<Held>,
    /// Taps that were answered with "nothing was kept".
    refused: u64,
}

/// Guests who tap as fast as they can.
pub(crate) struct Crowd {
    doors: watch::Sender<Option<SocketAddr>>,
    going_home: watch::Sender<bool>,
    guests: JoinSet<()>,
    seen: Arc<Mutex<Seen>>,
}

impl Crowd {
    /// So many guests, spread over the tables. `clock` tells when an answer arrived.
    pub(crate) fn of(guests: usize, clock: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        let clock: Arc<dyn Fn() -> u64 + Send + Sync> = Arc::new(clock);
        let mut crowd = Self {
            doors: watch::channel(None).0,
            going_home: watch::channel(false).0,
            guests: JoinSet::new(),
            seen: Arc::default(),
        };
        for guest in 0..guests {
            let guest = Guest {
                table: table(1 + guest % TABLES),
                doors: crowd.doors.subscribe(),
                going_home: crowd.going_home.subscribe(),
                seen: Arc::clone(&crowd.seen),
                clock: Arc::clone(&clock),
            };
            crowd.guests.spawn(guest.visit());
        }
        crowd
    }

    /// Tells the guests where the portal is now.
    pub(crate) fn come_in(&self, portal: SocketAddr) {
        self.doors.send_replace(Some(portal));
    }

    /// How many coupons the guests hold.
    pub(crate) fn held(&self) -> usize {
        self.seen.lock().unwrap().held.len()
    }

    pub(crate) fn refused(&self) -> u64 {
        self.seen.lock().unwrap().refused
    }

    /// Sends everybody home once they have their answers, so somebody must answer; what they hold.
    pub(crate) async fn go_home(mut self) -> Vec<Held> {
        self.going_home.send_replace(true);
        while let Some(ended) = self.guests.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut self.seen.lock().unwrap().held)
    }
}

struct Guest {
    table: String,
    doors: watch::Receiver<Option<SocketAddr>>,
    going_home: watch::Receiver<bool>,
    seen: Arc<Mutex<Seen>>,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Guest {
    async fn visit(mut self) {
        let mut unanswered = None;
        loop {
            if *self.going_home.borrow() && unanswered.is_none() {
                return;
            }
            let portal = *self.doors.borrow_and_update();
            let answered = match portal {
                Some(portal) => self.tap_once(portal, &mut unanswered).await,
                None => None,
            };
            if answered.is_none() {
                self.wait_for_news().await;
            }
        }
    }

    /// One guest's visit, or the repetition of a tap that had no answer. None if nobody was there.
    async fn tap_once(&self, portal: SocketAddr, unanswered: &mut Option<Tapped>) -> Option<()> {
        let mut phone = Phone::open(portal, &Tasks::new()).await.ok()?;
        let tapped = match unanswered.take() {
            Some(tapped) => tapped,
            None => {
                let landing = phone.get(&format!("/t/{}", self.table)).await.ok()?;
                assert_eq!(landing.status, StatusCode::OK, "{}", landing.html);
                claim_fields(&landing)
            }
        };
        let answer = tap_again(&mut phone, &tapped).await;
        let at = (self.clock)();
        let mut seen = self.seen.lock().unwrap();
        match answer {
            Ok(Some(path)) => {
                seen.held.push(Held { tapped, path, at });
                Some(())
            }
            Ok(None) => {
                seen.refused += 1;
                *unanswered = Some(tapped);
                None
            }
            Err(()) => {
                *unanswered = Some(tapped);
                None
            }
        }
    }

    /// Another portal, or a moment: the same one may be back.
    async fn wait_for_news(&mut self) {
        // Between two knocks at a door; nothing hangs on how long.
        let moment = tokio::time::sleep(Duration::from_millis(25));
        tokio::select! {
            () = moment => {}
            news = self.doors.changed() => news.unwrap(),
        }
    }
}

/// Sends the form of a landing page, perhaps not for the first time: the coupon's path, none if nothing was
/// kept, or an error if there was no answer.
pub(crate) async fn tap_again(phone: &mut Phone, tapped: &Tapped) -> Result<Option<String>, ()> {
    let fields: Vec<_> = tapped
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = phone.post("/claim", &fields).await.map_err(|_| ())?;
    match answer.status {
        StatusCode::SEE_OTHER => Ok(answer.location),
        StatusCode::SERVICE_UNAVAILABLE => Ok(None),
        other => panic!("a tap was answered with {other}: {}", answer.html),
    }
}
