//! What the linter says of a page of the Wi-Fi as it is drawn.
//!
//! Is "continue" there, as large as the offer and on the first screen (P01); is a box ticked (R09), does something
//! lie over the page (R23), is a sign-in asked for (R27)?
//!
//! It knows the pages of maitred alone, whose sizes stand in one style sheet; it is no browser. How far down a
//! button stands is an estimate from the words above it, which a browser test holds to what a phone shows.

use super::{Finding, Linter};

/// The smallest phone that is still common has 640 CSS pixels; the estimate is a few of them wrong.
const FIRST_SCREEN: f32 = 632.0;

/// Inside the page and inside a card of it, at a width of 360.
const PAGE_WIDTH: f32 = 328.0;
const CARD_WIDTH: f32 = 286.0;

/// What is found in the page; `path` says which.
pub fn check(linter: &Linter, html: &str, path: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rule in linter.counting() {
        let found = match &*rule.id {
            "P01" => continue_button(html),
            "R09" => tag_with(html, "<input", " checked"),
            "R23" => ["<dialog", "<script", " onload="]
                .into_iter()
                .find(|mark| html.contains(mark))
                .map(str::to_owned),
            "R27" => [
                "open.weixin.qq.com/connect/oauth2",
                "http-equiv=\"refresh\"",
            ]
            .into_iter()
            .find(|mark| html.contains(mark))
            .map(str::to_owned),
            _ => None,
        };
        findings.extend(found.map(|found| Finding::of(rule, path.to_owned(), found)));
    }
    findings
}

/// What is wrong with "Continue to the Internet".
fn continue_button(html: &str) -> Option<String> {
    let Some(at) = html.find("formaction=\"/admit") else {
        return Some("it is missing".to_owned());
    };
    let begin = html[..at].rfind('<').unwrap_or(at);
    let button = &html[begin..];
    let tag = &button[..=button.find('>').unwrap_or(button.len() - 1)];
    if class(tag) != "button other" || tag.contains("style=") || other_is_smaller(html) {
        return Some("it is smaller than the offer".to_owned());
    }
    let end = button
        .find("</button>")
        .map_or(html.len(), |end| begin + end);
    let bottom = height(&html[..end + "</button>".len().min(html.len() - end)]);
    (bottom > FIRST_SCREEN).then(|| format!("it ends {bottom:.0} pixels down, of {FIRST_SCREEN}"))
}

/// The second of two buttons has another colour and no other size.
fn other_is_smaller(html: &str) -> bool {
    let Some((_, rule)) = html.split_once("\n.other{") else {
        return true;
    };
    let rule = rule.split('}').next().unwrap_or_default();
    [
        "font",
        "height",
        "width",
        "padding",
        "display",
        "opacity",
        "transform",
    ]
    .iter()
    .any(|size| rule.contains(size))
}

/// A tag that begins with `begin` and has `attribute`.
fn tag_with(html: &str, begin: &str, attribute: &str) -> Option<String> {
    html.match_indices(begin).find_map(|(at, _)| {
        let tag = html[at..].split_inclusive('>').next()?;
        tag.contains(attribute).then(|| tag.to_owned())
    })
}

fn class(tag: &str) -> &str {
    let class = tag.split_once("class=\"").map(|(_, rest)| rest);
    class
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default()
}

/// How a block of words is set: `templates/portal/base.html`.
#[derive(Debug, Clone, Copy)]
struct Set {
    font: f32,
    line: f32,
    margin: f32,
    least: f32,
}

impl Set {
    /// None where a tag sets no block of its own.
    fn of(name: &str, class: &str) -> Option<Self> {
        let set = |font, line, margin, least| Self {
            font,
            line,
            margin,
            least,
        };
        Some(match (name, class) {
            ("h1", "gift") => set(32.0, 38.4, 4.8, 0.0),
            ("h1", _) => set(24.8, 31.0, 6.4, 0.0),
            ("p", "greeting") => set(19.2, 28.8, 16.0, 0.0),
            ("p", "soft") => set(16.2, 24.3, 8.0, 0.0),
            ("p", _) => set(18.0, 27.0, 8.0, 0.0),
            ("header", _) => set(16.0, 27.0, 0.0, 27.0),
            ("button", _) => set(19.2, 28.8, 12.8, 56.0),
            ("a", "button" | "link") => set(18.0, 28.8, 0.0, 48.0),
            _ => return None,
        })
    }
}

