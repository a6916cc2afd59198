//! The files for a box's system say what the program does, and its scripts do what they say.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const UNIT: &str = include_str!("../../deploy/box/maitred-gateway.service");
const HQ_UNIT: &str = include_str!("../../deploy/hq/maitred-hq.service");

/// The values of `key` in a unit file (systemd.syntax(7)).
fn values<'a>(unit: &'a str, section: &str, key: &str) -> Vec<&'a str> {
    let mut here = "";
    let mut found = Vec::new();
    for line in unit.lines().map(str::trim) {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.strip_suffix(']'))
        {
            here = name;
        } else if !line.starts_with('#')
            && let Some((name, value)) = line.split_once('=')
            && here == section
            && name == key
        {
            found.push(value);
        }
    }
    found
}

/// What the unit of a box sets in the gateway's environment.
pub(crate) fn shipped_environment() -> Vec<(&'static str, &'static str)> {
    let lines = values(UNIT, "Service", "Environment");
    let settings = lines.iter().flat_map(|line| line.split(' '));
    settings.filter_map(|set| set.split_once('=')).collect()
}

#[test]
fn the_units_start_commands_that_exist_with_settings_that_exist() {
    for (unit, role) in [(UNIT, "gateway"), (HQ_UNIT, "hq")] {
        let start = values(unit, "Service", "ExecStart");
        let [start] = start.as_slice() else {
            panic!("one command, not {start:?}");
        };
        let words: Vec<_> = start.split(' ').collect();
        let settings = format!("/etc/maitred/{role}.toml");
        assert_eq!(
            words,
            ["/usr/bin/maitred", role, "--config", settings.as_str()]
        );
        let help = crate::support::ask(&[role, "--help"]);
        assert!(help.contains("--config"), "{help}");
    }
}

#[test]
fn a_crash_is_restarted_and_a_bad_configuration_is_not() {
    for unit in [UNIT, HQ_UNIT] {
        assert_eq!(values(unit, "Service", "Restart"), ["on-failure"]);
        assert_eq!(values(unit, "Service", "RestartPreventExitStatus"), ["78"]);
        assert_eq!(values(unit, "Install", "WantedBy"), ["multi-user.target"]);
        assert_eq!(values(unit, "Service", "NoNewPrivileges"), ["yes"]);
    }
}

/// Runs a shipped script as the gateway does; `tools` come before those of the system.
#[expect(
    clippy::disallowed_methods,
    reason = "a router runs these scripts by its shell"
)]
fn run_script(script: &str, arguments: &[&str], url: &str, tools: &Path) {
    let path = std::env::var_os("PATH").unwrap();
    let mut paths = vec![tools.to_owned()];
    paths.extend(std::env::split_paths(&path));
    let output = std::process::Command::new("sh")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script))
        .args(arguments)
        .env("CAPPORT_URL", url)
        .env("PATH", std::env::join_paths(paths).unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}");
}

const API: &str = "https://sz01.sw.cn/capport";

#[test]
fn radvd_gets_the_address_of_the_api_and_loses_it() {
    let dir = tempfile::tempdir().unwrap();
    let (settings, reloaded) = (dir.path().join("radvd.conf"), dir.path().join("reloaded"));
    let template = "firmware-config/box/etc/maitred/radvd.conf";
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join(template);
    let shipped = fs_err::read_to_string(&template).unwrap();
    let line = "\tAdvCaptivePortalAPI \"@CAPPORT_URL@\";\n";
    for (url, expected) in [
        (API, shipped.replace("@CAPPORT_URL@", API)),
        ("", shipped.replace(line, "")),
    ] {
        let words = [&template, &settings].map(|path| path.to_str().unwrap());
        let words = [&words[..], &["touch", reloaded.to_str().unwrap()]].concat();
        run_script(
            "firmware-config/box/usr/lib/maitred/radvd",
            &words,
            url,
            dir.path(),
        );
        let written = fs_err::read_to_string(&settings).unwrap();
        assert_eq!(written, expected);
        assert_ne!(written, shipped);
        fs_err::remove_file(&reloaded).unwrap();
    }
}

/// Writes a program for a script to call, which notes how it was called.
fn stub(path: &Path, noted: &Path) {
    let text = format!(
        "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>{}\n",
        noted.display()
    );
    fs_err::write(path, text).unwrap();
    fs_err::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn odhcpd_gets_the_address_of_the_api_in_every_guest_network_and_loses_it() {
    let dir = tempfile::tempdir().unwrap();
    let [odhcpd, uci, noted] = ["odhcpd", "uci", "noted"].map(|name| dir.path().join(name));
    stub(&odhcpd, &noted);
    stub(&uci, &noted);
    // There is no such service here.
    let shipped = include_str!("../../firmware-config/openwrt/usr/lib/maitred/odhcpd");
    let script = dir.path().join("script");
    let here = shipped.replace("/etc/init.d/odhcpd", odhcpd.to_str().unwrap());
    fs_err::write(&script, here).unwrap();
    for url in [API, ""] {
        run_script(script.to_str().unwrap(), &["guest", "vip"], url, dir.path());
    }
    let expected = format!(
        "uci set dhcp.guest.captive_portal_uri={API}\n\
         uci set dhcp.vip.captive_portal_uri={API}\n\
         odhcpd reload\n\
         uci -q delete dhcp.guest.captive_portal_uri\n\
         uci -q delete dhcp.vip.captive_portal_uri\n\
         odhcpd reload\n"
    );
    assert_eq!(fs_err::read_to_string(noted).unwrap(), expected);
}
