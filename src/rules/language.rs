//! Languages: what a browser asks for, and which of a site's it gets.
//!
//! Must not: know where a wish comes from, or what is written in a language.

use std::sync::Arc;

use unic_langid::LanguageIdentifier;
use unic_langid::subtags::Language;

/// The longest `Accept-Language` header that is read, in bytes; longer ones are cut.
pub const MAX_HEADER_BYTES: usize = 1_024;
/// The most languages taken from one.
pub const MAX_LANGUAGES: usize = 16;

/// The place in `available` of the best language for somebody who wants these, the most wanted
/// first: the first wish that any language fits decides. `None` where nothing fits.
///
/// A language fits a wish that has the same language and script once both are filled up with their
/// likely subtags (Unicode TR35 §4.3): `zh-TW` finds `zh-Hant`, never `zh-Hans`; `en-GB` finds `en`.
/// Among several the one of the same region is best, then that of the language's likeliest region,
/// then the first. What is no language tag is passed over.
#[must_use]
pub fn negotiate<'a>(
    wanted: impl Iterator<Item = &'a str>,
    available: &[Arc<str>],
) -> Option<usize> {
    let offered: Vec<(usize, LanguageIdentifier)> = available
        .iter()
        .enumerate()
        .filter_map(|(index, tag)| Some((index, maximized(identifier(tag)?))))
        .collect();
    wanted.take(MAX_LANGUAGES * 2).filter_map(identifier).map(maximized).find_map(|wish| {
        let mut likeliest = wish.clone();
        likeliest.region = None;
        let likeliest = maximized(likeliest);
        let distance = |offer: &LanguageIdentifier| match offer.region {
            region if region == wish.region => 0,
            region if region == likeliest.region => 1,
            _ => 2,
        };
        offered
            .iter()
            .filter(|(_, offer)| offer.language == wish.language && offer.script == wish.script)
            .min_by_key(|(_, offer)| distance(offer))
            .map(|(index, _)| *index)
    })
}

/// A tag's language, script and region. What follows a subtag of one letter (`-u-ca-japanese`) says
/// nothing about which language it is.
fn identifier(tag: &str) -> Option<LanguageIdentifier> {
    let extension = tag.split(['-', '_']).position(|subtag| subtag.len() == 1);
    let base: Vec<&str> =
        tag.trim().split(['-', '_']).take(extension.unwrap_or(usize::MAX)).collect();
    let tag: LanguageIdentifier = base.join("-").parse().ok()?;
    (tag.language != Language::default()).then_some(tag)
}

fn maximized(mut tag: LanguageIdentifier) -> LanguageIdentifier {
    tag.maximize();
    tag
}

/// How a language writes weekdays and months: its own region's way, else that of its likeliest
/// region, else English.
#[must_use]
pub fn locale(tag: &str) -> chrono::Locale {
    let Some(wish) = identifier(tag) else { return chrono::Locale::POSIX };
    let mut likeliest = wish.clone();
    likeliest.region = None;
    [wish, likeliest]
        .into_iter()
        .map(maximized)
        .find_map(|tag| {
            let region = tag.region?;
            chrono::Locale::try_from(format!("{}_{region}", tag.language).as_str()).ok()
        })
        .unwrap_or(chrono::Locale::POSIX)
}

/// The languages of an `Accept-Language` header (RFC 9110 §12.5.4), the most wanted first; equal
/// ones stay in their order. Drops `*`, what has `q=0`, and what is malformed.
#[must_use]
pub fn accept_language(header: &str) -> Vec<Arc<str>> {
    let fits = (0..=MAX_HEADER_BYTES.min(header.len())).rev();
    let end = fits.into_iter().find(|end| header.is_char_boundary(*end)).unwrap_or(0);
    let mut parts: Vec<&str> = header.get(..end).unwrap_or_default().split(',').collect();
    if end < header.len() {
        parts.pop();
    }
    let mut wishes: Vec<(u16, &str)> = parts.into_iter().filter_map(wish).collect();
    wishes.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
    wishes.truncate(MAX_LANGUAGES);
    wishes.into_iter().map(|(_, tag)| tag.into()).collect()
}

