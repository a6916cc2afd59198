//! `[referral]` of a chain and of its stores: which applies where, and whether its gifts can be given.

use super::{BadFile, Bundle, StoreFolder};
use crate::domain::campaign::{Audience, RedeemableAt};
use crate::domain::ids::CampaignId;
use crate::domain::referral::ReferralRules;

impl Bundle {
    /// The store's word, or else the chain's.
    pub fn referral<'b>(&'b self, folder: &'b StoreFolder) -> Option<&'b ReferralRules> {
        let chains = self
            .chain
            .as_ref()
            .and_then(|chain| chain.referral.as_ref());
        folder.store.referral.as_ref().or(chains)
    }
}

/// What is wrong with the gifts that are named.
pub(super) fn faults(bundle: &Bundle) -> Vec<BadFile> {
    let chains = bundle
        .chain
        .as_ref()
        .and_then(|chain| chain.referral.as_ref());
    let chains = chains.map(|rules| ("chain.toml".to_owned(), rules));
    let stores = bundle.stores.iter().filter_map(|(id, folder)| {
        let rules = folder.store.referral.as_ref()?;
        Some((format!("stores/{id}/store.toml"), rules))
    });
    let said = chains.into_iter().chain(stores);
    let faults = said.flat_map(|(file, rules)| {
        let gifts = [
            ("referral.bringer", &rules.bringer),
            ("referral.friend", &rules.friend),
        ];
        gifts.into_iter().filter_map(move |(key, gift)| {
            let (fault, hint) = fault(bundle, gift)?;
            Some(BadFile {
                key: key.to_owned(),
                hint: Some(hint.to_owned()),
                ..BadFile::whole(&file, fault)
            })
        })
    });
    faults.collect()
}

fn fault(bundle: &Bundle, gift: &CampaignId) -> Option<(String, &'static str)> {
    let Some(campaign) = bundle.campaign(gift) else {
        let fault = format!("there is no campaign `{gift}`");
        return Some((fault, "it names a file campaigns/<id>.toml"));
    };
    if campaign.audience != Audience::Referral {
        let fault = format!("`{gift}` is an offer of its own, and its page gives it to everybody");
        return Some((fault, "write `audience = \"referral\"` in its file"));
    }
    if campaign.validity.stores == RedeemableAt::Any {
        let fault = format!(
            "`{gift}` can be used in other stores, whose tills do not know who brought whom"
        );
        return Some((fault, "write `stores = \"issuing\"` in its [validity]"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;

    const CHAIN: &str = "id = \"shiwei\"\nname = { zh = \"拾味\", en = \"Shiwei\" }\n\
                         [referral]\nbringer = \"thanks\"\nfriend = \"welcome\"\n";

    fn folder(chain: &str, friends: &str) -> Files {
        let gift = include_str!("../../../tests/fixtures/chain/campaigns/quiet-hours.toml");
        let gift = |id: &str, audience: &str| {
            let gift = gift.replace("id = \"quiet-hours\"", &format!("id = \"{id}\""));
            gift.replace(
                "audience = \"everyone\"",
                &format!("audience = \"{audience}\""),
            )
        };
        let files = [
            ("chain.toml", chain.to_owned()),
            ("campaigns/thanks.toml", gift("thanks", "referral")),
            ("campaigns/welcome.toml", gift("welcome", friends)),
        ];
        let files = files.into_iter();
        files
            .map(|(name, text)| (name.to_owned(), text.into_bytes()))
            .collect()
    }

    fn said(files: &Files) -> String {
        let faults = Bundle::from_folder(files).map(|_| ()).unwrap_err();
        let faults = faults.iter().map(ToString::to_string);
        faults.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn two_gifts_for_two_people_are_taken() {
        let bundle = Bundle::from_folder(&folder(CHAIN, "referral")).unwrap();
        let rules = bundle.chain.unwrap().referral.unwrap();
        assert_eq!((rules.friend.as_str(), rules.per_month), ("welcome", 5));
    }

    #[test]
    fn a_gift_that_is_not_there_or_everybodys_is_a_mistake() {
        let missing = CHAIN.replace("\"welcome\"", "\"wellcome\"");
        assert!(said(&folder(&missing, "referral")).contains("no campaign `wellcome`"));
        let everybodys = said(&folder(CHAIN, "everyone"));
        assert!(
            everybodys.contains("audience = \"referral\""),
            "{everybodys}"
        );
    }

    #[test]
    fn a_referral_has_one_level_and_no_key_for_more() {
        for more in ["levels = 2\n", "depth = 3\n"] {
            let said = said(&folder(&format!("{CHAIN}{more}"), "referral"));
            assert!(said.contains("chain.toml"), "{said}");
        }
    }
}
