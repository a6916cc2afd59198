//! Every form makes a file that passes, or names a field.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::domain::linter::rules::Region;
use crate::domain::linter::tests::register;

fn typed() -> Typed {
    Typed {
        store: String::new(),
        item_zh: "凉拌黄瓜".to_owned(),
        item_hant: "涼拌黃瓜".to_owned(),
        item_en: "cucumber salad".to_owned(),
        quantity: "1".to_owned(),
        days: vec![Day::Fri, Day::Mon],
        from: "14:00".to_owned(),
        to: "17:00".to_owned(),
        per_day: "20".to_owned(),
        first: "2026-12-01".to_owned(),
        last: "2027-02-28".to_owned(),
        valid: "7".to_owned(),
        cost: "2.5".to_owned(),
    }
}

fn setting(by: &Text) -> Setting<'_> {
    Setting {
        id: CampaignId::parse("promo-1").unwrap(),
        by,
        stores: ["SZ01", "SZ02"]
            .map(|id| StoreId::parse(id).unwrap())
            .into(),
        today: date(2026, 11, 22),
        linter: Linter::new(register(), Region::Cn),
    }
}

fn fill(typed: &Typed) -> Result<Promo, Vec<Fault>> {
    let by = Text::new("拾味", "Shiwei");
    fill_in(typed, &setting(&by))
}

fn fields(typed: &Typed) -> Vec<Field> {
    let faults = fill(typed).unwrap_err();
    faults.iter().map(|fault| fault.field).collect()
}

#[test]
fn a_filled_form_is_a_campaign_with_whole_terms_in_every_language_it_was_written_in() {
    let Promo { campaign, file } = fill(&typed()).unwrap();
    assert_eq!(campaign.title.zh, "到店免费送凉拌黄瓜");
    assert_eq!(campaign.title.en, "Free with your visit: cucumber salad");
    assert_eq!(
        campaign.terms.zh_hant.as_deref(),
        Some(
            "由拾味提供，內用客人均可領取，每人 7 天內一份，每店每天至多 20 份，送完為止。\
             2026-12-01 至 2027-02-28，週一、週五 14:00–17:00 領取和使用，領取後 7 天內有效。\
             不與其他優惠併用，不兌現、不找零。有疑問或異議，請找店員或店長。"
        )
    );
    assert_eq!(campaign.stores.len(), 2, "all of them");
    assert_eq!(campaign.windows[0].days, [Day::Mon, Day::Fri]);
    assert_eq!(campaign.offer.cost_fen, 250);
    assert_eq!(campaign.limits.per_store_per_day, Some(20));
    assert!(campaign.validity.windows_apply);
    assert!(
        file.contains("starts = 2026-12-01\nends = 2027-02-28\n"),
        "{file}"
    );
}

#[test]
fn each_field_at_fault_is_named_all_at_once() {
    let empty = Typed {
        store: "SZ09".to_owned(),
        ..Typed::default()
    };
    assert_eq!(
        fields(&empty),
        [
            Field::Store,
            Field::ItemZh,
            Field::ItemEn,
            Field::Quantity,
            Field::Days,
            Field::Hours,
            Field::PerDay,
            Field::First,
            Field::Last,
            Field::Valid,
        ]
    );
    type Edit = fn(&mut Typed, &str);
    let cases: [(Field, Edit, &[&str]); 8] = [
        (
            Field::ItemZh,
            |t, v| t.item_zh = v.to_owned(),
            &["a\u{7}b", "一二三四五六七八九十一二三四五六七"],
        ),
        (
            Field::Quantity,
            |t, v| t.quantity = v.to_owned(),
            &["0", "100", "-1", "1.5", "二"],
        ),
        (
            Field::Hours,
            |t, v| t.to = v.to_owned(),
            &["14:00", "25:00", "5", "five"],
        ),
        (
            Field::PerDay,
            |t, v| t.per_day = v.to_owned(),
            &["0", "10000"],
        ),
        (
            Field::First,
            |t, v| t.first = v.to_owned(),
            &["2026-11-21", "2026-02-30", "1.12."],
        ),
        (
            Field::Last,
            |t, v| t.last = v.to_owned(),
            &["2026-11-30", "2027-12-02", "x"],
        ),
        (Field::Valid, |t, v| t.valid = v.to_owned(), &["0", "401"]),
        (
            Field::Cost,
            |t, v| t.cost = v.to_owned(),
            &["-1", "1.234", ".5", "10000", "x"],
        ),
    ];
    for (field, edit, values) in cases {
        for value in values {
            let mut form = typed();
            edit(&mut form, value);
            assert_eq!(fields(&form), [field], "{value}");
        }
    }
}

#[test]
fn words_that_platforms_or_law_punish_are_refused_at_their_field_with_the_rule() {
    for (zh, en, field, rule) in [
        ("小菜，关注即送", "a dish", Field::ItemZh, "R06"),
        ("小菜", "a dish for a 5-star review", Field::ItemEn, "F01"),
    ] {
        let mut form = typed();
        form.item_zh = zh.to_owned();
        form.item_en = en.to_owned();
        let faults = fill(&form).unwrap_err();
        let named: Vec<_> = faults
            .iter()
            .map(|fault| {
                (
                    fault.field,
                    matches!(fault.why, Why::Refused(r) if r.id == rule),
                )
            })
            .collect();
        assert_eq!(named, [(field, true)], "{zh} {en}");
    }
    let mut form = typed();
    form.item_en = "a dish for following us".to_owned();
    form.first = "2020-01-01".to_owned();
    let both = [Field::ItemEn, Field::First];
    assert_eq!(fields(&form), both, "beside any other fault");
    let mut form = typed();
    form.item_hant = "小菜，加LINE才送".to_owned();
    assert_eq!(fields(&form), [Field::ItemHant]);
}

/// Words of a kitchen and of the linter, and anything else.
fn words(longest: usize) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[凉拌黄瓜牛肉面汤茶果冻]{1,8}",
        1 => "[关注转发朋友圈送领免费红包好评抽奖刷单第一]{1,12}",
        1 => "(free|share|follow|noodles|tea|for|get|a|\"|\\\\| ){1,6}",
        1 => proptest::string::string_regex(&format!(".{{0,{longest}}}")).unwrap(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_form_makes_a_file_that_passes_the_linter_or_names_a_field(
        (item_zh, item_hant, item_en) in (words(18), words(18), words(44)),
        (quantity, per_day, valid) in (0..120_u32, 0..11_000_u32, 0..420_u32),
        days in proptest::sample::subsequence(Day::ALL.to_vec(), 0..=7),
        (from, to) in ("[0-2][0-9]:[0-5][0-9]", "[0-2][0-9]:[0-5][0-9]"),
        (first, length) in (0..40_i64, 0..400_i64),
    ) {
        use jiff::ToSpan;

        let first = date(2026, 11, 20).saturating_add(first.days());
        let form = Typed {
            item_zh, item_hant, item_en, days, from, to,
            store: "SZ01".to_owned(),
            quantity: quantity.to_string(),
            per_day: per_day.to_string(),
            valid: valid.to_string(),
            first: first.to_string(),
            last: first.saturating_add(length.days()).to_string(),
            cost: String::new(),
        };
        match fill(&form) {
            Ok(promo) => {
                let read: Campaign = read_strictly("promo-1.toml", &promo.file).unwrap();
                prop_assert_eq!(&read, &promo.campaign);
                let linter = Linter::new(register(), Region::Cn);
                let refused = linter.campaign(&read).into_iter().find(|f| f.is_refusal());
                prop_assert!(refused.is_none(), "{:?}", refused);
            }
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
    }
}
