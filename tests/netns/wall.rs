//! The wall in the kernel, as guests meet it: nothing before the tap, all after it, and what ends it.

use std::time::Duration;

use jiff::tz::Offset;
use maitred::admission::book::{EndedToday, Moved, Reason};
use maitred::admission::kept::Record;
use maitred::domain::wifi::Tier;
use maitred::ops::clock::{Clock, SystemClock};
use tokio::time::Instant;

use crate::lab::{Lab, NoAnswer, Phone, Step, Zone, address_of, address6_of, inside};
use crate::support::{Process, eventually};

const PORTAL: &str = "host-record=sz01.sw.cn,10.77.0.1,fd77::1\n";

pub(crate) const WALL: &str = "[admission]\nfirewall = \"nft\"\n\
                    [[admission.zone]]\nname = \"guest\"\ninterface = \"br-guest\"\n\
                    [[admission.zone]]\nname = \"vip\"\ninterface = \"br-vip\"\n";

pub(crate) const SHOP: &str = "http://www.example.cn/menu";

/// A shop with its wall up, and a phone in the guests' network.
async fn open(lab: &mut Lab) -> (Process, Phone) {
    lab.router.start_dnsmasq(PORTAL);
    let shop = lab.router.open_shop(WALL);
    let phone = lab.phone(Zone::Guest);
    phone.join().await;
    (shop, phone)
}

/// The hidden field that lets a phone in.
pub(crate) fn tap_on(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"tap\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Opens the page and taps "continue".
pub(crate) fn let_in(phone: &Phone) {
    let page = phone.get("http://sz01.sw.cn/");
    let admitted = phone.post("http://sz01.sw.cn/admit", &[("tap", &tap_on(&page.body))]);
    assert_eq!(
        (admitted.status, admitted.location()),
        (303, Some("/online"))
    );
}

pub(crate) fn is_online(phone: &Phone) -> bool {
    let answer = phone.try_to_get(SHOP);
    answer.is_ok_and(|answer| answer.body.starts_with("the Internet"))
}

#[test]
fn a_guest_joins_is_led_to_the_page_taps_and_is_online() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        let led = phone.get(SHOP);
        assert_eq!(
            (led.status, led.location()),
            (302, Some("http://sz01.sw.cn/"))
        );
        let screen = phone.browse(&[Step::Open(SHOP), Step::Tap("继续上网")]);
        assert!(screen.url.ends_with("/online"), "{screen:?}");
        assert!(is_online(&phone));
        let checked = phone.get("http://connect.rom.miui.com/generate_204");
        assert_eq!(checked.status, 204, "from the Internet itself");
        let asked = lab.internet.asked();
        assert!(asked.iter().any(|asked| asked.from == phone.address()));
    });
}

#[test]
fn nothing_of_a_walled_phone_gets_out_over_either_version_and_it_hears_so_at_once() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        for address in [
            format!("http://{}:443/", address_of("bank.cn")),
            format!("http://[{}]:443/", address6_of("bank.cn")),
            format!("http://{}:8080/", address_of("bank.cn")),
            "http://10.77.0.1:22/".to_owned(),
        ] {
            let began = Instant::now();
            assert_eq!(
                phone.try_to_get(&address),
                Err(NoAnswer::NO_CONNECTION),
                "{address}"
            );
            assert!(began.elapsed() < Duration::from_secs(2), "{address} hung");
        }
        let over_6 = phone.curl(&["--ipv6", SHOP]).unwrap();
        assert_eq!(
            over_6.status, 302,
            "port 80 of version 6 leads to the page, too"
        );
        let from_the_phone = |address: Option<std::net::IpAddr>| {
            let asked = lab.internet.asked();
            asked
                .into_iter()
                .filter(|asked| Some(asked.from) == address)
                .count()
        };
        assert_eq!(from_the_phone(Some(phone.address())), 0);
        assert_eq!(from_the_phone(phone.address6()), 0);

        let_in(&phone);
        assert!(
            phone
                .curl(&["--ipv6", SHOP])
                .unwrap()
                .body
                .starts_with("the Internet")
        );
        assert!(is_online(&phone), "one tap opens both versions");
    });
}

