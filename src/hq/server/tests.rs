//! Headquarters over real sockets and real TLS, as a gateway meets it.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use rcgen::CertificateParams;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::de::DeserializeOwned;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;
use crate::hq::authority::new_key;
use crate::hq::init::init;
use crate::hq::testing::{at_store, chain_folder, claim, coupon_key, line, now, store, stream};
use crate::hq::{chain, token};
use crate::ops::clock::SystemClock;
use crate::ops::tasks::Ended;
use crate::wire::batch::{self, Batch, Receipt, Waiting};
use crate::wire::link::{EnrollRequest, Enrolled, Hello, HelloReply};

struct TestServer {
    _dir: TempDir,
    _folder: TempDir,
    running: Running,
    tasks: Tasks,
    token: String,
}

fn settings(dir: &TempDir, folder: &TempDir) -> HqSettings {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    HqSettings {
        dir: dir.path().join("hq"),
        chain_dir: folder.path().to_owned(),
        database: None,
        sync_listen: any,
        sync_url: "https://127.0.0.1:0".to_owned(),
        enroll_listen: any,
        console_listen: any,
        console_tls: None,
        access_log_days: 184,
        ops_listen: any,
        log: Default::default(),
    }
}

impl TestServer {
    async fn start() -> Self {
        let (dir, folder) = (tempfile::tempdir().unwrap(), chain_folder());
        let settings = settings(&dir, &folder);
        init(&settings.dir, &[], &SystemClock).await.unwrap();
        let tasks = Tasks::new();
        let clocks = Clocks::both(Arc::new(SystemClock));
        let running = Headquarters { preview: None }
            .start(&settings, clocks, &tasks)
            .await
            .unwrap();
        // As `maitred hq token` does: another process, its own connection to the file.
        let ledger = db::open(&Place::of(&settings)).await.unwrap();
        let chain = chain::read(folder.path()).unwrap();
        let valid = token::DEFAULT_VALID;
        let token = token::make(
            ledger.as_ref(),
            &chain,
            at_store("SZ01"),
            valid,
            &SystemClock,
        )
        .await
        .unwrap();
        Self {
            _dir: dir,
            _folder: folder,
            running,
            tasks,
            token,
        }
    }

    fn pin(&self) -> [u8; 32] {
        let digits = self.running.pin.as_bytes().chunks(2);
        let bytes: Vec<u8> = digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        bytes.try_into().unwrap()
    }

    /// Enrols by pin; returns the answer and the TLS of a client that holds the certificate.
    async fn enrol(&self) -> (Enrolled, Arc<ClientConfig>) {
        let key = new_key().unwrap();
        let request = CertificateParams::default()
            .serialize_request(&key)
            .unwrap();
        let asked = EnrollRequest {
            token: self.token.clone(),
            csr_pem: request.pem().unwrap(),
            coupon_key: coupon_key(),
            sw: "0.1.0".to_owned(),
        };
        let by_pin = tls::client_by_pin(self.pin(), real_time()).unwrap();
        let body = serde_json::to_vec(&asked).unwrap();
        let enrolled: Enrolled = post(self.running.enroll, by_pin, "/v1/enroll", body)
            .await
            .unwrap();
        let with_certificate = tls::client(
            &enrolled.server_ca_pem,
            &enrolled.certificate_pem,
            &key.serialize_pem(),
            real_time(),
        )
        .unwrap();
        (enrolled, with_certificate)
    }
}

fn real_time() -> Arc<tls::CertificateTime> {
    tls::CertificateTime::new(Arc::new(SystemClock))
}

async fn post<T: DeserializeOwned>(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    path: &str,
    body: Vec<u8>,
) -> anyhow::Result<T> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(address.ip().to_string())?;
    let stream = TlsConnector::from(tls).connect(name, stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post(path)
        .header("host", address.to_string())
        .body(Full::new(Bytes::from(body)))?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        drop(sender);
        anyhow::Ok(bytes)
    };
    let (bytes, _) = tokio::join!(answer, connection);
    Ok(serde_json::from_slice(&bytes?)?)
}

#[tokio::test]
async fn a_box_enrols_by_pin_and_brings_a_claim_over_mutual_tls() {
    let hq = TestServer::start().await;
    let (enrolled, tls) = hq.enrol().await;
    let port = hq.running.sync.port();
    assert_eq!(enrolled.sync_url, format!("https://127.0.0.1:{port}"));

    let hello = Hello {
        sw: "0.1.0".to_owned(),
        boot: 1,
        streams: Vec::new(),
        host_csr: None,
    };
    let body = serde_json::to_vec(&hello).unwrap();
    let reply: HelloReply = post(hq.running.sync, Arc::clone(&tls), "/v1/hello", body)
        .await
        .unwrap();
    assert!(reply.streams.is_empty());

    let sent = Batch {
        header: batch::Header {
            v: batch::VERSION,
            first: 1,
            n: 1,
            prev: None,
            sw: "0.1.0".to_owned(),
            q: Waiting::default(),
        },
        lines: vec![line(1, &store("SZ01"), now(), claim(1, 1))],
    };
    let path = format!("/v1/up/{}", stream(1));
    let receipt: Receipt = post(hq.running.sync, tls, &path, batch::encode(&sent))
        .await
        .unwrap();
    assert_eq!(receipt.acked, 1);
    assert_eq!(hq.running.ledger.totals().await.unwrap().claims, 1);
    let ended = hq.tasks.shut_down(Duration::from_secs(5)).await;
    assert_eq!(ended, Ended::Clean);
}

#[tokio::test]
async fn a_wrong_pin_and_a_missing_certificate_end_the_handshake() {
    let hq = TestServer::start().await;
    let wrong = tls::client_by_pin([7; 32], real_time()).unwrap();
    let answer = post::<Enrolled>(hq.running.enroll, wrong, "/v1/enroll", Vec::new()).await;
    assert!(answer.is_err());
    let without = tls::client_by_pin(hq.pin(), real_time()).unwrap();
    let answer = post::<HelloReply>(hq.running.sync, without, "/v1/hello", Vec::new()).await;
    assert!(
        answer.is_err(),
        "the sync listener wants a client certificate"
    );
    hq.tasks.shut_down(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_busy_port_ends_the_start_and_names_itself() {
    let (dir, folder) = (tempfile::tempdir().unwrap(), chain_folder());
    let holder = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = settings(&dir, &folder);
    settings.enroll_listen = holder.local_addr().unwrap();
    let clocks = Clocks::both(Arc::new(SystemClock));
    let tasks = Tasks::new();
    let refused = Headquarters { preview: None }
        .start(&settings, clocks, &tasks)
        .await;
    let Err(error) = refused else {
        panic!("the port is taken");
    };
    assert!(error.to_string().contains("enroll listener"), "{error:#}");
}
