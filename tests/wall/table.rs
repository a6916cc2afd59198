//! The table and its elements, as the kernel keeps them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use maitred::admission::Mac;
use maitred::admission::firewall::{
    Access, Entry, Firewall, FirewallError, Mark, Meter, OnStop, Place, Rate, Traffic,
};
use maitred::admission::nft::{NftFirewall, Table, Watch, inspect};

use crate::lab::{self, PATIENCE, guest_mac, layout, nft, wall};

pub(crate) fn entry(number: u8, access: Access) -> Entry {
    Entry {
        mac: guest_mac(number),
        mark: Mark::new(number.into(), Place::of(0), &access),
        access,
        lasts: Duration::from_secs(600),
    }
}

pub(crate) fn open(number: u8) -> Entry {
    entry(number, Access::Open(Meter::default()))
}

pub(crate) fn metered(number: u8) -> Entry {
    entry(
        number,
        Access::Open(Meter {
            quota: Some(5_000_000),
            up: Some(Rate {
                bytes_per_second: 100_000,
            }),
            down: Some(Rate {
                bytes_per_second: 200_000,
            }),
        }),
    )
}

#[expect(clippy::disallowed_methods, reason = "the kernel is waited for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The elements of a set, as nft shows them.
fn elements(set: &str) -> String {
    let kind = if set == "guests" { "map" } else { "set" };
    let shown = nft(&format!("list {kind} inet maitred {set}"));
    let inside = shown.split_once("elements = {").map(|(_, rest)| rest);
    inside
        .unwrap_or_default()
        .split('}')
        .next()
        .unwrap()
        .to_owned()
}

#[test]
fn a_table_is_set_up_whole_and_replaced_whole() {
    lab::inside(|| {
        assert_eq!(inspect(&layout()).unwrap(), Table::Absent);
        let wall = NftFirewall::open(layout(), "nft").unwrap();
        wall.set_up(&[metered(1), entry(2, Access::Garden)])
            .unwrap();
        assert_eq!(inspect(&layout()).unwrap(), Table::Complete);
        let guests = elements("guests");
        assert!(guests.contains("02:00:00:00:00:01 timeout 10m"), "{guests}");
        assert!(guests.contains("02:00:00:00:00:02 timeout 10m"), "{guests}");
        let up = elements("up");
        assert!(
            up.contains("limit rate 100000 bytes/second burst 64 kbytes counter"),
            "{up}"
        );
        assert!(elements("down").contains("limit rate 200000 bytes/second"));
        assert!(elements("spent").contains("quota over 5000000 bytes"));
        assert!(elements("passing").contains("0x02010002"));

        // What dnsmasq has added outlives it; a device that is no longer wanted does not.
        nft("add element inet maitred garden4_guest { 192.0.2.7 timeout 1h }");
        nft("add element inet maitred pass6_vip { 2001:db8::7 }");
        wall.set_up(&[open(1)]).unwrap();
        assert_eq!(inspect(&layout()).unwrap(), Table::Complete);
        let garden = elements("garden4_guest");
        assert!(
            garden.contains("192.0.2.7") && garden.contains("expires 59m"),
            "{garden}"
        );
        assert!(elements("pass6_vip").contains("2001:db8::7"));
        assert!(!elements("guests").contains("02:00:00:00:00:02"));
        assert!(!elements("up").contains("limit"));
    });
}

#[test]
fn a_table_with_a_part_missing_is_told_from_a_whole_one() {
    lab::inside(|| {
        let wall = wall();
        for (damage, what) in [
            ("flush chain inet maitred input", "the chain input "),
            (
                "insert rule inet maitred from_vip accept",
                "the chain from_vip ",
            ),
            (
                "flush chain inet maitred prerouting; delete chain inet maitred prerouting",
                "the chain prerouting is missing",
            ),
            (
                "flush table inet maitred; delete set inet maitred up",
                "the set up is missing",
            ),
        ] {
            nft(damage);
            let Table::Incomplete { what: found } = inspect(&layout()).unwrap() else {
                panic!("{damage} goes unnoticed");
            };
            assert!(found.starts_with(what), "{damage}: {found}");
            wall.set_up(&[]).unwrap();
            assert_eq!(inspect(&layout()).unwrap(), Table::Complete);
        }
    });
}

#[test]
fn a_device_comes_and_changes_and_goes() {
    lab::inside(|| {
        let wall = wall();
        let pass = entry(1, Access::Garden);
        wall.admit(&pass).unwrap();
        assert!(elements("passing").contains("0x02010001"));
        assert!(elements("guests").contains(": 0x02010001"));

        // From the pass to a session, and to one with other limits: nothing is left of the one before.
        wall.admit(&metered(1)).unwrap();
        assert_eq!(elements("passing"), "");
        assert!(elements("guests").contains(": 0x01010001"));
        assert!(elements("spent").contains("quota over 5000000 bytes"));
        wall.admit(&open(1)).unwrap();
        assert_eq!(elements("spent"), "");
        assert!(!elements("up").contains("limit"));
        let nothing = Traffic {
            mark: open(1).mark,
            up: 0,
            down: 0,
            quota_used: None,
        };
        assert_eq!(wall.traffic().unwrap(), [nothing]);

        // A session that goes on lasts as long as it says now.
        let longer = Entry {
            lasts: Duration::from_secs(7200),
            ..open(1)
        };
        wall.admit(&longer).unwrap();
        assert!(elements("guests").contains("timeout 2h"));

        wall.remove(longer.mac, longer.mark).unwrap();
        assert!(!elements("guests").contains("02:00"));
        assert_eq!(wall.traffic().unwrap(), []);
        // Once more is no error.
        wall.remove(longer.mac, longer.mark).unwrap();
    });
}

