//! The files for a box's system say what the program does.

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
