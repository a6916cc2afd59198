//! What the wall does to packets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use maitred::admission::firewall::{Access, Entry, Firewall, Meter, Rate, Traffic};
use maitred::admission::nft::{Layout, NftFirewall};

use crate::lab::{self, Host, Lab, PATIENCE, PORTAL, nft, wall};
use crate::table::{entry, now, open};

/// Says who it is to whoever connects, for as long as the test lasts.
fn says(listener: TcpListener, word: &'static str) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // One that has gone again is nobody's loss.
            let _gone = stream.and_then(|mut stream| stream.write_all(word.as_bytes()));
        }
    });
}

/// Answers every datagram with itself.
fn echoes(socket: UdpSocket) {
    socket.set_read_timeout(None).unwrap();
    std::thread::spawn(move || {
        let mut room = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut room) {
            let _gone = socket.send_to(&room[..length], from);
        }
    });
}

/// Writes to whoever connects, without end.
fn pours(listener: TcpListener) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || while stream.write_all(&[7; 16_384]).is_ok() {});
        }
    });
}

/// Reads what whoever connects writes, without end.
fn swallows(listener: TcpListener) {
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
        }
    });
}

/// The lab with the wall up, a portal, and an Internet of a few ports.
fn stage() -> (Lab, NftFirewall) {
    let lab = Lab::build();
    says(TcpListener::bind(("::", PORTAL)).unwrap(), "portal");
    says(TcpListener::bind("[::]:22").unwrap(), "ssh of the box");
    says(lab.internet.listens(80), "internet");
    says(lab.internet.listens(443), "internet");
    pours(lab.internet.listens(8000));
    swallows(lab.internet.listens(8001));
    echoes(lab.internet.datagrams((Ipv6Addr::UNSPECIFIED, 7).into()));
    (lab, wall())
}

