//! How a prompt reads: what works against a proactive chat, whatever it is about.
//!
//! Texts are looked at as somebody would read them, with sample values in them.

use std::sync::LazyLock;

use regex::Regex;
use unicode_width::UnicodeWidthStr;

use super::emoji;
use super::subject::{Found, Part, Prompt, Subject, Text, get};
use crate::rules::showcase;

/// The most emoji of a message.
const MOST_EMOJI: usize = 2;
/// The longest texts, in columns. A bubble beside a page is some 320 pixels wide, which is 40
/// columns of its text, 20 characters of Japanese: a title is one line of that, a message four, and
/// a button's label is one line less its padding. What is longer covers the page it is about.
const MOST_COLUMNS: [(Part, usize); 3] =
    [(Part::Title, 40), (Part::Message, 160), (Part::Label, 30)];

/// A text as it reads, and where it stands.
struct Reading<'s> {
    prompt: Prompt<'s>,
    text: Text<'s>,
    words: String,
}

fn readings<'s>(subject: &'s Subject<'_>) -> Vec<Reading<'s>> {
    let set = subject.set;
    let mut all = Vec::new();
    for rule in &set.rules {
        for prompt in subject.prompts(rule) {
            all.extend(prompt.texts().into_iter().map(|text| {
                let uses = text.template.uses();
                let sample = showcase::sample(&set.site, uses, text.language, subject.at.now);
                let words = showcase::write(&set.site, text.template, &sample, text.language);
                Reading { prompt, text, words }
            }));
        }
    }
    all
}

fn found(reading: &Reading<'_>, message: String, help: impl Into<String>) -> Found {
    Found::new(&reading.prompt.rule.source, reading.text.node.span, message, help)
}

pub(super) fn too_long(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for reading in readings(subject) {
        let part = reading.text.part;
        let limit = MOST_COLUMNS.iter().find(|(known, _)| *known == part);
        let most = limit.map_or(usize::MAX, |(_, most)| *most);
        let columns = reading.words.width();
        if columns > most {
            let message = format!(
                "a {} of {columns} columns is too long for a small bubble, which has room for {most}",
                part.name()
            );
            let help = "say one thing, and leave the rest to the chat (characters of Chinese, \
                        Japanese and Korean are two columns wide)";
            all.push(found(&reading, message, help));
        }
    }
}

pub(super) fn too_many_emoji(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for reading in readings(subject) {
        let count = emoji::count(&reading.words);
        if count > MOST_EMOJI {
            let message = format!("{count} emoji in a {}", reading.text.part.name());
            let help = "one or two are friendly; more look like an advertisement";
            all.push(found(&reading, message, help));
        }
    }
}

pub(super) fn capitals(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for reading in readings(subject) {
        if let Some(words) = shouted(&reading.words) {
            let message = format!("`{words}` is in capitals, which reads as shouting");
            let help = "write it in small letters; a name that is written so can be allowed";
            all.push(found(&reading, message, help));
        }
    }
}

/// Words in capitals: two in a row, or a long one alone. Short ones are abbreviations.
fn shouted(text: &str) -> Option<String> {
    let letters = |word: &str| word.chars().filter(|c| c.is_alphabetic()).count();
    let is_loud = |word: &str| {
        let letters = word.chars().filter(|c| c.is_alphabetic());
        letters.clone().count() >= 2 && letters.clone().all(char::is_uppercase)
    };
    let words: Vec<&str> = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .collect();
    let pairs = words.windows(2).find_map(|pair| {
        let [a, b] = pair else { return None };
        let is_shout = is_loud(a) && is_loud(b) && letters(a) + letters(b) > 5;
        is_shout.then(|| format!("{a} {b}"))
    });
    let long = |word: &&&str| is_loud(word) && letters(word) > 4;
    pairs.or_else(|| words.iter().find(long).map(|word| (*word).to_owned()))
}

pub(super) fn exclamation_marks(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for reading in readings(subject) {
        let count = reading.words.matches(['!', '！', '‼', '❗', '❕']).count();
        if count > 1 {
            let message = format!("{count} exclamation marks in a {}", reading.text.part.name());
            all.push(found(&reading, message, "one is enough, if any"));
        }
    }
}

/// Words that ask or offer without a question mark, by language.
static OFFERS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        (
            "en",
            r"(?i)\b(ask|tell|let|contact|call|write to|chat with|talk to|join) (us|me)\b|\b(we|i)( can|'ll|’ll| will| could|'d|’d| would)\b|\b(happy|here|glad) to help\b|\bneed (a hand|any help|help)\b|\b(chat|talk|ask) (now|here|away)\b",
        ),
        (
            "ja",
            r"(ます|ましょう|です|ません|ください|どう)か[。…]?|(ご相談|お問い合わせ|お気軽|お尋ね|お聞かせ|お申し付け|お声がけ|お声掛け)|どうぞ|ください",
        ),
    ]
    .into_iter()
    .filter_map(|(language, words)| Some((language, Regex::new(words).ok()?)))
    .collect()
});

pub(super) fn no_question(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let readings = readings(subject);
    for reading in readings.iter().filter(|reading| reading.text.part == Part::Message) {
        // Buttons that somebody wrote say what there is to do.
        if get(reading.prompt.keys, "actions").is_some() {
            continue;
        }
        let is_same = |other: &&Reading<'_>| {
            std::ptr::eq(other.prompt.variant, reading.prompt.variant)
                && other.text.language == reading.text.language
        };
        let asks = |words: &str| {
            words.contains(['?', '？', '؟', '⁇', '⁉'])
                || OFFERS.iter().any(|(language, offers)| {
                    reading.text.language.starts_with(language) && offers.is_match(words)
                })
        };
        if !readings.iter().filter(is_same).any(|reading| asks(&reading.words)) {
            let message = "the message asks nothing and offers nothing, so there is nothing to say \
                           yes to";
            let help = "end it with a question, say what you can do, or give it `actions`";
            all.push(found(reading, message.to_owned(), help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_are_told_from_abbreviations() {
        for (text, wanted) in [
            ("Questions about the PDF or an FAQ?", None),
            ("BUY NOW and save", Some("BUY NOW")),
            ("Totally AMAZING!", Some("AMAZING")),
            ("I am here", None),
            ("It is 20000 JPY, OK?", None),
            ("ÜBER UNS", Some("ÜBER UNS")),
            ("こんにちは", None),
        ] {
            assert_eq!(shouted(text).as_deref(), wanted, "{text}");
        }
    }
}
