//! Mistakes in settings are found before anything is started, and said so that they can be mended.

use std::net::TcpListener;

use crate::support::{ask, run};

fn errors(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_misspelt_key_ends_with_78_and_names_file_line_key_and_hint() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    fs_err::write(&file, "state_dir = \"s\"\n\n[portal]\nlistne = \"x\"\n").unwrap();
    let file = file.to_str().unwrap();
    let (code, said) = errors(&["gateway", "--config", file]);
    assert_eq!(code, Some(78));
    assert!(said.contains(&format!("{file}:4:")), "{said}");
    assert!(
        said.contains("listne") && said.contains("did you mean `listen`?"),
        "{said}"
    );
    assert!(!dir.path().join("s").exists(), "nothing was started");

    let (code, said) = errors(&["hq", "--config", "/nowhere/hq.toml"]);
    assert_eq!(code, Some(78), "{said}");
}

#[test]
fn a_wrong_word_on_the_command_line_ends_with_2() {
    for (words, said) in [
        (&["gatewya"][..], "did you mean `gateway`?"),
        (&["gateway", "--confg", "x"], "did you mean `--config`?"),
        (
            &["enroll", "--token", "x"],
            "missing: --hq <URL>, --pin <SHA256>",
        ),
        (&["hq", "token"], "say either --store or --street"),
        (
            &["hq", "revoke", "gw-x"],
            "a gateway's number looks like gw-000123",
        ),
        (
            &[
                "qr",
                "mint",
                "--store-dir",
                "x",
                "--labels",
                "A",
                "--kind",
                "roof",
            ],
            "`table`",
        ),
        (&[], "Commands:"),
    ] {
        let (code, error) = errors(words);
        assert_eq!(code, Some(2), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
    }
    assert!(ask(&["--version"]).starts_with("maitred "));
}

#[test]
fn a_busy_port_fails_at_the_start_and_says_which() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(&dir.path().join("chain"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let file = dir.path().join("gateway.toml");
    let settings =
        format!("state_dir = \"s\"\n[portal]\nlisten = \"{address}\"\n[bundle]\ndir = \"chain\"\n");
    fs_err::write(&file, settings).unwrap();
    let (code, said) = errors(&["gateway", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(
        said.contains(&address.to_string()) && said.contains("portal"),
        "{said}"
    );
}

#[test]
fn a_box_that_is_not_enrolled_says_how_to_enrol() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("gateway.toml");
    let settings =
        "state_dir = \"s\"\n[portal]\nlisten = \"127.0.0.1:0\"\n[ops]\nlisten = \"127.0.0.1:0\"\n";
    fs_err::write(&file, settings).unwrap();
    let (code, said) = errors(&["gateway", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(said.contains("maitred enroll"), "{said}");
    let (code, _) = errors(&["doctor", "--config", file.to_str().unwrap()]);
    assert_eq!(code, Some(1), "the doctor finds it, too");
}

#[test]
fn a_folder_is_checked_and_its_mistakes_are_named() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(dir.path());
    let folder = dir.path().to_str().unwrap();
    assert!(ask(&["config", "check", folder]).contains("is in order"));
    let campaign = dir.path().join("campaigns/quiet-hours.toml");
    let text = fs_err::read_to_string(&campaign).unwrap();
    fs_err::write(&campaign, text.replace("per_person =", "per_persn =")).unwrap();
    let (code, said) = errors(&["config", "check", folder]);
    assert_eq!(code, Some(78));
    assert!(said.contains("did you mean `per_person`?"), "{said}");
}

#[test]
fn codes_are_minted_into_a_folder_that_stays_in_order_and_printed() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::write_chain(dir.path());
    let store = dir.path().join("stores/SZ01");
    let store = store.to_str().unwrap();
    ask(&["qr", "mint", "--store-dir", store, "--labels", "B1,B2"]);
    let folder = dir.path().to_str().unwrap();
    assert!(ask(&["config", "check", folder]).contains("28 codes"));
    let sheet = ask(&["qr", "sheet", "--store-dir", store]);
    assert!(
        sheet.contains(">B2<") && sheet.matches("class=\"label\"").count() == 26,
        "unbound codes stay off"
    );
}

#[test]
fn settings_in_force_are_shown_with_their_origin() {
    let example = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/firmware-config/box/etc/maitred/gateway.toml"
    );
    let shown = ask(&["config", "show", example]);
    assert!(
        shown.contains("portal.listen = \"[::]:2080\"  # file"),
        "{shown}"
    );
}
