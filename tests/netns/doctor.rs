//! What `maitred doctor` says on a box that is in order, and on one that is not.

use std::collections::BTreeMap;

use crate::garden::open;
use crate::lab::{Lab, Zone, inside, output_of, path};
use crate::names::pid;
use crate::support::eventually;

#[derive(Debug, serde::Deserialize)]
struct Finding {
    check: String,
    health: String,
    what: String,
    hint: Option<String>,
}

/// What the doctor finds.
fn findings(lab: &Lab, arguments: &[&str]) -> Vec<Finding> {
    let words = [&["doctor", "--json"], arguments].concat();
    let output = output_of(&mut lab.router.command_line(&words));
    let errors = String::from_utf8_lossy(&output.stderr);
    let findings: Vec<Finding> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let has_fault = findings.iter().any(|finding| finding.health == "bad");
    assert_eq!(output.status.code(), Some(has_fault.into()), "{errors}");
    findings
}

/// The checks that found a fault, with what they say. A state directory in the lab's memory is one.
fn faults(lab: &Lab) -> BTreeMap<String, String> {
    findings(lab, &[])
        .into_iter()
        .filter(|finding| finding.health == "bad" && finding.check != "state directory")
        .inspect(|finding| assert!(finding.hint.is_some(), "{finding:?}"))
        .map(|finding| (finding.check, finding.what))
        .collect()
}

#[test]
fn the_doctor_finds_nothing_on_a_box_in_order_and_names_each_fault_that_is_made() {
    inside(|mut lab| async move {
        let (shop, _phone) = open(&mut lab).await;
        // A bridge with nothing in it is down.
        let other = lab.phone(Zone::Vip);
        other.join().await;
        assert_eq!(faults(&lab), BTreeMap::new());

        let made = |fault: &str, checks: &[&str]| {
            let faults = faults(&lab);
            let found: Vec<_> = faults.keys().map(String::as_str).collect();
            assert_eq!(found, checks, "{fault}: {faults:?}");
        };
        lab.router.write_sysctl("net/ipv4/ip_forward", "0");
        made("no forwarding", &["IPv4 forwarding"]);
        lab.router.write_sysctl("net/ipv4/ip_forward", "1");

        lab.router.lose_the_internet();
        made("no Internet", &["Internet"]);
        lab.router.find_the_internet();

        shop.kill();
        lab.router.nft("delete table inet maitred\n");
        made("no wall, and nobody who makes it anew", &["wall"]);
        let shop = lab.router.start_maitred();
        made("nothing", &[]);

        let conf = path("dnsmasq/maitred.conf");
        let text = fs_err::read_to_string(&conf).unwrap();
        fs_err::write(&conf, text + "# changed by hand\n").unwrap();
        made("settings that nobody has read", &["dnsmasq"]);

        shop.kill();
        lab.router.space.run("kill", &[pid().trim()]);
        eventually("the end of dnsmasq", || async {
            faults(&lab).contains_key("portal's name").then_some(())
        })
        .await;
        lab.router.space.ip("link del br-vip\n");
        let faults = faults(&lab);
        assert!(
            faults["guest network"].contains("no interface br-vip"),
            "{faults:?}"
        );
    });
}

#[test]
fn the_doctor_says_why_a_name_is_open_or_is_not() {
    inside(|mut lab| async move {
        let (shop, _phone) = open(&mut lab).await;
        let about = |name: &str| {
            let findings = findings(&lab, &["garden", name]);
            // One for each zone, and one for a check.
            let of_zone = findings
                .into_iter()
                .find(|finding| finding.what.starts_with("zone guest: "));
            let finding = of_zone.unwrap();
            (finding.health, finding.what)
        };
        let (health, what) = about("short.weixin.qq.com");
        assert_eq!(health, "good", "{what}");
        assert!(
            what.contains("`weixin.qq.com` opens short.weixin.qq.com to devices with a temporary"),
            "{what}"
        );
        let (health, what) = about("shop.test");
        assert_eq!(health, "warning", "{what}");
        assert!(what.contains("no rule covers shop.test"), "{what}");

        // A dnsmasq that has not read the list answers, and fills nothing.
        shop.kill();
        fs_err::write(path("dnsmasq/maitred.conf"), "").unwrap();
        let before = pid();
        let restart = lab.router.restart_dnsmasq();
        lab.router.space.run(&restart[0], &[&restart[1]]);
        assert_ne!(pid(), before);
        let (health, what) = about("new.bank.cn");
        assert_eq!(health, "bad", "{what}");
        assert!(what.contains("the kernel's set does not hold"), "{what}");
    });
}
