//! The portal over HTTPS: its certificate comes, is renewed and runs out while the gateway runs, and phones
//! are told of the API of RFC 8908 only while they would take it.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maitred::cli::gateway::advertise::{Advert, Because};
use maitred::cli::gateway::{Gateway, ShopTime};
use maitred::config::overlay::Environment;
use maitred::ops::ask::Connection;
use maitred::ops::certificate::Fit;
use maitred::portal::https::Https;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, IsCa, Issuer, KeyPair,
};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{PATIENCE, Phone, Sending, Tasks, TestChain, ask_to_be_let_in, eventually};

const HOST: &str = "portal.test";

/// An authority that phones believe.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        Self { issuer, root }
    }

    /// Certifies what a box asks for, until a year.
    fn sign(&self, request: &str, until: i32) -> String {
        let mut request = CertificateSigningRequestParams::from_pem(request).unwrap();
        request.params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        request.params.not_after = rcgen::date_time_ymd(until, 1, 1);
        request.signed_by(&self.issuer).unwrap().pem()
    }

    /// What a phone that believes this authority is told at `path`, and the certificate that it is shown.
    async fn ask(
        &self,
        address: SocketAddr,
        path: &str,
    ) -> Option<(String, CertificateDer<'static>)> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = TcpStream::connect(address).await.ok()?;
        let name = ServerName::try_from(HOST).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let mut tls = connector.connect(name, tcp).await.ok()?;
        let shown = tls.get_ref().1.peer_certificates()?[0].clone().into_owned();
        let question = format!(
            "GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/captive+json\r\nConnection: close\r\n\r\n"
        );
        tls.write_all(question.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that hangs up says so less politely than TLS would have it.
        tls.read_to_end(&mut answer).await.ok();
        Some((String::from_utf8(answer).unwrap(), shown))
    }
}

/// A shop without headquarters, in a folder of its own.
struct Shop {
    dir: tempfile::TempDir,
    tls_listen: SocketAddr,
}

impl Shop {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        crate::support::write_chain(&dir.path().join("chain"));
        Self {
            dir,
            tls_listen: free_address(),
        }
    }

    async fn open(&self) -> Gateway {
        self.open_with("").await
    }

    /// The same with more in its settings.
    async fn open_with(&self, more: &str) -> Gateway {
        let file = self.dir.path().join("gateway.toml");
        let settings = format!(
            "state_dir = \"state\"\n[portal]\nlisten = \"127.0.0.1:0\"\nbase_url = \"http://{HOST}\"\n\
             tls_listen = \"{}\"\n[ops]\nlisten = \"127.0.0.1:0\"\n[uplink]\nprobe_url = \"\"\n\
             [bundle]\ndir = \"chain\"\n[journal]\nin_memory = true\n{more}",
            self.tls_listen
        );
        fs_err::write(&file, settings).unwrap();
        let settings = maitred::config::gateway(&file, &Environment::default()).unwrap();
        Gateway::start(settings, ShopTime::OwnClock).await.unwrap()
    }

    fn identity(&self, name: &str) -> PathBuf {
        self.dir.path().join("state/identity").join(name)
    }

    fn request(&self) -> String {
        fs_err::read_to_string(self.identity("host.csr")).unwrap()
    }

    fn certify(&self, certificate: &str) {
        fs_err::write(self.identity("host.pem"), certificate).unwrap();
    }
}

/// Let go of before the gateway takes it, which does so only when it has a certificate.
fn free_address() -> SocketAddr {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap()
}

