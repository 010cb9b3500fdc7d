//! A visit that has whatever a prompt's texts ask for: to look at how they read.
//!
//! Must not: read a clock, or choose a language.

use std::sync::Arc;

use super::message::{self, Surroundings, Template};
use super::model::Site;
use super::sample::Sample;
use crate::domain::history::History;
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::time::Timestamp;
use crate::domain::visit::{AttributeValue, Cart, Place, Profile};

/// An ordinary visit in which those names have values.
#[must_use]
pub fn sample(site: &Site, uses: &[Arc<str>], language: &str, now: Timestamp) -> Sample {
    let mut sample = plain(site, language, now);
    let name = if language.starts_with("ja") { "愛子" } else { "Aiko" };
    sample.session.profile = Profile {
        name: Some(name.into()),
        time_zone: Some(site.time_zone),
        ..sample.session.profile
    };
    sample.history = History { sessions: 3, ..sample.history };
    sample.visit.place = Arc::new(Place {
        continent: Some("AS".into()),
        country: Some("JP".into()),
        region_code: Some("JP-26".into()),
        region_name: Some("Kyoto".into()),
        city: Some("Kyoto".into()),
        in_eu: Some(false),
        time_zone: Some(chrono_tz::Asia::Tokyo),
    });
    let currency = (site.currency != Currency::NONE).then_some(site.currency);
    let amount = Amount::parse("24000").unwrap_or(Amount(0));
    sample.session.cart = Some(Cart { value: Some(Money { amount, currency }), items: Some(2) });
    sample.page.title = Some(Arc::from(site.name.as_str()));
    for name in uses {
        if let Some(attribute) = name.strip_prefix("visitor.attributes.") {
            let value = AttributeValue::Text(attribute.into());
            sample.session.profile.attributes.0.push((attribute.into(), value));
        } else if let Some(parameter) = name.strip_prefix("page.query.") {
            // A name that no address can bear stays without a value.
            let _ = sample.change_url(|url| {
                url.query_pairs_mut().append_pair(parameter, parameter);
            });
        }
    }
    sample
}

/// The same visit of somebody of whom nothing is known but the language.
#[must_use]
pub fn plain(site: &Site, language: &str, now: Timestamp) -> Sample {
    let origin = site.origins.first().unwrap_or("https://shop.example");
    let mut sample = Sample::new(&site.key, origin, now);
    sample.session.profile.language = Some(language.into());
    sample
}

/// A text as that visitor reads it.
#[must_use]
pub fn write(site: &Site, template: &Template, sample: &Sample, language: &str) -> String {
    let surroundings = Surroundings {
        variables: &site.variables,
        hours: &site.hours,
        currency: (site.currency != Currency::NONE).then_some(site.currency),
        language,
    };
    template.render(&message::context(&sample.facts(), &surroundings))
}
