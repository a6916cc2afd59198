//! Who is shown when: three faults of an existing product are stories here (shifts over midnight, a shift of the
//! whole day, nobody there).

use jiff::civil::datetime;
use proptest::prelude::*;

use super::*;
use crate::domain::written::read_strictly;

fn read(codes: &str) -> Invitation {
    let text = format!(
        "kind = \"contact\"\ntitle = {{ zh = \"加店长\", en = \"Add the manager\" }}\n{codes}"
    );
    read_strictly("invitation", &text).unwrap()
}

fn code(id: &str, more: &str) -> String {
    format!("[[code]]\nid = \"{id}\"\nqr = \"https://work.weixin.qq.com/{id}\"\n{more}\n")
}

const WEEK: &str = "days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"]";

fn shift(from: &str, to: &str) -> String {
    format!("[[code.shift]]\n{WEEK}\nfrom = \"{from}\"\nto = \"{to}\"")
}

/// Tuesday, 2026-12-01.
fn picked(invitation: &Invitation, hour: i8, shown: u32, lot: u64) -> Option<&str> {
    let holidays = Holidays::default();
    let local = datetime(2026, 12, 1, hour, 30, 0, 0);
    let at = Moment {
        local,
        holidays: &holidays,
    };
    let code = invitation.pick(at, |_, _| shown, lot)?;
    Some(code.id.as_str())
}

#[test]
fn a_shift_over_midnight_is_on_before_and_after_it() {
    let pool = read(&code("night", &shift("22:00", "06:00")));
    for (hour, expected) in [
        (21, None),
        (22, Some("night")),
        (5, Some("night")),
        (6, None),
    ] {
        assert_eq!(picked(&pool, hour, 0, 7), expected, "{hour}:30");
    }
}

#[test]
fn a_shift_of_the_whole_day_takes_nothing_from_who_was_found_before() {
    let pool = read(
        &(code("lunch", &shift("11:00", "14:00")) + &code("always", &shift("00:00", "00:00"))),
    );
    let mut seen: Vec<_> = (0..4)
        .map(|lot| picked(&pool, 12, 0, lot).unwrap())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, ["always", "always", "lunch", "lunch"]);
    assert_eq!(picked(&pool, 15, 0, 1), Some("always"));
}

#[test]
fn where_nobody_is_there_nobody_is_shown_and_the_manager_hears_of_it() {
    let pool = read(&(code("day", &shift("10:00", "20:00")) + &code("ill", "away = true")));
    let holidays = Holidays::default();
    let worry = |hour| {
        let local = datetime(2026, 12, 1, hour, 0, 0, 0);
        let at = Moment {
            local,
            holidays: &holidays,
        };
        pool.worry(at, |_, _| 0)
    };
    assert_eq!(picked(&pool, 12, 0, 9), Some("day"));
    assert_eq!(worry(12), None);
    assert_eq!(picked(&pool, 21, 0, 9), None);
    assert_eq!(worry(21), Some(Worry::Nobody));
}

#[test]
fn the_spare_stands_in_for_a_shift_without_people_and_for_full_days() {
    let pool = read(
        &(code(
            "day",
            &format!("daily_cap = 40\n{}", shift("10:00", "20:00")),
        ) + &code("spare", "spare = true")),
    );
    assert_eq!(picked(&pool, 12, 39, 3), Some("day"));
    assert_eq!(picked(&pool, 12, 40, 3), Some("spare"));
    assert_eq!(picked(&pool, 21, 0, 3), Some("spare"));
}

