//! What a code holds and what is said beside it: the address of a place, or how to join a Wi-Fi.

use crate::domain::store::{Touchpoint, TouchpointKind};

/// A code to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// What a phone reads.
    pub text: String,
    pub leads_to: LeadsTo,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeadsTo {
    Table {
        label: String,
    },
    /// A place whose name says nothing to a guest: a door, a till.
    Place {
        label: String,
    },
    /// A place that is not decided yet: whoever sticks it there writes its name on it.
    Blank,
    Wifi(Network),
}

impl Code {
    /// The code of a place in the store on `host`.
    pub fn of(host: &str, touchpoint: &Touchpoint) -> Self {
        let label = touchpoint.label.clone();
        let leads_to = if !touchpoint.is_bound() {
            LeadsTo::Blank
        } else if touchpoint.kind == TouchpointKind::Table {
            LeadsTo::Table { label }
        } else {
            LeadsTo::Place { label }
        };
        Self {
            text: format!("https://{host}/t/{}", touchpoint.code),
            leads_to,
        }
    }

    pub fn joining(network: Network) -> Self {
        Self {
            text: network.code(),
            leads_to: LeadsTo::Wifi(network),
        }
    }

    /// What it is called where something is wrong with it. Never a password.
    pub fn name(&self) -> &str {
        match &self.leads_to {
            LeadsTo::Table { label } | LeadsTo::Place { label } => label,
            LeadsTo::Blank => self.address(),
            LeadsTo::Wifi(network) => &network.name,
        }
    }

    /// What somebody without a camera types.
    pub(super) fn address(&self) -> &str {
        self.text.trim_start_matches("https://")
    }
}

/// A Wi-Fi that guests may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    pub(super) name: String,
    /// None where it is open.
    pub(super) password: Option<String>,
}

/// A Wi-Fi that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoNetwork {
    /// IEEE 802.11, 9.4.2.2.
    #[error("the name of a Wi-Fi has 1 to 32 bytes and no line break")]
    Name,
    /// IEEE 802.11, J.4.1.
    #[error("the password of a Wi-Fi has 8 to 63 characters, all of them ASCII")]
    Password,
}

impl Network {
    pub fn new(name: &str, password: Option<&str>) -> Result<Self, NoNetwork> {
        if !(1..=32).contains(&name.len()) || name.contains(char::is_control) {
            return Err(NoNetwork::Name);
        }
        let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if password.is_some_and(|text| !(8..=63).contains(&text.len()) || !printable(text)) {
            return Err(NoNetwork::Password);
        }
        Ok(Self {
            name: name.to_owned(),
            password: password.map(str::to_owned),
        })
    }

    /// As phones read it (the wiki of `zxing`, "Barcode Contents").
    fn code(&self) -> String {
        let name = escaped(&self.name);
        match &self.password {
            Some(password) => format!("WIFI:T:WPA;S:{name};P:{};;", escaped(password)),
            None => format!("WIFI:T:nopass;S:{name};;"),
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ';' | ',' | ':' | '"') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TouchpointCode;

    #[test]
    fn a_wifi_code_escapes_what_would_end_a_field() {
        for (name, password, code) in [
            ("Shiwei", None, "WIFI:T:nopass;S:Shiwei;;"),
            ("拾味", Some("20190622"), "WIFI:T:WPA;S:拾味;P:20190622;;"),
            (
                r"a;b\c",
                Some(r#"p:a,s"s;w\"#),
                r#"WIFI:T:WPA;S:a\;b\\c;P:p\:a\,s\"s\;w\\;;"#,
            ),
        ] {
            assert_eq!(
                Code::joining(Network::new(name, password).unwrap()).text,
                code
            );
        }
    }

    #[test]
    fn a_wifi_that_no_access_point_takes_is_refused() {
        let long = "x".repeat(33);
        for name in ["", "a\nb", &long] {
            assert_eq!(Network::new(name, None), Err(NoNetwork::Name), "{name}");
        }
        let long = "x".repeat(64);
        for password in ["", "1234567", "密码密码密码密码", &long] {
            assert_eq!(Network::new("a", Some(password)), Err(NoNetwork::Password));
        }
    }

    #[test]
    fn a_code_is_named_by_its_place_and_a_blank_one_by_its_address() {
        let mut touchpoint = Touchpoint {
            code: TouchpointCode::from_entropy(7),
            kind: TouchpointKind::Table,
            label: "A12".to_owned(),
            cost_fen: None,
        };
        assert_eq!(Code::of("sz01.sw.cn", &touchpoint).name(), "A12");
        touchpoint.label.clear();
        let blank = Code::of("sz01.sw.cn", &touchpoint);
        assert_eq!(blank.name(), format!("sz01.sw.cn/t/{}", touchpoint.code));
    }
}
