//! The portal's HTTPS listener, which is there as soon as there is a certificate.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::super::wall::layout;
use super::advertise::{self, Advert, Conditions};
use super::{Place, identity_dir};
use crate::admission::zone::Ports;
use crate::config::settings::GatewaySettings;
use crate::domain::ids::StoreId;
use crate::ops::certificate::{Files, Shown};
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
            is_listening: watch::Sender::new(false),
            tcp,
        })
    }

    /// What the box asks to have certified for its host; none: nothing.
    pub(super) fn request(&self) -> watch::Receiver<Option<String>> {
        self.request.subscribe()
    }

    /// Follows the certificate of the host at which phones know the store.
    pub(super) fn follow(
        &self,
        settings: &GatewaySettings,
        (bundle, store): (watch::Receiver<Arc<Bundle>>, Option<StoreId>),
        clock: Arc<dyn Clock>,
        tasks: &Tasks,
    ) -> watch::Receiver<Https> {
        let host = Host {
            shown: Arc::clone(&self.shown),
            clock,
            bundle,
            store,
            base_url: settings.portal_base_url.clone(),
            identity_dir: match settings.portal_tls.key {
                Some(_) => None,
                None => Some(identity_dir(&settings.state_dir)),
            },
            request: self.request.clone(),
        };
        host.follow(tasks)
    }

    /// What phones may be told of it.
    pub(super) fn advertise(
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
        advertise::follow(conditions, zones, tasks)
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
            self.is_listening.send_replace(true);
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
