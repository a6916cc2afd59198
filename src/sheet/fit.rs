//! Making a text fit its box: the largest size at which its lines go in, and where they break.
//!
//! Nobody measures a font here, because HTML is drawn with fonts that only the reader has: widths are estimated,
//! a little too wide, so that what fits here fits on paper.

/// A text is not made smaller than this part of the size it was meant to have; then it is cut off.
const LEAST: f32 = 0.25;

/// Down to this part of it words are kept whole; a smaller text may break anywhere.
const WHOLE: f32 = 0.4;

/// Nor smaller than this many millimetres, which nobody reads.
const SMALLEST: f32 = 1.2;

/// From one size to the next smaller one that is tried.
const STEP: f32 = 0.97;

/// May break here: a zero width space, as the words' files write it.
const BREAK: char = '\u{200b}';

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fitted {
    pub(super) size: f32,
    pub(super) lines: Vec<String>,
}

/// Breaks `text` into at most `lines`, in the largest size up to `size` at which they are no wider than `width`
/// and together no higher than `height`.
pub(super) fn fit(text: &str, width: f32, height: f32, size: f32, lines: usize) -> Fitted {
    let least = (size * LEAST).max(SMALLEST);
    let mut tried = size;
    while tried >= least {
        let fitted = wrap(text, width / tried);
        let is_low = line_height(tried, fitted.len()) <= height * 1.02;
        let is_whole = tried < size * WHOLE || keeps_words(text, width / tried);
        if fitted.len() <= lines && is_low && is_whole {
            return Fitted {
                size: tried,
                lines: fitted,
            };
        }
        tried *= STEP;
    }
    let size = least.min(size);
    let mut cut = wrap(text, width / size);
    if cut.len() > lines {
        cut.truncate(lines);
        if let Some(last) = cut.last_mut() {
            while ems(last) + em('…') > width / size && last.pop().is_some() {}
            last.push('…');
        }
    }
    Fitted { size, lines: cut }
}

/// From one line to the next, in sizes.
pub(super) const LINE: f32 = 1.22;

fn line_height(size: f32, lines: usize) -> f32 {
    let between = u8::try_from(lines.saturating_sub(1)).unwrap_or(u8::MAX);
    size * (1.0 + LINE * f32::from(between))
}

fn keeps_words(text: &str, width: f32) -> bool {
    pieces(text)
        .iter()
        .all(|piece| ems(piece.trim_end()) <= width)
}

/// Lines of at most `width` ems. A piece that is wider than a line is broken anywhere.
fn wrap(text: &str, width: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for piece in pieces(text) {
        let joined = format!("{line}{piece}");
        if ems(joined.trim_end()) <= width {
            line = joined;
            continue;
        }
        if !line.is_empty() {
            lines.push(line.trim_end().to_owned());
        }
        line = String::new();
        for character in piece.trim_start().chars() {
            if !line.is_empty() && ems(&line) + em(character) > width {
                lines.push(line);
                line = String::new();
            }
            line.push(character);
        }
    }
    if !line.trim().is_empty() {
        lines.push(line.trim_end().to_owned());
    }
    lines
}

/// What is kept on one line: where a text says itself where it breaks, what is between; otherwise words with the
/// space behind them, and in a text without spaces single ideographs, with the stop behind them.
fn pieces(text: &str) -> Vec<String> {
    if text.contains(BREAK) {
        return text.split(BREAK).map(str::to_owned).collect();
    }
    let has_words = text.contains(' ');
    let mut pieces: Vec<String> = Vec::new();
    let mut ended = true;
    for character in text.chars() {
        let alone = !has_words && is_wide(character);
        let is_stop = "，。！？：；、）》".contains(character);
        match pieces.last_mut() {
            Some(last) if is_stop || !(ended || alone) => last.push(character),
            _ => pieces.push(character.to_string()),
        }
        ended = alone || matches!(character, ' ' | '/');
    }
    pieces
}

/// How wide a text is, in sizes.
pub(super) fn ems(text: &str) -> f32 {
    text.chars().map(em).sum()
}

fn em(character: char) -> f32 {
    match character {
        BREAK => 0.0,
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | 'f' | 't'
        | 'r' => 0.36,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.95,
        'A'..='Z' | '&' => 0.69,
        _ if is_wide(character) => 1.0,
        _ => 0.6,
    }
}

fn is_wide(character: char) -> bool {
    // East Asian scripts and their punctuation begin here.
    character >= '\u{2e80}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_keeps_its_size() {
        let fitted = fit("A12", 20.0, 6.0, 5.0, 1);
        assert_eq!((fitted.size, fitted.lines), (5.0, vec!["A12".to_owned()]));
    }

    #[test]
    fn a_text_that_is_too_wide_gets_smaller_and_at_last_is_cut_off() {
        let long = "Shiwei Beef Noodles, Nanshan Science Park";
        let fitted = fit(long, 40.0, 5.0, 2.6, 1);
        assert!(fitted.size < 2.6);
        assert_eq!(fitted.lines, [long]);
        let fitted = fit(long, 8.0, 5.0, 2.6, 1);
        assert!(fitted.lines.len() == 1 && fitted.lines[0].ends_with('…'));
        assert!(ems(&fitted.lines[0]) * fitted.size <= 8.0);
    }

    #[test]
    fn a_word_is_made_smaller_before_it_is_broken() {
        let fitted = fit("Shiwei-Guest", 16.0, 6.0, 5.0, 2);
        assert_eq!(fitted.lines, ["Shiwei-Guest"]);
        let fitted = fit(&"x".repeat(32), 21.0, 11.0, 7.6, 2);
        assert_eq!(fitted.lines.concat(), "x".repeat(32), "nothing is lost");
    }

    #[test]
    fn a_line_breaks_where_the_text_says_so() {
        let lines = fit("扫码领\u{200b}本店小礼", 14.0, 7.0, 3.0, 2).lines;
        assert_eq!(lines, ["扫码领", "本店小礼"]);
        let lines = fit("扫码领\u{200b}本店小礼", 30.0, 7.0, 3.0, 2).lines;
        assert_eq!(lines, ["扫码领本店小礼"]);
    }

    #[test]
    fn words_stay_whole_and_addresses_break_behind_a_slash() {
        assert_eq!(wrap("Scan for a gift", 5.0), ["Scan for", "a gift"]);
        assert_eq!(
            wrap("sz01.sw.cn/t/7K3F9Q2B", 8.0),
            ["sz01.sw.cn/t/", "7K3F9Q2B"]
        );
        assert_eq!(
            wrap("不用下载，不用关注", 4.0),
            ["不用下", "载，不用", "关注"]
        );
        assert_eq!(wrap("拾味牛肉面 南山店", 7.0), ["拾味牛肉面", "南山店"]);
    }

    #[test]
    fn a_word_without_a_place_to_break_is_broken_anywhere() {
        let name = "x".repeat(32);
        let lines = wrap(&name, 10.0);
        assert_eq!(lines.concat(), name);
        assert!(lines.iter().all(|line| ems(line) <= 10.0));
    }
}
