//! What the linter says of a bundle: the campaigns and the words that a box leaves out, and all that headquarters
//! looks at.
//!
//! A campaign that is refused is left out, and the rest is taken. One that a box runs already is not stopped by rules
//! that are newer than it, only named. Whoever takes back an override, or says that other law counts, has it judged
//! again.

use super::{BadFile, Bundle, Policy};
use crate::domain::campaign::Campaign;
use crate::domain::ids::CampaignId;
use crate::domain::linter::{Finding, Linter};
use crate::domain::store::Greeting;
use crate::domain::text::Text;
use crate::domain::wifi::Wifi;
use crate::wire::rules::register;

/// Whose law counts, and what somebody answers for.
const JUDGED_BY: [&str; 2] = ["chain.toml", "overrides.toml"];

/// What the linter says of one file of a folder.
#[derive(Debug, Default)]
pub struct Looked {
    pub file: String,
    pub findings: Vec<Finding>,
}

impl Looked {
    /// What is refused of it.
    pub fn refused(self) -> impl Iterator<Item = BadFile> {
        let Self { file, findings } = self;
        let refused = findings.into_iter().filter(Finding::is_refusal);
        refused.map(move |finding| finding.in_file(&file))
    }
}

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

    fn refused(&self, campaign: &Campaign) -> Vec<BadFile> {
        let looked = Looked {
            file: campaign_file(&campaign.id),
            findings: self.said_of(&self.linter(), campaign),
        };
        looked.refused().collect()
    }

    /// Whether `campaign` runs here as it stands, and today's rules refuse it by what was answered for then, and
    /// where: then it is the rules that are new.
    fn runs_by_older_rules(&self, campaign: &Campaign) -> bool {
        self.campaign(&campaign.id) == Some(campaign) && !self.refused(campaign).is_empty()
    }

    /// Leaves out the campaigns that the linter refuses, but for those that stand the same in `running` and were
    /// good by its rules.
    pub fn leave_out_refused(&mut self, running: &Self) -> Verdict {
        let mut verdict = Verdict::default();
        for campaign in self.campaigns.values() {
            let faults = self.refused(campaign);
            if running.runs_by_older_rules(campaign) {
                verdict.flagged.extend(faults);
            } else if !faults.is_empty() {
                verdict.left_out.push(campaign.id.clone());
                verdict.faults.extend(faults);
            }
        }
        self.leave_out(&verdict.left_out);
        verdict
    }

    /// The files that say what runs, and by what it was judged: kept, they tell newer rules from new words.
    pub fn judged(&self) -> impl Iterator<Item = String> {
        let campaigns = self.campaigns.keys().map(campaign_file);
        campaigns.chain(JUDGED_BY.map(str::to_owned))
    }

    /// Leaves out the words that the linter refuses: pages say maitred's own or none. Returns what is wrong with them.
    pub fn leave_out_refused_words(&mut self) -> Vec<BadFile> {
        let looked = self.said_of_words(&self.linter());
        let refused = |file: &str| {
            let mut looked = looked.iter();
            looked.any(|looked| {
                looked.file == file && looked.findings.iter().any(Finding::is_refusal)
            })
        };
        if refused("policy.toml") {
            self.policy = Policy::default();
        }
        if refused("wifi.toml") {
            unwelcome(&mut self.wifi);
        }
        for (id, folder) in &mut self.stores {
            if refused(&format!("stores/{id}/wifi.toml")) {
                unwelcome(&mut folder.wifi);
            }
            if refused(&format!("stores/{id}/store.toml")) {
                folder.store.brand.greeting = None;
            }
        }
        looked.into_iter().flat_map(Looked::refused).collect()
    }

    /// What the linter says of the words of every file that are no campaign's; what somebody answers for is a warning.
    pub fn said_of_words(&self, linter: &Linter) -> Vec<Looked> {
        let mut looked = Vec::new();
        let mut words = |file: String, texts: &[(&str, &Text)]| {
            let mut findings = linter.texts(texts);
            self.overrides.lay_over(&file, &mut findings);
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

    pub fn leave_out(&mut self, campaigns: &[CampaignId]) {
        self.campaigns.retain(|id, _| !campaigns.contains(id));
    }
}

/// Where a campaign stands in its folder.
pub fn campaign_file(campaign: &CampaignId) -> String {
    format!("campaigns/{campaign}.toml")
}

fn welcomes(wifi: &Wifi) -> Vec<(&str, &Text)> {
    let zones = wifi.zones.values();
    let welcomes = zones.filter_map(|policy| policy.welcome.as_ref());
    welcomes.map(|welcome| ("welcome", welcome)).collect()
}

fn unwelcome(wifi: &mut Wifi) {
    for policy in wifi.zones.values_mut() {
        policy.welcome = None;
    }
}

#[cfg(feature = "hq")]
mod whole {
    use jiff::civil::Date;

    use super::{Bundle, Linter, Looked, campaign_file};
    use crate::domain::invitation::Invitations;

    impl Bundle {
        /// What the linter says of every campaign as it is.
        pub fn said_of_campaigns(&self, linter: &Linter) -> Vec<Looked> {
            let campaigns = self.campaigns.values().map(|campaign| Looked {
                file: campaign_file(&campaign.id),
                findings: self.said_of(linter, campaign),
            });
            campaigns.collect()
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
}

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
    fn an_override_that_is_taken_back_or_other_law_has_what_runs_judged_again() {
        let overrides = "[gift-for-following]\nR06 = \"Wang Fang: a trial in one shop\"\n";
        let running = bundle(&[("overrides.toml", overrides)]);
        let mut again = bundle(&[]);
        let verdict = again.leave_out_refused(&running);
        assert_eq!(verdict.left_out.len(), 1);
        assert_eq!(verdict.flagged, []);

        let priced = CAMPAIGN.replace("A side dish in the quiet hours", "Regular price 38");
        let chain =
            "id = \"shiwei\"\nname = { zh = \"拾味\", en = \"Shiwei\" }\nprofile = \"eu\"\n";
        let campaign = ("campaigns/quiet-hours.toml", priced.as_str());
        let elsewhere = bundle(&[campaign, ("chain.toml", chain)]);
        let mut in_china = bundle(&[campaign]);
        let verdict = in_china.leave_out_refused(&elsewhere);
        let left_out: Vec<_> = verdict.left_out.iter().map(CampaignId::as_str).collect();
        assert_eq!(left_out, ["quiet-hours"]);
    }

    #[test]
    fn refused_words_give_way_to_maitreds_own_unless_somebody_answers_for_them() {
        let policy = "version = 3\nnotice = { zh = \"无\", en = \"none\" }\n\
                      marketing = { zh = \"关注即送小菜\", en = \"Offers\" }\n";
        let wifi = "[zone.guest]\nwelcome = { zh = \"关注后才能上网\", en = \"Welcome\" }\n";
        let files = [("policy.toml", policy), ("wifi.toml", wifi)];
        let mut judged = bundle(&files);
        let faults = judged.leave_out_refused_words();
        let named: Vec<_> = faults
            .iter()
            .map(|fault| (&*fault.file, &*fault.key, &fault.fault[..4]))
            .collect();
        assert!(
            named.contains(&("policy.toml", "marketing.zh", "R06:")),
            "{named:?}"
        );
        assert!(
            named.contains(&("wifi.toml", "welcome.zh", "R01:")),
            "{named:?}"
        );
        assert_eq!(judged.policy, Policy::default());
        assert!(welcomes(&judged.wifi).is_empty());
        assert_eq!(judged.leave_out_refused_words(), []);

        let answer = "[\"policy.toml\"]\nR06 = \"Wang Fang: a trial in one shop\"\n";
        let mut answered = bundle(&[files[0], ("overrides.toml", answer)]);
        assert_eq!(answered.leave_out_refused_words(), []);
        assert_eq!(answered.policy.version, 3);
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
