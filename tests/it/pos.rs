//! A point of sale redeems and tells of bills by its key: JSON in, JSON out, each number once.

use axum::http::{HeaderMap, Method, StatusCode};
use maitred::ops::ask::Connection;
use maitred::ops::tasks::Tasks;
use serde_json::{Value, json};

use crate::support::{
    SeenCoupon, Sending, TestChain, TestStore, Till, claim, counter_page, eventually, table,
};

/// A point of sale with its key.
struct Pos {
    connection: Connection,
    headers: HeaderMap,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    said: Value,
}

impl Pos {
    async fn open(store: &TestStore, key: &str) -> Self {
        let connection = Connection::open(store.portal(), &Tasks::new()).await;
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {key}").parse().unwrap());
        Self {
            connection: connection.unwrap(),
            headers,
        }
    }

    async fn ask(&mut self, path: &str, body: &str) -> Answer {
        let path = format!("/api/v1/{path}");
        let asked = self
            .connection
            .ask(Method::POST, &path, &self.headers, body.to_owned());
        let answer = asked.await.unwrap();
        Answer {
            status: answer.status(),
            headers: answer.headers().clone(),
            said: serde_json::from_slice(answer.body()).unwrap(),
        }
    }

    async fn redeem(&mut self, id: &str, code: &str) -> Answer {
        let body = json!({"id": id, "code": code}).to_string();
        self.ask("redeem", &body).await
    }
}

impl Answer {
    /// A no, which always has a word and a sentence.
    fn is(&self, status: StatusCode, code: &str) {
        assert_eq!(
            (self.status, &self.said["code"]),
            (status, &json!(code)),
            "{}",
            self.said
        );
        assert!(!self.said["message"].as_str().unwrap().is_empty());
    }
}

