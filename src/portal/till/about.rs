//! What staff want to know of a coupon beside yes or no: whose table it is from, and how old it is.

use jiff::{SignedDuration, Timestamp};

use crate::domain::calendar::{clock, day_and_clock};
use crate::domain::store::Store;
use crate::domain::text::Language;
use crate::domain::wallet::Coupon;
use crate::portal::place;
use crate::portal::texts::{Till, texts};
use crate::wire::bundle::Bundle;

/// A coupon in two lines.
pub(super) struct About {
    pub(super) gift: String,
    /// `Table A12 · claimed 12 min ago, 14:32`
    pub(super) line: String,
}

impl About {
    pub(super) fn of(coupon: &Coupon, bundle: &Bundle, now: Timestamp, language: Language) -> Self {
        let found = bundle.touchpoint(coupon.claim.touchpoint);
        // A sticker that was taken off since then has no name.
        let found = found.filter(|(_, touchpoint)| touchpoint.is_bound());
        let place = found.map(|(_, touchpoint)| place::in_words(touchpoint, language));
        let home = bundle.stores.get(&coupon.store).map(|folder| &folder.store);
        let age = home.map(|home| age(home, coupon.issued_at, now, &texts(language).till));
        let parts: Vec<_> = place.into_iter().chain(age).collect();
        Self {
            gift: coupon.claim.gift.of(language).to_owned(),
            line: parts.join(" · "),
        }
    }
}

fn age(store: &Store, issued_at: Timestamp, now: Timestamp, t: &Till) -> String {
    let (then, today) = (store.local(issued_at), store.local(now).date());
    let time = if then.date() == today {
        clock(then.time())
    } else {
        day_and_clock(then)
    };
    let age = in_words(now.duration_since(issued_at), t);
    t.claimed_ago
        .replace("{age}", &age)
        .replace("{time}", &time)
}

/// Minutes up to two hours, hours up to two days. A clock that was set back makes nothing negative.
fn in_words(age: SignedDuration, t: &Till) -> String {
    let minutes = age.as_mins().max(0);
    let (words, n) = match minutes {
        0..120 => (&t.minutes, minutes),
        120..2880 => (&t.hours, minutes / 60),
        _ => (&t.days, minutes / (24 * 60)),
    };
    words.replace("{n}", &n.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_said_in_the_unit_that_people_would_use() {
        let t = &texts(Language::English).till;
        for (minutes, words) in [
            (-5, "0 min"),
            (0, "0 min"),
            (119, "119 min"),
            (120, "2 h"),
            (2879, "47 h"),
            (2880, "2 days"),
        ] {
            assert_eq!(in_words(SignedDuration::from_mins(minutes), t), words);
        }
    }
}
