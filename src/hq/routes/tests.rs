//! What gateways and newcomers are told, route by route.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair};
use serde::Serialize;

use super::{enroll, ops, sync};
use crate::domain::command::Command;
use crate::domain::event::Event;
use crate::domain::ids::{CommandId, StreamId};
use crate::hq::authority::new_key;
use crate::hq::db::commands::Order;
use crate::hq::testing::{
    Answer, TestHq, at_store, call, campaign, claim, coupon_key, line, now, open_store, store,
    stream, view,
};
use crate::wire::batch::{
    self, Batch, Closed, Expected, Header, MAX_BATCH_BYTES, Receipt, Waiting,
};
use crate::wire::bundle::open;
use crate::wire::encoding::gzip;
use crate::wire::link::{
    BundlePointer, BundleState, EnrollRequest, Enrolled, Hello, HelloReply, News, Renewed,
    Reported, Serves, StreamOffer,
};
use crate::wire::signing::PublicKey;

/// A box that has enrolled, or tries to.
struct TestGateway<'a> {
    hq: &'a TestHq,
    certificate: Vec<u8>,
    enrolled: Enrolled,
}

fn csr(key: &KeyPair) -> String {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    request.pem().unwrap()
}

fn post<T: Serialize>(path: &str, body: &T) -> Request<Body> {
    let bytes = serde_json::to_vec(body).unwrap();
    Request::post(path).body(Body::from(bytes)).unwrap()
}

async fn enroll_with(hq: &TestHq, token: &str) -> Answer {
    enroll_with_key(hq, token, coupon_key()).await
}

async fn enroll_with_key(hq: &TestHq, token: &str, coupon_key: PublicKey) -> Answer {
    let asked = EnrollRequest {
        token: token.to_owned(),
        csr_pem: csr(&new_key().unwrap()),
        coupon_key,
        sw: "0.1.0".to_owned(),
    };
    let router = enroll::router(Arc::clone(&hq.state));
    call(router, post("/v1/enroll", &asked), None).await
}

fn der(pem: &str) -> Vec<u8> {
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    pem.contents
}

impl<'a> TestGateway<'a> {
    async fn enrol(hq: &'a TestHq, serves: Serves) -> Self {
        Self::enrol_with_key(hq, serves, coupon_key()).await
    }

    async fn enrol_with_key(hq: &'a TestHq, serves: Serves, key: PublicKey) -> Self {
        let token = hq.token(serves).await;
        let enrolled: Enrolled = enroll_with_key(hq, &token, key).await.json();
        while hq.state.bundles.of(enrolled.gateway).is_none() {
            hq.publish().await;
        }
        Self {
            hq,
            certificate: der(&enrolled.certificate_pem),
            enrolled,
        }
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let router = sync::router(Arc::clone(&self.hq.state));
        call(router, request, Some(self.certificate.clone())).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    async fn send(&self, stream: StreamId, first: u64, events: Vec<Event>) -> Answer {
        let bytes = gzip(&batch::encode(&batch_of(first, events)));
        self.send_bytes(&stream.to_string(), bytes).await
    }

    async fn send_bytes(&self, stream: &str, bytes: Vec<u8>) -> Answer {
        let request = Request::post(format!("/v1/up/{stream}"))
            .header("content-encoding", "gzip")
            .body(Body::from(bytes))
            .unwrap();
        self.call(request).await
    }
}

fn batch_of(first: u64, events: Vec<Event>) -> Batch {
    let lines: Vec<_> = (first..)
        .zip(events)
        .map(|(seq, event)| line(seq, &store("SZ01"), now(), event))
        .collect();
    Batch {
        header: Header {
            v: batch::VERSION,
            first,
            n: lines.len(),
            prev: None,
            sw: "0.1.0".to_owned(),
            q: Waiting {
                frames: lines.len() as u64,
                bytes: 0,
            },
        },
        lines,
    }
}

#[tokio::test]
async fn a_batch_gets_a_receipt_and_a_hole_is_told_where_to_go_on() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let receipt: Receipt = gateway
        .send(stream(1), 1, vec![view(None), claim(1, 1)])
        .await
        .json();
    assert_eq!((receipt.acked, receipt.desired_v), (2, 1));
    let hole = gateway.send(stream(1), 4, vec![view(None)]).await;
    assert_eq!(hole.status, 409);
    assert_eq!(hole.json::<Expected>().acked, 2);
    let hello = Hello {
        sw: "0.1.0".to_owned(),
        boot: 1,
        streams: vec![StreamOffer {
            id: stream(1),
            cls: 0,
            floor: 1,
            next: 4,
            last: None,
        }],
        host_csr: None,
    };
    let reply: HelloReply = gateway.call(post("/v1/hello", &hello)).await.json();
    assert_eq!(reply.streams[0].acked, 2);
    assert_eq!(reply.desired.unwrap().v, 1);
    let mut restored = hello;
    restored.streams[0].next = 2;
    let reply: HelloReply = gateway.call(post("/v1/hello", &restored)).await.json();
    assert!(reply.streams[0].closed);
    let gone = gateway.send(stream(1), 2, vec![claim(1, 1)]).await;
    assert_eq!(gone.status, 410);
    assert_eq!(gone.json::<Closed>().known, [2]);
}

