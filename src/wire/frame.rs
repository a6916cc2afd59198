//! The body of a journal frame: one or more events that stand or fall together, as JSON.
//!
//! ```json
//! {"st":"SZ01","b":37,"m":5000000,"w":1796110200000,"z":480,"e":[{"k":3,"x":{"cpn":"…"}}]}
//! ```
//!
//! | key | meaning |
//! |---|---|
//! | `st` | store |
//! | `b`, `m` | boot of the box and milliseconds since then; they never step |
//! | `w`, `z` | the wall clock in Unix milliseconds, and the store's offset from UTC in minutes |
//! | `e` | events: `k` kind ([`Kind`]), `d` milliseconds after `w` where not 0, `x` payload |
//!
//! Readers keep what they do not know: an event of an unknown kind, or one whose payload does not fit, comes
//! back as [`Undecoded`] and never takes its neighbours with it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::domain::event::{Event, Kind, Moment, Occurrence};
use crate::domain::ids::StoreId;
#[cfg(feature = "hq")]
use crate::domain::ids::Vid;

/// Which boot of the box, and how long into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootTime {
    pub boot: u32,
    pub millis: u64,
}

/// A frame's events and what they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    pub store: StoreId,
    pub boot_time: BootTime,
    pub moment: Moment,
    /// Each with how long after `moment` it happened.
    pub events: Vec<(SignedDuration, Event)>,
}

