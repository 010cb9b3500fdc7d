//! Whether a user agent is known not to be, or not known to be, a person's browser.
//!
//! Three sieves: the shape every browser's user agent has; words that bots use of themselves; and
//! the patterns of npm's `crawler-user-agents` (`bots/patterns.txt`, MIT, made by `bots/build`)
//! for those that hide better.
//!
//! Must not: tell devices apart, or keep a user agent.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

/// The shortest user agent a browser was seen to send is 52 bytes long.
const MIN_BYTES: usize = 32;

/// In-app browsers send up to some 600 bytes.
const MAX_BYTES: usize = 1_024;

/// How bots speak of themselves, in lower case.
///
/// `bot` does not count in `CUBOT` and `IDbot`, which are phones; an `@` only where an address
/// follows, since Ecosia writes `android@150.0`; a host's name only with a letter before its dot,
/// since Internet Explorer lists `.NET`.
const WORDS: &str = r"(?x)
    (?: ^ | [^du] | (?:^|[^c]) u | (?:^|[^i]) d ) bot
    | crawl | spider | slurp | scrap(?:e|ing|y) | headless | archiver | mutant
    | fetch(?:er|or|/) | monitor | preview | transcoder | uptime | thumbnail | screenshot
    | valid(?:ator|ation) | checker | scanner | analy[sz]er | extractor | indexer | harvest
    | grabber | capture | inspection | audit | research | survey | verif(?:y|ier|ication)
    | ://  | \bwww\. | [a-z0-9-]\.(?:com|org|net|io|ai)\b
    | [a-z0-9._-](?:@|\[at\]|\(at\))[a-z][a-z0-9-]*\.[a-z]
    | \b(?:rss|feeds?)\b | feed(?:reader|fetch|pars|burner|spot|ly\b|bin\b)
    | python | libwww | \bperl | \bjava/ | httpclient | okhttp | axios | \bcurl | \bwget
    | phantomjs | puppeteer | playwright | selenium | webdriver | cypress/ | lighthouse
    | page\ speed | \bptst | synthetic | google-[a-z] | -google\b | google\ favicon
    | \bagent/ | -agent\b | diagnostics | generator
";

/// What is in the user agent of every browser that runs a page's script, in lower case.
const ENGINES: [&str; 5] = ["applewebkit/", "gecko/", "trident/", "msie ", "presto/"];

static WORDS_PATTERN: LazyLock<Option<Regex>> = LazyLock::new(|| build(WORDS));

static KNOWN_BOTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let patterns: Vec<&str> = include_str!("bots/patterns.txt").lines().collect();
    build(&format!("(?:{})", patterns.join(")|(?:")))
});

/// A pattern of this file; `None` where it cannot be built, which a test rules out.
fn build(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(64 << 20).build().ok()
}

/// Whether it is not known to be a person's browser. One that is missing, too short or too long
/// to be one is not.
#[must_use]
pub fn is_bot(user_agent: Option<&str>) -> bool {
    let Some(user_agent) = user_agent.map(str::trim) else { return true };
    if !(MIN_BYTES..=MAX_BYTES).contains(&user_agent.len()) {
        return true;
    }
    let lower = user_agent.to_ascii_lowercase();
    !has_shape_of_browser(&lower)
        || matches(&WORDS_PATTERN, &lower)
        || matches(&KNOWN_BOTS, user_agent)
}

/// Builds the patterns, so that no request has to wait for that.
pub fn prepare() {
    LazyLock::force(&WORDS_PATTERN);
    LazyLock::force(&KNOWN_BOTS);
}

/// A pattern that could not be built would let bots through unseen, so nobody is a person then.
fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
}

fn has_shape_of_browser(lower: &str) -> bool {
    let has = |part: &str| lower.contains(part);
    // Only Internet Explorer and Konqueror ever called themselves `compatible`.
    let is_compatible = has("compatible;") && !has("msie ") && !has("konqueror");
    (lower.starts_with("mozilla/") || lower.starts_with("opera/"))
        && ENGINES.into_iter().any(has)
        && !is_compatible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_builds() {
        assert!(WORDS_PATTERN.is_some());
        assert!(KNOWN_BOTS.is_some());
        assert!(include_str!("bots/patterns.txt").lines().all(|line| !line.trim().is_empty()));
    }
}