#[test]
fn a_phone_lets_in_only_itself() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        let other = lab.phone(Zone::Guest);
        other.join().await;
        let shown = tap_on(&phone.get("http://sz01.sw.cn/").body);
        let stolen = other.post("http://sz01.sw.cn/admit", &[("tap", &shown)]);
        assert_eq!(stolen.location(), Some("/"), "it is shown its own page");
        assert!(!is_online(&other) && !is_online(&phone));
        phone.post("http://sz01.sw.cn/admit", &[("tap", &shown)]);
        assert!(is_online(&phone) && !is_online(&other));
    });
}

#[test]
fn the_kernel_cuts_at_the_quota_and_the_page_says_so() {
    inside(|mut lab| async move {
        lab.router.grant("[zone.guest]\nquota_mb = 2\n");
        let (_shop, phone) = open(&mut lab).await;
        let_in(&phone);
        let fits = phone.get("http://files.example.cn/bytes/1000000");
        assert_eq!(fits.body.len(), 1_000_000);
        let too_much = ["--max-time", "3", "http://files.example.cn/bytes/3000000"];
        phone.curl(&too_much).unwrap_err();
        eventually("the end of the session", || async {
            lab.router
                .maitred(&["sessions", "ls"])
                .contains("nobody")
                .then_some(())
        })
        .await;
        assert!(!is_online(&phone));
        let page = phone.get("http://sz01.sw.cn/");
        let again = phone.post("http://sz01.sw.cn/admit", &[("tap", &tap_on(&page.body))]);
        assert_eq!(again.status, 429);
        assert!(again.body.contains("今天的流量已用完"), "{}", again.body);
    });
}

#[test]
fn a_quota_that_comes_later_counts_what_was_used_before() {
    inside(|mut lab| async move {
        let (shop, phone) = open(&mut lab).await;
        let_in(&phone);
        phone.get("http://files.example.cn/bytes/1500000");
        shop.stop();
        lab.router
            .grant("[zone.guest]\nquota_mb = 2\ndown_kbit = 80000\n");
        let _shop = lab.router.start_maitred();
        let sessions = || lab.router.maitred(&["sessions", "ls"]);
        eventually("a quota", || async {
            let listed = sessions();
            (!listed.trim_end().ends_with('-')).then_some(())
        })
        .await;
        let listed = sessions();
        let left: f64 = listed
            .split_whitespace()
            .next_back()
            .unwrap()
            .parse()
            .unwrap();
        assert!((0.3..0.5).contains(&left), "{listed}");
        let rate = lab
            .router
            .space
            .run("nft", &["list", "set", "inet", "maitred", "down"]);
        assert!(rate.contains("limit rate 10000000 bytes/second"), "{rate}");
        assert!(is_online(&phone));
        let too_much = ["--max-time", "3", "http://files.example.cn/bytes/1000000"];
        phone.curl(&too_much).unwrap_err();
        eventually("the end of the session", || async {
            sessions().contains("nobody").then_some(())
        })
        .await;
    });
}

#[test]
fn a_session_outlives_a_kill_and_a_flush_of_all_rules() {
    inside(|mut lab| async move {
        let (shop, phone) = open(&mut lab).await;
        let_in(&phone);
        let kept = lab.router.kept_sessions();
        eventually("the session on the disk", || async {
            fs_err::read_to_string(&kept)
                .unwrap()
                .contains("session")
                .then_some(())
        })
        .await;
        shop.kill();
        assert!(is_online(&phone), "the kernel goes on without us");
        let _shop = lab.router.start_maitred();
        assert!(is_online(&phone), "after a kill");

        let stranger = lab.phone(Zone::Guest);
        stranger.join().await;
        lab.router.space.run("nft", &["flush", "ruleset"]);
        let began = Instant::now();
        eventually("the wall", || async {
            let led = stranger.try_to_get(SHOP).ok()?;
            (led.status == 302).then_some(())
        })
        .await;
        assert!(began.elapsed() < Duration::from_secs(3));
        assert!(is_online(&phone), "after a flush");
    });
}

