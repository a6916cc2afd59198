//! Enrolment: a one-time token becomes a client certificate.
//!
//! The key is made on the box and never leaves it; headquarters is believed by the pin alone. Key and
//! certificate are kept in one step, so an enrolment that is cut off leaves the one before as it was.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use axum::http::StatusCode;

use super::http::{Https, Trust};
use super::identity::Identity;
use super::transport::{Content, Request, Transport};
use crate::ops::clock::SystemClock;
use crate::ops::key::{Holder, Key};
use crate::ops::tasks::Tasks;
use crate::ops::tls;
use crate::wire::link::{EnrollRequest, Enrolled, Refusal, SOFTWARE};
use crate::wire::signing::PublicKey;

/// What an installer has: headquarters' address, its pin, and the token from the label.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// `https://host:port` of the enroll listener.
    pub url: String,
    /// The SHA-256 of the authority that signed headquarters' certificate, in hexadecimal.
    pub pin: String,
    pub token: String,
}

/// Enrols this box and keeps its identity in `identity_dir`.
pub async fn enroll(
    invitation: &Invitation,
    coupon_key: PublicKey,
    identity_dir: &Path,
    tasks: &Tasks,
) -> anyhow::Result<Enrolled> {
    let pin = read_pin(&invitation.pin)?;
    if !invitation.url.starts_with("https://") {
        bail!("the address of headquarters begins with https://");
    }
    let key = Key::make().context("making the gateway's key")?;
    let request = EnrollRequest {
        token: invitation.token.trim().to_owned(),
        csr_pem: key.signing_request(Holder::Gateway)?,
        coupon_key,
        sw: SOFTWARE.to_owned(),
    };

    let time = tls::CertificateTime::new(Arc::new(SystemClock));
    let tls = tls::client_by_pin(pin, Arc::clone(&time)).context("preparing TLS")?;
    let https = Https::new(&invitation.url, Trust::Pin(tls, time), tasks, "enroll");
    let body = serde_json::to_vec(&request).expect("a request is plain data");
    let path = "/v1/enroll".to_owned();
    let request = Request::post(path, body, Content::Json, Duration::from_secs(30));
    let response = https
        .ask(request)
        .await
        .with_context(|| format!("asking headquarters at {}", invitation.url))?;
    if response.status != StatusCode::OK {
        let message = serde_json::from_slice::<Refusal>(&response.body).map_or_else(
            |_| format!("headquarters answered {}", response.status),
            |refusal| refusal.message,
        );
        bail!("headquarters refused: {message}");
    }
    let enrolled: Enrolled = serde_json::from_slice(&response.body)
        .context("reading headquarters' answer to the enrolment")?;
    let identity = Identity::new(enrolled, key.to_pem());
    identity
        .store(identity_dir)
        .context("keeping the gateway's identity")?;
    Ok(identity.enrolled)
}

fn read_pin(text: &str) -> anyhow::Result<[u8; 32]> {
    let digits: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|place| {
            let pair = digits.get(place..place + 2)?;
            u8::from_str_radix(pair, 16).ok()
        })
        .collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .context("the pin is 64 hexadecimal digits, as `maitred hq init` printed it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_with_and_without_colons() {
        let plain = "00".repeat(31) + "ff";
        assert_eq!(read_pin(&plain).unwrap()[31], 255);
        let colons = vec!["00"; 32].join(":");
        assert_eq!(read_pin(&colons).unwrap(), [0; 32]);
        for bad in ["", "00", "zz", &"0".repeat(63)] {
            assert!(read_pin(bad).is_err(), "{bad} was taken");
        }
    }
}
