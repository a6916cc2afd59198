//! What a phone's questions for names lead to: dnsmasq with the files that maitred writes for it.

use std::net::IpAddr;

use maitred::admission::dnsmasq::{DnsmasqFiles, Follows, Settings};
use maitred::admission::garden::Garden;
use maitred::admission::zone::{Ports, Zone as Network, ZoneName};
use maitred::domain::wifi::{GardenName, GardenNames};
use maitred::ops::tasks::{Ended, Tasks};
use tokio::sync::watch;

use crate::lab::{Lab, Router, Zone, address_of, address6_of, inside, path};
use crate::support::{PATIENCE, eventually};

const API: &str = "https://sz01.sw.cn/capport";

/// The sets that the wall has, without the wall.
const SETS: &str = "table inet maitred {
    set garden4_guest { type ipv4_addr; flags timeout; }
    set garden6_guest { type ipv6_addr; flags timeout; }
    set pass4_guest { type ipv4_addr; flags timeout; }
    set pass6_guest { type ipv6_addr; flags timeout; }
    set probe4 { type ipv4_addr; flags timeout; }
    set probe6 { type ipv6_addr; flags timeout; }
}\n";

/// What the gateway says, for the story to change.
struct Gateway {
    files: DnsmasqFiles,
    tasks: Tasks,
    advertise: watch::Sender<Option<String>>,
    wan_is_up: watch::Sender<bool>,
    /// What does not change in these stories, and must not seem to have ended.
    _others: (watch::Sender<String>, watch::Sender<Garden>),
}

fn zone(zone: Zone) -> Network {
    let name = match zone {
        Zone::Guest => "guest",
        Zone::Vip => "vip",
    };
    Network {
        name: ZoneName::try_from(name.to_owned()).unwrap(),
        interface: zone.bridge().to_owned(),
        ports: Ports {
            http: 2080,
            https: None,
        },
    }
}

fn garden(always: &[&str], with_pass: &[&str]) -> Garden {
    let names = |names: &[&str]| {
        let name = |name: &&str| GardenName::try_from((*name).to_owned()).unwrap();
        names.iter().map(name).collect()
    };
    let open = GardenNames {
        always: names(always),
        with_pass: names(with_pass),
    };
    Garden {
        zones: [(zone(Zone::Guest).name, open)].into(),
    }
}

/// Starts dnsmasq as a router does that includes our file, and what keeps it up to date.
async fn start(lab: &Lab, open: Garden) -> Gateway {
    start_dnsmasq(lab);
    let before = pid();
    let gateway = follow(open, lab.router.restart_dnsmasq());
    gateway.has_restarted(&before).await;
    // What it was started with is what it takes.
    lab.router.check_dnsmasq();
    gateway
}

pub(crate) fn start_dnsmasq(lab: &Lab) {
    let conf = path("dnsmasq/maitred.conf");
    fs_err::create_dir_all(conf.parent().unwrap()).unwrap();
    fs_err::write(&conf, "").unwrap();
    lab.router
        .start_dnsmasq(&format!("conf-file={}\n", conf.display()));
}

fn follow(open: Garden, restart: Vec<String>) -> Gateway {
    let (garden, follow_garden) = watch::channel(open);
    let (advertise, follow_advertise) = watch::channel(None);
    let (wan_is_up, follow_wan) = watch::channel(true);
    let (host, follow_host) = watch::channel("sz01.sw.cn".to_owned());
    let settings = Settings {
        dir: path("dnsmasq"),
        pid_file: Router::dnsmasq_pid(),
        restart,
    };
    let follows = Follows {
        host: follow_host,
        garden: follow_garden,
        advertise: follow_advertise,
        wan_is_up: follow_wan,
    };
    let zones = Zone::ALL.map(zone);
    let tasks = Tasks::new();
    Gateway {
        files: DnsmasqFiles::start(settings, &zones, follows, &tasks),
        tasks,
        advertise,
        wan_is_up,
        _others: (host, garden),
    }
}

impl Gateway {
    async fn has_restarted(&self, before: &str) {
        eventually("a new dnsmasq", || async {
            let now = pid();
            assert_eq!(*self.files.trouble().borrow(), None);
            (!now.is_empty() && now != before).then_some(())
        })
        .await;
    }
}

pub(crate) fn pid() -> String {
    fs_err::read_to_string(Router::dnsmasq_pid()).unwrap_or_default()
}

/// Whether one of the kernel's sets holds an address.
fn holds(lab: &Lab, set: &str, address: impl Into<IpAddr>) -> bool {
    let listed = lab
        .router
        .space
        .run("nft", &["list", "set", "inet", "maitred", set]);
    listed.contains(&address.into().to_string())
}

