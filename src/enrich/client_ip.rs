//! Whose address a request comes from: the peer's, or the one that trusted proxies passed on.
//!
//! Must not: read a request itself, or trust any hop that is not configured.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

/// The most hops that are followed.
const MAX_HOPS: usize = 32;

/// The longest hop that is read, in bytes. `Forwarded` may name `by`, `host` and `proto` besides.
const MAX_HOP_BYTES: usize = 512;

/// The addresses and networks whose word on a client's address is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// An item of a list of proxies that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{item}` is neither an address nor a network; write for example `127.0.0.1`, `10.0.0.0/8` or `fd00::/8`"
)]
pub struct TrustedProxiesError {
    /// The item as it was written.
    pub item: String,
}

impl TrustedProxies {
    /// Trusts nobody: the peer is the client.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Trusts these networks.
    #[must_use]
    pub fn of(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Trusts these addresses and networks.
    ///
    /// # Errors
    /// Names the first item that is neither.
    pub fn from_items<'a>(
        items: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, TrustedProxiesError> {
        items.into_iter().map(str::trim).map(parse_network).collect::<Result<_, _>>().map(Self)
    }

    /// Whether that address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The networks, an address being a network of one.
    pub fn networks(&self) -> impl Iterator<Item = &IpNet> {
        self.0.iter()
    }
}

impl FromStr for TrustedProxies {
    type Err = TrustedProxiesError;

    /// Reads a list with commas or spaces between its items; an empty one trusts nobody.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_items(
            text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty()),
        )
    }
}

/// Reads an address or a network. An IPv4 network in IPv6 spelling becomes the IPv4 one, since
/// addresses are compared in that form.
fn parse_network(item: &str) -> Result<IpNet, TrustedProxiesError> {
    let network = match item.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => {
            item.parse::<IpNet>().map_err(|_| TrustedProxiesError { item: item.to_owned() })?
        }
    };
    if let IpNet::V6(v6) = network
        && let Some(address) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
        && let Ok(v4) = Ipv4Net::new(address, prefix)
    {
        return Ok(v4.into());
    }
    Ok(network)
}

/// The client's address.
///
/// Only a trusted peer is asked. `Forwarded` (RFC 7239) and `X-Forwarded-For` are read from the
/// right, where the nearest proxy wrote, up to the first hop that is not trusted: that one is the
/// client. A hop that names no address (`unknown`, `_hidden`, a malformed one) ends the walk at
/// the trusted hop before it. Where both headers are there and disagree, a proxy handed on one
/// that the client made up, and there is no telling which: then the peer's address is taken.
///
/// Values are given line by line, in the order of the request. An IPv4 address in IPv6 spelling
/// comes out as IPv4. At most 32 hops are followed.
pub fn client_ip<'a>(
    peer: IpAddr,
    forwarded: impl Iterator<Item = &'a str>,
    x_forwarded_for: impl Iterator<Item = &'a str>,
    trusted: &TrustedProxies,
) -> IpAddr {
    let peer = peer.to_canonical();
    if !trusted.contains(peer) {
        return peer;
    }
    let by_standard = walk(peer, forwarded, forwarded_for, trusted);
    let by_custom = walk(peer, x_forwarded_for, parse_node, trusted);
    match (by_standard, by_custom) {
        (Some(one), Some(other)) if one != other => peer,
        (Some(address), _) | (None, Some(address)) => address,
        (None, None) => peer,
    }
}

/// The key under which requests of one client are counted: an IPv6 client holds a whole /64
/// (RFC 6177), so its address is masked to that.
#[must_use]
pub fn rate_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// Follows the hops of one header; `None` where it is absent or empty.
fn walk<'a>(
    peer: IpAddr,
    values: impl Iterator<Item = &'a str>,
    address_of: fn(&str) -> Option<IpAddr>,
    trusted: &TrustedProxies,
) -> Option<IpAddr> {
    let mut last_values = VecDeque::new();
    for value in values.filter(|value| !value.trim().is_empty()) {
        if last_values.len() == MAX_HOPS {
            last_values.pop_front();
        }
        last_values.push_back(value);
    }
    if last_values.is_empty() {
        return None;
    }
    let mut known = peer;
    for hop in last_values.into_iter().rev().flat_map(hops_from_right).take(MAX_HOPS) {
        let Some(address) = hop.and_then(address_of) else { break };
        known = address;
        if !trusted.contains(address) {
            break;
        }
    }
    Some(known)
}

/// The items of a list, last first; `None` for one that is too long, after which there is no more.
///
/// Quotes are counted from the right too: whatever a client wrote before its proxy's item cannot
/// change how that item is read.
fn hops_from_right(value: &str) -> impl Iterator<Item = Option<&str>> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut is_quoted = false;
        let comma = text.bytes().enumerate().rev().take(MAX_HOP_BYTES + 1).find(|(_, byte)| {
            is_quoted ^= *byte == b'"';
            *byte == b',' && !is_quoted
        });
        let Some((at, _)) = comma else {
            rest = None;
            return Some((text.len() <= MAX_HOP_BYTES).then_some(text));
        };
        let (before, item) = text.split_at_checked(at)?;
        rest = Some(before);
        Some(item.get(1..))
    })
    // RFC 9110 §5.6.1: empty items of a list are skipped.
    .filter(|hop| hop.is_none_or(|hop| !hop.trim().is_empty()))
}

/// The address in `for=…` of one `Forwarded` element.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut is_quoted = false;
    let pairs = element.split(|c: char| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    });
    let mut nodes = pairs.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then_some(value)
    });
    let node = nodes.next()?.trim();
    if nodes.next().is_some() {
        return None; // RFC 7239 §4: a parameter must not occur twice.
    }
    match node.strip_prefix('"') {
        Some(quoted) => parse_node(quoted.strip_suffix('"')?),
        None => parse_node(node),
    }
}

