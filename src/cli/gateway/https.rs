//! The portal's HTTPS listener, which is there as soon as there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::super::wall::layout;
use super::advertise::{self, Advert, Because, Conditions};
use super::{Place, announce, identity_dir};
use crate::admission::zone::Ports;
use crate::config::settings::GatewaySettings;
use crate::control::{Check, Verdict};
use crate::domain::ids::StoreId;
use crate::ops::certificate::{Files, Fit, Shown};
use crate::ops::clock::Clock;
use crate::ops::serve::{Limits, Listener, bind, serve_tls};
use crate::ops::tasks::Tasks;
use crate::ops::tls;
use crate::portal::https::{Host, Https, key_file};
use crate::wire::bundle::Bundle;

/// What is shown now, by the files that the settings name and the bundle in force.
pub(in crate::cli) fn shown(settings: &GatewaySettings, place: &Place) -> Shown {
    let tls = &settings.portal_tls;
    let own_key = || key_file(&identity_dir(&settings.state_dir));
    let shown = Shown::new(Files {
        chain: tls.certificate.clone(),
        key: tls.key.clone().unwrap_or_else(own_key),
    });
    let store = place.store.as_ref();
    shown.look(place.bundle.certificates(store));
    shown
}

/// The listener and what it shows.
pub(super) struct Door {
    shown: Arc<Shown>,
    listen: SocketAddr,
    /// What is to be certified.
    request: watch::Sender<Option<String>>,
    is_listening: watch::Sender<bool>,
    /// None while there is no certificate: phones that try are refused at once.
    tcp: Option<TcpListener>,
}

impl Door {
    /// Binds at once where there is a certificate, so that a busy port fails at the start.
    pub(super) async fn open(settings: &GatewaySettings, place: &Place) -> anyhow::Result<Self> {
        let listen = settings.portal_tls.listen;
        let shown = Arc::new(shown(settings, place));
        let tcp = if shown.is_there() {
            Some(bind(listen, NAME).await?)
        } else {
            None
        };
        Ok(Self {
            shown,
            listen,
            request: watch::Sender::new(None),
            is_listening: watch::Sender::new(tcp.is_some()),
            tcp,
        })
    }

    /// What the box asks to have certified for its host; none: nothing.
    pub(super) fn request(&self) -> watch::Receiver<Option<String>> {
        self.request.subscribe()
    }

