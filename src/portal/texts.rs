//! The words of the pages, from `templates/text/`: one struct, so that every language has the same keys.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::domain::text::Language;
use crate::domain::written::read_strictly;
use crate::wire::encoding::gunzip;

/// A file as it is read: one type, where a struct a group would be compiled into a reader each.
type Groups = BTreeMap<String, BTreeMap<String, String>>;

/// Takes the words of one group, in the order of `keys`; none if one is missing or one too many.
fn words(groups: &mut Groups, group: &str, keys: &[&str]) -> Option<Vec<String>> {
    let mut group = groups.remove(group)?;
    let words: Option<_> = keys.iter().map(|key| group.remove(*key)).collect();
    group.is_empty().then_some(words)?
}

/// Declares the groups of words and their keys.
macro_rules! texts {
    ($($(#[$attr:meta])* $group:ident $type:ident { $($key:ident)* })*) => {
        /// All words of one language.
        #[derive(Debug)]
        pub(super) struct Texts { $(pub(super) $group: $type,)* }

        $(
            $(#[$attr])*
            #[derive(Debug)]
            pub(super) struct $type { $(pub(super) $key: String,)* }
        )*

        impl Texts {
            /// Takes the words out of a file's groups; none if one is missing or one too many.
            fn take(mut groups: Groups) -> Option<Self> {
                let texts = Self {
                    $($group: {
                        // All at once: word by word, a hundred of them were 20 kB of a router's flash.
                        let words = words(&mut groups, stringify!($group), &[$(stringify!($key)),*])?;
                        let [$($key),*] = words.try_into().ok()?;
                        $type { $($key),* }
                    },)*
                };
                groups.is_empty().then_some(texts)
            }
        }
    };
}

texts! {
    common Common { larger usual_size back privacy privacy_title }
    landing Landing {
        table welcome gift_for_you manager_gives until_time claim accepts just_looking no_offer
        looking_title looking_text held show_coupon terms next_visit left left_today
        back_again holds_others taken
    }
    wifi Wifi {
        title continue_button online_title online_text pass_button pass_title pass_text
        away_title away_text away_all_the_same closed_title closed_text elsewhere_title elsewhere_text
        your_coupon open_outside
        blocked_title blocked_text spent_title spent_text passes_title passes_text full_title full_text
    }
    coupon Coupon {
        title say_code valid_from valid_until only_hours how how_text screenshot screenshot_now redeemed expired redeemed_at
        voided voided_text
        stay_title stay_button stay_yes stay_withdraw unknown_title unknown_text
    }
    me Me {
        title none note look
    }
    own Own {
        agreed_title agreed_none agreed_at version withdraw
        data_title data_text coupons bookings member referral said nothing_held export
        erase erase_title goes stays keep_coupons void_coupons erase_button
        erased_title erased_text nothing_title nothing_text
    }
    invite Invite {
        title optional how_held how_album how_later open needs_internet away nobody_title nobody_text
    }
    feedback Feedback {
        link title call_title call_text waiter bill water no_call no_call_street
        rate_title rate_scale words words_hint send empty too_long reach said
        yours waiting answer called called_text thanks thanks_text thanks_street bad_text
        enough_title enough_text
        write_back write_back_hint wrote_back
    }
    book Book {
        title link party party_more day time full no_time no_day name name_hint phone phone_hint phone_given fault_phone fault_phone_here
        fault_phone_there fault_phone_key send send_change
        fault_party fault_time fault_soon fault_far fault_closed fault_full fault_name fault_reach
        none_title none_text enough_title enough_text people code gift keep look again change cancel undo
        waiting waiting_text requested requested_text confirmed confirmed_text seated seated_text
        no_show no_show_text cancelled cancelled_text moved_on no_room over one_place
    }
    bookings Bookings {
        title off nothing unanswered left_open has_phone today coming settled vip
        is_waiting is_requested is_confirmed is_seated is_no_show is_cancelled
        confirm seat no_show cancel undo renews look
    }
    vip Vip {
        title vip member since say keep take take_note take_again missing visit visits yuan or within gives by_staff
        group birthday birthday_for birthday_field birthday_hint birthday_keep birthday_kept birthday_remove
        has_year no_day
    }
    guest Guest {
        title about field show unknown vip no_vip make joined left in_group end end_about visits visit none
    }
    tasting Tasting {
        title look nothing all yours not_yet over full left code code_optional code_hint send wait
        fault_party fault_code fault_no_code fault_used
        waiting waiting_text placed placed_text seated_text no_show_text cancelled cancelled_text
        pass_on pass_on_text used feedback
        door say_code check_in unknown before is_in none
    }
    referral Referral {
        title link friends_gift own_gift show today enough make not_yet tally how have_code open
        brought first_visit refused unknown oneself been_here friend_enough
    }
    together Together {
        title link need here join counted again yours yours_text has_had had_today
    }
    till Till {
        title pair_title pair_text pair_code pair_button pair_other pair_scan pair_wrong name pin sign_in sign_out pin_wrong
        pin_wait no_staff code_wait code code_hint redeem ok no undo undone undo_unknown undo_late recent
        unknown_code street_code bad_token other_store already_redeemed voided not_yet expired
        outside_hours staff_only staff_only_text
        camera camera_stop no_camera claimed_ago minutes hours days
        undo_theirs manager no_manager undo_this
        paid_title party party_more party_number amount amount_hint note noted noted_party bad_party bad_amount
        other_chain headquarters_away used_elsewhere
    }
    counter Counter {
        title today yesterday nothing_yet came claimed redeemed consented refused quiet day_note
        offers stock_open sold_out used_up stopped sell_out give_again left_now set stop go_on more no_offers
        guessing invites invite_nobody invite_spare invite_ends invite_full
        covers covers_half covers_redeemed covers_guests covers_more covers_fewer covers_sum covers_none
        bills_sum parties_sum recent recent_none
        link waiting all_sent oldest kept alone unknown online clock_bad offline hq_down cert_bad
        upstream_captive
    }
    inbox Inbox {
        title alert done reply nothing settled open_again held renews hold go_on times waited no_place on_street
        guest_back was_done was_opened reply_label reply_hint reply_send
    }
    slip Slip {
        title about place offer issue none no_place closed table_done used_up no_code
        print by_hand wide narrow show next
    }
    places Places {
        title days seen claimed redeemed back share_claimed share_redeemed share_back per_claim
        per_redeemed all unknown note few none
    }
    error Error {
        unsaved_title unsaved_text
        unknown_title unknown_text closed_title closed_text sold_out_title sold_out_text busy_title
        busy_text form_title form_text missing_title missing_text
    }
    stickers Stickers {
        title how blanks none no_place for_staff guest_title guest_text blank_title blank_text bound_text pick type_it
        kind label bind bad_label taken give_way stay free see
    }
    walk Walk {
        title how begin going_on next progress list finish finished complete found missing wrong doubled
        blank other_store unknown again double expected version
    }
    sheets Sheets {
        title how layout which meant blank from to show no_codes too_many cannot version
    }
    kinds Kinds {
        table wifi door till receipt queue delivery tissue creator
    }
}

/// A file of words as `build.rs` has packed it.
macro_rules! packed {
    ($language:literal) => {
        include_bytes!(concat!(env!("OUT_DIR"), "/", $language, ".toml.gz")).as_slice()
    };
}

/// More than any file of words has.
const MOST_BYTES: u64 = 1 << 20;

/// The words of `language`.
pub(super) fn texts(language: Language) -> &'static Texts {
    static CHINESE: OnceLock<Box<Texts>> = OnceLock::new();
    static TRADITIONAL: OnceLock<Box<Texts>> = OnceLock::new();
    static ENGLISH: OnceLock<Box<Texts>> = OnceLock::new();
    let (cell, file) = match language {
        Language::Chinese => (&CHINESE, packed!("zh-CN")),
        Language::TraditionalChinese => (&TRADITIONAL, packed!("zh-Hant")),
        Language::English => (&ENGLISH, packed!("en")),
    };
    cell.get_or_init(|| {
        let file = gunzip(file, MOST_BYTES).expect("the build has packed it");
        let file = String::from_utf8(file).expect("a test reads all files");
        let groups = read_strictly("texts", &file).expect("a test reads all files");
        Box::new(Texts::take(groups).expect("a test holds all files to the same keys"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_key_and_no_empty_word() {
        for language in Language::ALL {
            let all = format!("{:?}", texts(language));
            assert!(!all.contains("\"\""), "an empty word in {}", language.tag());
        }
    }
}
