//! A line of an access log of nginx or Apache: the common and the combined format, also with the
//! virtual host first.
//!
//! The formats: <https://httpd.apache.org/docs/current/logs.html#accesslog> and
//! <https://nginx.org/en/docs/http/ngx_http_log_module.html>. Both escape quotes within quoted
//! fields: Apache as `\"`, nginx as `\x22`.
//!
//! Must not: judge whether a line matters.

use std::borrow::Cow;

use chrono::NaiveDate;

use super::hit::Record;
use crate::domain::time::Timestamp;

/// Reads a line; says what is wrong with it where it is none.
///
/// # Errors
/// Which part of it is not there.
pub fn parse(line: &str) -> Result<Record<'_>, &'static str> {
    let (head, rest) = line.split_once('[').ok_or("no time in brackets")?;
    let (time, rest) = rest.split_once(']').ok_or("no time in brackets")?;
    let at = moment(time).ok_or("its time is not like 20/Nov/2026:10:00:00 +0900")?;
    let mut words = head.split_ascii_whitespace();
    let first = words.next().ok_or("no address before the time")?;
    // With the virtual host first there are four fields before the time, else three.
    let (host, address) = match (words.next(), words.next(), words.next()) {
        (Some(second), Some(_), Some(_)) if is_address(second) && !is_address(first) => {
            (Some(first), second)
        }
        _ => (None, first),
    };
    let (request, rest) = quoted(rest).ok_or("no request in quotes after the time")?;
    let mut numbers = rest.trim_ascii_start().splitn(3, ' ');
    let status = numbers.next().and_then(|text| text.parse().ok());
    let status: u16 = status.ok_or("no status after the request")?;
    let _length = numbers.next();
    let rest = numbers.next().unwrap_or_default();
    let (referrer, rest) = quoted(rest).map_or((None, rest), |(text, rest)| (Some(text), rest));
    let user_agent = quoted(rest).map(|(text, _)| text);
    let (method, target) = match request {
        Cow::Borrowed(text) => {
            let (method, target) = method_and_target(text);
            (method.into(), target.into())
        }
        Cow::Owned(text) => {
            let (method, target) = method_and_target(&text);
            (method.to_owned().into(), target.to_owned().into())
        }
    };
    let present = |text: Cow<'_, str>| !matches!(&*text, "" | "-");
    Ok(Record {
        at,
        who: address.into(),
        host: host.map(|host| without_port(host).into()),
        method,
        target,
        status: Some(status),
        referrer: referrer.filter(|text| present(text.clone())),
        user_agent: user_agent.filter(|text| present(text.clone())),
        ..Record::at(at)
    })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

/// `GET /path HTTP/1.1`; a request of HTTP/0.9 has no version, and nonsense has no target.
fn method_and_target(request: &str) -> (&str, &str) {
    let Some((method, rest)) = request.split_once(' ') else { return (request, "") };
    // A target that was sent unencoded has blanks of its own.
    let target = match rest.rsplit_once(' ') {
        Some((target, version)) if version.starts_with("HTTP/") => target,
        _ => rest,
    };
    (method, target)
}

/// The text between the next two quotes, and what follows.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (_, inside) = text.split_once('"')?;
    let mut from = 0;
    loop {
        let end = from + inside.get(from..)?.find('"')?;
        let before = inside.get(..end)?;
        let slashes = before.bytes().rev().take_while(|b| *b == b'\\').count();
        if slashes % 2 == 0 {
            let value = if before.contains('\\') { unescaped(before) } else { before.into() };
            return Some((value, inside.get(end + 1..)?));
        }
        from = end + 1;
    }
}

