//! Finds what a rule is about in the words of a campaign: a few words in their order, within one sentence.
//!
//! The words are looked for in a plain form of the text ([`plain`]), so that spaces between characters, full-width
//! letters and Traditional characters hide nothing. A sentence that says the opposite ("no need to follow") is
//! none: see [`is_denied`]. Nobody's grammar: a rule says what else makes a sentence innocent.

use std::ops::Range;

/// How far apart two words of a phrase stand at most, in characters.
const GAP: usize = 14;

/// The same where words are written in letters, which takes more of them.
const GAP_IN_LETTERS: usize = 48;

/// Words that follow each other; each is one of several.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phrase(Vec<String>);

impl Phrase {
    /// Reads `follow|add .. to get|for .. wi-fi`.
    pub(super) fn read(line: &str) -> Option<Self> {
        let words: Vec<String> = line.split(" .. ").map(str::to_owned).collect();
        let is_empty = |words: &String| words.split('|').any(str::is_empty);
        (!words.iter().any(is_empty)).then_some(Self(words))
    }

    /// Where the phrase stands in `sentence`, which is plain; none if it does not, or only denied.
    pub(super) fn find(&self, sentence: &str) -> Option<Range<usize>> {
        let (first, rest) = self.0.split_first()?;
        occurrences(first, sentence)
            .filter(|start| !is_denied(&sentence[..start.start]))
            .find_map(|start| Some(start.start..follow(rest, sentence, start.end, Denied::IsNone)?))
    }

    /// Whether the phrase stands in `sentence`, denied or not: "no cash value" speaks of cash.
    pub(super) fn is_in(&self, sentence: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else {
            return false;
        };
        occurrences(first, sentence)
            .any(|start| follow(rest, sentence, start.end, Denied::Counts).is_some())
    }
}

/// What becomes of a word that is denied where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denied {
    Counts,
    IsNone,
}

/// Where the last of `words` ends, if they follow each other from `from` on.
fn follow(words: &[String], sentence: &str, from: usize, denied: Denied) -> Option<usize> {
    let Some((next, rest)) = words.split_first() else {
        return Some(from);
    };
    let gap = if next.is_ascii() { GAP_IN_LETTERS } else { GAP };
    occurrences(next, sentence)
        .filter(|found| denied == Denied::Counts || !is_denied_at_once(&sentence[..found.start]))
        .filter(|found| {
            let between = sentence.get(from..found.start);
            between.is_some_and(|between| between.chars().count() <= gap)
        })
        .find_map(|found| follow(rest, sentence, found.end, denied))
}

/// Everywhere that one of `alternatives` stands, as a whole word where it is written in letters.
fn occurrences(alternatives: &str, sentence: &str) -> impl Iterator<Item = Range<usize>> {
    let mut found: Vec<Range<usize>> = alternatives
        .split('|')
        .flat_map(|word| {
            sentence
                .match_indices(word)
                .map(|(at, word)| at..at + word.len())
        })
        .filter(|found| is_whole_word(sentence, found))
        .collect();
    found.sort_by_key(|found| (found.start, found.end));
    found.into_iter()
}

fn is_whole_word(sentence: &str, found: &Range<usize>) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric();
    let (before, word, after) = (
        sentence[..found.start].chars().next_back(),
        &sentence[found.clone()],
        sentence[found.end..].chars().next(),
    );
    let begins_in_letters = word.chars().next().is_some_and(is_letter);
    let ends_in_letters = word.chars().next_back().is_some_and(is_letter);
    !(begins_in_letters && before.is_some_and(is_letter)
        || ends_in_letters && after.is_some_and(is_letter))
}

/// Words that turn what follows in their clause into its opposite.
const DENIALS: [&str; 19] = [
    "无需",
    "不用",
    "不必",
    "无须",
    "不需要",
    "不需",
    "并非",
    "不要求",
    "without",
    "no need",
    "never",
    "not have to",
    "not have",
    "not need to",
    "not need",
    "don't have to",
    "don't have",
    "don't need to",
    "don't need",
];

/// How near such a word stands at most, in characters: what it denies is what it is about.
const DENIED_WITHIN: usize = 24;

/// Words that do so for what stands right behind them, wherever it stands in a phrase.
const DENIALS_AT_ONCE: [&str; 9] = ["不", "没", "未", "别", "勿", "无", "not", "no", "don't"];

/// Whether what comes after `before` is denied by it.
fn is_denied(before: &str) -> bool {
    let clause = before.rsplit([',', ':']).next().unwrap_or(before);
    let from = clause.char_indices().nth_back(DENIED_WITHIN - 1);
    let near = &clause[from.map_or(0, |(at, _)| at)..];
    DENIALS.iter().any(|denial| near.contains(denial)) || is_denied_at_once(before)
}

fn is_denied_at_once(before: &str) -> bool {
    let before = without_exchange(before.trim_end());
    let before = before.strip_suffix(" to").unwrap_or(before);
    let before = before
        .strip_suffix("有")
        .or(before.strip_suffix("会"))
        .or(before.strip_suffix("含"))
        .unwrap_or(before);
    DENIALS_AT_ONCE.iter().chain(&DENIALS).any(|denial| {
        let rest = before.strip_suffix(denial);
        let is_part_of_a_word =
            |rest: &str| denial.is_ascii() && rest.ends_with(|c: char| c.is_ascii_alphanumeric());
        rest.is_some_and(|rest| !is_part_of_a_word(rest))
    })
}

