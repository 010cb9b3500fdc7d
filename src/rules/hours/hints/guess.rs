//! A guess at the opening hours somebody meant, from words and spellings people use.
//!
//! Must not: be trusted; whoever asks checks the guess against the grammar.

use std::iter::Peekable;
use std::str::Chars;

/// A piece of what was written, in the grammar's own spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// A day or several: `Mo`, `PH`, `Mo-Fr`.
    Days(&'static str),
    /// A day in Japanese, which may stand right beside the next.
    Day(&'static str),
    Time(u32, u32),
    /// A number that may be a time or a day of a month.
    Number(u32),
    AmPm(u32),
    /// `off`, `24/7`.
    Word(&'static str),
    /// Anything else, as it was.
    Other(String),
    Dash,
    Comma,
    Semicolon,
    Colon,
}

/// The grammar's spelling of what was probably meant.
pub(super) fn guess(expression: &str) -> Option<String> {
    let mut pieces = times(read(expression)?);
    // Between days and their times the grammar wants no comma.
    let is_comma = |at: usize, pieces: &[Piece]| {
        matches!(
            pieces.get(at.saturating_sub(1)..at + 2),
            Some([Piece::Day(_) | Piece::Days(_), Piece::Comma, Piece::Time(..) | Piece::Word(_)])
        )
    };
    for at in (1..pieces.len()).rev() {
        if is_comma(at, &pieces) {
            pieces.remove(at);
        }
    }
    let mut out = String::new();
    let mut last: Option<&Piece> = None;
    for piece in &pieces {
        write(&mut out, last, piece);
        last = Some(piece);
    }
    let trimmed = out.trim_matches([' ', ';', ',', '-', ':']);
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// Whether a span is written to begin at 24:00 or later.
pub(super) fn begins_after_midnight(expression: &str) -> bool {
    expression.split([' ', ',', ';']).any(|span| {
        let hour = span.split_once('-').and_then(|(start, _)| start.split_once(':'));
        hour.is_some_and(|(hour, _)| hour.parse::<u32>().is_ok_and(|hour| hour >= 24))
    })
}

fn read(expression: &str) -> Option<Vec<Piece>> {
    let narrow: String = expression.chars().map(narrow).collect();
    let mut chars = narrow.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(&c) = chars.peek() {
        if c.is_ascii_digit() {
            pieces.push(number(&mut chars)?);
            continue;
        }
        if c.is_alphabetic() && (c.is_ascii() || !is_cjk(c)) {
            let word = take_while(&mut chars, |c| c.is_alphabetic() && !is_cjk(c));
            // A point may end an abbreviation: `Mon.`, `a.m.`
            if chars.peek() == Some(&'.') {
                chars.next();
            }
            pieces.extend(english(&word.to_lowercase(), &word));
            continue;
        }
        if is_cjk(c) {
            let word = take_while(&mut chars, is_cjk);
            japanese(&word, &mut pieces);
            continue;
        }
        chars.next();
        match c {
            '-' => pieces.push(Piece::Dash),
            ',' | '&' | '・' | '/' => pieces.push(Piece::Comma),
            ';' | '\n' => pieces.push(Piece::Semicolon),
            ':' => pieces.push(Piece::Colon),
            c if c.is_whitespace() => {}
            other => pieces.push(Piece::Other(other.to_string())),
        }
    }
    Some(pieces)
}

/// Full-width characters and the many dashes, in ASCII.
fn narrow(c: char) -> char {
    match c {
        '‐'..='―' | '−' | '〜' | '~' | '～' | 'ー' => '-',
        '\u{ff01}'..='\u{ff5d}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '、' => ',',
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    }
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}')
}

fn take_while(chars: &mut Peekable<Chars<'_>>, fits: impl Fn(char) -> bool) -> String {
    let mut taken = String::new();
    while let Some(c) = chars.next_if(|c| fits(*c)) {
        taken.push(c);
    }
    taken
}

/// `9`, `9:00`, `9.30`, `0900`, `9h30`, `9時30分`, `24/7`.
fn number(chars: &mut Peekable<Chars<'_>>) -> Option<Piece> {
    let digits = take_while(chars, |c| c.is_ascii_digit());
    let value: u32 = digits.parse().ok()?;
    let mut ahead = chars.clone();
    let separator = ahead.next();
    if value == 24 && separator == Some('/') && ahead.next_if_eq(&'7').is_some() {
        *chars = ahead;
        return Some(Piece::Word("24/7"));
    }
    if matches!(separator, Some(':' | '.' | 'h' | '時')) && value <= 48 {
        let mut after = ahead.clone();
        let minutes = take_while(&mut after, |c| c.is_ascii_digit());
        if minutes.len() == 2 {
            after.next_if_eq(&'分');
            *chars = after;
            return Some(Piece::Time(value, minutes.parse().ok()?));
        }
        if separator == Some('時') {
            if ahead.next_if_eq(&'間').is_some() {
                *chars = ahead;
                return Some(Piece::Word("24/7"));
            }
            let half = ahead.next_if_eq(&'半').is_some();
            *chars = ahead;
            return Some(Piece::Time(value, if half { 30 } else { 0 }));
        }
    }
    if digits.len() == 4 && value / 100 <= 24 && value % 100 < 60 {
        return Some(Piece::Time(value / 100, value % 100));
    }
    Some(Piece::Number(value))
}

fn english(lower: &str, word: &str) -> Option<Piece> {
    Some(match lower {
        "mo" | "mon" | "monday" | "mondays" | "montag" => Piece::Days("Mo"),
        "tu" | "tue" | "tues" | "tuesday" | "tuesdays" | "di" | "dienstag" => Piece::Days("Tu"),
        "we" | "wed" | "weds" | "wednesday" | "wednesdays" | "mi" | "mittwoch" => Piece::Days("We"),
        "th" | "thu" | "thur" | "thurs" | "thursday" | "thursdays" | "do" | "donnerstag" => {
            Piece::Days("Th")
        }
        "fr" | "fri" | "friday" | "fridays" | "freitag" => Piece::Days("Fr"),
        "sa" | "sat" | "saturday" | "saturdays" | "samstag" => Piece::Days("Sa"),
        "su" | "sun" | "sunday" | "sundays" | "so" | "sonntag" => Piece::Days("Su"),
        "weekday" | "weekdays" => Piece::Days("Mo-Fr"),
        "weekend" | "weekends" => Piece::Days("Sa-Su"),
        "daily" | "everyday" => Piece::Days("Mo-Su"),
        "ph" | "holiday" | "holidays" => Piece::Days("PH"),
        "sh" => Piece::Days("SH"),
        "am" | "a" => Piece::AmPm(0),
        "pm" | "p" => Piece::AmPm(12),
        "noon" => Piece::Time(12, 0),
        "midnight" => Piece::Time(24, 0),
        "to" | "till" | "until" | "through" | "thru" | "bis" => Piece::Dash,
        "and" | "und" => Piece::Comma,
        "off" | "closed" | "close" | "never" | "geschlossen" => Piece::Word("off"),
        "always" => Piece::Word("24/7"),
        "h" | "hr" | "hrs" | "hour" | "hours" | "uhr" => Piece::Other("h".to_owned()),
        "m" | "from" | "on" | "at" | "open" | "every" | "day" | "public" | "bank" | "o"
        | "clock" => {
            return None;
        }
        _ => Piece::Other(word.to_owned()),
    })
}

/// Longer words first: a day's name holds its one character.
const JAPANESE: &[(&str, Piece)] = &[
    ("年中無休", Piece::Days("Mo-Su")),
    ("定休日", Piece::Word("off")),
    ("日曜日", Piece::Day("Su")),
    ("月曜日", Piece::Day("Mo")),
    ("火曜日", Piece::Day("Tu")),
    ("水曜日", Piece::Day("We")),
    ("木曜日", Piece::Day("Th")),
    ("金曜日", Piece::Day("Fr")),
    ("土曜日", Piece::Day("Sa")),
    ("日曜", Piece::Day("Su")),
    ("月曜", Piece::Day("Mo")),
    ("火曜", Piece::Day("Tu")),
    ("水曜", Piece::Day("We")),
    ("木曜", Piece::Day("Th")),
    ("金曜", Piece::Day("Fr")),
    ("土曜", Piece::Day("Sa")),
    ("祝日", Piece::Day("PH")),
    ("平日", Piece::Days("Mo-Fr")),
    ("毎日", Piece::Days("Mo-Su")),
    ("週末", Piece::Days("Sa-Su")),
    ("から", Piece::Dash),
    ("休業", Piece::Word("off")),
    ("定休", Piece::Word("off")),
    ("休み", Piece::Word("off")),
    ("月", Piece::Day("Mo")),
    ("火", Piece::Day("Tu")),
    ("水", Piece::Day("We")),
    ("木", Piece::Day("Th")),
    ("金", Piece::Day("Fr")),
    ("土", Piece::Day("Sa")),
    ("日", Piece::Day("Su")),
    ("祝", Piece::Day("PH")),
    ("休", Piece::Word("off")),
];

fn japanese(word: &str, pieces: &mut Vec<Piece>) {
    let mut rest = word;
    while let Some(c) = rest.chars().next() {
        let known =
            JAPANESE.iter().find_map(|(name, piece)| Some((rest.strip_prefix(name)?, piece)));
        if let Some((after, piece)) = known {
            pieces.push(piece.clone());
            rest = after;
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        // Particles and the like say nothing that the grammar could.
        if !"はのでまと午前後".contains(c) {
            pieces.push(Piece::Other(c.to_string()));
        }
    }
}

/// Numbers become times where they stand around a dash, or before `am` and `pm`.
fn times(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut out: Vec<Piece> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match piece {
            Piece::AmPm(shift) => {
                let time = match out.last() {
                    Some(Piece::Number(hour)) => Some((*hour, 0)),
                    Some(Piece::Time(hour, minute)) => Some((*hour, *minute)),
                    _ => None,
                };
                if let Some((hour @ 1..=12, minute)) = time {
                    out.pop();
                    out.push(Piece::Time(hour % 12 + shift, minute));
                }
            }
            Piece::Other(ref text) if text == "h" => match out.last() {
                Some(Piece::Number(24)) => {
                    out.pop();
                    out.push(Piece::Word("24/7"));
                }
                Some(Piece::Number(_) | Piece::Time(..)) => {}
                _ => out.push(piece),
            },
            other => out.push(other),
        }
    }
    let is_month = |piece: Option<&Piece>| matches!(piece, Some(Piece::Other(_)));
    out.iter()
        .enumerate()
        .map(|(index, piece)| match piece {
            Piece::Number(hour @ 0..=24)
                if !index.checked_sub(1).is_some_and(|before| is_month(out.get(before))) =>
            {
                Piece::Time(*hour, 0)
            }
            other => other.clone(),
        })
        .collect()
}

fn write(out: &mut String, last: Option<&Piece>, piece: &Piece) {
    use Piece::{AmPm, Colon, Comma, Dash, Day, Days, Number, Other, Semicolon, Time, Word};
    use std::fmt::Write as _;
    let is_days = matches!(piece, Day(_) | Days(_));
    match (last, piece) {
        (Some(Time(..) | Word(_)), Day(_) | Days(_)) => out.push_str("; "),
        (Some(Comma), Day(_) | Days(_)) if ends_with_time(out) => {
            // `Mo 09:00-12:00, Tu …` adds; it is what was meant, with a space.
            out.push(' ');
        }
        (Some(Day(_) | Days(_)), _) if is_days => out.push(','),
        (Some(Time(..)), Time(..)) => out.push(','),
        (Some(Semicolon), _)
        | (Some(Day(_) | Days(_) | Number(_) | Other(_)), Time(..) | Word(_)) => {
            out.push(' ');
        }
        (Some(Colon), Time(..) | Word(_))
        | (Some(Other(_) | Number(_)), Day(_) | Days(_) | Number(_) | Other(_))
        | (Some(Time(..) | Word(_) | Day(_) | Days(_)), Other(_)) => out.push(' '),
        _ => {}
    }
    // Writing to a string cannot fail.
    let _ = match piece {
        Day(text) | Days(text) | Word(text) => write!(out, "{text}"),
        Time(hour, minute) => write!(out, "{hour:02}:{minute:02}"),
        Number(number) => write!(out, "{number}"),
        Other(text) => write!(out, "{text}"),
        Dash => write!(out, "-"),
        Comma => write!(out, ","),
        Semicolon => write!(out, ";"),
        // After a day a colon only helps the eye.
        Colon | AmPm(_) => Ok(()),
    };
}

fn ends_with_time(out: &str) -> bool {
    out.trim_end_matches(',').ends_with(|c: char| c.is_ascii_digit())
}
