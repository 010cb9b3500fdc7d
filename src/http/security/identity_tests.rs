//! Identity tokens: the good ones, and the known attacks.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const RSA_PUBLIC: &str = include_str!("testdata/rsa.pub");
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const NOW_S: i64 = 1_800_000_000;

fn der(pem: &str) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem.trim().as_bytes()).unwrap().1
}

fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    encode(header, claims, key).unwrap()
}

fn hs256(claims: &Value) -> String {
    sign(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes()))
}

fn verify(token: &str) -> Identity {
    IdentityKey::parse(SECRET).unwrap().verify(token, "demo-shop", NOW)
}

fn good() -> Value {
    json!({ "sub": "customer-7", "exp": NOW_S + 300 })
}

/// Base64url without padding, for tokens that no library would make.
fn part(json: &Value) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in json.to_string().as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for n in 0..=chunk.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * n) & 63) as usize]));
        }
    }
    out
}

#[test]
fn each_kind_of_key_lets_its_own_tokens_in() {
    let known = Identity::Known("customer-7".into());
    let rsa = EncodingKey::from_rsa_der(&der(include_str!("testdata/rsa.key")));
    let ec = EncodingKey::from_ec_der(&der(include_str!("testdata/ec.key")));
    let ed = EncodingKey::from_ed_der(&der(include_str!("testdata/ed.key")));
    assert_eq!(verify(&hs256(&good())), known);
    for (public, algorithm, private) in [
        (RSA_PUBLIC, Algorithm::RS256, &rsa),
        (include_str!("testdata/rsa-pkcs1.pub"), Algorithm::RS256, &rsa),
        (include_str!("testdata/ec.pub"), Algorithm::ES256, &ec),
        (include_str!("testdata/ed.pub"), Algorithm::EdDSA, &ed),
    ] {
        let key = IdentityKey::parse(public).unwrap();
        let token = sign(&Header::new(algorithm), &good(), private);
        assert_eq!(key.verify(&token, "demo-shop", NOW), known, "{algorithm:?}");
        let other = hs256(&good());
        assert!(matches!(key.verify(&other, "demo-shop", NOW), Identity::Invalid(_)));
    }
    // Another algorithm of the same family is still another one.
    let token = sign(&Header::new(Algorithm::RS512), &good(), &rsa);
    let key = IdentityKey::parse(RSA_PUBLIC).unwrap();
    let wrong = Identity::Invalid("`alg` is not that of the site's key");
    assert_eq!(key.verify(&token, "demo-shop", NOW), wrong);
}

#[test]
fn a_token_without_a_signature_is_none() {
    for alg in ["none", "None", "NONE", ""] {
        let head = part(&json!({ "alg": alg, "typ": "JWT" }));
        for signature in ["", "AAAA"] {
            let token = format!("{head}.{}.{signature}", part(&good()));
            assert!(matches!(verify(&token), Identity::Invalid(_)), "{alg}");
        }
    }
    let token = hs256(&good());
    let unsigned = token.rsplit_once('.').unwrap().0;
    for token in [format!("{unsigned}."), unsigned.to_owned(), String::new(), "..".to_owned()] {
        assert!(matches!(verify(&token), Identity::Invalid(_)), "{token}");
    }
}

#[test]
fn the_public_key_is_no_secret() {
    let key = IdentityKey::parse(RSA_PUBLIC).unwrap();
    let spki = der(RSA_PUBLIC);
    let pkcs1 = der(include_str!("testdata/rsa-pkcs1.pub"));
    for secret in [RSA_PUBLIC.as_bytes(), RSA_PUBLIC.trim().as_bytes(), &spki, &pkcs1] {
        let token =
            sign(&Header::new(Algorithm::HS256), &good(), &EncodingKey::from_secret(secret));
        let wrong = Identity::Invalid("`alg` is not that of the site's key");
        assert_eq!(key.verify(&token, "demo-shop", NOW), wrong);
    }
}