fn add_pos(chain: &TestChain) -> String {
    let said = chain.hq(&["pos", "add", "--store", "SZ01", "--name", "pos-1"]);
    let key = said.lines().next().unwrap();
    key.strip_prefix("key: ").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pos_redeems_once_by_its_own_number_and_its_bill_is_noted_once() {
    let chain = TestChain::start();
    let (pin, key) = (chain.add_staff(), add_pos(&chain));
    let store = chain.open_store().await;
    let coupons: [SeenCoupon; 2] = [
        claim(store.portal(), &table(1)).await,
        claim(store.portal(), &table(2)).await,
    ];
    let mut pos = Pos::open(&store, &key).await;

    let first = pos.redeem("R-1", &coupons[0].code).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.said);
    assert_eq!(first.said["place"], "A01");
    assert_eq!(first.said["gift"]["en"], "cucumber salad");
    let again = pos.redeem("R-1", &coupons[0].token).await;
    assert_eq!(again.said, first.said, "a lost answer is asked for again");
    pos.redeem("R-1", &coupons[1].code)
        .await
        .is(StatusCode::CONFLICT, "id_used");
    pos.redeem("R-2", &coupons[0].code)
        .await
        .is(StatusCode::CONFLICT, "already_redeemed");

    let redemption = &first.said["redemption"];
    let bill = |number: &str, fen: i64, party: i64| {
        json!({"number": number, "amount_fen": fen, "party": party, "redemption": redemption})
            .to_string()
    };
    let new = pos.ask("bill", &bill("A-17", 12_800, 4)).await;
    assert_eq!(
        (new.status, &new.said["is"]),
        (StatusCode::OK, &json!("new"))
    );
    // A power cut takes nothing from it.
    store.process.kill();
    let store = chain.start_store(Sending::AtOnce).await;
    let mut pos = Pos::open(&store, &key).await;
    let known = pos.ask("bill", &bill("A-17", 12_800, 4)).await;
    assert_eq!(known.said, json!({"number": "A-17", "is": "known"}));
    pos.ask("bill", &bill("A-17", 12_900, 4))
        .await
        .is(StatusCode::CONFLICT, "number_used");
    let till = Till::open(&store, &pin).await;
    let page = counter_page(&store, &till).await;
    assert!(
        page.contains("1 bills, ¥128.00 in all: 1 of 1 redemptions"),
        "{page}"
    );
    assert!(page.contains("4 people in 1 parties"), "{page}");
    store.wait_until_sent().await;
    assert_eq!(chain.totals_with(1).await.quarantined, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_is_not_redeemed_again_under_the_same_number() {
    let chain = TestChain::start();
    let key = add_pos(&chain);
    let store = chain.open_store().await;
    let coupon = claim(store.portal(), &table(1)).await;
    let mut pos = Pos::open(&store, &key).await;
    assert_eq!(pos.redeem("R-1", &coupon.code).await.status, StatusCode::OK);
    store.wait_until_sent().await;
    let id = coupon.path.strip_prefix("/c/").unwrap();
    chain.hq(&["undo", "--store", "SZ01", id]);
    eventually("the undoing", || async {
        let list = chain.hq(&["commands", "gw-000001"]);
        list.contains("  done  ").then_some(())
    })
    .await;
    pos.redeem("R-1", &coupon.code)
        .await
        .is(StatusCode::CONFLICT, "id_used");
    assert_eq!(pos.redeem("R-2", &coupon.code).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_no_to_a_pos_has_a_word_and_a_sentence_and_wrong_keys_wait() {
    let chain = TestChain::start();
    let key = add_pos(&chain);
    let store = chain.open_store().await;
    let mut pos = Pos::open(&store, &key).await;
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    for (path, body, code) in [
        ("redeem", "", "bad_json"),
        ("redeem", "{\"id\":\"R-1\"}", "bad_json"),
        (
            "redeem",
            "{\"id\":\"R-1\",\"code\":\"2222\",\"cdoe\":1}",
            "bad_json",
        ),
        ("redeem", "{\"id\":\"\",\"code\":\"2222\"}", "bad_id"),
        ("bill", "{\"number\":\"A-1\"}", "bad_amount"),
        (
            "bill",
            "{\"number\":\"A-1\",\"amount_fen\":-3}",
            "bad_amount",
        ),
        (
            "bill",
            "{\"number\":\"A-1\",\"amount_fen\":\"abc\"}",
            "bad_json",
        ),
        ("bill", "{\"number\":\"A-1\",\"party\":0}", "bad_party"),
        ("bill", "{\"number\":\"A-1\",\"party\":4000}", "bad_party"),
        ("bill", "{\"number\":\"A 1\",\"party\":4}", "bad_number"),
        (
            "bill",
            "{\"number\":\"A-1\",\"party\":4,\"redemption\":\"x\"}",
            "bad_redemption",
        ),
    ] {
        pos.ask(path, body).await.is(unprocessable, code);
    }
    let nobody = format!(
        "{{\"number\":\"A-1\",\"party\":4,\"redemption\":\"{:032x}\"}}",
        7
    );
    pos.ask("bill", &nobody)
        .await
        .is(StatusCode::CONFLICT, "unknown_redemption");
    pos.redeem("R-1", "M1:NONSENSE")
        .await
        .is(StatusCode::CONFLICT, "bad_token");
    for code in ["2222", "2223", "2224", "2225", "2226"] {
        pos.redeem("R-2", code)
            .await
            .is(StatusCode::CONFLICT, "unknown_code");
    }
    let waits = pos.redeem("R-2", "2227").await;
    waits.is(StatusCode::TOO_MANY_REQUESTS, "wait");
    assert_eq!(waits.headers["retry-after"], "30");
    let asked = pos
        .connection
        .ask(Method::GET, "/api/v1/redeem", &pos.headers, "");
    assert_eq!(
        asked.await.unwrap().status(),
        StatusCode::METHOD_NOT_ALLOWED
    );

    let mut stranger = Pos::open(&store, "not-the-key").await;
    for _ in 0..5 {
        stranger
            .redeem("R-1", "2222")
            .await
            .is(StatusCode::UNAUTHORIZED, "wrong_key");
    }
    stranger
        .redeem("R-1", "2222")
        .await
        .is(StatusCode::TOO_MANY_REQUESTS, "wait");
    assert!(!store.process.log().contains(&key));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_ends_the_old_one_while_the_box_runs() {
    let chain = TestChain::start();
    let old = add_pos(&chain);
    let store = chain.open_store().await;
    let new = add_pos(&chain);
    // What cannot be read is refused without a wait, so it may be asked as often as one likes.
    eventually("the end of the old key", || async {
        let mut pos = Pos::open(&store, &old).await;
        let answer = pos.redeem("R-1", "M1:").await;
        (answer.said["code"] == "wrong_key").then_some(())
    })
    .await;
    let mut pos = Pos::open(&store, &new).await;
    pos.redeem("R-1", "M1:")
        .await
        .is(StatusCode::CONFLICT, "bad_token");
}