    /// Follows the certificate of the host at which phones know the store, and what they may be told of it.
    pub(super) fn follow(
        &self,
        settings: &GatewaySettings,
        (bundle, store): (watch::Receiver<Arc<Bundle>>, Option<StoreId>),
        clock: &Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> (watch::Receiver<Https>, watch::Receiver<Advert>) {
        let host = Host {
            shown: Arc::clone(&self.shown),
            clock: Arc::clone(clock),
            bundle,
            store,
            base_url: settings.portal_base_url.clone(),
            identity_dir: match settings.portal_tls.key {
                Some(_) => None,
                None => Some(identity_dir(&settings.state_dir)),
            },
            request: self.request.clone(),
        };
        let https = host.follow(tasks);
        let advert = self.advertise(settings, https.clone(), tasks);
        (https, advert)
    }

    /// Whoever sends router advertisements hears it, too.
    fn advertise(
        &self,
        settings: &GatewaySettings,
        https: watch::Receiver<Https>,
        tasks: &Tasks,
    ) -> watch::Receiver<Advert> {
        let conditions = Conditions {
            https,
            is_listening: self.is_listening.subscribe(),
        };
        let ports = Ports {
            http: settings.portal_listen.port(),
            https: Some(self.listen.port()),
        };
        let zones = layout(&settings.admission, ports).zones;
        let advert = advertise::follow(conditions, zones, tasks);
        let command = &settings.admission.router_advertisement;
        announce::start(command, advert.clone(), tasks);
        advert
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.tcp.as_ref()?.local_addr().ok()
    }

    /// Serves `router`, now or when there is a certificate.
    pub(super) fn serve(
        self,
        router: Router,
        mut https: watch::Receiver<Https>,
        tasks: &Tasks,
    ) -> anyhow::Result<()> {
        let tls = tls::server_showing(Arc::clone(&self.shown) as _)?;
        if let Some(tcp) = self.tcp {
            serve_tls(tasks, listener(tcp), tls, router);
            return Ok(());
        }
        let own = tasks.clone();
        tasks.spawn("certificate awaited", async move {
            let there = https.wait_for(|_| self.shown.is_there());
            tokio::select! {
                there = there => if there.is_err() { return },
                () = own.stopping() => return,
            }
            tokio::select! {
                tcp = bind_at_last(self.listen) => serve_tls(&own, listener(tcp), tls, router),
                () = own.stopping() => return,
            }
            self.is_listening.send_replace(true);
        });
        Ok(())
    }
}

/// Binds, now or when whoever holds the port has let go of it. The shop is open meanwhile.
async fn bind_at_last(listen: SocketAddr) -> TcpListener {
    let mut was_told = false;
    loop {
        match bind(listen, NAME).await {
            Ok(tcp) => return tcp,
            Err(error) if !was_told => {
                tracing::error!(%error, "the portal is not served over HTTPS; it is tried again");
                was_told = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(TRY_AGAIN_AFTER).await;
    }
}

/// Somebody who frees the port wants to see that it helped.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

const NAME: &str = "portal over HTTPS";

fn listener(tcp: TcpListener) -> Listener {
    Listener {
        name: NAME,
        tcp,
        limits: Limits::PORTAL,
    }
}

/// Somebody has to have the next certificate signed by then.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What `/readyz` says of the certificate, and of whether phones hear of the API.
pub(super) fn check(
    https: watch::Receiver<Https>,
    advert: watch::Receiver<Advert>,
    clock: Arc<dyn Clock>,
) -> impl Fn() -> Check + Send + Sync {
    move || judge(&https.borrow(), &advert.borrow(), clock.now())
}

/// Never worse than degraded: the portal is there in plain HTTP.
fn judge(https: &Https, advert: &Advert, now: Timestamp) -> Check {
    let (is_well, mut said) = match https.fit {
        Fit::Good { until } => (
            until.duration_since(now) >= SOON,
            vec![format!("good until {until:.0}")],
        ),
        // A shop that never had one.
        Fit::Missing => (true, vec!["none: phones are told of no API".to_owned()]),
        Fit::NoName => (false, vec!["not for the portal's host".to_owned()]),
        Fit::NotYet => (false, vec!["not valid yet".to_owned()]),
        Fit::Expired => (false, vec!["expired".to_owned()]),
        Fit::NotOne => (false, vec!["not one for a server".to_owned()]),
    };
    let hindrance = match advert {
        Advert::Url(_) | Advert::Nothing(Because::Certificate) => None,
        Advert::Nothing(Because::NobodyListens) => Some("nobody listens at portal.tls_listen"),
        Advert::Nothing(Because::NameLeadsElsewhere) => {
            Some("the portal's name does not lead here in every guest network")
        }
    };
    let refused = https.refused.as_deref();
    let is_well = is_well && hindrance.is_none() && refused.is_none();
    said.extend(hindrance.into_iter().chain(refused).map(str::to_owned));
    Check {
        name: "certificate",
        verdict: if is_well {
            Verdict::Ok
        } else {
            Verdict::Degraded
        },
        detail: said.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_told_of_two_weeks_before_its_end_and_when_phones_hear_nothing() {
        let now: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let good = |days: i64| Fit::Good {
            until: now + SignedDuration::from_hours(24 * days),
        };
        let told = Advert::Url("https://sz01.sw.cn/capport".to_owned());
        let nothing = Advert::Nothing;
        let (ok, degraded) = (Verdict::Ok, Verdict::Degraded);
        for (fit, refused, advert, verdict, detail) in [
            (good(14), None, &told, ok, "good until 2026-12-15T00:00:00Z"),
            (good(13), None, &told, degraded, "good until 2026-12-14"),
            (
                Fit::Missing,
                None,
                &nothing(Because::Certificate),
                ok,
                "none",
            ),
            (
                Fit::Missing,
                Some("no fit"),
                &nothing(Because::Certificate),
                degraded,
                "no fit",
            ),
            (
                Fit::Expired,
                None,
                &nothing(Because::Certificate),
                degraded,
                "expired",
            ),
            (
                Fit::NoName,
                None,
                &nothing(Because::Certificate),
                degraded,
                "not for",
            ),
            (good(60), Some("no fit"), &told, degraded, "; no fit"),
            (
                good(60),
                None,
                &nothing(Because::NobodyListens),
                degraded,
                "nobody listens",
            ),
            (
                good(60),
                None,
                &nothing(Because::NameLeadsElsewhere),
                degraded,
                "does not lead",
            ),
        ] {
            let https = Https {
                host: Some("sz01.sw.cn".to_owned()),
                fit,
                refused: refused.map(str::to_owned),
            };
            let check = judge(&https, advert, now);
            assert_eq!(check.verdict, verdict, "{check:?}");
            assert!(check.detail.contains(detail), "{check:?}");
        }
    }
}
