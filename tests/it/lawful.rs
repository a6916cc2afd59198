//! What platforms or the law punish is refused by the command line, by headquarters and by a box, with its reason.

use std::path::Path;

use serde_json::Value;

use crate::support::{TestChain, TestStore, ask, eventually, run};

const PLAYBOOKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/playbooks");
const UNLAWFUL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/unlawful");

/// Exit code, what was printed, and what was complained about.
fn check(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run(&[&["campaign", "check"], arguments].concat());
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn json(arguments: &[&str]) -> Value {
    let (_, said, _) = check(&[&["--json"], arguments].concat());
    serde_json::from_str(&said).unwrap()
}

/// The rules that refuse a file.
fn refusals(report: &Value, file: &str) -> Vec<String> {
    let files = report["files"].as_array().unwrap();
    let file = files
        .iter()
        .find(|of| of["file"].as_str().unwrap().ends_with(file));
    let findings = file.unwrap()["findings"].as_array().unwrap().iter();
    let refused = findings.filter(|finding| finding["level"] == "refuse");
    refused
        .map(|finding| finding["rule"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_playbooks_pass_without_a_word_and_are_what_the_program_prints() {
    let (code, said, _) = check(&[PLAYBOOKS]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("8 looked at, 0 refused, 0 with warnings"),
        "{said}"
    );
    let listed = ask(&["campaign", "playbook"]);
    for file in fs_err::read_dir(PLAYBOOKS).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(listed.contains(name), "{listed}");
        let printed = ask(&["campaign", "playbook", "--name", name]);
        assert_eq!(printed, fs_err::read_to_string(file).unwrap());
    }
}

#[test]
fn a_chain_runs_every_playbook_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(dir.path());
    for file in fs_err::read_dir(PLAYBOOKS).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_name().unwrap();
        fs_err::copy(&file, dir.path().join("campaigns").join(name)).unwrap();
    }
    let folder = dir.path().to_str().unwrap();
    let said = ask(&["config", "check", folder]);
    assert!(said.contains("9 campaigns"), "{said}");
    assert!(!said.contains("reaches no store"), "{said}");
    assert_eq!(check(&[folder]).0, Some(0));
}

#[test]
fn the_two_articles_tactics_are_refused_with_their_rules() {
    let report = json(&[UNLAWFUL]);
    assert_eq!(report["refused"], 4);
    for (file, rule) in [
        ("share-to-moments.toml", "R03"),
        ("wifi-after-following.toml", "R01"),
        ("gift-for-following.toml", "R06"),
        ("levels-of-distribution.toml", "R05"),
    ] {
        let refused = refusals(&report, file);
        assert!(refused.contains(&rule.to_owned()), "{file}: {refused:?}");
    }
}

#[test]
fn a_refusal_ends_with_1_and_says_the_rule_the_place_both_messages_the_source_and_a_way_out() {
    let file = format!("{UNLAWFUL}/share-to-moments.toml");
    let (code, said, complaint) = check(&[&file]);
    assert_eq!(code, Some(1));
    assert_eq!(complaint, "error: one file is refused\n");
    for part in [
        "share-to-moments.toml\n",
        "  R03 refuse title.zh: 分享朋友圈领\n",
        "    a reward for sharing, forwarding, likes or a screenshot of them\n",
        "    分享、转发、点赞或其截图有奖励\n",
        "    instead: give it for the visit;",
        "    改为：优惠送给到店的客人；",
        "    source: 2019-10-28 微信外部链接内容管理规范 1.2",
        "1 looked at, 1 refused, 0 with warnings (rules of 2026-11-22, region cn)",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn a_warning_ends_with_0_and_the_region_decides_what_counts() {
    let dir = tempfile::tempdir().unwrap();
    let file = edited(
        dir.path(),
        "A side dish with the new dish",
        "The best in town",
    );
    let report = json(&[&file]);
    assert_eq!(report["files"][0]["findings"][0]["rule"], "R22");
    assert_eq!(report["refused"], 0);
    assert_eq!(check(&[&file]).0, Some(0));
    let elsewhere = json(&["--region", "eu", &file]);
    assert_eq!(elsewhere["region"], "eu");
    assert_eq!(
        elsewhere["files"][0]["findings"].as_array().unwrap().len(),
        0
    );
    let (code, _, complaint) = check(&["--region", "moon", &file]);
    assert_eq!(code, Some(2));
    assert!(
        complaint.contains("the regions are cn, eu and other"),
        "{complaint}"
    );
}

/// The side dish with something else in it.
fn edited(dir: &Path, from: &str, to: &str) -> String {
    let text = fs_err::read_to_string(format!("{PLAYBOOKS}/side-dish.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    let file = dir.join("side-dish.toml");
    fs_err::write(&file, text.replace(from, to)).unwrap();
    file.display().to_string()
}

#[test]
fn words_that_push_continue_off_the_first_screen_are_refused_where_there_is_wifi() {
    let dir = tempfile::tempdir().unwrap();
    let long = "A side dish with each and every one of our many new dishes. ".repeat(12);
    let file = edited(dir.path(), "A side dish with the new dish", &long);
    let report = json(&[&file]);
    let found = &report["files"][0]["findings"][0];
    assert_eq!(
        (&found["rule"], &found["path"]),
        (&"P01".into(), &"page.en".into())
    );
    let text = fs_err::read_to_string(&file).unwrap();
    fs_err::write(&file, text.replace("\"wifi\", ", "")).unwrap();
    assert_eq!(check(&[&file]).0, Some(0));
}

#[test]
fn a_file_that_cannot_be_read_ends_with_78_and_a_clear_sentence() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, said) in [
        (
            "audience =",
            "audiense =",
            "unknown key `audiense`\nhint: did you mean `audience`?",
        ),
        (
            ", en = \"cucumber salad\"",
            "",
            "key `offer.item`: `en` is missing\nhint: every text is written in Chinese (zh) and in English (en)",
        ),
        (
            "[after_claim]",
            "[[window]]\ndays = [\"mon\"]\nfrom = \"14:00\"\nto = \"14:00\"\n[after_claim]",
            "key `window`: a window that ends when it begins has no length; a whole day is 00:00 to 00:00",
        ),
    ] {
        let file = edited(dir.path(), from, to);
        let (code, _, complaint) = check(&[&file]);
        assert_eq!(code, Some(78), "{complaint}");
        assert!(complaint.contains(said), "{complaint}");
    }
    let (code, _, complaint) = check(&["/nowhere/at/all"]);
    assert_eq!(code, Some(1));
    assert!(complaint.contains("/nowhere/at/all"), "{complaint}");
}

#[test]
fn a_folder_with_a_refused_campaign_is_not_in_order() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(dir.path());
    add_unlawful(dir.path());
    let output = run(&["config", "check", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(
        complaint.contains("campaigns/gift-for-following.toml: key `title.zh`: R06: "),
        "{complaint}"
    );
}

fn add_unlawful(chain: &Path) {
    let name = "gift-for-following.toml";
    fs_err::copy(
        format!("{UNLAWFUL}/{name}"),
        chain.join("campaigns").join(name),
    )
    .unwrap();
}

#[tokio::test]
async fn headquarters_leaves_a_refused_campaign_out_and_says_why_unless_somebody_answers_for_it() {
    let chain = TestChain::start();
    let store = chain.open_store().await;
    let is_named = async || {
        chain
            .console_page()
            .await
            .contains("R06: the coupon is for")
    };
    add_unlawful(&chain.path("chain"));
    eventually("the console to name the rule", async || {
        is_named().await.then_some(())
    })
    .await;
    assert!(has_version(&store, 1).await, "nothing else has changed");
    let answer = "[gift-for-following]\nR06 = \"Wang Fang: a trial in one shop\"\n";
    fs_err::write(chain.path("chain/overrides.toml"), answer).unwrap();
    eventually("the box to take it", async || {
        has_version(&store, 2).await.then_some(())
    })
    .await;
    assert!(!is_named().await);

    // Nobody answers for it any more: it is withdrawn, and what was written in the same minute goes out.
    fs_err::remove_file(chain.path("chain/overrides.toml")).unwrap();
    let playbook = format!("{PLAYBOOKS}/off-peak.toml");
    fs_err::copy(playbook, chain.path("chain/campaigns/off-peak.toml")).unwrap();
    eventually("the box to take that", async || {
        has_version(&store, 3).await.then_some(())
    })
    .await;
    assert!(is_named().await);
}

async fn has_version(store: &TestStore, version: u64) -> bool {
    let ready = store.ops("/readyz").await;
    ready.contains(&format!("\"version {version}\""))
}

#[tokio::test]
async fn a_shop_without_headquarters_runs_on_without_the_refused_campaign_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let campaigns = dir.path().join("chain/campaigns");
    fs_err::create_dir_all(&campaigns).unwrap();
    add_unlawful(&dir.path().join("chain"));
    let _store = TestStore::alone(dir.path()).await;
    let log = fs_err::read_to_string(dir.path().join("alone.log")).unwrap();
    assert!(log.contains("a campaign is refused and left out"), "{log}");
    assert!(
        log.contains("campaigns/gift-for-following.toml: key `title.en`: R06: "),
        "{log}"
    );
}
