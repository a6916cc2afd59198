//! Each rule in both languages against its cases, and what a finding says.

mod cases;

use std::sync::OnceLock;

use super::*;
use crate::domain::written::read_strictly;
use cases::{CONDITIONS, NEAR_MISSES, REFUSED, WARNED};
use phrase::Phrase;

const FILE: &str = include_str!("../../../tests/fixtures/chain/campaigns/quiet-hours.toml");

/// The rules that are shipped.
pub(in crate::domain) fn register() -> &'static Register {
    const RULES: &str = include_str!("../../../templates/rules/campaigns.toml");
    static REGISTER: OnceLock<Register> = OnceLock::new();
    REGISTER.get_or_init(|| Register::read(RULES).unwrap())
}

fn linter() -> Linter {
    Linter::new(register(), Region::Cn)
}

fn campaign() -> Campaign {
    read_strictly("quiet-hours.toml", FILE).unwrap()
}

/// `words` in the language they are in, and something harmless in the other.
fn text(words: &str) -> Text {
    if words.chars().any(|c| c > '\u{2e80}') {
        Text::new(words, "A side dish")
    } else {
        Text::new("小菜一份", words)
    }
}

fn named(findings: &[Finding]) -> Vec<(&'static str, Level)> {
    let named = findings.iter();
    named
        .map(|finding| (&*finding.rule.id, finding.level))
        .collect()
}

/// What is found in a title.
fn found(title: &str) -> Vec<(&'static str, Level)> {
    let mut campaign = campaign();
    campaign.title = text(title);
    named(&linter().campaign(&campaign))
}

/// What is found in terms that say this, too.
fn found_in_terms(sentence: &str) -> Vec<(&'static str, Level)> {
    let mut campaign = campaign();
    let words = text(sentence);
    campaign.terms.zh.push_str(&words.zh);
    campaign.terms.en.push_str(&format!(" {}.", words.en));
    named(&linter().campaign(&campaign))
}

/// Whether one of `cases` has a sentence that `phrase` finds.
fn is_tried(phrase: &Phrase, cases: &[(&str, &[&str])], id: &str) -> bool {
    let of_rule = cases.iter().filter(|(rule, _)| *rule == id);
    let sentences = of_rule
        .flat_map(|(_, cases)| *cases)
        .flat_map(|case| sentences(case));
    sentences
        .into_iter()
        .any(|sentence| phrase.is_in(&sentence))
}

fn sentences(text: &str) -> Vec<String> {
    plain(text, |c| register().simplified(c))
}

#[test]
fn each_rule_refuses_what_it_is_about_in_both_languages() {
    for (rule, titles) in REFUSED {
        for title in *titles {
            let found = found(title);
            assert!(found.contains(&(rule, Level::Refuse)), "{title}: {found:?}");
        }
    }
}

#[test]
fn what_somebody_should_look_at_is_a_warning_and_no_refusal() {
    for (rule, titles) in WARNED {
        for title in *titles {
            assert_eq!(found(title), [(*rule, Level::Warn)], "{title}");
        }
    }
}

#[test]
fn what_is_only_near_a_rule_passes_even_in_the_terms() {
    let near = NEAR_MISSES.iter().flat_map(|(_, titles)| *titles);
    let accused: Vec<_> = near
        .map(|words| (words, found_in_terms(words)))
        .filter(|(_, found)| !found.is_empty())
        .collect();
    assert!(accused.is_empty(), "{accused:#?}");
}

#[test]
fn every_rule_about_words_has_two_cases_and_two_near_misses_in_either_language() {
    let is_chinese = |case: &&&str| case.chars().any(|c| c > '\u{2e80}');
    let of = |tables: &[&[(&str, &'static [&'static str])]], id: &str| -> (usize, usize) {
        let cases = tables.iter().flat_map(|table| *table);
        let of_rule = cases.filter(|(rule, _)| *rule == id);
        let cases: Vec<&str> = of_rule.flat_map(|(_, cases)| *cases).copied().collect();
        let chinese = cases.iter().filter(is_chinese).count();
        (chinese, cases.len() - chinese)
    };
    let about_words = register()
        .rules
        .iter()
        .filter(|rule| !(rule.refuses.is_empty() && rule.warns.is_empty()));
    for rule in about_words {
        for (what, tables) in [
            ("found", &[REFUSED, WARNED][..]),
            ("near", &[NEAR_MISSES][..]),
        ] {
            let (chinese, english) = of(tables, &rule.id);
            assert!(
                chinese >= 2 && english >= 2,
                "{} {what}: {chinese} in Chinese, {english} in English",
                rule.id
            );
        }
    }
}