#[test]
fn a_group_is_switched_before_its_code_is_old_or_full() {
    let pool = read(
        &(code("first", "group = { made = 2026-11-25, members = 120 }")
            + &code(
                "second",
                "weight = 1000\nspare = true\ngroup = { made = 2026-12-01 }",
            )),
    );
    assert_eq!(picked(&pool, 12, 0, 5), Some("first"), "the sixth day");
    assert_eq!(picked(&pool, 12, 69, 5), Some("first"));
    assert_eq!(picked(&pool, 12, 70, 5), Some("second"), "190 with today's");
    let holidays = Holidays::default();
    let mut at = Moment {
        local: datetime(2026, 12, 2, 12, 0, 0, 0),
        holidays: &holidays,
    };
    let next = |at| pool.pick(at, |_, _| 0, 5).map(|code| code.id.as_str());
    assert_eq!(next(at), Some("second"), "the seventh day");
    assert_eq!(pool.worry(at, |_, _| 0), Some(Worry::OnlySpare));
    at.local = datetime(2026, 12, 8, 12, 0, 0, 0);
    assert_eq!(next(at), None);
}

#[test]
fn what_ends_tomorrow_is_said_today() {
    let pool = read(&(code("a1", "expires = 2026-12-01") + &code("b2", "expires = 2026-12-02")));
    let holidays = Holidays::default();
    let worry = |day| {
        let local = datetime(2026, 11, day, 12, 0, 0, 0);
        let at = Moment {
            local,
            holidays: &holidays,
        };
        pool.worry(at, |_, _| 0)
    };
    assert_eq!(worry(30), None);
    let local = datetime(2026, 12, 1, 12, 0, 0, 0);
    let at = Moment {
        local,
        holidays: &holidays,
    };
    let ends = Worry::EndsSoon(jiff::civil::date(2026, 12, 2));
    assert_eq!(pool.worry(at, |_, _| 0), Some(ends));
}

#[test]
fn a_group_that_fills_is_said_before_it_is_full() {
    let pool = read(&code(
        "first",
        "group = { made = 2026-12-01, members = 120 }",
    ));
    let holidays = Holidays::default();
    let at = Moment {
        local: datetime(2026, 12, 1, 12, 0, 0, 0),
        holidays: &holidays,
    };
    assert_eq!(pool.worry(at, |_, _| 49), None);
    assert_eq!(pool.worry(at, |_, _| 50), Some(Worry::FullSoon));
    assert_eq!(pool.worry(at, |_, _| 70), Some(Worry::Nobody));
}

#[test]
fn a_pool_that_contradicts_itself_is_refused() {
    let refused = |codes: &str| {
        let title = "title = { zh = \"群\", en = \"Group\" }";
        let text = format!("kind = \"group\"\n{title}\n{codes}");
        read_strictly::<Invitation>("invitation", &text)
            .unwrap_err()
            .fault
    };
    let twice = code("same", "") + &code("same", "");
    assert!(refused(&twice).contains("an `id` of its own"));
    assert!(refused("code = []").contains("one `code` or more"));
    let night = format!("spare = true\n{}", shift("22:00", "06:00"));
    assert!(refused(&code("spare", &night)).contains("a spare has no `shift`"));
    assert!(refused(&code("none", "weight = 0")).contains("nonzero"));
}

#[test]
fn a_link_that_would_run_something_is_refused() {
    for bad in [
        "javascript:alert(1)",
        "http://example.cn",
        "https://a b",
        "",
    ] {
        assert!(Link::try_from(bad.to_owned()).is_err(), "{bad} was taken");
    }
    assert!(Qr::try_from("x".repeat(513)).is_err());
}

proptest! {
    /// Over a whole round of lots each is drawn as often as it weighs, and nobody else.
    #[test]
    fn each_is_shown_as_often_as_it_weighs(weights in prop::collection::vec(1_u16..5, 1..6)) {
        let codes: String = (0..)
            .zip(&weights)
            .map(|(n, weight)| code(&format!("p{n}"), &format!("weight = {weight}")))
            .collect();
        let pool = read(&codes);
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        for (n, weight) in weights.iter().enumerate() {
            let name = format!("p{n}");
            let drawn = (0..total).filter(|lot| picked(&pool, 12, 0, *lot) == Some(name.as_str()));
            prop_assert_eq!(drawn.count(), usize::from(*weight));
        }
    }
}