/// How something is turned into something else: "不可兑换现金" denies the cash, and "关注可兑换现金" does not.
const EXCHANGES: [&str; 10] = [
    "兑换成",
    "兑换",
    "兑",
    "折",
    "找",
    "换",
    "exchangeable for",
    "redeemable for",
    "exchanged for",
    "redeemed for",
];

/// `before` without such words at its end, nor the one that says whether it may be.
fn without_exchange(before: &str) -> &str {
    let mut exchanges = EXCHANGES.iter();
    let Some(before) = exchanges.find_map(|verb| before.strip_suffix(verb)) else {
        return before;
    };
    let before = before.trim_end();
    ["可以", "可", "能", "得", "予", " be"]
        .iter()
        .find_map(|may| before.strip_suffix(may))
        .unwrap_or(before)
}

/// The sentences of a text in their plain form: small letters, half-width, Simplified by `simplified`, no spaces
/// beside Chinese.
pub(super) fn plain(text: &str, simplified: impl Fn(char) -> char) -> Vec<String> {
    let mut sentences = vec![String::new()];
    for c in text.chars() {
        let c = simplified(half_width(c)).to_ascii_lowercase();
        let sentence = sentences.last_mut().expect("there is always one");
        match c {
            '。' | '!' | '?' | ';' | '\n' => sentences.push(String::new()),
            // A point ends a sentence, and not a number or an address.
            ' ' if sentence.ends_with('.') => sentences.push(String::new()),
            // As telephones write it.
            '\u{2019}' => sentence.push('\''),
            _ if c.is_whitespace() || c == '\u{200b}' || c == '\u{feff}' => {
                if sentence.ends_with(|last: char| last.is_ascii_graphic()) {
                    sentence.push(' ');
                }
            }
            _ => {
                if !c.is_ascii() && sentence.ends_with(' ') {
                    sentence.pop();
                }
                sentence.push(c);
            }
        }
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

/// The form of a character that is half as wide (Unicode's block of half-width and full-width forms).
fn half_width(c: char) -> char {
    match c {
        '\u{ff01}'..='\u{ff5e}' => {
            char::from_u32(u32::from(c) - 0xfee0).expect("0x21 to 0x7e are characters")
        }
        '\u{3000}' => ' ',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(words: &[&str]) -> Phrase {
        Phrase::read(&words.join(" .. ")).unwrap()
    }

    fn finds(words: &[&str], text: &str) -> bool {
        let sentences = plain(text, |c| if c == '關' { '关' } else { c });
        let phrase = phrase(words);
        sentences
            .iter()
            .any(|sentence| phrase.find(sentence).is_some())
    }

    #[test]
    fn words_are_found_in_their_order_within_one_sentence() {
        let words = ["关注", "后|才", "上网"];
        assert!(finds(&words, "关注公众号后才能上网"));
        assert!(finds(&words, "關 注 公众号后，才能 上网"));
        assert!(!finds(&words, "上网后欢迎关注"));
        assert!(!finds(&words, "关注我们。饭后可以上网"));
        let far = format!("关注{}后上网", "啊".repeat(GAP + 1));
        assert!(!finds(&words, &far));
    }

    #[test]
    fn the_opposite_is_no_finding() {
        let words = ["关注", "上网"];
        assert!(!finds(&words, "无需关注任何账号即可上网"));
        assert!(!finds(&words, "不关注也能上网"));
        assert!(!finds(&["关注", "送"], "关注我们不送菜"));
        assert!(finds(&words, "不只送菜，关注还能上网"), "another clause");
        let words = ["关注", "现金"];
        assert!(!finds(&words, "关注我们的规则：不可兑换现金"));
        assert!(finds(&words, "关注即可兑换现金"));
        let words = ["follow", "cash"];
        assert!(!finds(
            &words,
            "Follow the menu, it may not be exchanged for cash"
        ));
        assert!(!finds(&words, "Follow the menu, not redeemable for cash"));
        assert!(finds(&words, "Follow us and get one redeemable for cash"));
        let words = ["follow|following", "wi-fi"];
        assert!(!finds(
            &words,
            "Wi-Fi without following anybody; follow if you like"
        ));
        assert!(!finds(&words, "You do not have to follow us for Wi-Fi"));
        assert!(finds(&words, "Follow us for Wi-Fi"));
        let far = "Without a doubt the best of all noodles: follow us for Wi-Fi";
        assert!(finds(&words, far), "the denial is about something else");
    }

    #[test]
    fn a_line_with_a_word_that_is_nothing_is_no_phrase() {
        assert_eq!(Phrase::read("a| .. b"), None);
        assert_eq!(Phrase::read(""), None);
    }

    #[test]
    fn words_in_letters_are_whole_words() {
        assert!(!finds(&["share"], "for our shareholders"));
        assert!(finds(&["share"], "Ｓｈａｒｅ it"));
        assert!(!finds(&["5-star"], "15-star"));
    }

    #[test]
    fn a_word_that_comes_twice_is_tried_twice() {
        assert!(finds(&["加", "店长", "送"], "加菜，加店长微信就送"));
    }
}