#[test]
fn an_nft_that_hangs_keeps_no_page_waiting() {
    inside(|mut lab| async move {
        let (nft, hangs, begun) = ("/run/lab/slow-nft", "/run/lab/hangs", "/run/lab/begun");
        let script = format!(
            "#!/bin/sh\nwhile [ -e {hangs} ]; do : >{begun}; sleep 0.1; done\nexec nft \"$@\"\n"
        );
        fs_err::write(nft, script).unwrap();
        lab.router.space.run("chmod", &["+x", nft]);
        lab.router.start_dnsmasq(PORTAL);
        let with = format!("firewall = \"nft\"\nnft = \"{nft}\"");
        let _shop = lab
            .router
            .open_shop(&WALL.replace("firewall = \"nft\"", &with));
        let (phone, other) = (lab.phone(Zone::Guest), lab.phone(Zone::Guest));
        phone.join().await;
        other.join().await;
        let_in(&phone);

        fs_err::write(hangs, "").unwrap();
        lab.router.nft("flush map inet maitred guests\n");
        eventually("the hanging nft", || async {
            fs_err::exists(begun).unwrap().then_some(())
        })
        .await;
        let began = Instant::now();
        let page = other.get("http://sz01.sw.cn/");
        assert!(page.body.contains("继续上网"), "{}", page.body);
        assert_eq!(phone.get("http://sz01.sw.cn/online").status, 200);
        assert!(began.elapsed() < Duration::from_secs(1));
        let tap = tap_on(&page.body);
        let refused = other.post("http://sz01.sw.cn/admit", &[("tap", &tap)]);
        assert_eq!(refused.status, 503, "{}", refused.body);

        fs_err::remove_file(hangs).unwrap();
        eventually("the wall", || async { is_online(&phone).then_some(()) }).await;
        assert!(!is_online(&other), "who was told no is not in");
        other.post("http://sz01.sw.cn/admit", &[("tap", &tap)]);
        assert!(is_online(&other));
    });
}

