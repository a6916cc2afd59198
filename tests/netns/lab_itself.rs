//! The lab is what the stories take it for: without a wall a phone has the Internet, of both versions, and
//! loses it with the router. A wall that lets nothing through proves nothing where nothing comes through.

use crate::lab::{NoAnswer, Zone, address_of, address6_of, inside};

#[test]
fn without_a_wall_a_phone_has_the_internet_of_both_versions() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq("");
        let phone = lab.phone(Zone::Vip);
        phone.join().await;

        let name = "www.example.test";
        assert_eq!(phone.resolve(name), [address_of(name)]);
        assert_eq!(phone.resolve6(name), [address6_of(name)]);
        for version in ["--ipv4", "--ipv6"] {
            let page = phone.curl(&[version, "http://www.example.test/menu"]);
            assert_eq!(page.unwrap().body, "the Internet: www.example.test/menu\n");
        }
        let from: Vec<_> = lab
            .internet
            .asked()
            .iter()
            .map(|asked| asked.from)
            .collect();
        assert_eq!(from, [phone.address(), phone.address6().unwrap()]);
        assert_eq!(
            phone.get("http://cdn.test/bytes/100000").body.len(),
            100_000
        );
        assert_eq!(
            phone.post("http://cdn.test/form", &[("a", "b")]).status,
            200
        );
    });
}

#[test]
fn the_internet_can_be_lost_and_found() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq("");
        let phone = lab.phone(Zone::Guest);
        phone.join().await;
        // By its address: what a resolver answers then is another story.
        let by_address = format!("http://{}/generate_204", address_of("a.test"));
        assert_eq!(phone.get(&by_address).status, 204);
        lab.router.lose_the_internet();
        assert_eq!(phone.try_to_get(&by_address), Err(NoAnswer::NO_CONNECTION));
        lab.router.find_the_internet();
        assert_eq!(phone.get(&by_address).status, 204);
        let version_6 = format!("http://[{}]/generate_204", address6_of("a.test"));
        assert_eq!(phone.get(&version_6).status, 204);
    });
}

#[test]
fn phones_of_one_zone_have_different_addresses_and_zones_different_networks() {
    inside(|mut lab| async move {
        lab.router.start_dnsmasq("");
        let [one, two] = [lab.phone(Zone::Guest), lab.phone(Zone::Guest)];
        let other = lab.phone(Zone::Vip);
        for phone in [&one, &two, &other] {
            phone.join().await;
        }
        assert_ne!(one.address(), two.address());
        two.resolve("www.example.test");
        let neighbours = lab.router.space.run("ip", &["neigh", "show"]);
        assert!(neighbours.contains(&two.mac), "{neighbours}");
        assert!(one.address().to_string().starts_with("10.77.0."));
        assert!(other.address().to_string().starts_with("10.78.0."));
    });
}
