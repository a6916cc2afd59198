//! One-time tokens: what an installer types so that a box may enrol.
//!
//! A token is shown once and kept as its SHA-256. It has 28 letters, 138 bits: nobody finds one by trying,
//! so its hash needs no salt and no rounds.

use std::time::Duration;

use anyhow::{Context, bail};
use jiff::SignedDuration;

use super::chain::Chain;
use super::db::{Ledger, NewToken, TokenHash};
use super::secret;
use crate::ops::clock::Clock;
use crate::wire::link::Serves;

/// A visit to the store fits into a day.
pub const DEFAULT_VALID: Duration = Duration::from_secs(24 * 3600);

/// A printed batch of labels lasts two weeks; nothing should lie about for longer.
const LONGEST_VALID: Duration = Duration::from_secs(14 * 24 * 3600);

/// Makes a token for a gateway that will serve `serves`, and returns what to print.
pub async fn make(
    ledger: &dyn Ledger,
    chain: &Chain,
    serves: Serves,
    valid: Duration,
    clock: &dyn Clock,
) -> anyhow::Result<String> {
    if !has(chain, &serves) {
        bail!(
            "the chain {} does not have this store\nhint: its stores are {}",
            chain.id,
            store_list(chain)
        );
    }
    if valid > LONGEST_VALID || valid.is_zero() {
        bail!("a token is valid for a minute at least and 14 days at most");
    }
    let now = clock.now();
    let text = secret::letters(7);
    let token = NewToken {
        hash: hash(&text),
        serves,
        made: now,
        expires: now + SignedDuration::try_from(valid).context("reading how long it is valid")?,
    };
    ledger.keep_token(token).await?;
    Ok(text)
}

/// Whether the chain has what a token or a gateway serves.
pub(super) fn has(chain: &Chain, serves: &Serves) -> bool {
    match serves {
        Serves::Store(store) => chain.bundle.stores.contains_key(store),
        Serves::Street => true,
    }
}

fn store_list(chain: &Chain) -> String {
    let stores: Vec<&str> = chain.bundle.stores.keys().map(|id| id.as_str()).collect();
    if stores.is_empty() {
        "not written yet".to_owned()
    } else {
        stores.join(", ")
    }
}

/// The hash of a token as typed: small letters, spaces and missing dashes are forgiven.
pub(super) fn hash(typed: &str) -> TokenHash {
    let text: String = typed
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .collect();
    super::sha256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hq::chain;
    use crate::hq::db::TokenRefusal;
    use crate::hq::testing::{Kind, Scratch, at_store, chain_folder, now};
    use crate::ops::clock::TestClock;

    #[tokio::test]
    async fn a_token_is_found_however_it_is_typed_until_it_expires() {
        let hq = Scratch::new(Kind::Embedded).await;
        let folder = chain_folder();
        let chain = chain::read(folder.path()).unwrap();
        let clock = TestClock::at(now());
        let serves = at_store("SZ01");
        let token = make(
            hq.ledger.as_ref(),
            &chain,
            serves.clone(),
            DEFAULT_VALID,
            &clock,
        )
        .await
        .unwrap();
        let typed = token.to_lowercase().replace('-', " ");
        let look = async |hours| {
            let later = now() + SignedDuration::from_hours(hours);
            hq.ledger.look_at_token(hash(&typed), later).await.unwrap()
        };
        assert_eq!(look(23).await, Ok(serves));
        assert_eq!(look(24).await, Err(TokenRefusal::Expired));
        let unknown = hq.ledger.look_at_token(hash("2222"), now()).await.unwrap();
        assert_eq!(unknown, Err(TokenRefusal::Unknown));
    }

    #[tokio::test]
    async fn a_token_for_a_store_that_is_not_there_is_not_made() {
        let hq = Scratch::new(Kind::Embedded).await;
        let folder = chain_folder();
        let chain = chain::read(folder.path()).unwrap();
        let clock = TestClock::at(now());
        let refused = make(
            hq.ledger.as_ref(),
            &chain,
            at_store("SZ99"),
            DEFAULT_VALID,
            &clock,
        )
        .await
        .unwrap_err();
        assert!(
            refused.to_string().contains("its stores are SZ01"),
            "{refused}"
        );
    }
}