#[test]
fn an_operator_sees_a_wall_that_cannot_be_set_up_and_a_dnsmasq_that_is_not_told() {
    inside(|lab| async move {
        let (nft, broken) = ("/run/lab/moody-nft", "/run/lab/broken");
        let script = format!(
            "#!/bin/sh\n[ ! -e {broken} ] || {{ echo 'Error: on purpose' >&2; exit 1; }}\nexec nft \"$@\"\n"
        );
        fs_err::write(nft, script).unwrap();
        lab.router.space.run("chmod", &["+x", nft]);
        lab.router.start_dnsmasq(PORTAL);
        let with = format!("firewall = \"nft\"\nnft = \"{nft}\"");
        let settings = WALL.replace("firewall = \"nft\"", &with)
            + "[admission.dnsmasq]\ndir = \"/run/lab/dnsmasq\"\npid_file = \"/run/lab/none.pid\"\n";
        let shop = lab.router.open_shop(&settings);
        let says = async |page: &str, what: &str| {
            let url = format!("http://{}/{page}", shop.address("ops"));
            eventually(what, async || {
                let said = lab.router.space.run("curl", &["--silent", &url]);
                said.contains(what).then_some(())
            })
            .await;
        };
        says("readyz", r#"{"name":"wall","verdict":"ok""#).await;
        says(
            "readyz",
            r#"{"name":"dnsmasq","verdict":"degraded","detail":"it is not running"#,
        )
        .await;
        says("metrics", "admission_dnsmasq_trouble 1\n").await;

        fs_err::write(broken, "").unwrap();
        lab.router.nft("flush map inet maitred guests\n");
        says(
            "readyz",
            r#"{"name":"wall","verdict":"degraded","detail":"nft does not take"#,
        )
        .await;
        says("metrics", "admission_wall_trouble 1\n").await;
        fs_err::remove_file(broken).unwrap();
        says("readyz", r#"{"name":"wall","verdict":"ok""#).await;
        says("metrics", "admission_wall_trouble 0\n").await;
    });
}

#[test]
fn two_zones_show_two_pages_and_keep_to_themselves() {
    inside(|mut lab| async move {
        lab.router.grant(
            "[zone.guest]\naccess = \"local\"\n\
             [zone.vip]\nwelcome = { zh = \"贵宾您好\", en = \"Welcome, dear guest\" }\n",
        );
        lab.router.offer_nothing();
        let (_shop, phone) = open(&mut lab).await;
        let vip = lab.phone(Zone::Vip);
        vip.join().await;
        let page = phone
            .get(&format!("http://{}/", Zone::Guest.address()))
            .body;
        assert!(
            page.contains("现在不提供上网") && !page.contains("贵宾您好"),
            "{page}"
        );
        let page = vip.get(&format!("http://{}/", Zone::Vip.address())).body;
        assert!(
            page.contains("贵宾您好") && page.contains("继续上网"),
            "{page}"
        );
        let shown = tap_on(&page);
        vip.post(
            &format!("http://{}/admit", Zone::Vip.address()),
            &[("tap", &shown)],
        );
        assert!(is_online(&vip) && !is_online(&phone));
        let into_the_other = format!("http://{}:8080/", phone.address());
        assert_eq!(
            vip.try_to_get(&into_the_other),
            Err(NoAnswer::NO_CONNECTION)
        );
    });
}

#[test]
fn what_a_phone_was_given_in_one_zone_is_worth_nothing_in_another() {
    inside(|mut lab| async move {
        lab.router.grant("[zone.guest]\naccess = \"local\"\n");
        lab.router.start_dnsmasq(PORTAL);
        let _shop = lab.router.open_shop(WALL);
        let phone = lab.phone(Zone::Vip);
        phone.join().await;
        let page = phone.get(&format!("http://{}/", Zone::Vip.address()));
        let admit = format!("http://{}/admit", Zone::Vip.address());
        phone.post(&admit, &[("tap", &tap_on(&page.body))]);
        assert!(is_online(&phone));

        phone.move_to(Zone::Guest, &lab.router).await;
        assert_eq!(phone.get(SHOP).status, 302);
        assert!(!phone.get("http://sz01.sw.cn/").body.contains("继续上网"));
        phone.move_to(Zone::Vip, &lab.router).await;
        assert!(is_online(&phone), "and is there again where it was given");
    });
}

/// What the gateway keeps of a session in `zone` that ran out today.
fn ran_out_today(mac: &str, zone: &str) -> String {
    let record = Record::Ended {
        mac: mac.to_owned().try_into().unwrap(),
        ended: EndedToday {
            // As the shop's calendar has it.
            day: SystemClock
                .now()
                .to_zoned(Offset::constant(8).to_time_zone())
                .date(),
            zone: Some(zone.to_owned().try_into().unwrap()),
            reason: Reason::Time,
            used: Moved::default(),
            tier: Tier::Guest,
        },
    };
    record.line()
}

#[test]
fn a_phone_returns_unasked_into_the_zone_it_was_in_and_into_no_other() {
    inside(|mut lab| async move {
        let policy = |zone| format!("[zone.{zone}]\nsame_day = true\n");
        lab.router.grant(&(policy("guest") + &policy("vip")));
        lab.router.start_dnsmasq(PORTAL);
        let phone = lab.phone(Zone::Guest);
        let kept = lab.router.kept_sessions();
        fs_err::create_dir_all(kept.parent().unwrap()).unwrap();
        fs_err::write(kept, ran_out_today(&phone.mac, "vip")).unwrap();
        let _shop = lab.router.open_shop(WALL);

        phone.join().await;
        assert_eq!(phone.get(SHOP).status, 302, "it has never been in here");
        assert!(phone.get("http://sz01.sw.cn/").body.contains("继续上网"));
        assert!(!is_online(&phone));
        phone.move_to(Zone::Vip, &lab.router).await;
        phone.try_to_get(SHOP).ok();
        assert!(is_online(&phone), "asking once was enough");
    });
}

#[test]
fn without_the_internet_the_coupon_works_and_nobody_is_told_to_be_online() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        let_in(&phone);
        lab.router.lose_the_internet();
        // The phone asks by an address that it knew before.
        let check = format!("http://{}/generate_204", address_of("connect.rom.miui.com"));
        eventually("the page instead of a 204", || async {
            let answer = phone.try_to_get(&check).ok()?;
            (answer.status == 302).then_some(())
        })
        .await;
        let page = phone.get("http://sz01.sw.cn/");
        assert!(page.body.contains("外网暂时中断"), "{}", page.body);
        assert!(!page.body.contains("继续上网"));
        let screen = phone.browse(&[Step::Open("http://sz01.sw.cn/"), Step::Tap("领取")]);
        assert!(screen.url.contains("/c/"), "{screen:?}");

        lab.router.find_the_internet();
        eventually("the Internet again", || async {
            is_online(&phone).then_some(())
        })
        .await;
    });
}

