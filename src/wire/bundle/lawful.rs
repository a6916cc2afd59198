//! What the linter says of a bundle: the campaigns that a box does not run, and all that headquarters looks at.
//!
//! A campaign that is refused is left out, and the rest is taken. One that a box runs already is not stopped by rules
//! that are newer than it, only named: guests hold its coupons.

use super::{BadFile, Bundle};
use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;
use crate::domain::linter::{Finding, Linter};
use crate::wire::rules::register;

/// What a box did not take, or took all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    pub left_out: Vec<CampaignId>,
    /// Why, of each that is left out.
    pub faults: Vec<BadFile>,
    /// What newer rules have against those that run on.
    pub flagged: Vec<BadFile>,
}

impl Bundle {
    /// The rules that this chain is held to.
    pub fn linter(&self) -> Linter {
        let chain = self.chain.as_ref();
        let profile = chain.map(|chain| chain.profile).unwrap_or_default();
        Linter::new(register(), profile)
    }

    /// What the linter says of one of its campaigns; what somebody answers for is a warning.
    pub fn said_of(&self, linter: &Linter, campaign: &Campaign) -> Vec<Finding> {
        let mut findings = linter.campaign(campaign);
        self.answer(campaign, &mut findings);
        findings
    }

    /// Makes warnings of what somebody answers for.
    pub fn answer(&self, campaign: &Campaign, findings: &mut [Finding]) {
        self.overrides.lay_over(campaign.id.as_str(), findings);
    }

    /// Leaves out the campaigns that the linter refuses, but for those that stand the same in `running`.
    pub fn leave_out_refused(&mut self, running: &Self) -> Verdict {
        let mut verdict = Verdict::default();
        let linter = self.linter();
        for campaign in self.campaigns.values() {
            let findings = self.said_of(&linter, campaign);
            let refused = findings.iter().filter(|finding| finding.is_refusal());
            let file = campaign_file(&campaign.id);
            let faults: Vec<BadFile> = refused.map(|finding| finding.in_file(&file)).collect();
            if running.campaign(&campaign.id) == Some(campaign) {
                verdict.flagged.extend(faults);
            } else if !faults.is_empty() {
                verdict.left_out.push(campaign.id.clone());
                verdict.faults.extend(faults);
            }
        }
        self.leave_out(&verdict.left_out);
        verdict
    }

    pub fn leave_out(&mut self, campaigns: &[CampaignId]) {
        self.campaigns.retain(|id, _| !campaigns.contains(id));
    }
}

/// Where a campaign stands in its folder.
pub fn campaign_file(campaign: &CampaignId) -> String {
    format!("campaigns/{campaign}.toml")
}

#[cfg(feature = "hq")]
mod whole {
    use jiff::civil::Date;

    use super::{Bundle, Finding, Linter, campaign_file};
    use crate::domain::invitation::Invitations;
    use crate::domain::store::Greeting;
    use crate::domain::text::Text;
    use crate::domain::wifi::Wifi;

    /// What the linter says of one file of a folder.
    #[derive(Debug, Default)]
    pub struct Looked {
        pub file: String,
        pub findings: Vec<Finding>,
    }

    impl Bundle {
        /// What the linter says of every file that guests read words of, as they are. What runs out by itself (codes,
        /// groups) is looked at by [`Self::said_of_invitations`].
        pub fn said_of_words(&self, linter: &Linter) -> Vec<Looked> {
            let campaigns = self.campaigns.values().map(|campaign| Looked {
                file: campaign_file(&campaign.id),
                findings: self.said_of(linter, campaign),
            });
            let mut looked: Vec<Looked> = campaigns.collect();
            let mut words = |file: String, texts: &[(&str, &Text)]| {
                let findings = linter.texts(texts);
                looked.push(Looked { file, findings });
            };
            let policy = [
                ("marketing", &self.policy.marketing),
                ("notice", &self.policy.notice),
            ];
            words("policy.toml".to_owned(), &policy);
            words("wifi.toml".to_owned(), &welcomes(&self.wifi));
            for (id, folder) in &self.stores {
                words(format!("stores/{id}/wifi.toml"), &welcomes(&folder.wifi));
                let greeting = folder.store.brand.greeting.as_ref().map(Greeting::text);
                let greeting: Vec<_> = greeting
                    .map(|text| ("brand.greeting", text))
                    .into_iter()
                    .collect();
                words(format!("stores/{id}/store.toml"), &greeting);
            }
            looked
        }

        /// What the linter says of every `invitations.toml`, as it will be on `today`.
        pub fn said_of_invitations(&self, linter: &Linter, today: Date) -> Vec<Looked> {
            let hosts = self
                .stores
                .values()
                .map(|folder| folder.store.host.as_str());
            let hosts: Vec<&str> = hosts.collect();
            let look = |file: String, invitations: &Invitations| {
                let findings = invitations.iter().flat_map(|(name, invitation)| {
                    let mut findings = linter.invitation(invitation, &hosts, today);
                    for finding in &mut findings {
                        finding.path = format!("{name}.{}", finding.path);
                    }
                    findings
                });
                let findings = findings.collect();
                Looked { file, findings }
            };
            let stores = self.stores.iter().map(|(id, folder)| {
                look(format!("stores/{id}/invitations.toml"), &folder.invitations)
            });
            let chains = look("invitations.toml".to_owned(), &self.invitations);
            [chains].into_iter().chain(stores).collect()
        }
    }