/// How far down the end of `html` stands, in pixels: its blocks on top of each other, margins collapsed.
fn height(html: &str) -> f32 {
    let body = html.split_once("<main>").map_or(html, |(_, body)| body);
    let (mut down, mut margin, mut width) = (20.0_f32, 0.0_f32, PAGE_WIDTH);
    let mut open: Option<(Set, f32)> = None;
    for piece in body.split('<').skip(1) {
        let (tag, words) = piece.split_once('>').unwrap_or((piece, ""));
        let name = tag.split_whitespace().next().unwrap_or_default();
        match name {
            "section" => {
                // A margin of 16, a border of 1 and a padding of 20.
                down += margin.max(16.0) + 21.0;
                (margin, width) = (0.0, CARD_WIDTH);
            }
            "img" => down += 20.0,
            _ => {}
        }
        if let Some(set) = Set::of(name, class(tag)) {
            down += margin.max(set.margin);
            open = Some((set, 0.0));
        }
        if let Some((set, wide)) = &mut open {
            *wide += words.trim().chars().map(|c| set.font * ems(c)).sum::<f32>();
        }
        if let Some(closed) = name.strip_prefix('/')
            && Set::of(closed, "").is_some()
            && let Some((set, wide)) = open.take()
        {
            // A character is not cut in two at the end of a line.
            let line = (width / set.font).floor() * set.font;
            let lines = (wide / line).ceil().max(1.0);
            let padding = if set.least > 48.0 { 26.4 } else { 0.0 };
            down += (lines * set.line + padding).max(set.least);
            margin = set.margin;
        }
    }
    down
}

/// How wide a character is in letters of size 1: Chinese ones are square.
fn ems(c: char) -> f32 {
    match c {
        '\u{2e80}'..='\u{ffef}' => 1.0,
        _ => 0.56,
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::Region;
    use super::super::tests::register;
    use super::*;

    const PAGE: &str = "<style>\n.button{font-size:1.2rem}\n.other{background:#fff}\n</style><main>\
        <header><strong>Wi-Fi</strong></header><section class=\"card\"><h1 class=\"gift\">凉拌黄瓜 1 份</h1>\
        <p>TITLE</p><form><button class=\"button\">Claim</button>\
        <button class=\"button other\" formaction=\"/admit?lang=en\">Continue</button></form></section></main>";

    fn found(html: &str) -> Vec<(&'static str, String)> {
        let linter = Linter::new(register(), Region::Cn);
        let findings = check(&linter, html, "page.en");
        let found = findings.into_iter();
        found
            .map(|finding| (&*finding.rule.id, finding.found))
            .collect()
    }

    #[test]
    fn continue_is_there_as_large_as_the_offer_and_on_the_first_screen() {
        assert_eq!(found(PAGE), []);
        let missing = PAGE.replace("formaction=\"/admit", "formaction=\"/pass");
        assert_eq!(found(&missing), [("P01", "it is missing".to_owned())]);
        for smaller in [
            PAGE.replace("button other\"", "link\""),
            PAGE.replace("other\" form", "other\" style=\"font-size:1rem\" form"),
            PAGE.replace("#fff}", "#fff;font-size:.8rem}"),
        ] {
            assert_eq!(found(&smaller)[0].1, "it is smaller than the offer");
        }
        let short = PAGE.replace("TITLE", &"很".repeat(100));
        assert_eq!(found(&short), []);
        let long = PAGE.replace("TITLE", &"很".repeat(260));
        assert!(
            found(&long)[0].1.starts_with("it ends"),
            "{:?}",
            found(&long)
        );
    }

    #[test]
    fn a_ticked_box_a_pop_up_and_a_sign_in_before_the_page_are_found() {
        for (more, rule) in [
            ("<input type=\"checkbox\" name=\"a\" checked>", "R09"),
            ("<dialog open>", "R23"),
            (
                "<a href=\"https://open.weixin.qq.com/connect/oauth2/authorize\">",
                "R27",
            ),
        ] {
            let ids: Vec<_> = found(&PAGE.replace("<main>", &format!("<main>{more}")))
                .into_iter()
                .map(|(id, _)| id)
                .collect();
            assert_eq!(ids, [rule]);
        }
        let unticked = PAGE.replace("<main>", "<main><input type=\"checkbox\" name=\"checked\">");
        assert_eq!(found(&unticked), []);
    }
}