#[test]
fn an_operator_ends_a_session_and_what_it_has_open() {
    inside(|mut lab| async move {
        let (_shop, phone) = open(&mut lab).await;
        let_in(&phone);
        let listed = lab.router.maitred(&["sessions", "ls"]);
        assert!(listed.contains(&phone.mac), "{listed}");
        lab.router.maitred(&["sessions", "revoke", &phone.mac]);
        assert!(!is_online(&phone));
        lab.router.maitred(&["sessions", "admit", &phone.mac]);
        assert!(is_online(&phone));
    });
}

#[test]
fn a_wall_that_cannot_be_set_up_says_why_and_opens_no_shop() {
    inside(|lab| async move {
        let old_nft = "/run/lab/nft-without-json";
        let script = "#!/bin/sh\necho 'Error: JSON support not compiled-in' >&2\nexit 1\n";
        fs_err::write(old_nft, script).unwrap();
        lab.router.space.run("chmod", &["+x", old_nft]);
        let with = |nft: &str| {
            let nft = format!("firewall = \"nft\"\nnft = \"{nft}\"");
            WALL.replace("firewall = \"nft\"", &nft)
        };
        for (settings, code, why) in [
            (
                WALL.replace("br-vip", "br-none"),
                1,
                "there is no interface br-none",
            ),
            (with("/nonexistent/nft"), 1, "install nftables"),
            (with(old_nft), 1, "JSON support not compiled-in"),
            (
                WALL.replace("\"vip\"", "\"guest\""),
                78,
                "a name and an interface of its own",
            ),
            (
                "[admission]\nfirewall = \"nft\"\n".to_owned(),
                78,
                "which network the guests are in",
            ),
        ] {
            let ended = lab.router.fail_to_open_shop(&settings);
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(said.contains(why), "{said}");
            assert_eq!(ended.status.code(), Some(code), "{said}");
            assert!(ended.stdout.is_empty(), "no ready line");
        }
    });
}

/// Stops a shop that leaves its wall as `on_stop` says, and looks who passes then.
async fn stop(mut lab: Lab, on_stop: &str, passes: Passes) {
    lab.router.start_dnsmasq(PORTAL);
    let on_stop = format!("firewall = \"nft\"\non_stop = \"{on_stop}\"");
    let shop = lab
        .router
        .open_shop(&WALL.replace("firewall = \"nft\"", &on_stop));
    let (guest, stranger) = (lab.phone(Zone::Guest), lab.phone(Zone::Guest));
    guest.join().await;
    stranger.join().await;
    let_in(&guest);
    shop.stop();
    let now = Passes {
        guest: is_online(&guest),
        stranger: is_online(&stranger),
    };
    assert_eq!(now, passes);
}

/// Who passes a wall that nobody keeps.
#[derive(Debug, PartialEq, Eq)]
struct Passes {
    guest: bool,
    stranger: bool,
}

#[test]
fn a_wall_that_is_kept_knows_its_guests_and_nobody_else() {
    inside(|lab| {
        let passes = Passes {
            guest: true,
            stranger: false,
        };
        stop(lab, "keep", passes)
    });
}

#[test]
fn a_wall_that_is_opened_lets_everybody_pass() {
    inside(|lab| {
        let passes = Passes {
            guest: true,
            stranger: true,
        };
        stop(lab, "open", passes)
    });
}

#[test]
fn a_wall_that_is_closed_lets_nobody_pass() {
    inside(|lab| {
        let passes = Passes {
            guest: false,
            stranger: false,
        };
        stop(lab, "close", passes)
    });
}