#[test]
fn whatever_has_to_be_done_in_the_terms_is_a_condition_and_in_a_title_only_words() {
    for (rule, sentences) in CONDITIONS {
        for sentence in *sentences {
            let found = found_in_terms(sentence);
            assert_eq!(found, [(*rule, Level::Refuse)], "{sentence}");
        }
    }
    assert_eq!(found("须关注公众号"), []);
}

#[test]
fn every_line_of_the_rules_is_needed_by_a_case() {
    let mut untried = Vec::new();
    for rule in &register().rules {
        let id = &*rule.id;
        for (phrases, cases) in [
            (&rule.refuses, REFUSED),
            (&rule.warns, WARNED),
            (&rule.conditions, CONDITIONS),
            (&rule.innocent, NEAR_MISSES),
        ] {
            let phrases = phrases.iter().filter(|phrase| !is_tried(phrase, cases, id));
            untried.extend(phrases.map(|phrase| (id, phrase)));
        }
        let has_words = !(rule.refuses.is_empty() && rule.warns.is_empty());
        let has_near_misses = NEAR_MISSES.iter().any(|(near, _)| *near == id);
        assert_eq!(has_words, has_near_misses, "{id}");
    }
    assert!(untried.is_empty(), "{untried:#?}");
}

#[test]
fn every_innocent_line_makes_a_near_miss_of_something_that_is_found_without_it() {
    let mut idle = Vec::new();
    for rule in &register().rules {
        let near_misses = NEAR_MISSES.iter().filter(|(id, _)| *id == rule.id);
        let near_misses: Vec<String> = near_misses
            .flat_map(|(_, cases)| *cases)
            .flat_map(|case| sentences(case))
            .collect();
        let is_accused = |sentence: &str| {
            let mut lines = rule
                .refuses
                .iter()
                .chain(&rule.warns)
                .chain(&rule.conditions);
            lines.any(|line| line.find(sentence).is_some())
        };
        let is_idle = |innocent: &&Phrase| {
            let mut near = near_misses.iter();
            !near.any(|sentence| innocent.is_in(sentence) && is_accused(sentence))
        };
        idle.extend(
            rule.innocent
                .iter()
                .filter(is_idle)
                .map(|line| (&rule.id, line)),
        );
    }
    assert!(idle.is_empty(), "{idle:#?}");
}

#[test]
fn a_lottery_that_says_its_prizes_and_who_holds_it_is_lawful_up_to_the_largest_prize() {
    let mut campaign = campaign();
    campaign.title = Text::new("周五抽奖", "A lucky draw on Friday");
    campaign.terms.zh.push_str("。奖品共 20 份，本店主办。");
    campaign
        .terms
        .en
        .push_str(" 20 prizes, organised by this shop.");
    assert_eq!(named(&linter().campaign(&campaign)), []);
    campaign.offer.cost_fen = LARGEST_PRIZE_FEN + 1;
    let findings = linter().campaign(&campaign);
    assert_eq!(
        (&*findings[0].rule.id, &*findings[0].path),
        ("R20", "offer.cost_fen")
    );
}

#[test]
fn terms_that_leave_something_out_are_refused_with_what_is_missing() {
    let mut campaign = campaign();
    campaign.terms = Text::new("不与其他优惠同享。", "One per table; no cash value.")
        .in_traditional("不與其他優惠同享，不兌現，請問店員。");
    let findings = linter().campaign(&campaign);
    let told = findings.iter();
    let told: Vec<_> = told
        .map(|finding| (&*finding.rule.id, &*finding.path, &*finding.found))
        .collect();
    assert_eq!(
        told,
        [
            ("R26", "terms.en", "use with other offers, whom to ask"),
            ("R26", "terms.zh", "是否兑现, 找谁问"),
        ]
    );
}

#[test]
fn words_in_traditional_characters_are_looked_at_by_themselves() {
    let mut campaign = campaign();
    campaign.title = Text::new("小菜", "A dish").in_traditional("關注公眾號後送小菜");
    let findings = linter().campaign(&campaign);
    assert_eq!(
        (&*findings[0].rule.id, &*findings[0].path),
        ("R06", "title.zh-Hant")
    );
}