#[test]
fn the_portals_name_is_the_box_in_every_zone_by_its_own_address() {
    inside(|mut lab| async move {
        let _gateway = start(&lab, Garden::default()).await;
        for zone in Zone::ALL {
            let phone = lab.phone(zone);
            phone.join().await;
            let address: IpAddr = zone.address().parse().unwrap();
            assert_eq!(phone.resolve("sz01.sw.cn"), [address]);
            let address: IpAddr = zone.address6().parse().unwrap();
            assert!(phone.resolve6("sz01.sw.cn").contains(&address));
        }
        // Also without an Internet, and nobody out there is asked.
        lab.router.lose_the_internet();
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        assert_eq!(phone.resolve("sz01.sw.cn").len(), 1);
    });
}

#[test]
fn a_name_of_the_garden_fills_the_sets_of_its_zone_when_a_phone_asks_for_it() {
    inside(|mut lab| async move {
        lab.router.nft(SETS);
        let gateway = start(&lab, garden(&["qq.com"], &["weixin.qq.com"])).await;
        let phone = lab.phone(Zone::Guest);
        phone.join().await;

        let name = "res.weixin.qq.com";
        phone.resolve(name);
        phone.resolve6(name);
        for set in ["garden4_guest", "pass4_guest"] {
            assert!(holds(&lab, set, address_of(name)), "{set}");
        }
        assert!(holds(&lab, "garden6_guest", address6_of(name)));
        phone.resolve("qq.com");
        assert!(holds(&lab, "garden4_guest", address_of("qq.com")));
        assert!(!holds(&lab, "pass4_guest", address_of("qq.com")));
        phone.resolve("captive.apple.com");
        assert!(holds(&lab, "probe4", address_of("captive.apple.com")));

        // Somebody flushes the rules, and the wall is made anew: what dnsmasq remembers must not keep the
        // sets empty.
        lab.router.nft("flush ruleset\n");
        lab.router.nft(SETS);
        phone.resolve("qq.com");
        assert!(!holds(&lab, "garden4_guest", address_of("qq.com")));
        gateway.files.sets_were_emptied();
        eventually("the address in the set again", || async {
            phone.resolve("qq.com");
            holds(&lab, "garden4_guest", address_of("qq.com")).then_some(())
        })
        .await;
    });
}

#[test]
fn while_the_internet_is_away_checks_have_a_public_address_and_dnsmasq_is_not_restarted() {
    inside(|mut lab| async move {
        let gateway = start(&lab, Garden::default()).await;
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        let name = "captive.apple.com";
        assert_eq!(phone.resolve(name), [address_of(name)]);

        let before = pid();
        lab.router.lose_the_internet();
        gateway.wan_is_up.send(false).unwrap();
        let away: IpAddr = "1.1.1.1".parse().unwrap();
        eventually("the public address", || async {
            (phone.resolve(name) == [away]).then_some(())
        })
        .await;
        assert_eq!(phone.resolve6(name).len(), 1);

        lab.router.find_the_internet();
        gateway.wan_is_up.send(true).unwrap();
        eventually("the real address", || async {
            (phone.resolve(name) == [address_of(name)]).then_some(())
        })
        .await;
        assert_eq!(pid(), before);
        assert_eq!(*gateway.files.trouble().borrow(), None);
    });
}

