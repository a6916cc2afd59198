//! A phone joins the guest Wi-Fi and is led to the portal.

use crate::lab::{Step, Zone, inside};

/// What the router's own settings say of the portal's name.
const PORTAL: &str = "host-record=sz01.sw.cn,10.77.0.1,fd77::1\n";

/// What phones and computers ask, one a line: host, path, bytes.
const CHECKS: &str = include_str!("../fixtures/connectivity-checks.txt");

#[test]
fn a_phone_that_joins_gets_an_address_and_is_led_to_the_page() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq(PORTAL);
        let _shop = lab.router.open_shop("");
        let phone = lab.phone(Zone::Guest);
        phone.join().await;

        assert_eq!(phone.lease("dns").unwrap(), Zone::Guest.address());
        assert_eq!(
            phone.resolve("sz01.sw.cn")[0].to_string(),
            Zone::Guest.address()
        );
        assert_eq!(
            phone.resolve6("sz01.sw.cn")[0].to_string(),
            Zone::Guest.address6()
        );
        for version in ["--ipv4", "--ipv6"] {
            let page = phone.curl(&[version, "http://sz01.sw.cn:2080/"]).unwrap();
            assert_eq!(page.status, 200);
            assert!(page.body.contains("拾味牛肉面"), "{}", page.body);
        }
    });
}

#[test]
fn every_recorded_check_of_a_phone_is_led_to_the_portal() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq(PORTAL);
        let _shop = lab.router.open_shop("");
        let phone = lab.phone(Zone::Guest);
        phone.join().await;

        for check in CHECKS.lines().filter(|line| !line.starts_with('#')) {
            let mut words = check.split(' ');
            let (host, path) = (words.next().unwrap(), words.next().unwrap());
            let question = format!("http://{host}{path}");
            let answer = phone.curl(&["--connect-to", "::10.77.0.1:2080", &question]);
            let answer = answer.unwrap();
            assert_eq!(answer.status, 302, "{check}");
            assert_eq!(answer.location(), Some("http://sz01.sw.cn/"), "{check}");
        }
    });
}

#[test]
fn a_guest_taps_and_reads_that_the_internet_is_there() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq(PORTAL);
        let _shop = lab.router.open_shop("");
        let phone = lab.phone(Zone::Guest);
        phone.join().await;

        let screen = phone.browse(&[Step::Open("http://sz01.sw.cn:2080/"), Step::Tap("继续上网")]);
        assert!(screen.url.ends_with("/online"), "{screen:?}");
        assert!(screen.text.contains("可以上网了"), "{screen:?}");
    });
}