#[test]
fn chinas_rules_about_prices_and_praise_do_not_count_elsewhere_and_consent_does() {
    let elsewhere = Linter::new(register(), Region::Eu);
    let mut campaign = campaign();
    campaign.title = Text::new("原价 38", "The best in town");
    assert_eq!(named(&elsewhere.campaign(&campaign)), []);
    campaign.title = Text::new("闲时", "Follow us to get Wi-Fi");
    assert_eq!(elsewhere.campaign(&campaign)[0].rule.id, "R01");
}

#[test]
fn the_place_and_the_words_that_were_found_are_told_the_gravest_first() {
    let mut campaign = campaign();
    campaign.title = Text::new("全城第一，分享朋友圈领半价", "A side dish");
    let findings = linter().campaign(&campaign);
    let told: Vec<_> = findings
        .iter()
        .map(|finding| (&*finding.rule.id, &*finding.path, &*finding.found))
        .collect();
    assert_eq!(
        told,
        [
            ("R03", "title.zh", "分享朋友圈领"),
            ("R22", "title.zh", "全城第一")
        ]
    );
    let said = findings[0].in_file("campaigns/a.toml").to_string();
    assert!(
        said.starts_with(
            "campaigns/a.toml: key `title.zh`: R03: a reward for sharing, forwarding, likes or a \
             screenshot of them [分享朋友圈领] (2014-12-30)\nhint: give it for the visit"
        ),
        "{said}"
    );
}

#[test]
fn other_words_that_guests_read_are_looked_at_by_their_keys() {
    let marketing = Text::new("领取即表示同意接收推送", "Send me offers");
    let findings = linter().texts(&[("marketing", &marketing)]);
    assert_eq!(
        (&*findings[0].rule.id, &*findings[0].path),
        ("R09", "marketing.zh")
    );
}

#[cfg(feature = "hq")]
#[test]
fn an_invitation_with_a_full_group_or_a_code_that_ran_out_or_leads_astray_is_refused() {
    use crate::domain::invitation::Invitation;

    let invitation = |qr: &str, made: &str, members: u32, more: &str| -> Invitation {
        let text = format!(
            "kind = \"group\"\ntitle = {{ zh = \"群\", en = \"group\" }}\n[[code]]\nid = \"group-1\"\n\
             qr = \"{qr}\"\ngroup = {{ made = {made}, members = {members} }}\n{more}"
        );
        read_strictly("invitations", &text).unwrap()
    };
    let found = |invitation: &Invitation| {
        named(&linter().invitation(invitation, &["sz01.sw.cn"], jiff::civil::date(2026, 12, 10)))
    };
    let group = |members, more| {
        invitation(
            "https://work.weixin.qq.com/gm/1",
            "2026-12-09",
            members,
            more,
        )
    };
    assert_eq!(found(&group(20, "")), []);
    assert_eq!(found(&group(159, "")), []);
    assert_eq!(found(&group(160, "")), [("R29", Level::Warn)]);
    assert_eq!(found(&group(200, "")), [("R29", Level::Refuse)]);
    let spare = "[[code]]\nid = \"group-2\"\nqr = \"https://weixin.qq.com/g/x\"\nspare = true";
    assert_eq!(found(&group(200, spare)), [("R28", Level::Warn)]);
    for (qr, made, rule) in [
        ("https://work.weixin.qq.com/gm/1", "2026-11-09", "R35"),
        ("https://sz01.sw.cn/t/N2HWK7RC", "2026-12-09", "R13"),
        ("http://example.cn/join", "2026-12-09", "R18"),
        ("https://bit.ly/abc", "2026-12-09", "R19"),
    ] {
        assert_eq!(
            found(&invitation(qr, made, 20, "")),
            [(rule, Level::Refuse)],
            "{qr}"
        );
    }
    for qr in ["http://weixin.qq.com/r/abc", "https://other.cn/t/N2HWK7RC"] {
        assert_eq!(found(&invitation(qr, "2026-12-09", 20, "")), [], "{qr}");
    }
    let mut follow = group(20, "");
    follow.text = Some(Text::new("关注送小菜", "Once a week"));
    assert_eq!(found(&follow), [("R06", Level::Refuse)]);
}
