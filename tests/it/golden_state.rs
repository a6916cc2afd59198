//! What a released version has written is read for ever. Add a state directory, never change one.

use std::path::Path;

use axum::http::StatusCode;
use maitred::cli::demo::phone::Phone;
use maitred::ops::tasks::Tasks;

use crate::support::{TestStore, claim, table};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal");

/// Three coupons and a stop in order; two more, and kill -9.
const COUPONS_0_1_0: [&str; 5] = [
    "da8ee4336908d51ae98fbd682cff69b3",
    "b1f1509a2d5f37a296f855fe451f6539",
    "734a56de7f5be1d1b9c428d6cdcbba00",
    "51d8b71df9355fd76cd5c27f8bdbab45",
    "b6b0224d8e9f8c160448b71879d77a21",
];

fn unpack(fixture: &str, to: &Path) {
    let packed = fs_err::read(Path::new(FIXTURES).join(fixture)).unwrap();
    let plain = maitred::wire::encoding::gunzip(&packed, 64 << 20).unwrap();
    fs_err::create_dir_all(to).unwrap();
    tar::Archive::new(plain.as_slice()).unpack(to).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_directory_of_version_0_1_0_is_read_with_every_coupon() {
    let dir = tempfile::tempdir().unwrap();
    unpack("state-0.1.0.tar.gz", &dir.path().join("state"));
    let store = TestStore::alone(dir.path()).await;
    let readiness = store.ops("/readyz").await;
    assert!(readiness.contains("5 captures wait"), "{readiness}");
    assert!(!dir.path().join("state/DAMAGE").exists());
    for coupon in COUPONS_0_1_0 {
        let mut phone = Phone::open(store.portal(), &Tasks::new()).await.unwrap();
        let page = phone.get(&format!("/c/{coupon}")).await.unwrap();
        assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    }
    // And it goes on from there.
    claim(store.portal(), &table(1)).await;
    let readiness = store.ops("/readyz").await;
    assert!(readiness.contains("6 captures wait"), "{readiness}");
}
