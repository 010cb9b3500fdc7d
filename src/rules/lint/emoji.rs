//! Emoji in a text, counted as people see them: a family, a flag or a tone of skin is one.
//!
//! The pattern is that of UTS #51, section 1.4.9 (<https://unicode.org/reports/tr51/>), which finds
//! whatever may be one; a digit or a © alone is none until something asks for its picture.

use std::sync::LazyLock;

use regex::Regex;

static POSSIBLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let element = r"\p{Emoji}(?:\p{EMod}|\x{FE0F}\x{20E3}?|[\x{E0020}-\x{E007E}]+\x{E007F})?";
    let flag = r"\p{RI}\p{RI}";
    Regex::new(&format!(r"{flag}|{element}(?:\x{{200D}}(?:{flag}|{element}))*")).ok()
});

static PICTURE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\p{EPres}|\p{RI}\p{RI}|\p{Emoji}[\x{FE0F}\x{20E3}]").ok());

/// How many emoji a text has.
pub(super) fn count(text: &str) -> usize {
    let (Some(possible), Some(picture)) = (&*POSSIBLE, &*PICTURE) else { return 0 };
    possible.find_iter(text).filter(|found| picture.is_match(found.as_str())).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emoji_are_counted_as_people_see_them() {
        for (text, wanted) in [
            ("", 0),
            ("Call 0120-444-444 * # © ™ ®", 0),
            ("ようこそ！（笑）", 0),
            ("😀", 1),
            ("👋🏽 hi 👋🏿", 2),
            ("👨‍👩‍👧‍👦", 1),
            ("🇯🇵🇩🇪", 2),
            ("🏴󠁧󠁢󠁳󠁣󠁴󠁿", 1),
            ("1️⃣2️⃣", 2),
            ("❤️ ©️", 2),
            ("🎉🎉🎉", 3),
        ] {
            assert_eq!(count(text), wanted, "{text}");
        }
    }
}
