//! Headquarters: where the frames of all gateways are counted, and where their bundles come from.
//!
//! In the order of a gateway's life:
//!
//! | file | what it does |
//! |---|---|
//! | [`init`] | makes authorities, keys, the ledger and the first administrator, once |
//! | [`token`], [`staff`], [`pos`] | what is shown once: an enrolment token, a PIN for the till, a key for a POS |
//! | [`identity`], [`authority`] | headquarters' keys; certificates issued and read |
//! | [`certificate`] | of a store's host: what its boxes ask for, what an authority signed |
//! | [`chain`], [`bundles`] | the folder of stores and campaigns becomes a signed bundle per gateway |
//! | [`promos`] | campaigns that the console's form makes, as files of the folder |
//! | [`stickers`] | what was said of stickers, laid over the folder |
//! | [`examine`] | a batch's lines become frames with their facts, or are put aside with a reason |
//! | [`db`] | the ledger: the trait [`db::Ledger`], in SQLite or PostgreSQL, the only place that knows SQL |
//! | [`fonts`] | those that codes are printed with |
//! | [`routes`] | what gateways and probes talk to: sync, enroll and ops listeners |
//! | [`console`] | what the chain's people look at |
//! | [`server`] | puts these together: [`server::Headquarters`] |
//!
//! Nothing is acknowledged before the ledger has committed it, and nothing is refused for its content.

pub mod access;
pub mod authority;
pub mod bundles;
pub mod certificate;
pub mod chain;
pub mod console;
pub mod db;
mod erasures;
pub mod examine;
pub mod fonts;
pub mod identity;
pub mod init;
pub mod members;
pub mod partners;
pub mod phones;
pub mod pos;
pub mod promos;
pub mod routes;
mod secret;
pub mod server;
pub mod staff;
pub mod state;
pub mod stickers;
mod store_file;
#[cfg(test)]
mod testing;
pub mod token;

fn sha256(bytes: &[u8]) -> [u8; 32] {
    ring::digest::digest(&ring::digest::SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("a SHA-256 has 32 bytes")
}