async fn judged(gateway: &Gateway, what: impl Fn(Fit) -> bool) -> Https {
    let mut https = gateway.https.clone();
    let judged = https.wait_for(|https| what(https.fit));
    let judged = tokio::time::timeout(PATIENCE, judged).await;
    judged.expect("a judgement in time").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_are_told_of_the_api_from_the_day_there_is_a_certificate_to_its_last() {
    let (shop, authority) = (Shop::new(), Authority::new());
    let gateway = shop.open().await;
    assert_eq!(judged(&gateway, |_| true).await.capport_url(), None);
    assert_eq!(gateway.portal_tls, None, "there is nothing to show");

    shop.certify(&authority.sign(&shop.request(), 2090));
    let good = judged(&gateway, |fit| matches!(fit, Fit::Good { .. })).await;
    assert_eq!(
        good.capport_url().as_deref(),
        Some("https://portal.test/capport")
    );
    let (captive, first) = eventually("the API", || async {
        authority.ask(shop.tls_listen, "/capport").await
    })
    .await;
    let head = captive.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 "), "{captive}");
    assert!(head.contains("content-type: application/captive+json\r\n"));
    assert!(head.contains("cache-control: private\r\n"), "{captive}");
    assert!(captive.contains("\"captive\":true"), "{captive}");
    assert!(captive.contains("\"user-portal-url\":\"https://portal.test/\""));

    let mut operator = Connection::open(gateway.ops, &Tasks::new()).await.unwrap();
    let mut asked = async |path: &str| {
        let answer = operator.get(path).await.unwrap();
        String::from_utf8(answer.into_body().to_vec()).unwrap()
    };
    let metrics = asked("/metrics").await;
    let ends = "portal_certificate_not_after_seconds 3786912000";
    assert!(metrics.contains(ends), "{metrics}");
    let readiness = asked("/readyz").await;
    assert!(readiness.contains("good until 2090-01-01"), "{readiness}");

    ask_to_be_let_in(gateway.portal).await;
    let (let_in, _) = authority.ask(shop.tls_listen, "/capport").await.unwrap();
    assert!(let_in.contains("\"captive\":false"), "{let_in}");
    // RFC 8908 wants TLS, and gets it: in plain HTTP there is no such page.
    let mut phone = Phone::open(gateway.portal, &Tasks::new()).await.unwrap();
    assert_eq!(phone.get("/capport").await.unwrap().status, 404);
    let (page, _) = authority.ask(shop.tls_listen, "/").await.unwrap();
    assert!(page.contains("<html"), "{page}");

    // A renewal is shown without a restart.
    shop.certify(&authority.sign(&shop.request(), 2091));
    eventually("the renewed certificate", || async {
        let (_, now) = authority.ask(shop.tls_listen, "/capport").await?;
        (now != first).then_some(())
    })
    .await;

    // One that has run out is shown all the same, and phones are no longer told.
    shop.certify(&authority.sign(&shop.request(), 2021));
    let expired = judged(&gateway, |fit| fit == Fit::Expired).await;
    assert_eq!(expired.capport_url(), None);
    let readiness = asked("/readyz").await;
    let degraded = r#"{"name":"certificate","verdict":"degraded","detail":"expired"}"#;
    assert!(readiness.contains(degraded), "{readiness}");
    gateway.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_box_with_a_certificate_serves_it_from_the_start_or_says_that_it_cannot() {
    let (shop, authority) = (Shop::new(), Authority::new());
    shop.open().await.stop().await.unwrap();
    shop.certify(&authority.sign(&shop.request(), 2090));
    let gateway = shop.open().await;
    assert_eq!(gateway.portal_tls, Some(shop.tls_listen));
    assert!(
        gateway
            .ready_line()
            .contains(" portal_tls=https://127.0.0.1:")
    );
    assert!(authority.ask(shop.tls_listen, "/capport").await.is_some());

    let said = {
        let file = shop.dir.path().join("gateway.toml");
        let output = crate::support::run(&["gateway", "--config", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let busy = format!(
        "cannot listen on {} for the portal over HTTPS",
        shop.tls_listen
    );
    assert!(said.contains(&busy), "{said}");
    gateway.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_are_told_of_the_api_only_once_somebody_listens() {
    let (shop, authority) = (Shop::new(), Authority::new());
    let gateway = shop.open().await;
    let taken = TcpListener::bind(shop.tls_listen).unwrap();
    shop.certify(&authority.sign(&shop.request(), 2090));
    let told = |expected: Advert| {
        let mut advert = gateway.advert.clone();
        async move {
            let told = advert.wait_for(|now| *now == expected);
            tokio::time::timeout(PATIENCE, told)
                .await
                .unwrap()
                .map(drop)
        }
    };
    told(Advert::Nothing(Because::NobodyListens)).await.unwrap();
    drop(taken);
    let url = "https://portal.test/capport".to_owned();
    told(Advert::Url(url)).await.unwrap();
    assert!(authority.ask(shop.tls_listen, "/capport").await.is_some());

    shop.certify(&authority.sign(&shop.request(), 2021));
    told(Advert::Nothing(Because::Certificate)).await.unwrap();
    gateway.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_advertises_the_router_hears_what_phones_are_told_until_the_gateway_stops() {
    let (shop, authority) = (Shop::new(), Authority::new());
    let heard = shop.dir.path().join("heard");
    let gateway = shop
        .open_with(&format!(
            "[admission]\nrouter_advertisement = [\"sh\", \"-c\", \"echo \\\"<$CAPPORT_URL>\\\" >>{}\"]\n",
            heard.display()
        ))
        .await;
    let told = async |expected: &str| {
        eventually(expected, || async {
            let heard = fs_err::read_to_string(&heard).unwrap_or_default();
            (heard == expected).then_some(())
        })
        .await;
    };
    told("<>\n").await;
    shop.certify(&authority.sign(&shop.request(), 2090));
    told("<>\n<https://portal.test/capport>\n").await;
    gateway.stop().await.unwrap();
    told("<>\n<https://portal.test/capport>\n<>\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolled_box_makes_a_key_for_its_host_and_asks_for_a_certificate() {
    let chain = TestChain::start();
    chain.enroll_store();
    let identity = |name: &str| chain.path("store/identity").join(name);
    let key = identity("host.key");
    let mode = fs_err::metadata(&key).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let made = fs_err::read(&key).unwrap();
    let _store = chain.start_store(Sending::AtOnce).await;
    let names = asked_for(&identity("host.csr"));
    assert_eq!(names, [rcgen::SanType::DnsName(HOST.try_into().unwrap())]);
    assert_eq!(fs_err::read(&key).unwrap(), made, "the key is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_authority_signs_for_a_box_reaches_it_in_its_bundle_and_stays_without_headquarters()
{
    let (mut chain, authority, tls_listen) = (TestChain::start(), Authority::new(), free_address());
    let folder = chain.path("chain/stores/SZ01");
    let store_file = folder.join("store.toml");
    let text = fs_err::read_to_string(&store_file).unwrap();
    fs_err::write(&store_file, text.replace("sz01.sw.cn", HOST)).unwrap();
    chain.enroll_store();
    let store = chain.start_store_at(tls_listen).await;
    let csr = ["certificate", "csr", "--store", "SZ01"];
    let request = eventually("the box's request at headquarters", || async {
        let said = chain.try_hq(&csr);
        said.status
            .success()
            .then(|| String::from_utf8(said.stdout).unwrap())
    })
    .await;
    let own = fs_err::read_to_string(chain.path("store/identity/host.csr")).unwrap();
    assert_eq!(request, own);

    let mut before = None;
    for until in [2090, 2091] {
        let file = chain.path("signed.pem");
        fs_err::write(&file, authority.sign(&request, until)).unwrap();
        let said = chain.hq(&[
            "certificate",
            "put",
            "--store",
            "SZ01",
            file.to_str().unwrap(),
        ]);
        assert!(
            said.contains(&format!("{HOST} has a certificate until {until}")),
            "{said}"
        );
        let shown = eventually("the certificate from the bundle", || async {
            let (_, shown) = authority.ask(tls_listen, "/capport").await?;
            (before.as_ref() != Some(&shown)).then_some(shown)
        })
        .await;
        before = Some(shown);
    }

    chain.stop_hq();
    store.process.stop();
    let _store = chain.start_store_at(tls_listen).await;
    let (_, shown) = authority.ask(tls_listen, "/capport").await.unwrap();
    assert_eq!(Some(shown), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_written_into_the_chains_folder_is_shown_by_the_box_that_it_fits() {
    let (chain, authority, tls_listen) = (TestChain::start(), Authority::new(), free_address());
    chain.enroll_store();
    let _store = chain.start_store_at(tls_listen).await;
    let request = fs_err::read_to_string(chain.path("store/identity/host.csr")).unwrap();
    let file = chain.path("chain/stores/SZ01/certificate.pem");
    fs_err::write(file, authority.sign(&request, 2090)).unwrap();
    eventually("the certificate from the bundle", || async {
        authority.ask(tls_listen, "/capport").await
    })
    .await;
}

fn asked_for(request: &Path) -> Vec<rcgen::SanType> {
    let pem = fs_err::read_to_string(request).unwrap();
    let request = CertificateSigningRequestParams::from_pem(&pem).unwrap();
    request.params.subject_alt_names
}
