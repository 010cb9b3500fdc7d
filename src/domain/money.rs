//! Amounts of money.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

/// A currency's ISO 4217 code, upper case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency([u8; 3]);

impl Currency {
    /// ISO 4217's code for transactions in no currency.
    pub const NONE: Self = Self(*b"XXX");

    /// Reads three ASCII letters of either case. Whether a site takes it is the site's to say.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(bytes.map(|b| b.to_ascii_uppercase())))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount in ten-thousandths of its currency's unit: exact for every currency of ISO 4217.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Amount(pub i64);

impl Amount {
    /// How many of ours make one unit.
    pub const SCALE: i64 = 10_000;

    /// Reads a plain decimal number ("129.90"). `None` for anything else, for more than four
    /// decimal places that matter, and beyond ±922 billion.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().parse::<Decimal>().ok()?;
        let scaled = number.checked_mul(Decimal::from(Self::SCALE))?;
        if scaled.fract().is_zero() { scaled.to_i64().map(Self) } else { None }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Decimal::new(self.0, 4).normalize())
    }
}

/// An amount with its currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what; `None` means the site's own currency.
    pub currency: Option<Currency>,
}
