//! What the wall does while something takes its time, or changes under it.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use jiff::tz::Offset;
use tokio::sync::broadcast::error::TryRecvError;

use super::book::Asked;
use super::dry::{ByAddress, DryFirewall};
use super::firewall::{Access, Entry, Mark, Meter, OnStop, Rate, Traffic};
use super::*;
use crate::ops::clock::TestClock;

/// A dry firewall that takes as long to be set up as the story wants, and works as it says.
struct Slow {
    dry: Arc<DryFirewall>,
    begun: Sender<()>,
    go_on: Mutex<Receiver<Option<FirewallError>>>,
}

impl Slow {
    /// What comes in its way, if anything does.
    fn wait(&self) -> Option<FirewallError> {
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap()
    }
}

impl Firewall for Slow {
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError> {
        match self.wait() {
            Some(error) => Err(error),
            None => self.dry.set_up(entries),
        }
    }

    fn admit(&self, entry: &Entry) -> Result<(), FirewallError> {
        self.dry.admit(entry)
    }

    fn remove(&self, mac: Mac, mark: Mark) -> Result<(), FirewallError> {
        self.dry.remove(mac, mark)
    }

    fn traffic(&self) -> Result<Vec<Traffic>, FirewallError> {
        self.dry.traffic()
    }

    fn wan(&self, is_up: bool) -> Result<(), FirewallError> {
        self.dry.wan(is_up)
    }

    fn take_down(&self, on_stop: OnStop) -> Result<(), FirewallError> {
        self.dry.take_down(on_stop)
    }
}

