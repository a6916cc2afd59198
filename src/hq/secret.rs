//! Random words that a person types once: tokens, first passwords, PINs.

use crate::domain::ids::CODE_ALPHABET;
use crate::ops::files::random;

/// `groups` groups of four letters that nobody confuses, with dashes; 4.95 bits a letter.
pub(super) fn letters(groups: usize) -> String {
    let mut text = String::with_capacity(groups * 5);
    for place in 0..groups * 4 {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(letter());
    }
    text
}

fn letter() -> char {
    loop {
        let [byte] = random::<1>();
        // 248 is 8 times 31: past it the first letters would come more often than the last.
        if byte < 248 {
            return char::from(CODE_ALPHABET[usize::from(byte) % 31]);
        }
    }
}

/// A PIN of six digits.
pub(super) fn pin() -> String {
    loop {
        let number = u32::from_be_bytes(random());
        // The largest multiple of a million below 2³².
        if number < 4_294_000_000 {
            return format!("{:06}", number % 1_000_000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_groups_of_letters_that_nobody_confuses() {
        let text = letters(7);
        assert_eq!(text.len(), 34);
        assert!(
            text.split('-').all(|group| group.len() == 4
                && group.bytes().all(|letter| CODE_ALPHABET.contains(&letter)))
        );
        assert_ne!(text, letters(7));
    }

    #[test]
    fn a_pin_has_six_digits() {
        assert!((0..100).all(|_| pin().len() == 6));
    }
}
