//! What keeps a box from working: one check a file, each with what to do about it.
//!
//! A support case that could have been found here gets a check here.

mod addresses;
pub mod certificate;
pub mod clock;
mod dns;
pub mod dnsmasq;
pub mod forwarding;
pub mod garden;
pub mod identity;
pub mod interface;
pub mod internet;
pub mod kept;
pub mod names;
pub mod offload;
pub mod ports;
pub mod state_dir;
pub mod wall;

use serde::Serialize;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub health: Health,
    pub what: String,
    /// What to do, where there is something to do.
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Good,
    Warning,
    Bad,
}

impl Finding {
    fn good(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            check,
            health: Health::Good,
            what: what.into(),
            hint: None,
        }
    }

    fn warning(check: &'static str, what: impl Into<String>, hint: &str) -> Self {
        Self {
            check,
            health: Health::Warning,
            what: what.into(),
            hint: Some(hint.to_owned()),
        }
    }

    fn bad(check: &'static str, what: impl Into<String>, hint: &str) -> Self {
        Self {
            check,
            health: Health::Bad,
            what: what.into(),
            hint: Some(hint.to_owned()),
        }
    }
}