#[test]
fn phones_are_told_where_to_ask_only_while_somebody_answers() {
    inside(|mut lab| async move {
        let gateway = start(&lab, Garden::default()).await;
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        assert_eq!(phone.lease("opt114"), None);

        gateway.advertise.send_replace(Some(API.to_owned()));
        let hex: String = API.bytes().map(|byte| format!("{byte:02x}")).collect();
        eventually("the option in a lease", || async {
            phone.join().await;
            (phone.lease("opt114").as_ref() == Some(&hex)).then_some(())
        })
        .await;
        gateway.advertise.send_replace(None);
        eventually("a lease without it", || async {
            phone.join().await;
            phone.lease("opt114").is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn a_gateway_that_stops_takes_back_what_nobody_answers_any_more() {
    inside(|mut lab| async move {
        let gateway = start(&lab, Garden::default()).await;
        let phone = lab.phone(Zone::Guest);
        gateway.advertise.send_replace(Some(API.to_owned()));
        gateway.wan_is_up.send_replace(false);
        let name = "captive.apple.com";
        let away: IpAddr = "1.1.1.1".parse().unwrap();
        eventually("what a phone is told", || async {
            phone.join().await;
            (phone.lease("opt114").is_some() && phone.resolve(name) == [away]).then_some(())
        })
        .await;

        let before = pid();
        assert_eq!(gateway.tasks.shut_down(PATIENCE).await, Ended::Clean);
        eventually("a lease without it", || async {
            phone.join().await;
            phone.lease("opt114").is_none().then_some(())
        })
        .await;
        assert_eq!(
            phone.resolve(name),
            [address_of(name)],
            "as the Internet has it"
        );
        let portal: IpAddr = Zone::Guest.address().parse().unwrap();
        assert_eq!(phone.resolve("sz01.sw.cn"), [portal]);
        assert_eq!(pid(), before, "no restart");
        assert_eq!(*gateway.files.trouble().borrow(), None);
    });
}

#[test]
fn a_phone_that_has_only_version_6_is_told_where_to_ask_as_well() {
    inside(|mut lab| async move {
        let gateway = start(&lab, Garden::default()).await;
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        assert_eq!(phone.portal_by_dhcpv6(), None);

        gateway.advertise.send_replace(Some(API.to_owned()));
        eventually("the option in an answer", || async {
            (phone.portal_by_dhcpv6().as_deref() == Some(API)).then_some(())
        })
        .await;
        gateway.advertise.send_replace(None);
        eventually("an answer without it", || async {
            phone.portal_by_dhcpv6().is_none().then_some(())
        })
        .await;
    });
}

#[test]
fn a_garden_that_changed_before_the_gateway_was_killed_is_in_force_after_its_start() {
    inside(|mut lab| async move {
        lab.router.nft(SETS);
        start_dnsmasq(&lab);
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        // It writes, and does not get to restarting.
        let killed = follow(garden(&["a.test"], &[]), Vec::new());
        eventually("the garden in the file", || async {
            let conf = fs_err::read_to_string(path("dnsmasq/maitred.conf")).unwrap();
            conf.contains("nftset=/a.test/").then_some(())
        })
        .await;
        drop(killed);
        phone.resolve("a.test");
        assert!(!holds(&lab, "garden4_guest", address_of("a.test")));

        let before = pid();
        let next = follow(garden(&["a.test"], &[]), lab.router.restart_dnsmasq());
        next.has_restarted(&before).await;
        phone.resolve("a.test");
        assert!(holds(&lab, "garden4_guest", address_of("a.test")));
    });
}

/// What dnsmasq would tell phones.
fn told() -> String {
    fs_err::read_to_string(path("dnsmasq/options")).unwrap()
}

#[test]
fn phones_are_told_where_to_ask_only_once_the_portals_name_leads_to_the_box() {
    inside(|mut lab| async move {
        // A dnsmasq that does not read maitred's files, and takes the name for the one on the Internet.
        lab.router.start_dnsmasq("");
        certify();
        let zones = Zone::ALL.map(|zone| {
            let (Network { name, .. }, interface) = (self::zone(zone), zone.bridge());
            format!("[[admission.zone]]\nname = \"{name}\"\ninterface = \"{interface}\"\n")
        });
        let shop = lab.router.open_shop(&format!(
            "[admission.dnsmasq]\ndir = \"{}\"\npid_file = \"{}\"\n{}",
            path("dnsmasq").display(),
            Router::dnsmasq_pid().display(),
            zones.concat()
        ));
        let log = path("maitred.log");
        eventually("a name that leads elsewhere", || async {
            let log = fs_err::read_to_string(&log).unwrap();
            log.contains("its name does not lead here").then_some(())
        })
        .await;
        assert!(!told().contains("tag:"), "{}", told());

        let include = format!("conf-file={}\n", path("dnsmasq/maitred.conf").display());
        let settings = path("dnsmasq.conf");
        let text = fs_err::read_to_string(&settings).unwrap();
        fs_err::write(&settings, text + &include).unwrap();
        let restart = lab.router.restart_dnsmasq();
        lab.router.space.run(&restart[0], &[&restart[1]]);
        let phone = lab.phone(Zone::Guest);
        eventually("the option in a lease", || async {
            phone.join().await;
            phone.lease("opt114")
        })
        .await;
        shop.kill();
    });
}

/// A key and a certificate for the shop's host where the gateway looks for them.
fn certify() {
    let dir = path("state/identity");
    fs_err::create_dir_all(&dir).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(["sz01.sw.cn".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    fs_err::write(dir.join("host.key"), key.serialize_pem()).unwrap();
    fs_err::write(dir.join("host.pem"), certificate.pem()).unwrap();
}