/// An echo's answer, or the error that came back instead.
fn ping(host: &Host, to: IpAddr) -> io::Result<usize> {
    let any: IpAddr = if to.is_ipv4() {
        [0; 4].into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = host.datagrams((any, 0).into());
    socket.connect((to, 7))?;
    socket.send(b"are you there")?;
    socket.recv(&mut [0; 64])
}

fn both(host: &Host) -> [IpAddr; 2] {
    [host.v4, host.v6]
}

/// What came in until the connection ended, fell silent or the time was over.
struct Drunk {
    bytes: u64,
    /// When the last byte came.
    until: Instant,
}

fn drink(stream: &mut TcpStream, most: Duration) -> Drunk {
    const SILENCE: Duration = Duration::from_secs(1);
    let (began, mut room) = (now(), vec![0; 65_536]);
    let mut drunk = Drunk {
        bytes: 0,
        until: began,
    };
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    while began.elapsed() < most
        && let Ok(length @ 1..) = stream.read(&mut room)
    {
        drunk.bytes += length as u64;
        drunk.until = now();
    }
    drunk
}

/// Whether a packet of the phone's is answered by the end of the connection.
fn is_reset(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let said = stream.write_all(b"still there?");
    let end = said.and_then(|()| io::copy(stream, &mut io::sink()));
    // A broken pipe where the reset has been heard before.
    end.is_err_and(|error| {
        matches!(
            error.kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        )
    })
}

#[test]
fn a_walled_phone_is_answered_at_once_and_never_let_through() {
    lab::inside(|| {
        let (lab, _wall) = stage();
        for to in both(&lab.internet) {
            let began = now();
            let refused = lab.phone.connects((to, 443).into()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{to}");
            let refused = ping(&lab.phone, to).unwrap_err();
            // EACCES for IPv6; IPv4 says that the host cannot be reached.
            assert!(
                matches!(
                    refused.kind(),
                    ErrorKind::PermissionDenied | ErrorKind::HostUnreachable
                ),
                "{to}: {refused}"
            );
            assert!(
                began.elapsed() < Duration::from_millis(500),
                "{to}: {:?}",
                began.elapsed()
            );
            assert_eq!(lab.phone.hears((to, 80).into()).unwrap(), "portal", "{to}");
        }
    });
}

#[test]
fn a_phone_that_is_let_in_passes_and_one_that_is_taken_out_is_cut() {
    lab::inside(|| {
        let (lab, wall) = stage();
        wall.admit(&open(1)).unwrap();
        for to in both(&lab.internet) {
            assert_eq!(lab.phone.hears((to, 443).into()).unwrap(), "internet");
            assert_eq!(lab.phone.hears((to, 80).into()).unwrap(), "internet");
            ping(&lab.phone, to).unwrap();
            lab.vip_phone.connects((to, 443).into()).unwrap_err();
        }
        let traffic = wall.traffic().unwrap();
        assert!(traffic[0].up > 300 && traffic[0].down > 300, "{traffic:?}");

        let mut streams =
            both(&lab.internet).map(|to| lab.phone.connects((to, 8000).into()).unwrap());
        for stream in &mut streams {
            stream.read_exact(&mut [0; 1_000_000]).unwrap();
        }
        wall.remove(open(1).mac, open(1).mark).unwrap();
        let began = now();
        std::thread::scope(|scope| {
            for mut stream in streams {
                scope.spawn(move || {
                    let drunk = drink(&mut stream, PATIENCE);
                    let lasted = drunk.until.saturating_duration_since(began);
                    assert!(lasted < Duration::from_secs(1), "{lasted:?}");
                    assert!(is_reset(&mut stream));
                });
            }
        });
        lab.phone
            .connects((lab.internet.v4, 443).into())
            .unwrap_err();
    });
}

#[test]
fn a_page_of_the_portal_arrives_whatever_becomes_of_the_session() {
    lab::inside(|| {
        let lab = Lab::build();
        let portal = TcpListener::bind(("::", PORTAL)).unwrap();
        let wall = wall();
        // At the box, at the portal's own port, and wherever the phone wanted to go.
        for (to, port) in [
            (lab.phone.router_v4(), 80),
            (lab.phone.router_v6(), 80),
            (lab.phone.router_v4(), PORTAL),
            (lab.internet.v4, 80),
            (lab.internet.v6, 80),
        ] {
            for was_in in [false, true] {
                if was_in && both(&lab.internet).contains(&to) {
                    continue;
                }
                if was_in {
                    wall.admit(&open(1)).unwrap();
                }
                let mut phone = lab.phone.connects((to, port).into()).unwrap();
                let (mut page, _) = portal.accept().unwrap();
                // What is asked for happens before it is answered.
                let mut ask = |words: &[u8], happens: &dyn Fn()| {
                    let mut heard = vec![0; words.len()];
                    phone.write_all(words).unwrap();
                    page.read_exact(&mut heard).unwrap();
                    happens();
                    page.write_all(&heard).unwrap();
                    phone.read_exact(&mut heard).unwrap();
                };
                ask(b"let me in", &|| wall.admit(&open(1)).unwrap());
                ask(b"am I in?", &|| {});
                ask(b"let me out", &|| {
                    wall.remove(open(1).mac, open(1).mark).unwrap();
                });
            }
        }
    });
}

#[test]
fn a_stray_packet_of_a_phone_that_is_let_in_ends_nothing() {
    lab::inside(|| {
        let (lab, wall) = stage();
        // No connection may be picked up in its middle: what is not known is stray.
        fs_err::write("/proc/sys/net/netfilter/nf_conntrack_tcp_loose", "0").unwrap();
        wall.admit(&open(1)).unwrap();
        let mut stream = lab.phone.connects((lab.internet.v4, 8001).into()).unwrap();
        wall.remove(open(1).mac, open(1).mark).unwrap();
        wall.admit(&open(1)).unwrap();
        stream.write_all(b"still there?").unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let silence = stream.read(&mut [0; 1]).unwrap_err();
        assert_eq!(silence.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn a_session_that_runs_out_is_cut_by_the_kernel() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let short = Entry {
            lasts: Duration::from_millis(800),
            ..open(1)
        };
        wall.admit(&short).unwrap();
        let began = now();
        let mut stream = lab.phone.connects((lab.internet.v4, 8000).into()).unwrap();
        let drunk = drink(&mut stream, PATIENCE);
        let lasted = drunk.until - began;
        assert!(drunk.bytes > 100_000);
        assert!((600..1_600).contains(&lasted.as_millis()), "{lasted:?}");
        assert!(is_reset(&mut stream));
    });
}

#[test]
fn guests_reach_neither_each_other_nor_the_rest_of_the_box() {
    lab::inside(|| {
        let (lab, wall) = stage();
        says(lab.vip_phone.listens(443), "the other phone");
        for is_let_in in [false, true] {
            if is_let_in {
                wall.admit(&open(1)).unwrap();
                wall.admit(&open(2)).unwrap();
            }
            for to in both(&lab.vip_phone) {
                let refused = lab.phone.connects((to, 443).into()).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{to}");
            }
            for to in [
                lab.phone.router_v4(),
                lab.phone.router_v6(),
                lab.internet.router_v4(),
            ] {
                let refused = lab.phone.connects((to, 22).into()).unwrap_err();
                assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{to}");
                for port in [80, PORTAL] {
                    assert_eq!(
                        lab.phone.hears((to, port).into()).unwrap(),
                        "portal",
                        "{to}"
                    );
                }
            }
        }
        // Somebody who is no guest is none of the wall's business, but does not reach guests either.
        let to_box = SocketAddr::from((lab.internet.router_v4(), 22));
        assert_eq!(lab.internet.hears(to_box).unwrap(), "ssh of the box");
        lab.internet.does(|| {
            let to_guest = SocketAddr::from((lab.vip_phone.v4, 443));
            TcpStream::connect_timeout(&to_guest, Duration::from_millis(300)).unwrap_err()
        });
    });
}

#[test]
fn without_an_internet_port_80_of_everybody_leads_to_the_portal() {
    lab::inside(|| {
        let (lab, wall) = stage();
        wall.admit(&open(1)).unwrap();
        for (is_up, answer) in [(true, "internet"), (false, "portal"), (true, "internet")] {
            wall.wan(is_up).unwrap();
            for to in both(&lab.internet) {
                assert_eq!(lab.phone.hears((to, 80).into()).unwrap(), answer);
                assert_eq!(lab.phone.hears((to, 443).into()).unwrap(), "internet");
            }
        }
    });
}

#[test]
fn a_garden_is_open_to_those_whom_it_is_for_and_never_to_probes() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let [v4, v6] = both(&lab.internet);
        let is_open = |host: &Host, to: IpAddr| host.hears((to, 443).into()).is_ok();
        nft(&format!(
            "add element inet maitred garden4_guest {{ {v4} }}"
        ));
        nft(&format!("add element inet maitred pass6_guest {{ {v6} }}"));
        assert!(is_open(&lab.phone, v4));
        assert!(!is_open(&lab.vip_phone, v4), "another zone's garden");
        assert!(!is_open(&lab.phone, v6), "only with a pass");
        assert_eq!(lab.phone.hears((v4, 80).into()).unwrap(), "internet");
        ping(&lab.phone, v4).unwrap();

        let pass = entry(1, Access::Garden);
        wall.admit(&pass).unwrap();
        assert!(is_open(&lab.phone, v6));
        assert_eq!(lab.phone.hears((v6, 80).into()).unwrap(), "internet");
        nft(&format!(
            "add element inet maitred probe4 {{ {v4} }}; add element inet maitred probe6 {{ {v6} }}"
        ));
        for to in [v4, v6] {
            assert_eq!(lab.phone.hears((to, 80).into()).unwrap(), "portal");
            assert!(is_open(&lab.phone, to));
        }
        wall.remove(pass.mac, pass.mark).unwrap();
        assert!(!is_open(&lab.phone, v6));
    });
}

