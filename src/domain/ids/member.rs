//! The code on a member's card: short enough to say, with a check character against slips of the tongue.

use std::fmt;

use super::{BadId, Vid, check_digit, digits_of, letter};

/// Seven characters: six that follow from the member's pseudonym, and one that checks them.
///
/// Nobody has to draw it or pass it on: the box, the street and headquarters all read it off the pseudonym.
/// Of 5,000 members two have the same one once in seventy shops; whoever looks one up may find both. It tells a
/// quarter of the pseudonym, which the rest of it and the cookie's signature protect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberCode([u8; Self::LENGTH]);

impl MemberCode {
    const LENGTH: usize = 7;

    pub fn of(vid: Vid) -> Self {
        let [a, b, c, d, ..] = vid.to_bytes();
        let mut rest = u64::from(u32::from_be_bytes([a, b, c, d]));
        let mut digits = [0; Self::LENGTH];
        for digit in &mut digits[..Self::LENGTH - 1] {
            *digit = rest % 31;
            rest /= 31;
        }
        digits[Self::LENGTH - 1] = check_digit(&digits[..Self::LENGTH - 1]);
        Self(digits.map(letter))
    }

    /// Takes a code as typed or scanned; small letters, spaces and dashes are forgiven.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let rule = "7 characters of 2-9 and A-Z without I, L and O, the last a check";
        let bad = || BadId::new(text, "member code", rule);
        let typed = text.chars().filter(|c| !c.is_whitespace() && *c != '-');
        let typed: String = typed.map(|c| c.to_ascii_uppercase()).collect();
        let bytes = typed.into_bytes().try_into().map_err(|_| bad())?;
        let digits = digits_of(&bytes).ok_or_else(bad)?;
        let (check, said) = digits.split_last().expect("there are seven");
        if check_digit(said) == *check {
            Ok(Self(bytes))
        } else {
            Err(bad())
        }
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of the code alphabet, which is ASCII")
    }
}

impl fmt::Display for MemberCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::ids::CODE_ALPHABET;

    proptest! {
        #[test]
        fn a_member_code_reads_back_as_people_type_it(vid: [u8; 16]) {
            let code = MemberCode::of(Vid::from_entropy(vid));
            let (head, tail) = code.as_str().split_at(3);
            let typed = format!(" {}-{tail}", head.to_lowercase());
            prop_assert_eq!(MemberCode::parse(&typed), Ok(code));
        }

        #[test]
        fn one_wrong_character_is_never_another_members_code(
            vid: [u8; 16], place in 0_usize..7, other in 0_usize..31
        ) {
            let code = MemberCode::of(Vid::from_entropy(vid));
            let mut wrong = code.0;
            prop_assume!(wrong[place] != CODE_ALPHABET[other]);
            wrong[place] = CODE_ALPHABET[other];
            prop_assert!(MemberCode::parse(std::str::from_utf8(&wrong).unwrap()).is_err());
        }
    }

    #[test]
    fn a_coupons_code_is_no_members_code() {
        for typed in ["7K3F", "7K3FA", "", "7K3F7K3F", "7K3F7KO"] {
            assert!(MemberCode::parse(typed).is_err(), "{typed}");
        }
    }
}