/// Devices that pass as they like.
fn crowd(size: u16) -> Vec<Entry> {
    let device = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let mac = Mac([6, 0, 0, 0, high, low]);
        Entry::unlimited(mac, number, Duration::from_secs(600))
    };
    (0..size).map(device).collect()
}

#[test]
fn a_box_that_comes_back_has_every_device_in_within_three_seconds() {
    lab::inside(|| {
        let wall = wall();
        let crowd = crowd(2_000);
        let began = now();
        wall.set_up(&crowd).unwrap();
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
        assert_eq!(wall.traffic().unwrap().len(), crowd.len());
        assert_eq!(elements("guests").matches("06:00:").count(), crowd.len());
    });
}

#[test]
fn a_full_set_and_a_lost_table_are_told_apart_and_admit_nobody() {
    lab::inside(|| {
        let wall = wall();
        let crowd = crowd(4_096);
        for device in &crowd {
            wall.admit(device).unwrap();
        }
        let one_more = Entry {
            mark: Mark::from_bits(0x0100_ffff),
            ..open(1)
        };
        assert!(matches!(wall.admit(&one_more), Err(FirewallError::Full)));
        assert!(!elements("up").contains("0x0100ffff"));
        // A device that is in can still be changed, and one that goes makes room.
        wall.admit(&crowd[7]).unwrap();
        wall.remove(crowd[7].mac, crowd[7].mark).unwrap();
        wall.admit(&one_more).unwrap();

        nft("flush ruleset");
        assert!(matches!(wall.admit(&open(1)), Err(FirewallError::Gone)));
        assert!(matches!(wall.traffic(), Err(FirewallError::Gone)));
    });
}

#[test]
fn stopping_leaves_the_wall_as_configured() {
    lab::inside(|| {
        let wall = wall();
        wall.admit(&metered(1)).unwrap();
        wall.take_down(OnStop::Keep).unwrap();
        assert!(elements("guests").contains("02:00:00:00:00:01"));
        wall.take_down(OnStop::Close).unwrap();
        assert_eq!(elements("guests").trim(), "* : 0x00000000");
        assert_eq!(elements("up"), "");
        assert_eq!(inspect(&layout()).unwrap(), Table::Complete);
        wall.take_down(OnStop::Open).unwrap();
        assert_eq!(inspect(&layout()).unwrap(), Table::Absent);
    });
}

#[test]
fn an_absent_internet_is_known_to_the_next_table_too() {
    lab::inside(|| {
        let wall = wall();
        wall.wan(false).unwrap();
        let away = |elements: &str| elements.contains("to-phone") && elements.contains("to-vip");
        assert!(away(&elements("wan_away")));
        wall.set_up(&[]).unwrap();
        assert!(away(&elements("wan_away")));
        wall.wan(true).unwrap();
        assert_eq!(elements("wan_away"), "");
    });
}

#[test]
fn a_table_that_somebody_flushes_is_missed_within_a_second() {
    lab::inside(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let wall = Arc::new(wall());
        let mut watch = Watch::start(Arc::clone(&wall)).unwrap();
        let mut is_lost = |within| {
            runtime.block_on(async {
                tokio::time::timeout(within, watch.lost())
                    .await
                    .map(Result::unwrap)
            })
        };
        let soon = Duration::from_millis(100);

        // Our own work, dnsmasq's, and what other people do to other tables.
        for calm in [
            "add table inet other; add chain inet other x; delete table inet other",
            "add table ip maitred; delete table ip maitred",
            "add element inet maitred garden4_guest { 192.0.2.7 }",
        ] {
            nft(calm);
            wall.admit(&metered(1)).unwrap();
            wall.set_up(&[metered(1), open(2)]).unwrap();
            wall.remove(guest_mac(1), metered(1).mark).unwrap();
            is_lost(soon).expect_err(calm);
        }
        for loss in [
            "flush ruleset",
            "delete table inet maitred",
            "flush chain inet maitred forward",
            "flush map inet maitred guests",
            "add element inet maitred up { 0x01000009 }",
        ] {
            let began = now();
            nft(loss);
            is_lost(PATIENCE).expect(loss);
            assert!(began.elapsed() < Duration::from_secs(1), "{loss}");
            wall.set_up(&[open(2)]).unwrap();
            is_lost(soon).expect_err(loss);
        }
        // A table that is lost before anybody waits is noticed as well.
        nft("flush ruleset");
        let mut late = Watch::start(Arc::clone(&wall)).unwrap();
        runtime.block_on(late.lost()).unwrap();
    });
}