#[test]
fn a_key_that_the_token_brings_along_does_not_count() {
    let mut header = Header::new(Algorithm::HS256);
    header.jku = Some("https://evil.example/keys".to_owned());
    header.kid = Some("../../dev/null".to_owned());
    let forged = sign(&header, &good(), &EncodingKey::from_secret(&[7; 32]));
    let wrong = Identity::Invalid("the signature does not fit the site's key");
    assert_eq!(verify(&forged), wrong);
    header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["exp".to_owned()]);
    let token = sign(&header, &good(), &EncodingKey::from_secret(SECRET.as_bytes()));
    assert!(matches!(verify(&token), Identity::Invalid(words) if words.contains("`crit`")));
}

#[test]
fn claims() {
    let known = || Identity::Known("c".into());
    let long = "x".repeat(257);
    for (claims, identity) in [
        (json!({ "sub": "c", "exp": NOW_S + 1 }), known()),
        (json!({ "sub": "c", "exp": NOW_S - 59 }), known()),
        (json!({ "sub": "c", "exp": NOW_S - 60 }), Identity::Expired),
        (json!({ "sub": "c", "exp": 0 }), Identity::Expired),
        (json!({ "sub": "c", "exp": NOW_S as f64 + 0.5 }), known()),
        (json!({ "sub": "c", "exp": 1e300 }), known()),
        (json!({ "sub": "c" }), Identity::Invalid("`exp` is required")),
        (json!({ "exp": NOW_S + 1 }), Identity::Invalid("`sub` is required")),
        (json!({ "sub": "", "exp": NOW_S + 1 }), Identity::Invalid("`sub` is required")),
        (
            json!({ "sub": long, "exp": NOW_S + 1 }),
            Identity::Invalid("`sub` may be at most 256 bytes long"),
        ),
        (
            json!({ "sub": 7, "exp": NOW_S + 1 }),
            Identity::Invalid("is not a JWT that the site's key could have signed"),
        ),
        (json!({ "sub": "c", "exp": NOW_S + 1, "nbf": NOW_S + 60 }), known()),
        (
            json!({ "sub": "c", "exp": NOW_S + 99, "nbf": NOW_S + 61 }),
            Identity::Invalid("`nbf` is in the future"),
        ),
        (json!({ "sub": "c", "exp": NOW_S + 1, "aud": "demo-shop" }), known()),
        (json!({ "sub": "c", "exp": NOW_S + 1, "aud": ["x", "demo-shop"] }), known()),
        (
            json!({ "sub": "c", "exp": NOW_S + 1, "aud": "other-shop" }),
            Identity::Invalid("`aud` is not this site's key"),
        ),
        (
            json!({ "sub": "c", "exp": NOW_S + 1, "aud": [] }),
            Identity::Invalid("`aud` is not this site's key"),
        ),
        (
            json!({ "sub": "c", "exp": 0, "aud": "other-shop" }),
            Identity::Invalid("`aud` is not this site's key"),
        ),
    ] {
        assert_eq!(verify(&hs256(&claims)), identity, "{claims}");
    }
}

#[test]
fn keys_that_should_not_be_used_are_refused() {
    let refused = |text: &str| IdentityKey::parse(text).unwrap_err();
    assert_eq!(refused("secret"), IdentityKeyError::ShortSecret(6));
    for private in [
        include_str!("testdata/rsa.key"),
        include_str!("testdata/ec.key"),
        include_str!("testdata/ed.key"),
    ] {
        assert_eq!(refused(private), IdentityKeyError::Private);
    }
    assert_eq!(refused(include_str!("testdata/p384.pub")), IdentityKeyError::Unsupported);
    assert!(matches!(refused("-----BEGIN PUBLIC KEY-----\nAAAA"), IdentityKeyError::Pem(_)));
    let key = format!("{:?}", IdentityKey::parse(SECRET).unwrap());
    assert_eq!(key, "IdentityKey([HS256])");
}

#[test]
fn one_key_takes_over_from_another() {
    let keys = [IdentityKey::parse(&"x".repeat(32)).unwrap(), IdentityKey::parse(SECRET).unwrap()];
    let known = Identity::Known("customer-7".into());
    assert_eq!(verify_any(&keys, &hs256(&good()), "demo-shop", NOW), known);
    let old = hs256(&json!({ "sub": "c", "exp": 0 }));
    assert_eq!(verify_any(&keys, &old, "demo-shop", NOW), Identity::Expired);
    assert!(matches!(verify_any(&[], &old, "demo-shop", NOW), Identity::Invalid(_)));
}