    fn welcomes(wifi: &Wifi) -> Vec<(&str, &Text)> {
        let zones = wifi.zones.values();
        let welcomes = zones.filter_map(|policy| policy.welcome.as_ref());
        welcomes.map(|welcome| ("welcome", welcome)).collect()
    }
}

#[cfg(feature = "hq")]
pub use whole::Looked;

#[cfg(test)]
mod tests {
    use super::super::Files;
    use super::*;

    const CAMPAIGN: &str = include_str!("../../../tests/fixtures/chain/campaigns/quiet-hours.toml");
    const UNLAWFUL: &str = include_str!("../../../tests/fixtures/unlawful/gift-for-following.toml");

    fn bundle(more: &[(&str, &str)]) -> Bundle {
        let mut files = Files::new();
        let chain = include_str!("../../../tests/fixtures/chain/chain.toml");
        for (path, text) in [
            ("chain.toml", chain),
            ("campaigns/quiet-hours.toml", CAMPAIGN),
            ("campaigns/gift-for-following.toml", UNLAWFUL),
        ]
        .iter()
        .chain(more)
        {
            files.insert((*path).to_owned(), text.as_bytes().to_vec());
        }
        Bundle::from_folder(&files).unwrap()
    }

    #[test]
    fn a_refused_campaign_is_left_out_and_named_and_the_rest_is_taken() {
        let mut bundle = bundle(&[]);
        let verdict = bundle.leave_out_refused(&Bundle::default());
        assert_eq!(bundle.campaigns.len(), 1);
        assert_eq!(verdict.left_out[0].as_str(), "gift-for-following");
        assert!(verdict.faults[0].fault.starts_with("R06: "), "{verdict:?}");
        assert_eq!(verdict.flagged, []);
    }

    #[test]
    fn one_that_runs_already_is_flagged_and_runs_on_until_somebody_edits_it() {
        let running = bundle(&[]);
        let mut again = running.clone();
        let verdict = again.leave_out_refused(&running);
        assert_eq!(again.campaigns.len(), 2);
        assert_eq!(verdict.left_out, []);
        assert!(verdict.flagged[0].fault.starts_with("R06: "), "{verdict:?}");

        let edited = UNLAWFUL.replace("cost_fen = 300", "cost_fen = 301");
        let mut edited = bundle(&[("campaigns/gift-for-following.toml", &edited)]);
        let verdict = edited.leave_out_refused(&running);
        assert_eq!(verdict.left_out.len(), 1);
    }

    #[test]
    fn what_somebody_answers_for_is_taken_and_stays_a_warning() {
        let overrides = "[gift-for-following]\nR06 = \"Wang Fang: a trial in one shop\"\n";
        let mut answered = bundle(&[("overrides.toml", overrides)]);
        assert_eq!(
            answered.leave_out_refused(&Bundle::default()),
            Verdict::default()
        );
        let campaigns = answered.campaigns.values();
        let answers: Vec<_> = campaigns
            .flat_map(|campaign| answered.said_of(&answered.linter(), campaign))
            .filter_map(|finding| finding.answered)
            .collect();
        assert!(!answers.is_empty());
        assert!(
            answers
                .iter()
                .all(|answer| answer == "Wang Fang: a trial in one shop")
        );
    }

    #[test]
    fn an_override_of_a_fixed_rule_is_a_mistake_of_its_file() {
        let mut files = Files::new();
        let text = "[promo]\nR01 = \"Wang Fang: because\"\n";
        files.insert("overrides.toml".to_owned(), text.as_bytes().to_vec());
        let faults = Bundle::from_folder(&files).unwrap_err();
        assert_eq!(faults[0].file, "overrides.toml");
        assert_eq!(faults[0].fault, "promo: nobody can answer for R01");
    }

    #[test]
    fn a_chain_elsewhere_is_held_to_its_own_rules() {
        let praised = CAMPAIGN.replace("A side dish in the quiet hours", "Regular price 38");
        let files = [("campaigns/quiet-hours.toml", praised.as_str())];
        let id = CampaignId::parse("quiet-hours").unwrap();
        let in_china = bundle(&files);
        assert_eq!(
            in_china.said_of(&in_china.linter(), in_china.campaign(&id).unwrap())[0]
                .rule
                .id,
            "R21"
        );
        let chain =
            "id = \"shiwei\"\nname = { zh = \"拾味\", en = \"Shiwei\" }\nprofile = \"eu\"\n";
        let elsewhere = bundle(&[files[0], ("chain.toml", chain)]);
        assert!(
            elsewhere
                .said_of(&elsewhere.linter(), elsewhere.campaign(&id).unwrap())
                .is_empty()
        );
    }
}
