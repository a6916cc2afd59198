//! The way to the database: its address, TLS, and connections that come back after it was away.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::settings::Database;
use crate::hq::db::{Answer, LedgerError};

/// Connections at a time; a request waits for one, and a database serves few well and many badly.
const CONNECTIONS: usize = 16;

/// How long a request waits for a connection, and a connection for the database.
const WITHIN: Duration = Duration::from_secs(5);

/// After which a connection without an answer is dead: the machine behind it may have gone silently.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// Whoever turned this off for the server did not mean a ledger: with less, a power cut could take back
/// what a receipt has promised. A stricter setting stays.
const COMMITS_LAST: &str = "select set_config('synchronous_commit', 'on', false)
    where current_setting('synchronous_commit') in ('off', 'local')";

/// Connections to `database`, made when they are needed.
pub(super) fn pool(database: &Database) -> Answer<Pool> {
    let mut config = Config::from_str(&database.url).map_err(|error| refused(&error))?;
    config
        .application_name("maitred")
        .connect_timeout(WITHIN)
        .tcp_user_timeout(SILENT_FOR);
    let recycling = ManagerConfig {
        recycling_method: RecyclingMethod::Fast,
    };
    let manager = match &database.ca {
        Some(ca) => {
            // Somebody who gives an authority wants the database proven, whatever the address says.
            config.ssl_mode(SslMode::Require);
            let pem = fs_err::read(ca).map_err(|error| refused(&error))?;
            let tls = MakeRustlsConnect::new(tls(&pem)?);
            Manager::from_config(config, tls, recycling)
        }
        None if is_plain(&config) => Manager::from_config(config, NoTls, recycling),
        None => {
            let fault = "a database elsewhere is reached by TLS\nhint: set database.ca, or say \
                         sslmode=disable where nobody can listen";
            return Err(refused(&fault));
        }
    };
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .wait_timeout(Some(WITHIN))
        .create_timeout(Some(WITHIN))
        .recycle_timeout(Some(WITHIN))
        .runtime(Runtime::Tokio1)
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                let done = client.batch_execute(COMMITS_LAST).await;
                done.map_err(HookError::Backend)
            })
        }))
        .build()
        .map_err(|error| refused(&error))
}

/// The settings cannot be used. Never quotes the address, which may hold a password.
fn refused(fault: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Unreachable(format!("database.url: {fault}"))
}

/// Whether the way to the database needs no TLS: it stays on this machine, or somebody has said so.
fn is_plain(config: &Config) -> bool {
    let is_here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    };
    let mode = config.get_ssl_mode();
    mode == SslMode::Disable || (mode == SslMode::Prefer && config.get_hosts().iter().all(is_here))
}

fn tls(authority_pem: &[u8]) -> Answer<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority_pem) {
        let certificate = certificate.map_err(|error| refused(&error))?;
        roots.add(certificate).map_err(|error| refused(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| refused(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(url: &str) -> Answer<Pool> {
        pool(&Database {
            url: url.to_owned(),
            ca: None,
        })
    }

    #[test]
    fn a_database_elsewhere_needs_tls_or_a_clear_word() {
        for near in [
            "postgresql://hq:secret@127.0.0.1/hq",
            "postgresql://hq@localhost/hq",
            "postgresql:///hq?host=/run/postgresql",
            "postgresql://hq@db.example.cn/hq?sslmode=disable",
        ] {
            assert!(reach(near).is_ok(), "{near}");
        }
        for far in [
            "postgresql://hq:secret@db.example.cn/hq",
            "postgresql://hq:secret@127.0.0.1/hq?sslmode=require",
            "postgresql://hq:secret@/hq?sslmode=never",
        ] {
            let refused = reach(far).err().unwrap().to_string();
            assert!(!refused.contains("secret"), "{refused}");
        }
    }
}
