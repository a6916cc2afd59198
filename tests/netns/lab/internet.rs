//! The Internet's look-alike: every name has a public address, every address answers on port 80, and it
//! remembers who asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::net::{TcpListener, UdpSocket};

use super::Space;

/// The router's neighbour, and the resolver that the router asks.
pub(super) const RESOLVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// A resolver that phones know by heart.
const FAMOUS_RESOLVER: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);

/// What was asked of the Internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) from: IpAddr,
    pub(crate) host: String,
    pub(crate) path: String,
}

#[derive(Default)]
struct Diary {
    asked: Mutex<Vec<Asked>>,
}

pub(crate) struct Internet {
    diary: Arc<Diary>,
}

/// The address of a name, the same each time: in 198.51.100.0/24, which is nobody's.
pub(crate) fn address_of(name: &str) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, number_of(name))
}

pub(crate) fn address6_of(name: &str) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0x51, 0, 0, 0, 0, u16::from(number_of(name)))
}

/// A number for a name, of 200; the names in the stories have different ones.
fn number_of(name: &str) -> u8 {
    let sum = name.to_ascii_lowercase().bytes().fold(7_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    u8::try_from(sum % 200 + 10).unwrap()
}

impl Internet {
    pub(super) fn open(space: Space) -> Self {
        // A local route to a whole network makes this machine every address in it.
        space.ip("addr add 203.0.113.1/24 dev eth0\n\
             addr add 2001:db8:113::1/64 dev eth0 nodad\n\
             link set eth0 up\n\
             route add local 198.51.100.0/24 dev lo\n\
             route add local 8.8.8.8/32 dev lo\n\
             route add local 1.0.0.0/8 dev lo\n\
             route add local 2001:db8:51::/64 dev lo\n\
             route add 10.76.0.0/14 via 203.0.113.2\n\
             route add fd00::/8 via 2001:db8:113::2\n");
        let (pages, resolvers) = space.within(|| {
            let pages = std::net::TcpListener::bind("[::]:80").unwrap();
            pages.set_nonblocking(true).unwrap();
            let resolvers = [RESOLVER, FAMOUS_RESOLVER].map(|address| {
                let socket = std::net::UdpSocket::bind((address, 53)).unwrap();
                socket.set_nonblocking(true).unwrap();
                socket
            });
            (pages, resolvers)
        });
        let diary = Arc::new(Diary::default());
        serve(pages, Arc::clone(&diary));
        resolvers.into_iter().for_each(resolve);
        Self { diary }
    }

    /// What was asked of it so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.diary.asked.lock().unwrap().clone()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the look-alike ends with the test's process"
)]
fn serve(pages: std::net::TcpListener, diary: Arc<Diary>) {
    let pages = TcpListener::from_std(pages).unwrap();
    let app = Router::new().fallback(page).with_state(diary);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(pages, app).await.unwrap() });
}

/// What the Internet answers: connectivity checks as their makers do, so many bytes at `/bytes/N`, and a
/// page anywhere else.
async fn page(
    State(diary): State<Arc<Diary>>,
    ConnectInfo(from): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let host = request
        .headers()
        .get("host")
        .map_or("", |host| host.to_str().unwrap());
    let path = request.uri().path();
    diary.asked.lock().unwrap().push(Asked {
        from: from.ip().to_canonical(),
        host: host.to_owned(),
        path: path.to_owned(),
    });
    if let Some(bytes) = path.strip_prefix("/bytes/") {
        return vec![b'x'; bytes.parse().unwrap()].into_response();
    }
    match (host, path) {
        (_, "/generate_204" | "/gen_204") => StatusCode::NO_CONTENT.into_response(),
        ("captive.apple.com", _) => {
            "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>\n".into_response()
        }
        ("www.msftconnecttest.com", "/connecttest.txt") => "Microsoft Connect Test".into_response(),
        _ => format!("the Internet: {host}{path}\n").into_response(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the look-alike ends with the test's process"
)]
fn resolve(socket: std::net::UdpSocket) {
    let socket = UdpSocket::from_std(socket).unwrap();
    tokio::spawn(async move {
        let mut question = [0; 512];
        loop {
            let (length, from) = socket.recv_from(&mut question).await.unwrap();
            if let Some(answer) = answer_to(&question[..length]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
}

/// The answer to a question of one name (RFC 1035): its address for A and AAAA, nothing for other types.
fn answer_to(question: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let mut labels = Vec::new();
    let mut at = HEADER;
    loop {
        let length = usize::from(*question.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(question.get(at..at + length)?).into_owned());
        at += length;
    }
    let kind = u16::from_be_bytes(question.get(at..at + 2)?.try_into().unwrap());
    let end = at + 4;
    let name = labels.join(".");
    let data = match kind {
        1 => address_of(&name).octets().to_vec(),
        28 => address6_of(&name).octets().to_vec(),
        _ => Vec::new(),
    };
    let answers: u8 = (!data.is_empty()).into();
    let mut answer = question.get(..2)?.to_vec();
    // An answer, recursion wanted and offered; one question, so many answers, nothing else.
    answer.extend([0x81, 0x80, 0, 1, 0, answers, 0, 0, 0, 0]);
    answer.extend(question.get(HEADER..end)?);
    if answers == 1 {
        // The name in the question, its type, class IN, 60 seconds.
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60, 0, u8::try_from(data.len()).unwrap()]);
        answer.extend(data);
    }
    Some(answer)
}
