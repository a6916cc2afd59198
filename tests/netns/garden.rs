//! The walled garden and the temporary pass, as a guest meets them: names, through the real resolver.

use crate::lab::{Lab, Phone, Router, Zone, inside};
use crate::names::{pid, start_dnsmasq};
use crate::support::{Process, eventually};
use crate::wall::{SHOP, WALL, is_online, let_in, tap_on};

const GARDEN: &str = "[zone.guest.garden]\nalways = [\"bank.cn\", \"*.apple.com\"]\n\
                      with_pass = [\"weixin.qq.com\"]\n";

/// A shop whose gateway keeps the resolver up to date, and a phone in its network.
pub(crate) async fn open(lab: &mut Lab) -> (Process, Phone) {
    start_dnsmasq(lab);
    let before = pid();
    let words = lab.router.restart_dnsmasq();
    let restart: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    lab.router.grant(GARDEN);
    let shop = lab.router.open_shop(&format!(
        "{WALL}[admission.dnsmasq]\ndir = \"/run/lab/dnsmasq\"\npid_file = \"{}\"\nrestart = [{}]\n",
        Router::dnsmasq_pid().display(),
        restart.join(", ")
    ));
    eventually("a resolver that has read our file", || async {
        let now = pid();
        (!now.is_empty() && now != before).then_some(())
    })
    .await;
    let phone = lab.phone(Zone::Guest);
    phone.join().await;
    (shop, phone)
}

fn is_open(phone: &Phone, host: &str) -> bool {
    let answer = phone.get(&format!("http://{host}/"));
    answer.body.starts_with("the Internet")
}

#[test]
fn a_garden_is_open_before_the_tap_and_a_pass_opens_what_it_names() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        assert!(is_open(&phone, "pay.bank.cn"), "open to everybody");
        assert!(!is_open(&phone, "weixin.qq.com") && !is_online(&phone));

        let page = phone.get("http://sz01.sw.cn/");
        let passed = phone.post("http://sz01.sw.cn/pass", &[("tap", &tap_on(&page.body))]);
        assert_eq!(passed.location(), Some("/online"));
        assert!(is_open(&phone, "weixin.qq.com") && is_open(&phone, "short.weixin.qq.com"));
        assert_eq!(phone.get(SHOP).status, 302, "and no further");
        let check = phone.get("http://connect.rom.miui.com/generate_204");
        assert_eq!(check.status, 302, "a 204 is never faked");
        let window = phone.get("http://captive.apple.com/hotspot-detect.html");
        assert!(window.body.contains("Success"), "{}", window.body);

        let_in(&phone);
        assert!(is_online(&phone));
    });
}

#[test]
fn a_connectivity_check_leads_to_the_page_also_where_its_host_is_in_the_garden() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        assert!(is_open(&phone, "support.apple.com"));
        let check = phone.get("http://captive.apple.com/hotspot-detect.html");
        assert_eq!(
            (check.status, check.location()),
            (302, Some("http://sz01.sw.cn/"))
        );
    });
}

#[test]
fn without_the_internet_checks_are_still_answered_by_the_page() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        lab.router.lose_the_internet();
        eventually("the page instead of silence", || async {
            let check = phone
                .try_to_get("http://connect.rom.miui.com/generate_204")
                .ok()?;
            (check.status == 302).then_some(())
        })
        .await;
        let addresses = phone.resolve("connect.rom.miui.com");
        assert!(!addresses.is_empty());
        for address in addresses {
            let text = address.to_string();
            assert!(
                !text.starts_with("10.") && !text.starts_with("192.168."),
                "{text} is private"
            );
        }
        assert_eq!(phone.get("http://sz01.sw.cn/").status, 200);
    });
}

#[test]
fn a_garden_is_open_again_after_a_flush_of_all_rules() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        assert!(is_open(&phone, "pay.bank.cn"));
        lab.router.space.run("nft", &["flush", "ruleset"]);
        eventually("the wall", || async {
            let led = phone.try_to_get(SHOP).ok()?;
            (led.status == 302).then_some(())
        })
        .await;
        eventually("the garden", || async {
            is_open(&phone, "pay.bank.cn").then_some(())
        })
        .await;
    });
}