/// A language with its quality in thousandths.
fn wish(part: &str) -> Option<(u16, &str)> {
    let mut pieces = part.split(';');
    let tag = pieces.next()?.trim();
    let mut quality = 1_000;
    for parameter in pieces {
        let (name, value) = parameter.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("q") {
            quality = thousandths(value.trim())?;
        }
    }
    (quality > 0 && identifier(tag).is_some()).then_some((quality, tag))
}

/// `0`, `1`, or one of these with up to three decimal places.
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u16 = match whole {
        "0" => 0,
        "1" => 1_000,
        _ => return None,
    };
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some(whole + decimals).filter(|quality| *quality <= 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pick(wanted: &[&str], available: &[&str]) -> Option<usize> {
        let available: Vec<Arc<str>> = available.iter().map(|tag| Arc::from(*tag)).collect();
        negotiate(wanted.iter().copied(), &available)
    }

    #[test]
    fn a_region_finds_its_language_and_its_script() {
        assert_eq!(pick(&["en-GB"], &["ja", "en"]), Some(1));
        assert_eq!(pick(&["zh-TW"], &["zh-Hans", "zh-Hant"]), Some(1));
        assert_eq!(pick(&["zh-CN"], &["zh-Hant", "zh-Hans"]), Some(1));
        assert_eq!(pick(&["zh-TW"], &["en", "zh-Hans"]), None, "another script is no match");
        assert_eq!(pick(&["zh-HK"], &["zh", "zh-Hant"]), Some(1));
        assert_eq!(pick(&["en-CA"], &["en-GB", "en-US"]), Some(1));
        assert_eq!(pick(&["pt-PT"], &["en", "pt-BR", "pt-PT"]), Some(2));
        assert_eq!(pick(&["pt-PT"], &["en", "pt"]), Some(1));
        assert_eq!(pick(&["JA_jp"], &["en", "ja"]), Some(1));
        assert_eq!(pick(&["ja-JP-u-ca-japanese"], &["en", "ja"]), Some(1));
    }

    #[test]
    fn the_first_wish_that_fits_decides() {
        assert_eq!(pick(&["fr", "ja", "en"], &["en", "ja"]), Some(1));
        assert_eq!(pick(&["!", "", "und", "*", "ja"], &["en", "ja"]), Some(1));
        assert_eq!(pick(&["en-GB", "ja"], &["ja", "en-US"]), Some(1));
        assert_eq!(pick(&["fr"], &["en", "ja"]), None);
        assert_eq!(pick(&[], &["en"]), None);
        assert_eq!(pick(&["en"], &[]), None);
    }

    #[test]
    fn a_header_is_read_by_quality() {
        let read = |header: &str| accept_language(header).join(" ");
        assert_eq!(read("en;q=0.5, ja , fr;q=0, *;q=0.1, de;q=0.50"), "ja en de");
        assert_eq!(read("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7"), "ja-JP ja en-US en");
        assert_eq!(read("en;q=1.5, de;q=x, fr;q=0.1234, it ; q=0.001"), "it");
        assert_eq!(read(""), "");
        assert_eq!(read(";;;,,,=,q=1"), "");
    }

    #[test]
    fn dates_are_written_as_in_the_language_s_own_country() {
        for (tag, expected) in [("ja", "ja_JP"), ("en", "en_US"), ("en-GB", "en_GB")] {
            assert_eq!(locale(tag).to_string(), expected);
        }
        for (tag, expected) in [("zh-Hant", "zh_TW"), ("de-JP", "de_DE"), ("??", "POSIX")] {
            assert_eq!(locale(tag).to_string(), expected);
        }
    }

    #[test]
    fn a_header_is_bounded() {
        assert_eq!(accept_language(&"en,".repeat(10_000)).len(), MAX_LANGUAGES);
        assert!(accept_language(&"あ".repeat(1_000)).is_empty());
        let long = "de;q=0.1,".repeat(113) + "ja-Latn-JP";
        assert!(accept_language(&long).iter().all(|tag| &**tag == "de"), "a cut tag is dropped");
    }
}
