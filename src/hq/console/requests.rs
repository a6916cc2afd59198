//! What guests asked of stores and said to them on a day, and what staff switched by hand.
//!
//! Asking for an invitation is an intent: nobody is called a follower before the platform has said so.

use crate::domain::ids::StoreId;
use crate::domain::uptake::Deed;
use crate::domain::uptake::places::Places;

/// A store as the table shows it.
pub(super) struct RequestRow {
    pub(super) store: StoreId,
    pub(super) calls: i64,
    pub(super) said: i64,
    pub(super) rated: i64,
    /// The average, to one place.
    pub(super) rating: Option<String>,
    pub(super) follow: i64,
    pub(super) contact: i64,
    pub(super) group: i64,
    pub(super) stock: i64,
    pub(super) switched: i64,
}

/// None for a store where nothing of it has happened.
pub(super) fn row(store: &StoreId, places: &Places) -> Option<RequestRow> {
    let of = |deed| places.of_store(deed);
    let row = RequestRow {
        store: store.clone(),
        calls: of(Deed::Called),
        said: of(Deed::Said),
        rated: of(Deed::Rated),
        rating: average(of(Deed::Stars), of(Deed::Rated)),
        follow: of(Deed::FollowAsked),
        contact: of(Deed::ContactAsked),
        group: of(Deed::GroupAsked),
        stock: of(Deed::StockSet),
        switched: of(Deed::Switched),
    };
    let all = [
        row.calls,
        row.said,
        row.follow,
        row.contact,
        row.group,
        row.stock,
        row.switched,
    ];
    all.iter().any(|count| *count != 0).then_some(row)
}

fn average(stars: i64, rated: i64) -> Option<String> {
    if rated <= 0 {
        return None;
    }
    let tenths = (stars * 10 + rated / 2) / rated;
    Some(format!("{}.{}", tenths / 10, tenths % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_has_one_place_and_none_without_ratings() {
        assert_eq!(average(0, 0), None);
        for (stars, rated, average_is) in
            [(5, 1, "5.0"), (7, 2, "3.5"), (10, 3, "3.3"), (11, 3, "3.7")]
        {
            assert_eq!(average(stars, rated).as_deref(), Some(average_is));
        }
    }

    #[test]
    fn a_store_where_nothing_happened_has_no_row() {
        let store = StoreId::parse("SZ01").unwrap();
        let mut places = Places::default();
        assert!(row(&store, &places).is_none());
        places.counts.insert((None, Deed::Redeemed), 1);
        assert!(row(&store, &places).is_none(), "that has its own table");
        places.counts.insert((None, Deed::Switched), 1);
        assert_eq!(row(&store, &places).unwrap().switched, 1);
    }
}
