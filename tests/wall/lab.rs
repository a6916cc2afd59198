//! A router, two phones and an Internet in network namespaces of the test's own.
//!
//! The test's process runs itself again inside new user, network and mount namespaces, which are the router:
//! nothing outside is touched, nothing is left behind, and no rights are needed. The others are reached by
//! moving a thread into their namespace; a socket made there stays there.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use maitred::admission::Mac;
use maitred::admission::nft::{Layout, NftFirewall};
use maitred::admission::zone::{Ports, Zone};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) const PORTAL: u16 = 2080;
pub(crate) const PORTAL_TLS: u16 = 2443;

/// Set where a test is inside. (Not `MAITRED_…`, which is a setting's.)
const INSIDE: &str = "WALL_LAB";

/// Tells `story` in namespaces of its own.
pub(crate) fn inside<S: FnOnce()>(story: S) {
    if std::env::var_os(INSIDE).is_some() {
        return story();
    }
    let name = name_of::<S>();
    let output = command("unshare")
        .args(["--user", "--map-root-user", "--net", "--mount", "--pid"])
        .args(["--fork", "--kill-child", "--mount-proc"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    // A name that no test has would run nothing and be content.
    let has_run = said.contains("test result: ok. 1 passed");
    assert!(
        output.status.success() && has_run,
        "in its namespaces:\n{said}\n{errors}"
    );
}

/// The test that a closure stands in.
fn name_of<S>() -> &'static str {
    let closure = std::any::type_name::<S>();
    let test = closure.strip_suffix("::{{closure}}").unwrap_or(closure);
    test.split_once("::").unwrap().1
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test sets its stage up with ip and nft"
)]
pub(crate) fn command(program: &str) -> Command {
    Command::new(program)
}

/// Runs a line of words.
pub(crate) fn run(line: &str) -> String {
    let mut words = line.split_whitespace();
    let output = command(words.next().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Feeds a script to nft.
pub(crate) fn nft(script: &str) -> String {
    let mut child = command("nft")
        .args(["-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "nft refuses {script}");
    String::from_utf8(output.stdout).unwrap()
}

/// A host in a namespace of its own.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    name: &'static str,
    /// The second number of its addresses.
    net: u8,
    pub(crate) mac: Mac,
    pub(crate) v4: IpAddr,
    pub(crate) v6: IpAddr,
}

impl Host {
    /// Runs `act` in this host's namespace; the sockets it makes stay there.
    pub(crate) fn does<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let namespace = fs_err::File::open(PathBuf::from("/run/netns").join(self.name)).unwrap();
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                rustix::thread::move_into_link_name_space(
                    std::os::fd::AsFd::as_fd(&namespace),
                    Some(rustix::thread::LinkNameSpaceType::Network),
                )
                .unwrap();
                act()
            });
            thread.join().unwrap()
        })
    }

    pub(crate) fn connects(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let stream = self.does(|| TcpStream::connect_timeout(&to, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// What the other side says first, and so who it is.
    pub(crate) fn hears(&self, to: SocketAddr) -> io::Result<String> {
        let mut said = String::new();
        self.connects(to)?.read_to_string(&mut said)?;
        Ok(said)
    }

    /// The router as this host sees it.
    pub(crate) fn router_v4(&self) -> IpAddr {
        IpAddr::from([10, self.net, 0, 1])
    }

    pub(crate) fn router_v6(&self) -> IpAddr {
        format!("fd{}::1", self.net).parse().unwrap()
    }

    pub(crate) fn listens(&self, port: u16) -> TcpListener {
        self.does(|| TcpListener::bind(("::", port)).unwrap())
    }

    pub(crate) fn datagrams(&self, at: SocketAddr) -> UdpSocket {
        let socket = self.does(|| UdpSocket::bind(at).unwrap());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }
}

/// The router, its two guest networks with a phone each, and the Internet.
pub(crate) struct Lab {
    pub(crate) phone: Host,
    pub(crate) vip_phone: Host,
    pub(crate) internet: Host,
}

pub(crate) fn guest_mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

impl Lab {
    /// Builds it, in the router's namespace.
    pub(crate) fn build() -> Self {
        run("mount -t tmpfs none /run");
        run("ip link set lo up");
        fs_err::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
        let host = |name, last: u8, net: u8| {
            let host = Host {
                name,
                net,
                mac: guest_mac(last),
                v4: IpAddr::from([10, net, 0, 2]),
                v6: format!("fd{net}::2").parse().unwrap(),
            };
            host.join();
            host
        };
        let lab = Self {
            phone: host("phone", 1, 77),
            vip_phone: host("vip", 2, 78),
            internet: host("wan", 3, 79),
        };
        fs_err::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        fs_err::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        lab
    }
}

impl Host {
    /// Plugs it into the router, as `to-<name>` there.
    fn join(&self) {
        let (name, net, mac) = (self.name, self.net, self.mac);
        run(&format!("ip netns add {name}"));
        run(&format!(
            "ip link add to-{name} type veth peer name eth0 netns {name}"
        ));
        run(&format!("ip addr add 10.{net}.0.1/24 dev to-{name}"));
        run(&format!("ip addr add fd{net}::1/64 dev to-{name} nodad"));
        run(&format!("ip link set to-{name} up"));
        let mut script = String::new();
        for line in [
            "link set lo up".to_owned(),
            format!("link set eth0 address {mac} up"),
            format!("addr add 10.{net}.0.2/24 dev eth0"),
            format!("addr add fd{net}::2/64 dev eth0 nodad"),
            format!("route add default via 10.{net}.0.1"),
            format!("route add default via fd{net}::1"),
        ] {
            writeln!(script, "{line}").unwrap();
        }
        fs_err::write("/run/script", script).unwrap();
        run(&format!("ip -n {name} -batch /run/script"));
    }
}

/// The two zones as the wall knows them.
pub(crate) fn layout() -> Layout {
    let zone = |name: &str, interface: &str| Zone {
        name: name.to_owned().try_into().unwrap(),
        interface: interface.to_owned(),
        ports: Ports {
            http: PORTAL,
            https: Some(PORTAL_TLS),
        },
    };
    Layout {
        zones: vec![zone("guest", "to-phone"), zone("vip", "to-vip")],
        masquerade: None,
    }
}

/// The wall, set up with nobody in it.
pub(crate) fn wall() -> NftFirewall {
    use maitred::admission::firewall::Firewall;
    let wall = NftFirewall::open(layout(), "nft").unwrap();
    wall.set_up(&[]).unwrap();
    wall
}
