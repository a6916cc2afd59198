//! What the wall does while something takes its time, or changes under it.

use std::sync::mpsc::{Receiver, Sender, channel};

use jiff::tz::Offset;

use super::dry::{ByAddress, DryFirewall};
use super::firewall::Traffic;
use super::*;
use crate::domain::wifi::Terms;
use crate::ops::clock::TestClock;

/// A dry firewall that takes as long to be set up as the story wants.
struct Slow {
    dry: Arc<DryFirewall>,
    begun: Sender<()>,
    go_on: Mutex<Receiver<()>>,
}

impl Slow {
    fn wait(&self) {
        self.begun.send(()).unwrap();
        self.go_on.lock().unwrap().recv().unwrap();
    }
}

impl Firewall for Slow {
    fn set_up(&self, entries: &[Entry]) -> Result<(), FirewallError> {
        self.wait();
        self.dry.set_up(entries)
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
    assert!(wall.revoke(mac(2)));

    goes_on.send(()).unwrap();
    setting_up.join().unwrap().unwrap();
    assert_eq!(dry.admitted(), [mac(1)]);
    assert!(wall.admit(&asks(3)).unwrap());
    assert_eq!(dry.admitted(), [mac(1), mac(3)]);
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
    goes_on.send(()).unwrap();
    waits.await;
    assert!(wall.admit(&asks(1)).unwrap());
    setting_up.join().unwrap().unwrap();
}