fn zone() -> ZoneName {
    ZoneName::try_from("guest".to_owned()).unwrap()
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

fn wall(firewall: impl Firewall) -> Wall {
    Wall::new(parts(firewall))
}

fn parts(firewall: impl Firewall) -> Parts {
    Parts {
        firewall: Box::new(firewall),
        neighbours: Box::new(ByAddress { zone: zone() }),
        clock: Arc::new(TestClock::at("2026-12-01T04:00:00Z".parse().unwrap())),
        boot: 1,
        local: Box::new(|at| Offset::UTC.to_datetime(at)),
        session: Duration::from_secs(3600),
        is_open: Box::new(|_, _| true),
        terms: Box::new(|_, _| None),
        zones: vec![zone()],
        staff: Vec::new(),
        blocked: Vec::new(),
    }
}

fn asks(last: u8) -> Asked {
    Asked {
        mac: mac(last),
        zone: zone(),
        tier: Tier::Guest,
        terms: Terms {
            session: Duration::from_secs(3600),
            idle: None,
            quota: None,
            up: None,
            down: None,
        },
    }
}

#[test]
fn while_the_wall_is_set_up_pages_go_on_nobody_is_half_let_in_and_who_leaves_is_out() {
    let dry = Arc::new(DryFirewall::default());
    let (begun, has_begun) = channel();
    let (goes_on, go_on) = channel();
    let wall = Arc::new(wall(Slow {
        dry: Arc::clone(&dry),
        begun,
        go_on: Mutex::new(go_on),
    }));
    for last in [1, 2] {
        wall.admit(&asks(last)).unwrap();
    }
    let setting_up = std::thread::spawn({
        let wall = Arc::clone(&wall);
        move || wall.set_up()
    });
    has_begun.recv().unwrap();

    // None of these waits, or this story would not go on.
    let open = |standing| matches!(standing, Standing::Open { .. });
    assert!(open(wall.standing(mac(1), &zone())));
    assert_eq!(wall.standing(mac(3), &zone()), Standing::Walled);
    wall.sweep();
    assert!(!wall.admit(&asks(1)).unwrap(), "it is in");
    let refused = wall.admit(&asks(3)).unwrap_err();
    assert!(
        matches!(refused, NotAdmitted::Firewall(FirewallError::SettingUp)),
        "{refused}"
    );
    assert_eq!(wall.standing(mac(3), &zone()), Standing::Walled);
    let refused = wall.extend(mac(1), Duration::from_secs(60)).unwrap_err();
    assert!(matches!(refused, FirewallError::SettingUp), "{refused}");
    assert!(wall.revoke(mac(2)));

    goes_on.send(None).unwrap();
    setting_up.join().unwrap().unwrap();
    assert_eq!(dry.admitted(), [mac(1)]);
    assert!(wall.admit(&asks(3)).unwrap());
    assert_eq!(dry.admitted(), [mac(1), mac(3)]);
}

#[test]
fn a_wall_that_could_not_be_set_up_says_why_until_it_is() {
    let (begun, _has_begun) = channel();
    let (goes_on, go_on) = channel();
    let wall = wall(Slow {
        dry: Arc::default(),
        begun,
        go_on: Mutex::new(go_on),
    });
    assert_eq!(wall.trouble(), None);
    let program = "nft".to_owned();
    goes_on.send(Some(FirewallError::Late { program })).unwrap();
    wall.set_up().unwrap_err();
    let why = wall.trouble().unwrap();
    assert!(why.contains("nft list tables"), "{why}");
    goes_on.send(None).unwrap();
    wall.sweep();
    assert_eq!(wall.trouble(), None);
}

#[test]
fn a_flood_of_refusals_pushes_out_nobody_who_comes_or_goes() {
    let blocked = mac(66);
    let wall = Wall::new(Parts {
        blocked: vec![blocked],
        ..parts(DryFirewall::default())
    });
    wall.set_up().unwrap();
    let (mut told, mut refused) = (wall.listen(), wall.listen_to_refusals());
    let flood = || {
        for _ in 0..10_000 {
            wall.admit(&asks(66)).unwrap_err();
        }
    };
    wall.admit(&asks(1)).unwrap();
    flood();
    wall.revoke(mac(1));
    flood();
    let what: Vec<_> = std::iter::from_fn(|| told.try_recv().ok())
        .map(|told| (told.mac, matches!(told.what, What::Ended { .. })))
        .collect();
    assert_eq!(what, [(mac(1), false), (mac(1), true)]);
    let lagged = refused.try_recv().unwrap_err();
    assert!(
        matches!(lagged, TryRecvError::Lagged(dropped) if dropped > 19_000),
        "{lagged}"
    );
    assert_eq!(refused.try_recv().unwrap().why, "blocked");
}

/// Lets a full house in.
fn crowd(wall: &Wall) {
    for number in 0..book::MOST_SESSIONS {
        let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
        let asked = Asked {
            mac: Mac([2, 0, 0, 1, high, low]),
            ..asks(0)
        };
        wall.admit(&asked).unwrap();
    }
}

#[test]
fn a_crowd_follows_the_policy_in_one_sweep() {
    let dry = Arc::new(DryFirewall::default());
    let wall = Wall::new(Parts {
        terms: Box::new(|_, _| {
            Some(Terms {
                quota: Some(1_000),
                ..asks(0).terms
            })
        }),
        ..parts(Arc::clone(&dry))
    });
    wall.set_up().unwrap();
    crowd(&wall);
    wall.sweep();
    let quota = Access::Open(Meter {
        quota: Some(1_000),
        ..Meter::default()
    });
    let admitted = dry.admitted();
    assert_eq!(admitted.len(), book::MOST_SESSIONS);
    for mac in admitted {
        assert_eq!(dry.entry(mac).unwrap().access, quota);
    }
}

#[test]
fn when_a_full_house_closes_every_end_is_heard() {
    let wall = Wall::new(Parts {
        is_open: Box::new(|_, _| false),
        ..parts(DryFirewall::default())
    });
    wall.set_up().unwrap();
    crowd(&wall);
    let mut told = wall.listen();
    wall.sweep();
    assert!(wall.is_empty());
    let heard = std::iter::from_fn(|| told.try_recv().ok()).count();
    assert_eq!(heard, book::MOST_SESSIONS);
}

#[test]
fn a_session_that_runs_follows_the_policy_and_keeps_what_staff_have_added() {
    const MINUTE: Duration = Duration::from_secs(60);
    let dry = Arc::new(DryFirewall::default());
    let policy = Arc::new(Mutex::new(None));
    let now = Arc::clone(&policy);
    let wall = Wall::new(Parts {
        terms: Box::new(move |_, _| *now.lock().unwrap()),
        ..parts(Arc::clone(&dry))
    });
    wall.set_up().unwrap();
    let granted = asks(1).terms;
    wall.admit(&asks(1)).unwrap();
    wall.admit(&asks(2)).unwrap();
    wall.extend(mac(2), MINUTE * 15).unwrap();
    // What is left to both in minutes, and what the firewall holds for the first.
    let under = |terms| {
        *policy.lock().unwrap() = terms;
        wall.sweep();
        let minutes = |listed: &Listed| listed.left.as_secs().div_ceil(60);
        let left: Vec<_> = wall.list().iter().map(minutes).collect();
        let access = dry.entry(mac(1)).map(|entry| entry.access);
        (left, access)
    };
    let open = |quota, down: Option<u64>| {
        Some(Access::Open(Meter {
            quota,
            up: None,
            down: down.map(|bytes_per_second| Rate { bytes_per_second }),
        }))
    };
    assert_eq!(under(None), (vec![60, 75], open(None, None)));
    let tight = Terms {
        session: MINUTE * 20,
        quota: Some(1_000),
        down: Some(5_000),
        ..granted
    };
    let strict = (vec![20, 35], open(Some(1_000), Some(5_000)));
    assert_eq!(under(Some(tight)), strict);
    let wide = Terms {
        session: MINUTE * 600,
        ..granted
    };
    let as_granted = (vec![60, 75], open(None, None));
    assert_eq!(under(Some(wide)), as_granted, "and no longer than that");
    let over = Terms {
        session: Duration::ZERO,
        ..granted
    };
    under(Some(over));
    wall.sweep();
    let listed: Vec<_> = wall.list().iter().map(|listed| listed.mac).collect();
    assert_eq!(listed, [mac(2)]);
    assert_eq!(dry.admitted(), [mac(2)]);
}

#[tokio::test]
async fn who_taps_while_the_wall_is_set_up_waits_for_it() {
    let (begun, has_begun) = channel();
    let (goes_on, go_on) = channel();
    let wall = Arc::new(wall(Slow {
        dry: Arc::default(),
        begun,
        go_on: Mutex::new(go_on),
    }));
    wall.settled().await;
    let setting_up = std::thread::spawn({
        let wall = Arc::clone(&wall);
        move || wall.set_up()
    });
    has_begun.recv().unwrap();
    let mut waits = Box::pin(wall.settled());
    tokio::select! {
        biased;
        () = &mut waits => panic!("it is being set up"),
        () = std::future::ready(()) => {}
    }
    goes_on.send(None).unwrap();
    waits.await;
    assert!(wall.admit(&asks(1)).unwrap());
    setting_up.join().unwrap().unwrap();
}
