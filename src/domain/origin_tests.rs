//! Origins that get in, and those that only look like them.

use super::*;

fn set(patterns: &[&str]) -> OriginSet {
    OriginSet::of(patterns.iter().copied()).unwrap()
}

#[test]
fn who_gets_in() {
    let origins = set(&[
        "https://shop.example",
        "http://localhost:*",
        "https://*.brand.example",
        "https://*.stage.example:*",
        "https://例え.jp",
        "http://[::1]:*",
        "https://port.example:8443/",
        "HTTPS://Default.Example:443",
        "capacitor://localhost",
    ]);
    for origin in [
        "https://shop.example",
        "HTTPS://SHOP.EXAMPLE",
        "http://localhost",
        "http://localhost:3000",
        "https://www.brand.example",
        "https://a.b.brand.example",
        "https://x.stage.example:9000",
        "https://xn--r8jz45g.jp",
        "http://[::1]:8080",
        "http://[::1]",
        "https://port.example:8443",
        "https://default.example",
        "capacitor://localhost",
    ] {
        assert!(origins.allows(origin), "{origin} should get in");
    }
    for origin in [
        "null",
        "",
        "*",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil",
        "https://evil-shop.example",
        "https://evilshop.example",
        "https://www.shop.example",
        "https://shop.example/",
        "https://shop.example/path",
        "https://shop.example@evil.example",
        "https://evil.example/https://shop.example",
        "https://shop.example evil",
        "https://brand.example",
        "https://evilbrand.example",
        "https://.brand.example",
        "https://a..brand.example",
        "https://*.brand.example",
        "https://www.brand.example:8443",
        "https://www.brand.example.evil",
        "http://localhost.evil:80",
        "http://localhost:80@evil.example",
        "http://localhost:",
        "http://localhost:*",
        "http://localhost:99999",
        "http://localhost:+80",
        "http://localhost:080",
        "https://localhost:3000",
        "http://notlocalhost:3000",
        "http://[::1",
        "http://[::2]:8080",
        "//shop.example",
        "shop.example",
    ] {
        assert!(!origins.allows(origin), "{origin} should stay out");
    }
    assert!(!origins.allows(&format!("https://{}brand.example", "a.".repeat(5_000))));
}

#[test]
fn patterns_that_are_none_say_what_to_write() {
    for (pattern, words) in [
        ("*", "would let every page in"),
        ("null", "would let every page in"),
        ("https://*.com", "would let every page in"),
        ("shop.example", "write https://shop.example"),
        ("https://shop.example/shop", "only scheme, host and port count: https://shop.example"),
        ("https://user@shop.example", "is more than an origin"),
        ("https://shop.*", "a `*` may only stand"),
        ("https://a*.shop.example", "a `*` may only stand"),
        ("http*://shop.example", "a `*` may only stand"),
        ("https://", "no valid host or port"),
        ("https://shop.example:99999", "no valid host or port"),
        ("https://shop example", "no valid host or port"),
    ] {
        let error = OriginSet::default().add(pattern).unwrap_err().to_string();
        assert!(error.contains(words), "{pattern}: {error}");
    }
}
