//! Settings: what an operator writes, checked once, and where each value came from.
//!
//! Three steps, three types: a file [as written](written), laid over the environment and the defaults
//! ([overlay]), becomes validated [settings], the only form that other modules see. A file beats the
//! environment, the environment beats the default. Nobody else reads the environment or a settings file.

pub mod overlay;
pub mod settings;
pub mod written;

use std::path::Path;

use crate::domain::written::BadFile;
use overlay::{Effective, Environment};
use settings::GatewaySettings;
#[cfg(feature = "hq")]
use settings::HqSettings;

/// Reads the settings of `maitred gateway`.
pub fn gateway(file: &Path, environment: &Environment) -> Result<GatewaySettings, BadFile> {
    let effective = Effective::<written::Gateway>::read(file, environment)?;
    GatewaySettings::check(effective.written, file)
}

/// Reads the settings of `maitred hq`.
#[cfg(feature = "hq")]
pub fn hq(file: &Path, environment: &Environment) -> Result<HqSettings, BadFile> {
    let effective = Effective::<written::Hq>::read(file, environment)?;
    HqSettings::check(effective.written, file)
}
