//! How sure a share is: Wilson's interval at 95 %, and no share at all where too few were asked.

use std::fmt;

/// Below this many a percentage says more than anybody knows.
pub const FEWEST: i64 = 20;

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_964;

/// A share of a whole, in percent, with the interval that holds the true one 95 times in 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    pub percent: u8,
    pub low: u8,
    pub high: u8,
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { percent, low, high } = self;
        write!(f, "{percent} % ({low}–{high} %)")
    }
}

impl Share {
    /// `part` of `whole` (E. B. Wilson, 1927); none below [`FEWEST`], and where it is no part: what is counted
    /// in two ways may differ.
    pub fn of(part: i64, whole: i64) -> Option<Self> {
        let counted = u32::try_from(part).ok().zip(u32::try_from(whole).ok());
        let (part, of) = counted.filter(|(part, of)| part <= of)?;
        if whole < FEWEST {
            return None;
        }
        let (n, share) = (f64::from(of), f64::from(part) / f64::from(of));
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        Some(Self {
            percent: percent(share),
            low: percent((middle - half) / scale),
            high: percent((middle + half) / scale),
        })
    }
}

fn percent(share: f64) -> u8 {
    // 0 to 100 by construction; the first that is not smaller is the rounded one.
    (0..100_u8)
        .find(|whole| share * 100.0 < f64::from(*whole) + 0.5)
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe, Statistics in Medicine 17 (1998), table I, and by hand.
        for (part, whole, percent, low, high) in [
            (81, 263, 31, 26, 37),
            (15, 148, 10, 6, 16),
            (0, 20, 0, 0, 16),
            (29, 29, 100, 88, 100),
            (10, 20, 50, 30, 70),
        ] {
            let expected = Share { percent, low, high };
            assert_eq!(Share::of(part, whole), Some(expected), "{part} of {whole}");
        }
    }

    #[test]
    fn too_few_and_what_is_no_part_have_no_share() {
        for (part, whole) in [(10, 19), (0, 0), (21, 20), (-1, 30), (i64::MAX, i64::MAX)] {
            assert_eq!(Share::of(part, whole), None, "{part} of {whole}");
        }
    }
}