/// An address as proxies write it: with or without a port, IPv6 with or without brackets.
fn parse_node(node: &str) -> Option<IpAddr> {
    let node = node.trim();
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        if !port.is_empty() && !port.starts_with(':') {
            return None;
        }
        address.parse::<Ipv6Addr>().ok()?.into()
    } else if let Ok(address) = node.parse::<IpAddr>() {
        address
    } else if let Ok(with_port) = node.parse::<SocketAddr>() {
        with_port.ip()
    } else {
        // RFC 7239 §6.2: a port may be obfuscated.
        let (address, _) = node.split_once(':')?;
        address.parse::<Ipv4Addr>().ok()?.into()
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn client(peer: &str, forwarded: &[&str], x_forwarded_for: &[&str]) -> IpAddr {
        let trusted: TrustedProxies = "10.0.0.0/8, 127.0.0.1 ::1".parse().unwrap();
        client_ip(ip(peer), forwarded.iter().copied(), x_forwarded_for.iter().copied(), &trusted)
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        assert_eq!(client("203.0.113.9", &["for=8.8.8.8"], &["8.8.8.8"]), ip("203.0.113.9"));
    }

    #[test]
    fn the_walk_is_from_the_right_to_the_first_untrusted_hop() {
        assert_eq!(client("10.0.0.1", &[], &["1.1.1.1, 203.0.113.9, 10.0.0.7"]), ip("203.0.113.9"));
        assert_eq!(
            client("10.0.0.1", &[], &["1.1.1.1", "203.0.113.9", "10.0.0.7"]),
            ip("203.0.113.9")
        );
        assert_eq!(client("::ffff:10.0.0.1", &[], &["::ffff:203.0.113.9"]), ip("203.0.113.9"));
        assert_eq!(client("10.0.0.1", &[], &["10.0.0.3,10.0.0.2"]), ip("10.0.0.3"));
        assert_eq!(client("10.0.0.1", &[], &["", " , ,"]), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &[], &[]), ip("10.0.0.1"));
    }

    #[test]
    fn addresses_come_in_every_spelling_of_rfc_7239() {
        for (element, wanted) in [
            ("for=192.0.2.60;proto=http;by=203.0.113.43", "192.0.2.60"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; FOR=\"192.0.2.43:47011\"", "192.0.2.43"),
            ("host=\"a,b;for=9.9.9.9\";for=192.0.2.43", "192.0.2.43"),
            ("for=\"192.0.2.43:_port\"", "192.0.2.43"),
            ("for=192.0.2.43, for=\"[::ffff:10.1.1.1]\"", "192.0.2.43"),
        ] {
            assert_eq!(client("::1", &[element], &[]), ip(wanted), "{element}");
        }
        for (element, wanted) in [
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("1.2.3.4:80", "1.2.3.4"),
        ] {
            assert_eq!(client("::1", &[], &[element]), ip(wanted), "{element}");
        }
    }

    #[test]
    fn a_hop_without_an_address_ends_the_walk_at_the_trusted_one_before() {
        for element in [
            "for=unknown",
            "for=_hidden",
            "proto=https",
            "for=1.2.3.4;for=5.6.7.8",
            "for=\"1.2.3.4",
            "for=\"[2001:db8::1\"",
            "for=1.2.3",
            "\"",
            "for=\"[::1]x\"",
        ] {
            let value = format!("for=1.1.1.1, {element}, for=10.0.0.9");
            assert_eq!(client("127.0.0.1", &[&value], &[]), ip("10.0.0.9"), "{element}");
        }
    }

    #[test]
    fn what_a_client_writes_cannot_change_what_its_proxy_wrote() {
        for spoof in ["for=\"", "for=\"9.9.9.9", "\\\"", ",,,\"", "for=9.9.9.9;host=\""] {
            let value = format!("{spoof}, for=203.0.113.9");
            assert_eq!(client("10.0.0.1", &[&value], &[]), ip("203.0.113.9"), "{spoof}");
        }
        // Behind a proxy that knows only one of the headers, the other is the client's own.
        assert_eq!(client("10.0.0.1", &["for=9.9.9.9"], &["203.0.113.9"]), ip("10.0.0.1"));
        assert_eq!(
            client("10.0.0.1", &["for=203.0.113.9"], &["203.0.113.9, 10.0.0.2"]),
            ip("203.0.113.9")
        );
    }

    #[test]
    fn hops_are_bounded_in_number_and_length() {
        let many = vec!["10.0.0.2"; 100_000].join(",");
        assert_eq!(client("10.0.0.1", &[], &[&many]), ip("10.0.0.2"));
        let far = format!("9.9.9.9{}", ",10.0.0.2".repeat(40));
        assert_eq!(client("10.0.0.1", &[], &[&far]), ip("10.0.0.2"));
        let long = format!("for=\"{}\"", "é".repeat(100_000));
        assert_eq!(client("10.0.0.1", &[&long], &[]), ip("10.0.0.1"));
    }

    #[test]
    fn a_bad_item_of_the_list_is_named() {
        let bad = "10.0.0.0/8, proxy.internal".parse::<TrustedProxies>().unwrap_err();
        assert!(
            bad.to_string().starts_with("`proxy.internal` is neither an address nor a network")
        );
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
        let mapped: TrustedProxies = "::ffff:10.0.0.0/104".parse().unwrap();
        assert!(mapped.contains(ip("10.9.9.9")) && !mapped.contains(ip("11.0.0.1")));
    }

    #[test]
    fn an_ipv6_client_is_counted_by_its_network() {
        assert_eq!(rate_key(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(rate_key(ip("::ffff:192.0.2.1")), ip("192.0.2.1"));
    }
}