/// `\"`, `\\` and `\xHH`, as both servers write them.
fn unescaped(text: &str) -> Cow<'_, str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let hex = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let [first, after @ ..] = rest {
        let (byte, left) = match (first, after) {
            (b'\\', [b'x', high, low, left @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, left),
                _ => (*first, after),
            },
            (b'\\', [escaped @ (b'"' | b'\\'), left @ ..]) => (*escaped, left),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = left;
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

/// `20/Nov/2026:10:00:00 +0900`, or ISO 8601 as nginx's `$time_iso8601` writes it.
fn moment(text: &str) -> Option<Timestamp> {
    let [
        d1,
        d2,
        b'/',
        m1,
        m2,
        m3,
        b'/',
        y1,
        y2,
        y3,
        y4,
        b':',
        h1,
        h2,
        b':',
        i1,
        i2,
        b':',
        s1,
        s2,
        b' ',
        sign,
        z1,
        z2,
        z3,
        z4,
    ] = *text.as_bytes()
    else {
        return chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc().into());
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i64, |n, digit| {
            digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0'))
        })
    };
    let month = MONTHS.iter().position(|name| **name == [m1, m2, m3])? + 1;
    let (year, day) = (number(&[y1, y2, y3, y4])?, number(&[d1, d2])?);
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(year).ok()?,
        u32::try_from(month).ok()?,
        u32::try_from(day).ok()?,
    )?;
    let days = i64::from(date.to_epoch_days());
    let seconds = number(&[h1, h2])? * 3_600 + number(&[i1, i2])? * 60 + number(&[s1, s2])?;
    let offset = number(&[z1, z2])? * 3_600 + number(&[z3, z4])? * 60;
    let offset = if sign == b'-' { -offset } else { offset };
    Some(Timestamp((days * 86_400 + seconds - offset) * 1_000))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]
    use super::*;

    fn read(
        line: &str,
    ) -> (String, Option<String>, String, Option<u16>, Option<String>, Option<String>) {
        let record = parse(line).unwrap();
        (
            record.who.into_owned(),
            record.host.map(Cow::into_owned),
            format!("{} {}", record.method, record.target),
            record.status,
            record.referrer.map(Cow::into_owned),
            record.user_agent.map(Cow::into_owned),
        )
    }

    #[test]
    fn reads_both_formats_with_and_without_a_host() {
        let common = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#;
        assert_eq!(parse(common).unwrap().at, Timestamp(971_211_336_000));
        let (who, host, request, status, referrer, agent) = read(common);
        assert_eq!(
            (who.as_str(), host, request.as_str()),
            ("127.0.0.1", None, "GET /apache_pb.gif")
        );
        assert_eq!((status, referrer, agent), (Some(200), None, None));

        let combined =
            format!(r#"{common} "https://a.example/?q=\"x\"" "Mozilla/5.0 \x22odd\x22""#);
        let (.., referrer, agent) = read(&combined);
        assert_eq!(referrer.as_deref(), Some(r#"https://a.example/?q="x""#));
        assert_eq!(agent.as_deref(), Some(r#"Mozilla/5.0 "odd""#));

        let with_host = format!("shop.example:443 {combined}");
        let (who, host, ..) = read(&with_host);
        assert_eq!((who.as_str(), host.as_deref()), ("127.0.0.1", Some("shop.example")));

        let dashes =
            r#"2001:db8::1 - - [20/Nov/2026:10:00:00 +0900] "GET /a b HTTP/1.1" 304 - "-" "-""#;
        let (who, _, request, status, referrer, agent) = read(dashes);
        assert_eq!(
            (who.as_str(), request.as_str(), status),
            ("2001:db8::1", "GET /a b", Some(304))
        );
        assert_eq!((referrer, agent), (None, None));
    }

    #[test]
    fn reads_iso_times_and_says_what_is_wrong() {
        let iso = r#"1.2.3.4 - - [2026-11-20T10:00:00+09:00] "GET / HTTP/2.0" 200 1"#;
        assert_eq!(parse(iso).unwrap().at, Timestamp(1_795_136_400_000));
        for (line, wrong) in [
            ("", "no time in brackets"),
            ("1.2.3.4 - - [yesterday] \"GET / HTTP/1.1\" 200 1", "its time"),
            ("1.2.3.4 - - [20/Nov/2026:10:00:00 +0900] GET", "no request"),
            ("1.2.3.4 - - [20/Nov/2026:10:00:00 +0900] \"GET / HTTP/1.1\" x", "no status"),
        ] {
            assert!(parse(line).unwrap_err().starts_with(wrong), "{line}");
        }
        // Requests that were no HTTP at all are written with what came.
        let nonsense = r#"1.2.3.4 - - [20/Nov/2026:10:00:00 +0900] "\x16\x03\x01" 400 1 "-" "-""#;
        assert_eq!(parse(nonsense).unwrap().target, "");
    }
}