#[tokio::test]
async fn a_batch_is_refused_for_its_envelope_only() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let id = stream(1).to_string();
    let sent = |answer: Answer| answer.refusal();
    let code = |status: u16, code: &str| (status, code.to_owned());

    let garbage = gateway.send_bytes(&id, gzip(b"garbage")).await;
    assert_eq!(sent(garbage), code(400, "batch_malformed"));
    let plain = gateway.send_bytes(&id, b"garbage".to_vec()).await;
    assert_eq!(sent(plain), code(400, "batch_not_unpacked"));
    let from_zero = gateway.send(stream(1), 0, vec![view(None)]).await;
    assert_eq!(sent(from_zero), code(400, "batch_malformed"));
    let no_stream = gateway.send_bytes("one", gzip(b"")).await;
    assert_eq!(sent(no_stream), code(400, "stream_malformed"));
    let size = usize::try_from(MAX_BATCH_BYTES).unwrap() + 1;
    let bomb = gateway.send_bytes(&id, gzip(&vec![0; size])).await;
    assert_eq!(sent(bomb), code(413, "batch_not_unpacked"));
    let large = gateway.send_bytes(&id, vec![0; size]).await;
    assert_eq!(sent(large), code(413, "body_too_large"));
    assert_eq!(hq.state.ledger.totals().await.unwrap().frames, 0);
}

#[tokio::test]
async fn a_rush_is_told_to_come_again_before_it_costs_anything() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let mut turns = Vec::new();
    while let Some(turn) = hq.state.admission.turn() {
        turns.push(turn);
    }
    let busy = gateway.send(stream(1), 1, vec![view(None)]).await;
    assert_eq!(busy.refusal(), (429, "headquarters_busy".to_owned()));
    assert_eq!(busy.headers["retry-after"], "5");
    // Nearly full: it is served, and asked to leave the others alone for a while.
    turns.pop();
    let served = gateway.send(stream(1), 1, vec![view(None)]).await;
    assert_eq!(served.json::<Receipt>().wait_ms, 5_000);
    turns.clear();
    let served = gateway.send(stream(1), 1, vec![view(None)]).await;
    assert_eq!(served.json::<Receipt>().wait_ms, 0);
    let mut codes = Vec::new();
    for _ in 0..60 {
        codes.push(gateway.send(stream(1), 1, vec![view(None)]).await.status);
    }
    assert_eq!((codes[0], codes[59]), (200, 429));
}

#[tokio::test]
async fn another_gateways_stream_is_refused_and_audited() {
    let hq = TestHq::new().await;
    let owner = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let stranger = TestGateway::enrol(&hq, at_store("SZ01")).await;
    owner.send(stream(1), 1, vec![view(None)]).await;
    let refused = stranger.send(stream(1), 2, vec![view(None)]).await;
    assert_eq!(refused.refusal(), (403, "stream_foreign".to_owned()));
    let audit = hq.state.ledger.audit(1).await.unwrap();
    assert_eq!(audit[0].action, "stream_foreign");
}

#[tokio::test]
async fn a_box_that_enrols_again_goes_on_with_its_stream() {
    let hq = TestHq::new().await;
    let key = coupon_key();
    let first = TestGateway::enrol_with_key(&hq, at_store("SZ01"), key).await;
    first.send(stream(1), 1, vec![view(None)]).await;
    let id = first.enrolled.gateway;
    hq.state.ledger.revoke(id, now()).await.unwrap();

    let again = TestGateway::enrol_with_key(&hq, at_store("SZ01"), key).await;
    assert_eq!(again.enrolled.gateway, id);
    let receipt: Receipt = again.send(stream(1), 2, vec![view(None)]).await.json();
    assert_eq!(receipt.acked, 2);
    let old = first.get("/v1/down?v=0").await;
    assert_eq!(old.refusal(), (403, "certificate_retired".to_owned()));
    let moved = TestGateway::enrol_with_key(&hq, Serves::Street, key).await;
    assert_ne!(
        moved.enrolled.gateway, id,
        "another place is another gateway"
    );
}

