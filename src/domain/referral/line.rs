//! What a checkpoint holds of referrals, a line each: `0101… 2026-12-01 1796110200 -`.
//!
//! A format on a disk: parts are added at the end and never change their meaning. Written by hand, because derived
//! readers would be 5 kB of a router.

use std::fmt::Display;

use jiff::Timestamp;

use super::{Brought, Code};
use crate::domain::ids::{CouponId, DayMark, Vid};

pub(super) fn of_code(code: &Code) -> String {
    format!("{} {} {}", code.vid, code.day, mark(code.device))
}

pub(super) fn code(parts: &[&str]) -> Option<Code> {
    let [vid, day, device, ..] = parts else {
        return None;
    };
    Some(Code {
        vid: Vid::parse(vid).ok()?,
        day: day.parse().ok()?,
        device: device.parse().ok().map(DayMark),
    })
}

pub(super) fn of_friend(friend: &Brought) -> String {
    format!(
        "{} {} {} {} {}",
        friend.bringer,
        friend.day,
        mark(friend.device),
        friend.not_after.as_millisecond(),
        or_dash(friend.gift)
    )
}

pub(super) fn friend(parts: &[&str]) -> Option<Brought> {
    let [bringer, day, device, not_after, gift, ..] = parts else {
        return None;
    };
    Some(Brought {
        bringer: Vid::parse(bringer).ok()?,
        day: day.parse().ok()?,
        device: device.parse().ok().map(DayMark),
        not_after: Timestamp::from_millisecond(not_after.parse().ok()?).ok()?,
        gift: CouponId::parse(gift).ok(),
    })
}

fn mark(device: Option<DayMark>) -> String {
    or_dash(device.map(|DayMark(mark)| mark))
}

fn or_dash(part: Option<impl Display>) -> String {
    part.map_or_else(|| "-".to_owned(), |part| part.to_string())
}