#[test]
fn names_are_answered_by_the_box_until_a_phone_is_let_in() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let box_dns = UdpSocket::bind("[::]:53").unwrap();
        echoes(box_dns);
        let ask = |to: IpAddr| {
            let any: IpAddr = if to.is_ipv4() {
                [0; 4].into()
            } else {
                Ipv6Addr::UNSPECIFIED.into()
            };
            let socket = lab.phone.datagrams((any, 0).into());
            socket.connect((to, 53))?;
            socket.send(b"name")?;
            socket.recv(&mut [0; 64])
        };
        for to in both(&lab.internet) {
            ask(to).unwrap();
            wall.admit(&open(1)).unwrap();
            // Nobody answers names out there.
            assert_eq!(ask(to).unwrap_err().kind(), ErrorKind::ConnectionRefused);
            wall.remove(open(1).mac, open(1).mark).unwrap();
        }
    });
}

#[test]
fn guests_share_the_boxs_address_where_that_is_asked_for() {
    lab::inside(|| {
        let lab = Lab::build();
        let layout = Layout {
            masquerade: Some("to-wan".to_owned()),
            ..lab::layout()
        };
        let wall = NftFirewall::open(layout, "nft").unwrap();
        wall.set_up(&[open(1)]).unwrap();
        let listener = lab.internet.listens(443);
        for (to, router) in [
            (lab.internet.v4, lab.internet.router_v4()),
            (lab.internet.v6, lab.internet.router_v6()),
        ] {
            let _stream = lab.phone.connects((to, 443).into()).unwrap();
            let (_, from) = listener.accept().unwrap();
            assert_eq!(from.ip().to_canonical(), router);
        }
    });
}