#[tokio::test]
async fn only_a_certificate_in_good_standing_opens_the_sync_listener() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let router = || sync::router(Arc::clone(&hq.state));
    let ask = || Request::get("/v1/down?v=0").body(Body::empty()).unwrap();
    let nobody = call(router(), ask(), None).await;
    assert_eq!(nobody.refusal(), (401, "certificate_missing".to_owned()));
    assert_eq!(gateway.get("/v1/down?v=0").await.status, 200);
    let id = gateway.enrolled.gateway;
    hq.state.ledger.revoke(id, now()).await.unwrap();
    let revoked = gateway.get("/v1/down?v=0").await;
    assert_eq!(revoked.refusal(), (403, "gateway_revoked".to_owned()));
}

#[tokio::test]
async fn a_gateway_fetches_its_own_bundle_and_reports_what_became_of_it() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let street = TestGateway::enrol(&hq, Serves::Street).await;
    let pointer: BundlePointer = gateway.get("/v1/down?v=0").await.json();
    let path = format!("/v1/bundle/{}", pointer.sha256);
    let fetched = gateway.get(&path).await;
    let root = gateway.enrolled.publish_root;
    let opened = open(&fetched.body, root, 0).unwrap();
    assert_eq!(opened.bundle.version, pointer.v);
    // Half of the total since the street gateway came.
    assert_eq!(opened.bundle.slices[&campaign()], 2500);
    assert_eq!(street.get(&path).await.refusal().0, 404);

    let report = Reported {
        v: pointer.v,
        state: BundleState::Refused,
        why: "disk full".to_owned(),
        sw: "0.1.0".to_owned(),
    };
    let answer = gateway.call(post("/v1/reported", &report)).await;
    assert_eq!(answer.status, 204);
    let gateways = hq.state.ledger.gateways().await.unwrap();
    assert_eq!(gateways[0].reported.as_ref().unwrap().why, "disk full");
}

#[tokio::test]
async fn a_waiting_gateway_is_answered_as_soon_as_a_campaign_is_edited() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let had: BundlePointer = gateway.get("/v1/down?v=0").await.json();
    let nothing_new = gateway.get(&format!("/v1/down?v={}&wait=0", had.v)).await;
    assert_eq!(nothing_new.status, 204);

    let path = format!("/v1/down?v={}&wait=50", had.v);
    let edit = async {
        let path = hq.folder.path().join("campaigns/quiet-hours.toml");
        let text = fs_err::read_to_string(&path).unwrap();
        fs_err::write(&path, text.replace("total = 5000", "total = 600")).unwrap();
        hq.state.bundles.look_now();
    };
    let (answer, ()) = tokio::join!(gateway.get(&path), edit);
    assert_eq!(answer.json::<BundlePointer>().v, had.v + 1);
}

#[tokio::test]
async fn a_waiting_gateway_hears_a_command_and_one_of_version_0_1_is_left_alone() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let had: BundlePointer = gateway.get("/v1/down?v=0").await.json();
    let order = Order {
        gateway: gateway.enrolled.gateway,
        id: CommandId::from_entropy([1; 16]),
        command: Command::Renew,
        made: now(),
    };
    let path = format!("/v1/down?v={}&c=0&wait=50", had.v);
    let give = async {
        hq.state.ledger.give(order).await.unwrap();
        hq.state.bundles.look_now();
    };
    let (answer, ()) = tokio::join!(gateway.get(&path), give);
    let news: News = answer.json();
    assert!(news.bundle.is_none(), "it has the newest");
    let [item] = news.items.as_slice() else {
        panic!("one command, not {news:?}");
    };
    assert_eq!(item.command(), Some(Command::Renew));

    // At the next question it is there at once, and no more when it was dealt with.
    assert_eq!(gateway.get(&path).await.json::<News>().items, news.items);
    let id = item.cursor.id;
    let done = format!("/v1/down?v={}&c=1&i={id}&wait=0", had.v);
    assert_eq!(gateway.get(&done).await.status, 204);
    let both = gateway.get("/v1/down?v=0&c=0").await.json::<News>();
    assert_eq!((both.bundle, both.items.len()), (Some(had.clone()), 1));
    let old = gateway.get(&format!("/v1/down?v={}&wait=0", had.v)).await;
    assert_eq!(old.status, 204);
    let absurd = gateway.get(&format!("/v1/down?v=0&c={}", i64::MAX)).await;
    assert_eq!(absurd.refusal(), (400, "command_unknown".to_owned()));
}

#[tokio::test]
async fn a_gateway_that_ran_on_while_the_ledger_was_restored_gets_something_newer() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let answer = gateway.get("/v1/down?v=41&wait=50").await;
    assert_eq!(answer.json::<BundlePointer>().v, 42);
    let absurd = gateway.get(&format!("/v1/down?v={}", u64::MAX)).await;
    assert_eq!(absurd.status, 204);
}

#[tokio::test]
async fn a_long_poll_ends_with_the_process() {
    let hq = TestHq::new().await;
    let gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    let stop = async { hq.state.tasks.stop() };
    let (answer, ()) = tokio::join!(gateway.get("/v1/down?v=1&wait=50"), stop);
    assert_eq!(answer.status, 204);
}

