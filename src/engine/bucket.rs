//! Buckets: a stable place between 0 and 1 for each visitor, rule and purpose.
//!
//! The place is XXH3 (64 bits, seed 0) of `site NUL rule NUL purpose NUL key`, divided by 2⁶⁴.
//! The purposes are `rollout`, `holdout` and `variant`, so the three are independent of each
//! other. The key is the visitor's first id where the session began with one, else the session's
//! id. Changing any of this moves people between buckets, so it never changes.

use twox_hash::XxHash3_64;

/// What a bucket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Whether a rule is for this visitor at all.
    Rollout,
    /// Whether the visitor is kept without its prompts.
    Holdout,
    /// Which of its prompts the visitor gets.
    Variant,
}

impl Purpose {
    /// The word for it in the hash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollout => "rollout",
            Self::Holdout => "holdout",
            Self::Variant => "variant",
        }
    }
}

/// The place, from 0 up to but not including 1.
#[must_use]
pub fn bucket(site: &str, rule: &str, purpose: Purpose, key: &str) -> f64 {
    let text = [site, rule, purpose.as_str(), key].join("\0");
    // The upper 53 bits fill a double's mantissa exactly.
    let bits = XxHash3_64::oneshot(text.as_bytes()) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit exactly")]
    let place = bits as f64 / (1_u64 << 53) as f64;
    place
}

/// Which of several weights a place falls on; `None` where all are zero.
#[must_use]
pub fn weighted(place: f64, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    #[expect(clippy::cast_precision_loss, reason = "weights are at most a million each")]
    let wanted = place * total as f64;
    let mut sum = 0_u64;
    for (index, weight) in weights.enumerate() {
        sum += u64::from(weight);
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        if wanted < sum as f64 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People stay where they are from one version to the next.
    #[test]
    fn places_never_change() {
        let place = |purpose| bucket("demo-shop", "pricing-help", purpose, "7c1e8a3f5b0d9e7a");
        let places = [Purpose::Rollout, Purpose::Holdout, Purpose::Variant].map(place);
        assert_eq!(
            places.map(|p| format!("{p:.12}")),
            ["0.395358557312", "0.157277573163", "0.583722215816"]
        );
    }

    #[test]
    fn weights_share_the_line() {
        let at = |place| weighted(place, [50, 0, 50].into_iter());
        assert_eq!(
            [at(0.0), at(0.4999), at(0.5), at(0.9999)],
            [Some(0), Some(0), Some(2), Some(2)]
        );
        assert_eq!(weighted(0.0, [0, 0].into_iter()), None);
    }
}
