//! A guest's phone: a machine with one card, a real DHCP client, `curl`, and its cookies.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::{Router, Space, Zone, output_of, path, run};
use crate::support::eventually;

/// A phone in reach of one zone.
pub(crate) struct Phone {
    pub(crate) space: Space,
    pub(crate) mac: String,
}

/// What came back over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// Where it leads to.
    pub(crate) fn location(&self) -> Option<&str> {
        self.headers.get("location").map(String::as_str)
    }
}

/// Nothing came back: `curl`'s exit code, which says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer(pub(crate) i32);

impl NoAnswer {
    /// No connection: refused, or no way there.
    pub(crate) const NO_CONNECTION: Self = Self(7);
}

impl Phone {
    pub(super) fn new(number: u8, zone: Zone, router: &Space) -> Self {
        // A name lives as long as its namespace, which is as long as the test.
        let name = Box::leak(format!("phone{number}").into_boxed_str());
        let space = Space::new(name);
        // Locally administered, as phones have made up theirs for years.
        let mac = format!("02:00:00:00:77:{number:02x}");
        Router::plug(*router, name, &mac, zone);
        Self { space, mac }
    }

    /// Joins the Wi-Fi: a lease by DHCP, an address of version 6 by router advertisement.
    pub(crate) async fn join(&self) {
        self.space.ip("link set eth0 up\n");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/lab/lease.sh");
        run(self
            .space
            .command("udhcpc")
            .args(["-i", "eth0", "-f", "-n", "-q", "-t", "10", "-T", "1"])
            .args(["-O", "114", "-s", script])
            .env("RESOLV_CONF", self.space.resolv_conf())
            .env("LEASE", self.lease_file()));
        eventually("an address of version 6", || async { self.address6() }).await;
    }

    /// Where DHCP of version 6 says the portal's API is, to a phone that has its address and asks for the rest
    /// (RFC 8415, 18.2.6). udhcpc knows no version 6, and its sister udhcpc6 asks for leases only.
    pub(crate) fn portal_by_dhcpv6(&self) -> Option<String> {
        let file = |name: &str| path(&format!("{}.dhcpv6.{name}", self.space.name));
        let said = file("said");
        let settings = "option dhcp6.captive-portal code 103 = text;\n\
                        also request dhcp6.captive-portal;\n";
        fs_err::write(file("conf"), settings).unwrap();
        fs_err::write(file("leases"), "").unwrap();
        fs_err::write(&said, "").unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/netns/lab/lease6.sh");
        run(self
            .space
            .command("dhclient")
            .args(["-6", "-S", "-1", "-d", "-sf", script, "-cf"])
            .arg(file("conf"))
            .arg("-lf")
            .arg(file("leases"))
            .arg("-pf")
            .arg(file("pid"))
            .args(["-e", &format!("SAID={}", said.display()), "eth0"]));
        let said = fs_err::read_to_string(said).unwrap();
        let value = said
            .lines()
            .find_map(|line| line.strip_prefix("new_dhcp6_captive_portal="));
        assert!(said.contains("new_dhcp6_name_servers="), "{said}");
        value.map(str::to_owned)
    }

    /// Leaves the network that it is in for another one.
    pub(crate) async fn move_to(&self, zone: Zone, router: &Router) {
        let (name, bridge) = (self.space.name, zone.bridge());
        router
            .space
            .ip(&format!("link set {name} master {bridge}\n"));
        self.space.ip("addr flush dev eth0\nlink set eth0 down\n");
        self.join().await;
    }

    /// The address that it has leased.
    pub(crate) fn address(&self) -> IpAddr {
        self.lease("ip").unwrap().parse().unwrap()
    }

    /// The address that it has made for itself from what the router advertises.
    pub(crate) fn address6(&self) -> Option<IpAddr> {
        let show = [
            "-6", "-brief", "addr", "show", "dev", "eth0", "scope", "global",
        ];
        let shown = self.space.run("ip", &show);
        let address = shown.split_whitespace().nth(2)?;
        Some(address.split('/').next()?.parse().unwrap())
    }

    /// An option of the lease, as udhcpc calls it.
    pub(crate) fn lease(&self, option: &str) -> Option<String> {
        let lease = fs_err::read_to_string(self.lease_file()).unwrap();
        let prefix = format!("{option}=");
        let value = lease.lines().find_map(|line| line.strip_prefix(&prefix));
        value.map(str::to_owned)
    }

    fn lease_file(&self) -> std::path::PathBuf {
        path(&format!("{}.lease", self.space.name))
    }

    /// The addresses of a name, of one version, as the phone's own resolver says.
    pub(crate) fn resolve(&self, name: &str) -> Vec<IpAddr> {
        self.addresses("ahostsv4", name)
    }

    pub(crate) fn resolve6(&self, name: &str) -> Vec<IpAddr> {
        self.addresses("ahostsv6", name)
    }

    fn addresses(&self, database: &str, name: &str) -> Vec<IpAddr> {
        let output = output_of(self.space.command("getent").args([database, name]));
        // 2: there is none.
        assert!(matches!(output.status.code(), Some(0 | 2)), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut addresses: Vec<IpAddr> = text
            .lines()
            .map(|line| line.split(' ').next().unwrap().parse().unwrap())
            .collect();
        addresses.dedup();
        addresses
    }

    /// Opens an address that must answer.
    pub(crate) fn get(&self, url: &str) -> Answer {
        self.try_to_get(url)
            .unwrap_or_else(|NoAnswer(code)| panic!("{url}: curl ended with {code}"))
    }

    pub(crate) fn try_to_get(&self, url: &str) -> Result<Answer, NoAnswer> {
        self.curl(&[url])
    }

    /// Sends a form.
    pub(crate) fn post(&self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut arguments = vec!["--request", "POST"];
        for field in &fields {
            arguments.extend(["--data-urlencode", field]);
        }
        arguments.push(url);
        self.curl(&arguments).unwrap()
    }

    /// Asks as one likes, with this phone's cookies. Nothing is followed.
    pub(crate) fn curl(&self, arguments: &[&str]) -> Result<Answer, NoAnswer> {
        let cookies = path(&format!("{}.cookies", self.space.name));
        let mut command = self.space.command("curl");
        command
            .args(["--silent", "--include", "--max-time", "10", "--cookie"])
            .arg(&cookies)
            .arg("--cookie-jar")
            .arg(&cookies)
            .args(arguments);
        let output = output_of(&mut command);
        match output.status.code() {
            Some(0) => Ok(read(&output.stdout)),
            code => Err(NoAnswer(code.unwrap_or(-1))),
        }
    }
}

/// Reads what `curl --include` printed.
fn read(printed: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(printed);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: body.to_owned(),
    }
}
