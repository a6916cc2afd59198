//! `maitred campaign playbook`: campaigns to begin with, each of which runs as it is.

use anyhow::Context;

use crate::cli::print;
use crate::cli::syntax::{Command, Given, Word};
use crate::domain::campaign::Campaign;
use crate::domain::written::read_strictly;

/// By name.
const PLAYBOOKS: [(&str, &str); 8] = [
    (
        "side-dish",
        include_str!("../../../templates/playbooks/side-dish.toml"),
    ),
    (
        "off-peak",
        include_str!("../../../templates/playbooks/off-peak.toml"),
    ),
    (
        "win-back",
        include_str!("../../../templates/playbooks/win-back.toml"),
    ),
    (
        "receipt",
        include_str!("../../../templates/playbooks/receipt.toml"),
    ),
    ("vip", include_str!("../../../templates/playbooks/vip.toml")),
    (
        "booking",
        include_str!("../../../templates/playbooks/booking.toml"),
    ),
    (
        "tasting",
        include_str!("../../../templates/playbooks/tasting.toml"),
    ),
    (
        "birthday",
        include_str!("../../../templates/playbooks/birthday.toml"),
    ),
];

const NAME: Word = Word::option("name", "NAME", "Print this one's file");

pub(super) const COMMAND: Command = Command::new(
    "playbook",
    "List campaigns to begin with, or print one of them\n\n\
     Write it into campaigns/ of the chain's folder, put in your stores and dates, and check it.",
    &[NAME],
    run,
);

fn run(given: &Given) -> anyhow::Result<()> {
    let Some(name) = given.optional::<String>(&NAME)? else {
        for (name, file) in PLAYBOOKS {
            let campaign: Campaign = read_strictly(name, file)?;
            print::line(format_args!(
                "{name:<12} {} / {}",
                campaign.title.en, campaign.title.zh
            ));
        }
        return Ok(());
    };
    let found = PLAYBOOKS.into_iter().find(|(known, _)| *known == name);
    let (_, file) = found.with_context(|| {
        let names = PLAYBOOKS.map(|(known, _)| known);
        format!(
            "there is no playbook `{name}`\nhint: there are {}",
            names.join(", ")
        )
    })?;
    print::line(file.trim_end());
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::campaign::Audience;
    use crate::domain::ids::{Issuer, TapId, TouchpointCode, Vid};
    use crate::domain::offer::{Occasion, Standing};
    use crate::domain::store::{Store, Touchpoint};
    use crate::domain::wallet::{Fresh, TapAsked, TapRefused, Tapped, Wallet};

    /// A Tuesday in December, 15:30 in Shenzhen.
    const AFTERNOON: Timestamp = Timestamp::constant(1_796_110_200, 0);

    fn store() -> Store {
        let text = include_str!("../../../tests/fixtures/chain/stores/SZ01/store.toml");
        read_strictly("store.toml", text).unwrap()
    }

    /// Taps where `campaign` is offered first.
    fn tap(
        campaign: &Campaign,
        vid: Option<Vid>,
        (standing, occasion): (Standing, Occasion),
    ) -> Result<Tapped, TapRefused> {
        let store = store();
        let touchpoint = Touchpoint {
            code: TouchpointCode::from_entropy(1),
            kind: campaign.touchpoints[0],
            label: "A1".to_owned(),
            cost_fen: None,
        };
        let asked = TapAsked {
            tap: TapId::from_entropy([1; 16]),
            vid,
            standing,
            occasion,
            store: &store,
            touchpoint: &touchpoint,
            campaign,
            slice: None,
            issuer: Issuer::Store,
            now: AFTERNOON,
            fresh: Fresh {
                coupon: [2; 16],
                vid: [3; 16],
                codes: [4, 5, 6, 7, 8, 9, 10, 11],
            },
        };
        Wallet::default().claim(&asked)
    }

    #[test]
    fn each_gives_its_coupon_to_whom_it_is_for_and_to_nobody_else() {
        let vid = Some(Vid::from_entropy([7; 16]));
        let nobody = (Standing::default(), Occasion::Offered);
        for (name, file) in PLAYBOOKS {
            let mut campaign: Campaign = read_strictly(name, file).unwrap();
            // Whether a coin has picked this very day is the calendar's own matter.
            campaign.schedule = crate::domain::calendar::Schedule::default();
            let meant = match campaign.audience {
                Audience::Everyone | Audience::FirstVisit => Some(nobody),
                Audience::Vip => {
                    let vip = Standing {
                        is_vip: true,
                        ..nobody.0
                    };
                    Some((vip, nobody.1))
                }
                Audience::Birthday => {
                    let born = Standing {
                        born_in: Some(12),
                        ..nobody.0
                    };
                    Some((born, nobody.1))
                }
                Audience::Booked => Some((nobody.0, Occasion::Seated)),
                Audience::Referral => Some((nobody.0, Occasion::Referral)),
                // Who has redeemed a coupon before: the wallet's own tests.
                Audience::Returning => None,
            };
            if let Some(meant) = meant {
                let tapped = tap(&campaign, vid, meant);
                assert!(matches!(tapped, Ok(Tapped::New(_))), "{name}: {tapped:?}");
            }
            if meant != Some(nobody) {
                let closed = tap(&campaign, vid, nobody);
                assert_eq!(closed, Err(TapRefused::Closed), "{name}");
            }
        }
    }
}
