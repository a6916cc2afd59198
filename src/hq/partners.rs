//! What partners have brought: whoever posts a code of the shop, a creator or a neighbour, by the month, and what
//! they are owed where the chain pays for it.
//!
//! One level: a partner is a code, and what counts is what became of its own coupons at the till. A coupon counts in
//! the month in which it was claimed, so a redemption of the first days of a month may still add to the one before.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::ids::{StoreId, TouchpointCode};
use crate::domain::store::TouchpointKind;
use crate::domain::uptake::places::{Places, compare};
use crate::wire::bundle::{Bundle, StoreFolder};

/// One partner's month in one store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    pub store: StoreId,
    pub code: TouchpointCode,
    /// As the chain calls them, or else what the code's label says.
    pub name: String,
    pub seen: i64,
    pub claimed: i64,
    pub redeemed: i64,
    /// Of those who claimed, such as had never been in the store before.
    pub first_visits: i64,
    /// None where nothing is agreed.
    pub owed_fen: Option<u64>,
}

/// The business days of a month that is written as `2026-11`.
pub fn month(text: &str) -> Option<RangeInclusive<Date>> {
    let first: Date = format!("{text}-01").parse().ok()?;
    // `2026-11-01` reads as well, and is no month.
    (text.len() == 7).then_some(first..=first.last_of_month())
}

/// The month before the one that `today` is in: it is over.
pub fn last_month(today: Date) -> RangeInclusive<Date> {
    let first = today.first_of_month().saturating_sub(1.month());
    first..=first.last_of_month()
}

/// The statements of a store's partners: its creators' codes, and whatever else the chain names.
pub fn statements(
    bundle: &Bundle,
    folder: &StoreFolder,
    places: &Places,
    first_visits: &BTreeMap<TouchpointCode, i64>,
) -> Vec<Statement> {
    let partners = folder.touchpoints.values().filter(|place| {
        place.is_bound()
            && (place.kind == TouchpointKind::Creator || bundle.partners.contains_key(&place.code))
    });
    let statement = |place| {
        let groups = compare([place].into_iter(), places);
        let line = groups
            .into_iter()
            .map(|group| group.sum)
            .next()
            .unwrap_or_default();
        let partner = bundle.partners.get(&place.code);
        Statement {
            store: folder.store.id.clone(),
            code: place.code,
            name: partner
                .map_or(&place.label, |partner| &partner.name)
                .clone(),
            seen: line.seen,
            claimed: line.claimed,
            redeemed: line.redeemed,
            first_visits: first_visits.get(&place.code).copied().unwrap_or_default(),
            owed_fen: partner.map(|partner| {
                // Redemptions that are taken back count less: on odd days, below none.
                let redeemed = u64::try_from(line.redeemed).unwrap_or_default();
                redeemed * u64::from(partner.per_redemption_fen)
            }),
        }
    };
    partners.map(statement).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::uptake::Deed;
    use crate::wire::bundle::Files;

    const TOUCHPOINTS: &str =
        include_str!("../../tests/fixtures/chain/stores/SZ01/touchpoints.csv");

    fn bundle(partners: &str) -> Bundle {
        let store = include_str!("../../tests/fixtures/chain/stores/SZ01/store.toml");
        let files = [
            ("stores/SZ01/store.toml", store),
            ("stores/SZ01/touchpoints.csv", TOUCHPOINTS),
            ("partners.toml", partners),
        ];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        Bundle::from_folder(&Files::from(files)).unwrap()
    }

    fn a_table() -> TouchpointCode {
        let (_, rows) = TOUCHPOINTS.split_once('\n').unwrap();
        TouchpointCode::parse(rows.split(',').next().unwrap()).unwrap()
    }

    #[test]
    fn a_partner_is_owed_for_what_their_own_code_brought_to_the_till() {
        let code = a_table();
        let neighbour = format!("[{code}]\nname = \"隔壁书店\"\nper_redemption_fen = 300\n");
        let bundle = bundle(&neighbour);
        let counts = [(Deed::Seen, 40), (Deed::Claimed, 9), (Deed::Redeemed, 4)];
        let counts = counts.map(|(deed, count)| ((Some(code), deed), count));
        let places = Places {
            counts: counts.into(),
            ..Places::default()
        };
        let folder = bundle.stores.values().next().unwrap();
        let statements = statements(&bundle, folder, &places, &[(code, 3)].into());
        let theirs = statements.iter().find(|one| one.code == code).unwrap();
        assert_eq!(theirs.name, "隔壁书店");
        assert_eq!((theirs.seen, theirs.claimed, theirs.redeemed), (40, 9, 4));
        assert_eq!((theirs.first_visits, theirs.owed_fen), (3, Some(1200)));
        let others = statements.iter().filter(|one| one.code != code);
        assert!(others.into_iter().all(|one| one.owed_fen.is_none()));
    }

    #[test]
    fn a_partner_has_a_code_of_the_chain_and_nothing_for_the_guests_of_others() {
        let code = a_table();
        let refused = |partners: &str| {
            let files = [("partners.toml".to_owned(), partners.as_bytes().to_vec())];
            let faults = Bundle::from_folder(&Files::from(files))
                .map(|_| ())
                .unwrap_err();
            faults[0].to_string()
        };
        let fair = format!("[{code}]\nname = \"Lin\"\nper_redemption_fen = 300\n");
        assert!(
            refused(&fair).contains("no store has the code"),
            "{}",
            refused(&fair)
        );
        let levels = format!("{fair}levels = 2\n");
        assert!(refused(&levels).contains("levels"), "{}", refused(&levels));
    }

    #[test]
    fn a_month_is_written_as_one_and_nothing_else() {
        let february = date(2028, 2, 1)..=date(2028, 2, 29);
        assert_eq!(month("2028-02"), Some(february));
        for wrong in ["2028-13", "2028", "2028-02-01", "february", ""] {
            assert_eq!(month(wrong), None, "{wrong}");
        }
        let november = date(2026, 11, 1)..=date(2026, 11, 30);
        assert_eq!(last_month(date(2026, 12, 31)), november);
    }
}
