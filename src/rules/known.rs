//! Known sets of values: countries, zones, devices. A value outside of them is a mistake.

use std::borrow::Cow;

use super::diagnostic::nearest;
use super::kinds::text::Known;
use crate::domain::countries;
use crate::domain::visit::{BROWSERS, DeviceKind, OPERATING_SYSTEMS};

/// Continents, by the two letters that databases use.
pub const CONTINENT: Known = Known {
    what: "a continent's two letters (AF, AN, AS, EU, NA, OC, SA)",
    find: |text| in_set(text, countries::CONTINENTS.iter().map(|(code, _)| *code)),
    suggest: |text| {
        let name = nearest(text, countries::CONTINENTS.iter().map(|(_, name)| *name))?;
        countries::continent_by_name(name).map(|code| format!("did you mean `{code}`?"))
    },
};

/// Countries of ISO 3166-1.
pub const COUNTRY: Known = Known {
    what: "a country's two letters of ISO 3166-1, like JP or DE",
    find: |text| {
        let code = text.to_ascii_uppercase();
        countries::is_country(&code).then_some(Cow::Owned(code))
    },
    suggest: |text| match text.to_ascii_uppercase().as_str() {
        "EU" => Some("the European Union is `location.in_eu: true`".to_owned()),
        _ => countries::by_name(text)
            .or_else(|| {
                let name = nearest(text, countries::ALL.iter().map(|country| country.name))?;
                countries::by_name(name)
            })
            .map(|country| format!("did you mean `{}` ({})?", country.code, country.name)),
    },
};

/// Time zones of the IANA database.
pub const TIME_ZONE: Known = Known {
    what: "a time zone of the IANA database, like Asia/Tokyo",
    find: |text| in_set(text, zones()),
    suggest: |text| {
        if let Some((_, zone)) = ZONE_ABBREVIATIONS.iter().find(|(short, _)| *short == text) {
            return Some(format!("did you mean `{zone}`?"));
        }
        // Short ones are all alike.
        let whole = nearest(text, zones()).filter(|_| text.len() > 4);
        let city = || {
            let text = text.to_lowercase().replace(' ', "_");
            zones().find(|zone| zone.rsplit('/').next().is_some_and(|c| c.to_lowercase() == text))
        };
        whole.or_else(city).map(|zone| format!("did you mean `{zone}`?"))
    },
};

/// Kinds of devices.
pub const DEVICE_TYPE: Known = Known {
    what: "a type of device (desktop, smartphone, tablet, tv, console, unknown)",
    find: |text| in_set(text, DeviceKind::ALL.into_iter().map(DeviceKind::as_str)),
    suggest: |text| match text.to_lowercase().as_str() {
        "phone" | "mobile" | "iphone" | "android" => Some("did you mean `smartphone`?".to_owned()),
        "pc" | "computer" | "laptop" | "mac" => Some("did you mean `desktop`?".to_owned()),
        "ipad" => Some("did you mean `tablet`?".to_owned()),
        other => nearest(other, DeviceKind::ALL.into_iter().map(DeviceKind::as_str))
            .map(|name| format!("did you mean `{name}`?")),
    },
};

/// Operating systems that are told apart.
pub const OS: Known = Known {
    what: "an operating system that is told apart",
    find: |text| os(text).map(Cow::Borrowed),
    suggest: |text| suggest(text, OPERATING_SYSTEMS),
};

/// Browsers that are told apart.
pub const BROWSER: Known = Known {
    what: "a browser that is told apart",
    find: |text| browser(text).map(Cow::Borrowed),
    suggest: |text| suggest(text, BROWSERS),
};

/// The operating system meant.
#[must_use]
pub fn os(text: &str) -> Option<&'static str> {
    OPERATING_SYSTEMS.iter().copied().find(|name| name.eq_ignore_ascii_case(text))
}

/// The browser meant.
#[must_use]
pub fn browser(text: &str) -> Option<&'static str> {
    BROWSERS.iter().copied().find(|name| name.eq_ignore_ascii_case(text))
}

/// Abbreviations that people write for a zone; they are no zones, as summer time has others.
const ZONE_ABBREVIATIONS: &[(&str, &str)] = &[
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("HKT", "Asia/Hong_Kong"),
    ("SGT", "Asia/Singapore"),
    ("IST", "Asia/Kolkata"),
    ("BST", "Europe/London"),
    ("CEST", "Europe/Berlin"),
    ("EDT", "America/New_York"),
    ("CDT", "America/Chicago"),
    ("CST", "America/Chicago"),
    ("PST", "America/Los_Angeles"),
    ("PDT", "America/Los_Angeles"),
    ("AEST", "Australia/Sydney"),
];

/// Active currencies of ISO 4217.
const CURRENCIES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB \
    BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB \
    EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD \
    JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP \
    MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON \
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP \
    TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

/// Whether a text is a currency's three letters of ISO 4217, in either case.
#[must_use]
pub fn is_currency(text: &str) -> bool {
    CURRENCIES.split_whitespace().any(|code| code.eq_ignore_ascii_case(text))
}

/// Languages by what people write instead of their tags.
const LANGUAGES: &[(&str, &str)] = &[
    ("english", "en"),
    ("japanese", "ja"),
    ("jp", "ja"),
    ("german", "de"),
    ("french", "fr"),
    ("spanish", "es"),
    ("italian", "it"),
    ("korean", "ko"),
    ("chinese", "zh"),
    ("cn", "zh"),
    ("portuguese", "pt"),
    ("cz", "cs"),
    ("dk", "da"),
    ("gr", "el"),
    ("ua", "uk"),
    ("vn", "vi"),
];

/// A language tag (BCP 47).
///
/// # Errors
/// Where it is none, or one that nobody means: what to write instead.
pub fn language(text: &str) -> Result<unic_langid::LanguageIdentifier, String> {
    if let Some((_, tag)) = LANGUAGES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
        return Err(format!("did you mean `{tag}`?"));
    }
    match text.parse::<unic_langid::LanguageIdentifier>() {
        // Languages of five letters and more are allowed for, and none is registered.
        Ok(tag) if tag.language.as_str().len() <= 3 => Ok(tag),
        _ => Err("write it like en, en-GB or zh-Hant (BCP 47)".to_owned()),
    }
}

fn in_set(text: &str, known: impl Iterator<Item = &'static str>) -> Option<Cow<'static, str>> {
    let mut known = known;
    known.find(|name| name.eq_ignore_ascii_case(text)).map(Cow::Borrowed)
}

#[expect(clippy::unnecessary_wraps, reason = "as `Known::suggest` has it")]
fn suggest(text: &str, known: &[&str]) -> Option<String> {
    Some(match nearest(text, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("there are: {}", known.join(", ")),
    })
}

/// The names of all zones.
pub fn zones() -> impl Iterator<Item = &'static str> {
    chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
}
