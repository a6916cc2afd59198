//! Headquarters: where the frames of all gateways are counted, and where their bundles come from.
//!
//! | file | what it does |
//! |---|---|
//! | [`db`] | the ledger: the trait [`db::Ledger`] and its SQLite form |
//! | [`examine`] | a batch's lines become frames with their facts, or are put aside with a reason |

pub mod db;
pub mod examine;
#[cfg(test)]
mod testing;