fn limited(meter: Meter) -> Entry {
    entry(1, Access::Open(meter))
}

#[test]
fn a_quota_stops_bytes_where_it_says() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let quota = 20_000_000;
        let device = limited(Meter {
            quota: Some(quota),
            ..Meter::default()
        });
        wall.admit(&device).unwrap();
        let mut stream = lab.phone.connects((lab.internet.v4, 8000).into()).unwrap();
        let bytes = drink(&mut stream, PATIENCE).bytes;
        let share = bytes as f64 / quota as f64;
        println!("{bytes} bytes came of a quota of {quota}: {share:.4}");
        // The rest is headers.
        assert!((0.98..=1.0).contains(&share), "{share}");
        let used = wall.traffic().unwrap()[0].quota_used.unwrap();
        assert!(used >= quota);
        lab.phone
            .connects((lab.internet.v4, 443).into())
            .unwrap_err();
    });
}

/// The share of a rate that passes, once what a quiet second has saved up is gone.
fn share_of(rate: u64, wall: &NftFirewall, passed: impl Fn(&Traffic) -> u64) -> f64 {
    let reading = || passed(&wall.traffic().unwrap()[0]);
    // The first second's bytes come on top.
    while reading() < 2 * rate {
        std::thread::yield_now();
    }
    let (began, before) = (now(), reading());
    while began.elapsed() < Duration::from_secs(3) {
        std::thread::yield_now();
    }
    (reading() - before) as f64 / began.elapsed().as_secs_f64() / rate as f64
}

#[test]
fn a_rate_is_kept_both_ways() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let rate = 1_000_000;
        let limit = Some(Rate {
            bytes_per_second: rate,
        });
        // As a phone does it: more than one connection at a time.
        let connections = |to: IpAddr, port| {
            let connect = |_| lab.phone.connects((to, port).into()).unwrap();
            (0..3).map(connect).collect::<Vec<_>>()
        };

        wall.admit(&limited(Meter {
            down: limit,
            ..Meter::default()
        }))
        .unwrap();
        for mut stream in connections(lab.internet.v4, 8000) {
            std::thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
        }
        let share = share_of(rate, &wall, |traffic| traffic.down);
        assert!((0.9..=1.1).contains(&share), "down: {share}");

        wall.remove(open(1).mac, open(1).mark).unwrap();
        wall.admit(&limited(Meter {
            up: limit,
            ..Meter::default()
        }))
        .unwrap();
        for mut stream in connections(lab.internet.v6, 8001) {
            std::thread::spawn(move || while stream.write_all(&[7; 16_384]).is_ok() {});
        }
        let share = share_of(rate, &wall, |traffic| traffic.up);
        assert!((0.9..=1.1).contains(&share), "up: {share}");
    });
}

#[test]
fn a_phone_comes_and_goes_in_microseconds() {
    lab::inside(|| {
        let (lab, wall) = stage();
        let mut rounds = Vec::new();
        for _ in 0..200 {
            let began = now();
            wall.admit(&open(1)).unwrap();
            let admitted = began.elapsed();
            lab.phone.connects((lab.internet.v4, 443).into()).unwrap();
            let began = now();
            wall.remove(open(1).mac, open(1).mark).unwrap();
            rounds.push((admitted, began.elapsed()));
        }
        let median = |mut times: Vec<Duration>| {
            times.sort();
            times[times.len() / 2]
        };
        let admit = median(rounds.iter().map(|(admit, _)| *admit).collect());
        let remove = median(rounds.iter().map(|(_, remove)| *remove).collect());
        println!("median: admit {admit:?}, remove {remove:?}");
        assert!(admit < Duration::from_millis(2), "{admit:?}");
    });
}