#[tokio::test]
async fn a_token_that_opens_nothing_says_why_and_is_audited() {
    let folder = crate::hq::testing::chain_folder();
    open_store(&folder, "SZ02");
    let hq = TestHq::over(folder).await;
    let used = hq.token(at_store("SZ01")).await;
    assert_eq!(enroll_with(&hq, &used).await.status, 200);
    let foreign = hq.token(at_store("SZ02")).await;
    fs_err::remove_dir_all(hq.folder.path().join("stores/SZ02")).unwrap();
    while hq.state.bundles.chain().unwrap().bundle.stores.len() > 1 {
        hq.publish().await;
    }
    let expired = hq.token(at_store("SZ01")).await;
    for (token, code) in [
        (used.as_str(), "token_used"),
        (foreign.as_str(), "token_foreign"),
        ("never made", "token_unknown"),
        (expired.as_str(), "token_expired"),
    ] {
        if code == "token_expired" {
            hq.clock.advance(SignedDuration::from_hours(25));
        }
        let refused = enroll_with(&hq, token).await;
        assert_eq!(refused.refusal(), (403, code.to_owned()));
        let audit = hq.state.ledger.audit(1).await.unwrap();
        assert_eq!(audit[0].action, "enrolment_refused");
        assert_eq!(audit[0].detail, code);
    }
}

#[tokio::test]
async fn a_flood_of_made_up_tokens_does_not_hide_a_real_one() {
    let hq = TestHq::new().await;
    let used = hq.token(at_store("SZ01")).await;
    assert_eq!(enroll_with(&hq, &used).await.status, 200);
    for _ in 0..70 {
        enroll_with(&hq, "made up").await;
    }
    for _ in 0..2 {
        enroll_with(&hq, &used).await;
    }
    let audit = hq.state.ledger.audit(200).await.unwrap();
    let noted = |code| audit.iter().filter(|entry| entry.detail == code).count();
    assert_eq!((noted("token_unknown"), noted("token_used")), (60, 2));
    assert!(hq.state.failed_sign_ins_noted.admits(now()));
}

#[tokio::test]
async fn a_busy_headquarters_says_when_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let hq = TestHq::over(folder).await;
    let answer = enroll_with(&hq, "any").await;
    assert_eq!(answer.refusal(), (503, "chain_unreadable".to_owned()));
    assert_eq!(answer.headers["retry-after"], "5");
}

#[tokio::test]
async fn a_broken_signing_request_does_not_cost_the_token() {
    let hq = TestHq::new().await;
    let token = hq.token(at_store("SZ01")).await;
    let asked = EnrollRequest {
        token: token.clone(),
        csr_pem: "no request".to_owned(),
        coupon_key: coupon_key(),
        sw: String::new(),
    };
    let router = enroll::router(Arc::clone(&hq.state));
    let refused = call(router, post("/v1/enroll", &asked), None).await;
    assert_eq!(refused.refusal(), (400, "csr_malformed".to_owned()));
    assert_eq!(enroll_with(&hq, &token).await.status, 200);
}

#[tokio::test]
async fn a_renewed_certificate_works_and_retires_the_old_one() {
    let hq = TestHq::new().await;
    let mut gateway = TestGateway::enrol(&hq, at_store("SZ01")).await;
    hq.clock.advance(SignedDuration::from_hours(24 * 30));
    let request = Request::post("/v1/renew")
        .body(Body::from(csr(&new_key().unwrap())))
        .unwrap();
    let renewed = gateway.call(request).await;
    assert_eq!(renewed.status, 200);
    let old = std::mem::replace(
        &mut gateway.certificate,
        der(&renewed.json::<Renewed>().certificate_pem),
    );
    hq.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(gateway.get("/v1/down?v=0").await.status, 200);
    gateway.certificate = old;
    let refused = gateway.get("/v1/down?v=0").await;
    assert_eq!(refused.refusal(), (403, "certificate_retired".to_owned()));
}

#[tokio::test]
async fn readiness_tells_a_broken_folder_and_stays_ready() {
    let hq = TestHq::new().await;
    let ready = async || {
        let router = ops::router(Arc::clone(&hq.state));
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        call(router, request, None).await
    };
    assert!(ready().await.text().contains("\"chain\":\"ok\""));
    fs_err::write(hq.folder.path().join("campaigns/new.toml"), "id = 1").unwrap();
    hq.publish().await;
    let broken = ready().await;
    assert_eq!(broken.status, 200);
    assert!(
        broken.text().contains("\"chain\":\"broken\""),
        "{}",
        broken.text()
    );
    assert!(broken.text().contains("campaigns/new.toml"));
    // Ledger jobs are milliseconds: within the handlers' own limit by far.
    assert!(super::HANDLER_WITHIN > Duration::from_secs(5));
}