impl Contents {
    /// One frame for one event.
    pub fn of(store: StoreId, boot_time: BootTime, moment: Moment, event: Event) -> Self {
        Self {
            store,
            boot_time,
            moment,
            events: vec![(SignedDuration::ZERO, event)],
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    st: StoreId,
    b: u32,
    m: u64,
    w: i64,
    z: i32,
    #[serde(borrow)]
    e: Vec<Line<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Line<'a> {
    k: u16,
    #[serde(default, skip_serializing_if = "is_zero")]
    d: i64,
    #[serde(borrow)]
    x: std::borrow::Cow<'a, RawValue>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// Writes a frame's body.
pub fn encode(contents: &Contents) -> Vec<u8> {
    let lines = contents
        .events
        .iter()
        .map(|(after, event)| Line {
            k: event.kind() as u16,
            d: i64::try_from(after.as_millis()).unwrap_or_default(),
            x: std::borrow::Cow::Owned(payload(event)),
        })
        .collect();
    let body = Body {
        st: contents.store.clone(),
        b: contents.boot_time.boot,
        m: contents.boot_time.millis,
        w: contents.moment.at.as_millisecond(),
        z: contents.moment.offset.seconds() / 60,
        e: lines,
    };
    serde_json::to_vec(&body).expect("a frame is plain data")
}

fn payload(event: &Event) -> Box<RawValue> {
    let written = match event {
        Event::Claim(x) => serde_json::value::to_raw_value(x),
        Event::ConsentGiven(x) | Event::ConsentWithdrawn(x) => serde_json::value::to_raw_value(x),
        Event::Redeem(x) => serde_json::value::to_raw_value(x),
        Event::RedeemUndone(x) => serde_json::value::to_raw_value(x),
        Event::RedeemRefused(x) => serde_json::value::to_raw_value(x),
        Event::TouchpointView(x) | Event::PortalView(x) => serde_json::value::to_raw_value(x),
        Event::AccessLogged(x) => serde_json::value::to_raw_value(x),
        Event::EraseRequested(x) => serde_json::value::to_raw_value(x),
        Event::Admitted(x) => serde_json::value::to_raw_value(x),
        Event::AdmissionEnded(x) => serde_json::value::to_raw_value(x),
        Event::PassUsed(x) => serde_json::value::to_raw_value(x),
        Event::CommandDone(x) => serde_json::value::to_raw_value(x),
        Event::CouponVoided(x) => serde_json::value::to_raw_value(x),
        Event::CouponKnown(x) => serde_json::value::to_raw_value(x),
        Event::RedeemedElsewhere(x) => serde_json::value::to_raw_value(x),
        Event::UndoneElsewhere(x) => serde_json::value::to_raw_value(x),
        Event::FeedbackKnown(x) => serde_json::value::to_raw_value(x),
        Event::AnswerKnown(x) => serde_json::value::to_raw_value(x),
        Event::StockChanged(x) => serde_json::value::to_raw_value(x),
        Event::PromoSwitched(x) => serde_json::value::to_raw_value(x),
        Event::CoversCounted(x) => serde_json::value::to_raw_value(x),
        Event::Bill(x) => serde_json::value::to_raw_value(x),
        Event::SlipIssued(x) => serde_json::value::to_raw_value(x),
        Event::FollowIntent(x) | Event::ContactIntent(x) | Event::GroupIntent(x) => {
            serde_json::value::to_raw_value(x)
        }
        Event::TouchpointBound(x) => serde_json::value::to_raw_value(x),
        Event::WalkFinished(x) => serde_json::value::to_raw_value(x),
        Event::Feedback(x) => serde_json::value::to_raw_value(x),
        Event::StaffCalled(x) => serde_json::value::to_raw_value(x),
        Event::GuestAnswered(x) => serde_json::value::to_raw_value(x),
        Event::MemberRegistered(x) | Event::VipChanged(x) | Event::GroupReported(x) => {
            serde_json::value::to_raw_value(x)
        }
        Event::BirthdayTold(x) => serde_json::value::to_raw_value(x),
        Event::BookingRequested(x)
        | Event::BookingChanged(x)
        | Event::EventRsvp(x)
        | Event::EventCheckin(x) => serde_json::value::to_raw_value(x),
        Event::ReferralShown(x) => serde_json::value::to_raw_value(x),
        Event::ReferralUsed(x) => serde_json::value::to_raw_value(x),
        Event::ReferralRewarded(x) => serde_json::value::to_raw_value(x),
        Event::TableJoined(x) => serde_json::value::to_raw_value(x),
        Event::TableTreated(x) => serde_json::value::to_raw_value(x),
    };
    written.expect("a payload is plain data")
}

/// The boot and the wall clock that a frame was written by; none if it is not a frame of any version.
pub fn written_at(body: &[u8]) -> Option<(BootTime, Timestamp)> {
    #[derive(Deserialize)]
    struct Times {
        b: u32,
        m: u64,
        w: i64,
    }
    let Times {
        b: boot,
        m: millis,
        w,
    } = serde_json::from_slice(body).ok()?;
    Some((
        BootTime { boot, millis },
        Timestamp::from_millisecond(w).ok()?,
    ))
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub store: StoreId,
    pub occurrences: Vec<Occurrence>,
    pub undecoded: Vec<Undecoded>,
}

/// An event that this version cannot read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undecoded {
    pub kind: u16,
    pub reason: String,
}

/// The body is not a frame of any version.
#[derive(Debug, thiserror::Error)]
#[error("not a frame body: {0}")]
pub struct BadFrame(String);

/// Reads a frame's body.
pub fn decode(body: &[u8]) -> Result<Decoded, BadFrame> {
    decode_at(body, None)
}

/// Reads a frame's body; `unix_ms` is a better time for it than the box's clock gave.
pub fn decode_at(body: &[u8], unix_ms: Option<i64>) -> Result<Decoded, BadFrame> {
    let body: Body<'_> =
        serde_json::from_slice(body).map_err(|error| BadFrame(error.to_string()))?;
    let at = Timestamp::from_millisecond(unix_ms.unwrap_or(body.w))
        .map_err(|error| BadFrame(error.to_string()))?;
    let offset = jiff::tz::Offset::from_seconds(body.z.saturating_mul(60))
        .map_err(|error| BadFrame(error.to_string()))?;
    let mut decoded = Decoded {
        store: body.st,
        occurrences: Vec::with_capacity(body.e.len()),
        undecoded: Vec::new(),
    };
    for line in body.e {
        let at = at
            .saturating_add(SignedDuration::from_millis(line.d))
            .unwrap_or(at);
        match event(line.k, &line.x) {
            Ok(event) => decoded.occurrences.push(Occurrence {
                store: decoded.store.clone(),
                moment: Moment { at, offset },
                event,
            }),
            Err(reason) => decoded.undecoded.push(Undecoded {
                kind: line.k,
                reason,
            }),
        }
    }
    Ok(decoded)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a kind without a sender is as unknown as one from the future"
)]
fn event(kind: u16, payload: &RawValue) -> Result<Event, String> {
    fn read<'a, T: Deserialize<'a>>(payload: &'a RawValue) -> Result<T, String> {
        serde_json::from_str(payload.get()).map_err(|error| error.to_string())
    }
    let kind = Kind::from_number(kind).ok_or("unknown kind")?;
    Ok(match kind {
        Kind::Claim => Event::Claim(read(payload)?),
        Kind::ConsentGiven => Event::ConsentGiven(read(payload)?),
        Kind::ConsentWithdrawn => Event::ConsentWithdrawn(read(payload)?),
        Kind::Redeem => Event::Redeem(read(payload)?),
        Kind::RedeemUndone => Event::RedeemUndone(read(payload)?),
        Kind::RedeemRefused => Event::RedeemRefused(read(payload)?),
        Kind::TouchpointView => Event::TouchpointView(read(payload)?),
        Kind::PortalView => Event::PortalView(read(payload)?),
        Kind::AccessLogged => Event::AccessLogged(read(payload)?),
        Kind::EraseRequested => Event::EraseRequested(read(payload)?),
        Kind::Admitted => Event::Admitted(read(payload)?),
        Kind::AdmissionEnded => Event::AdmissionEnded(read(payload)?),
        Kind::PassUsed => Event::PassUsed(read(payload)?),
        Kind::CommandDone => Event::CommandDone(read(payload)?),
        Kind::CouponVoided => Event::CouponVoided(read(payload)?),
        Kind::CouponKnown => Event::CouponKnown(read(payload)?),
        Kind::RedeemedElsewhere => Event::RedeemedElsewhere(read(payload)?),
        Kind::UndoneElsewhere => Event::UndoneElsewhere(read(payload)?),
        Kind::FeedbackKnown => Event::FeedbackKnown(read(payload)?),
        Kind::AnswerKnown => Event::AnswerKnown(read(payload)?),
        Kind::StockChanged => Event::StockChanged(read(payload)?),
        Kind::PromoSwitched => Event::PromoSwitched(read(payload)?),
        Kind::CoversCounted => Event::CoversCounted(read(payload)?),
        Kind::Bill => Event::Bill(read(payload)?),
        Kind::SlipIssued => Event::SlipIssued(read(payload)?),
        Kind::FollowIntent => Event::FollowIntent(read(payload)?),
        Kind::ContactIntent => Event::ContactIntent(read(payload)?),
        Kind::GroupIntent => Event::GroupIntent(read(payload)?),
        Kind::TouchpointBound => Event::TouchpointBound(read(payload)?),
        Kind::WalkFinished => Event::WalkFinished(read(payload)?),
        Kind::Feedback => Event::Feedback(read(payload)?),
        Kind::StaffCalled => Event::StaffCalled(read(payload)?),
        Kind::GuestAnswered => Event::GuestAnswered(read(payload)?),
        Kind::MemberRegistered => Event::MemberRegistered(read(payload)?),
        Kind::VipChanged => Event::VipChanged(read(payload)?),
        Kind::GroupReported => Event::GroupReported(read(payload)?),
        Kind::BirthdayTold => Event::BirthdayTold(read(payload)?),
        Kind::BookingRequested => Event::BookingRequested(read(payload)?),
        Kind::BookingChanged => Event::BookingChanged(read(payload)?),
        Kind::EventRsvp => Event::EventRsvp(read(payload)?),
        Kind::EventCheckin => Event::EventCheckin(read(payload)?),
        Kind::ReferralShown => Event::ReferralShown(read(payload)?),
        Kind::ReferralUsed => Event::ReferralUsed(read(payload)?),
        Kind::ReferralRewarded => Event::ReferralRewarded(read(payload)?),
        Kind::TableJoined => Event::TableJoined(read(payload)?),
        Kind::TableTreated => Event::TableTreated(read(payload)?),
        other => return Err(format!("kind {} is not read yet", other.name())),
    })
}

/// The body of a frame without what is sealed in its access log, and with its bookings.
#[cfg(feature = "hq")]
pub fn without_sealed(body: &[u8]) -> Vec<u8> {
    use serde_json::Value;

    let Ok(mut frame) = serde_json::from_slice::<Value>(body) else {
        return body.to_vec();
    };
    let events = frame.get_mut("e").and_then(Value::as_array_mut);
    for event in events.into_iter().flatten() {
        if event["k"] == Kind::AccessLogged as u16 {
            event["x"] = Value::Object(serde_json::Map::new());
        } else if let Some(payload) = event.get_mut("x").and_then(Value::as_object_mut) {
            payload.remove("ph");
        }
    }
    frame.to_string().into_bytes()
}

/// The body of a frame in which `vid` is called `instead`, and what they said, their name, number and birthday are
/// gone.
///
/// Its events read and count as before. A body that does not read is emptied: nobody can tell what is in it.
#[cfg(feature = "hq")]
pub fn forget(body: &[u8], vid: Vid, instead: Vid) -> Vec<u8> {
    /// Words, a sealed number and a name, by whatever kind of event.
    const PERSONAL: [&str; 3] = ["w", "ph", "nm"];
    /// Its words are the shop's, and prove what was agreed to.
    const CONSENT: [u16; 2] = [Kind::ConsentGiven as u16, Kind::ConsentWithdrawn as u16];
    use serde_json::Value;

    let Ok(mut frame) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let (name, instead) = (vid.to_string(), instead.to_string());
    let events = frame.get_mut("e").and_then(Value::as_array_mut);
    for event in events.into_iter().flatten() {
        let is_consent = CONSENT.iter().any(|kind| event["k"] == *kind);
        let is_birthday = event["k"] == Kind::BirthdayTold as u16;
        let is_personal = |key: &str| PERSONAL.contains(&key) || (is_birthday && key == "day");
        if let Some(payload) = event.get_mut("x").filter(|_| !is_consent) {
            cut(payload, &name, &is_personal);
        }
    }
    frame.to_string().replace(&name, &instead).into_bytes()
}

/// Takes what is personal out of every object that names somebody.
#[cfg(feature = "hq")]
fn cut(payload: &mut serde_json::Value, name: &str, is_personal: &dyn Fn(&str) -> bool) {
    let Some(payload) = payload.as_object_mut() else {
        return;
    };
    if payload.values().any(|value| value.as_str() == Some(name)) {
        payload.retain(|key, _| !is_personal(key));
    }
    for inner in payload.values_mut() {
        cut(inner, name, is_personal);
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::Offset;

    use super::*;
    use crate::domain::command::{CommandDone, Cursor, Outcome};
    use crate::domain::event::{Claim, CouponVoided, View};
    use crate::domain::ids::{
        CampaignId, CommandId, CouponId, ShortCode, TapId, TouchpointCode, Vid,
    };
    use crate::domain::text::Text;

    fn claim_and_view() -> Contents {
        let noon: Timestamp = "2026-12-01T15:30:00+08:00".parse().unwrap();
        Contents {
            store: StoreId::parse("SZ01").unwrap(),
            boot_time: BootTime {
                boot: 37,
                millis: 5_000_000,
            },
            moment: Moment {
                at: noon,
                offset: Offset::constant(8),
            },
            events: vec![
                (
                    SignedDuration::ZERO,
                    Event::Claim(Claim {
                        coupon: CouponId::from_entropy([1; 16]),
                        code: ShortCode::parse("7K3F").unwrap(),
                        campaign: CampaignId::parse("quiet-hours").unwrap(),
                        touchpoint: TouchpointCode::from_entropy(7),
                        tap: TapId::from_entropy([2; 16]),
                        vid: Vid::from_entropy([3; 16]),
                        not_before: noon,
                        not_after: noon + SignedDuration::from_hours(168),
                        gift: Text::new("凉拌黄瓜 1 份", "cucumber salad"),
                        remember_until: noon + SignedDuration::from_hours(336),
                        off_peak: true,
                        given: false,
                    }),
                ),
                (
                    SignedDuration::from_millis(1_250),
                    Event::TouchpointView(View {
                        touchpoint: Some(TouchpointCode::from_entropy(7)),
                        campaign: None,
                        vid: None,
                        off_peak: false,
                    }),
                ),
            ],
        }
    }

    #[cfg(feature = "hq")]
    #[test]
    fn a_frame_that_forgets_a_diner_keeps_what_it_counts_and_what_others_said() {
        use crate::domain::event::{Feedback, FeedbackKnown};
        use crate::domain::feedback::{Rating, Words};
        use crate::domain::ids::RequestId;

        let (own, other) = (Vid::from_entropy([3; 16]), Vid::from_entropy([5; 16]));
        let instead = Vid::from_entropy([9; 16]);
        let said = |vid| Feedback {
            id: RequestId::from_entropy([4; 16]),
            touchpoint: None,
            vid,
            rating: Rating::try_from(2).ok(),
            words: Words::typed("cold soup").unwrap(),
            of: None,
        };
        let passed_down = Box::new(FeedbackKnown {
            feedback: said(own),
            said_at: Timestamp::UNIX_EPOCH,
        });
        let mut contents = claim_and_view();
        let words = [
            Event::Feedback(said(own)),
            Event::Feedback(said(other)),
            Event::FeedbackKnown(passed_down),
        ];
        let words = words.map(|event| (SignedDuration::ZERO, event));
        contents.events.extend(words);
        let before = decode(&encode(&contents)).unwrap();
        let body = forget(&encode(&contents), own, instead);
        let after = decode(&body).unwrap();
        assert!(after.undecoded.is_empty(), "{:?}", after.undecoded);
        assert_eq!(after.occurrences.len(), before.occurrences.len());
        assert_eq!(after.occurrences[3], before.occurrences[3]);
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains(&own.to_string()));
        assert_eq!(text.matches(&instead.to_string()).count(), 3);
        assert_eq!(text.matches("cold soup").count(), 1);
        let Event::Feedback(feedback) = &after.occurrences[2].event else {
            panic!("it was feedback");
        };
        assert_eq!(feedback.rating, Rating::try_from(2).ok());
        assert_eq!(forget(b"no frame", own, instead), b"");
    }

    #[cfg(feature = "hq")]
    #[test]
    fn a_frame_that_forgets_a_member_has_no_name_and_no_birthday_and_still_reads() {
        let (own, other) = (Vid::from_entropy([3; 16]), Vid::from_entropy([5; 16]));
        let instead = Vid::from_entropy([9; 16]);
        let word =
            |vid| format!(r#"{{"vid":"{vid}","is":true,"snc":"2026-12-01","was":1796110200000}}"#);
        let told = |vid| format!(r#"{{"vid":"{vid}","day":"08-15","h":"0123456789abcdef"}}"#);
        let booked = |vid| {
            format!(
                r#"{{"bk":"01010101010101010101010101010101","n":1,"st":"SZ01","at":"2026-12-01T18:30:00","pty":4,"nm":"Chen Qin","vid":"{vid}","cd":"7K3F","is":"seated","ask":1796110200000}}"#
            )
        };
        let of = |vid| {
            let words = [16, 44, 47].map(|kind| (kind, word(vid)));
            let bookings = [17, 18, 19, 20].map(|kind| (kind, booked(vid)));
            [&words[..], &[(46, told(vid))], &bookings].concat()
        };
        let lines = [of(own), of(other)].concat();
        let lines: Vec<_> = lines
            .iter()
            .map(|(kind, payload)| format!(r#"{{"k":{kind},"x":{payload}}}"#))
            .collect();
        let body = format!(
            r#"{{"st":"SZ01","b":1,"m":2,"w":1796110200000,"z":480,"e":[{}]}}"#,
            lines.join(",")
        );
        let before = decode(body.as_bytes()).unwrap();
        assert!(before.undecoded.is_empty(), "{:?}", before.undecoded);
        let body = forget(body.as_bytes(), own, instead);
        let after = decode(&body).unwrap();
        assert!(after.undecoded.is_empty(), "{:?}", after.undecoded);
        let kinds = |decoded: &Decoded| -> Vec<Kind> {
            let events = decoded.occurrences.iter();
            events.map(|one| one.event.kind()).collect()
        };
        assert_eq!(kinds(&after), kinds(&before));
        assert_eq!(after.occurrences[8..], before.occurrences[8..]);
        let text = String::from_utf8(body).unwrap();
        assert!(!text.contains(&own.to_string()));
        assert_eq!(text.matches(&instead.to_string()).count(), 8);
        assert_eq!(text.matches("Chen Qin").count(), 4, "the other's");
        assert_eq!(text.matches("08-15").count(), 1, "the other's");
    }

    /// The frame of version 0.1.0. It must stay readable for ever: add a file, never change this one.
    const GOLDEN: &str = include_str!("../../tests/fixtures/wire/frame-0.1.0.json");

    #[test]
    fn a_frame_is_written_as_version_0_1_0_wrote_it() {
        let written = String::from_utf8(encode(&claim_and_view())).unwrap();
        assert_eq!(written, GOLDEN.trim_end());
    }

    #[test]
    fn a_frame_reads_back() {
        let contents = claim_and_view();
        let decoded = decode(GOLDEN.trim_end().as_bytes()).unwrap();
        assert!(decoded.undecoded.is_empty());
        let [claim, view] = decoded.occurrences.as_slice() else {
            panic!("two events, not {decoded:?}");
        };
        assert_eq!(claim.event, contents.events[0].1);
        assert_eq!(claim.moment, contents.moment);
        let written = (contents.boot_time, contents.moment.at);
        assert_eq!(written_at(GOLDEN.as_bytes()), Some(written));
        assert_eq!(view.event, contents.events[1].1);
        assert_eq!(
            view.moment.at.duration_since(claim.moment.at),
            SignedDuration::from_millis(1_250)
        );
    }

    #[test]
    fn what_a_command_did_and_that_it_was_dealt_with_are_one_frame() {
        let body = br#"{"st":"SZ01","b":1,"m":2,"w":1796110200000,"z":480,"e":[
            {"k":31,"x":{"cpn":"01010101010101010101010101010101","rem":1797319800000}},
            {"k":30,"x":{"cur":{"c":7,"id":"02020202020202020202020202020202"},"kind":"void_coupon","out":"done"}}]}"#;
        let decoded = decode(body).unwrap();
        assert!(decoded.undecoded.is_empty(), "{:?}", decoded.undecoded);
        let events: Vec<Event> = decoded
            .occurrences
            .iter()
            .map(|occurrence| occurrence.event.clone())
            .collect();
        let coupon = CouponId::from_entropy([1; 16]);
        let cursor = Cursor {
            number: 7,
            id: CommandId::from_entropy([2; 16]),
        };
        let expected = [
            Event::CouponVoided(CouponVoided {
                coupon,
                remember_until: Timestamp::from_millisecond(1_797_319_800_000).unwrap(),
            }),
            Event::CommandDone(CommandDone::new(cursor, "void_coupon", Outcome::Done)),
        ];
        assert_eq!(events, expected);
        let contents = Contents {
            store: decoded.store,
            boot_time: BootTime { boot: 1, millis: 2 },
            moment: decoded.occurrences[0].moment,
            events: events
                .into_iter()
                .map(|event| (SignedDuration::ZERO, event))
                .collect(),
        };
        let written = String::from_utf8(encode(&contents)).unwrap();
        let wanted: String = String::from_utf8_lossy(body).split_whitespace().collect();
        assert_eq!(written, wanted);
    }

    /// Boxes in shops have written these: what reads them is added to and never changed.
    #[test]
    fn what_staff_said_by_hand_is_read_and_written_as_it_was() {
        let body = br#"{"st":"SZ01","b":1,"m":2,"w":1796110200000,"z":480,"e":[
            {"k":26,"x":{"day":"2026-12-01","hh":31,"by":-1,"now":7,"stf":"lin"}},
            {"k":27,"x":{"red":"01010101010101010101010101010101","no":"A-17","pty":4,"fen":12800,"stf":"pos-1","dev":"02020202020202020202020202020202"}},
            {"k":27,"x":{"pty":2,"stf":"lin","dev":"02020202020202020202020202020202"}},
            {"k":40,"x":{"cpn":"03030303030303030303030303030303","cmp":"quiet-hours","stf":"lin"}}]}"#;
        let decoded = decode(body).unwrap();
        assert!(decoded.undecoded.is_empty(), "{:?}", decoded.undecoded);
        let contents = Contents {
            store: decoded.store,
            boot_time: BootTime { boot: 1, millis: 2 },
            moment: decoded.occurrences[0].moment,
            events: decoded
                .occurrences
                .into_iter()
                .map(|occurrence| (SignedDuration::ZERO, occurrence.event))
                .collect(),
        };
        let written = String::from_utf8(encode(&contents)).unwrap();
        let wanted: String = String::from_utf8_lossy(body).split_whitespace().collect();
        assert_eq!(written, wanted);
        // A party of nobody is no bill: it is put aside and takes nothing with it.
        let none = String::from_utf8_lossy(body).replace("\"pty\":2", "\"pty\":0");
        let decoded = decode(none.as_bytes()).unwrap();
        assert_eq!((decoded.occurrences.len(), decoded.undecoded.len()), (3, 1));
    }

    #[test]
    fn a_bound_sticker_and_a_walk_read_back_as_they_are_written() {
        let body = br#"{"st":"SZ01","b":1,"m":2,"w":1796110200000,"z":480,"e":[
            {"k":38,"x":{"tp":"RJREVWAY","id":"01010101010101010101010101010101","knd":"table","lbl":"A12","stf":"lin"}},
            {"k":38,"x":{"tp":"RJREVWAY","id":"02020202020202020202020202020202","knd":"table","stf":"lin"}},
            {"k":39,"x":{"stf":"lin","n":24,"ok":22,"mis":2,"bad":1,"dup":1}}]}"#;
        let decoded = decode(body).unwrap();
        assert!(decoded.undecoded.is_empty(), "{:?}", decoded.undecoded);
        let Event::TouchpointBound(unbound) = &decoded.occurrences[1].event else {
            panic!("the second says that it marks no place: {decoded:?}");
        };
        assert_eq!(unbound.label, "");
        let moment = decoded.occurrences[0].moment;
        let events = decoded.occurrences.into_iter();
        let contents = Contents {
            store: decoded.store,
            boot_time: BootTime { boot: 1, millis: 2 },
            moment,
            events: events
                .map(|one| (SignedDuration::ZERO, one.event))
                .collect(),
        };
        let written = String::from_utf8(encode(&contents)).unwrap();
        let wanted: String = String::from_utf8_lossy(body).split_whitespace().collect();
        assert_eq!(written, wanted);
    }

    #[test]
    fn an_event_from_the_future_leaves_its_neighbours_readable() {
        let body = br#"{"st":"SZ01","b":1,"m":2,"w":0,"z":480,"new":1,
            "e":[{"k":9999,"x":{"a":1}},{"k":103,"x":{}},{"k":4,"x":{"red":"short"}}]}"#;
        let decoded = decode(body).unwrap();
        assert_eq!(decoded.occurrences.len(), 1);
        let kinds: Vec<_> = decoded.undecoded.iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [9999, 4]);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for body in [&b""[..], b"[]", b"{}", b"{\"st\":\"sz\"}", b"\xff"] {
            assert!(decode(body).is_err());
        }
    }

    /// Journals hold these for weeks, and headquarters for years.
    #[test]
    fn what_is_said_of_coupons_between_stores_is_written_as_it_is_read() {
        let coupon = "\"cpn\":\"01010101010101010101010101010101\"";
        let red = "\"red\":\"02020202020202020202020202020202\"";
        let claim = format!(
            "{{{coupon},\"cd\":\"Z7K3\",\"cmp\":\"quiet-hours\",\"tp\":\"{}\",\
             \"tap\":\"03030303030303030303030303030303\",\"vid\":\"04040404040404040404040404040404\",\
             \"nb\":1796110200000,\"na\":1796715000000,\"gift\":{{\"zh\":\"凉拌黄瓜\",\"en\":\"cucumber\"}},\
             \"rem\":1797319800000}}",
            TouchpointCode::from_entropy(7)
        );
        let redeem = format!(
            "{{{red},{coupon},\"cmp\":\"quiet-hours\",\"stf\":\"lin\",\
             \"dev\":\"05050505050505050505050505050505\",\"rem\":1797319800000"
        );
        let undone = format!(
            "{{{red},{coupon},\"cmp\":\"quiet-hours\",\"stf\":\"lin\",\"was\":1796110200000"
        );
        let lines = [
            (
                32,
                format!("{{\"cl\":{claim},\"was\":1796110200000,\"day\":\"2026-12-01\"}}"),
            ),
            (
                33,
                format!(
                    "{{{red},{coupon},\"st\":\"SZ02\",\"was\":1796110200000,\"rem\":1797319800000}}"
                ),
            ),
            (34, format!("{{{red},{coupon}}}")),
            // At home as they ever were, and elsewhere with the coupon's own store.
            (4, format!("{redeem}}}")),
            (
                4,
                format!("{redeem},\"hm\":{{\"st\":\"SZ01\",\"prv\":true}}}}"),
            ),
            (5, format!("{undone}}}")),
            (5, format!("{undone},\"hm\":\"SZ01\"}}")),
        ];
        let lines = lines.map(|(kind, payload)| format!("{{\"k\":{kind},\"x\":{payload}}}"));
        let body = format!(
            "{{\"st\":\"SZ02\",\"b\":1,\"m\":2,\"w\":1796110200000,\"z\":480,\"e\":[{}]}}",
            lines.join(",")
        );
        let decoded = decode(body.as_bytes()).unwrap();
        assert!(decoded.undecoded.is_empty(), "{:?}", decoded.undecoded);
        let contents = Contents {
            store: decoded.store,
            boot_time: BootTime { boot: 1, millis: 2 },
            moment: decoded.occurrences[0].moment,
            events: decoded
                .occurrences
                .into_iter()
                .map(|occurrence| (SignedDuration::ZERO, occurrence.event))
                .collect(),
        };
        assert_eq!(String::from_utf8(encode(&contents)).unwrap(), body);
    }
}
