//! Places that the database in use does not know: such a value is missing for every visitor.

use super::subject::{Found, Subject};
use crate::rules::model::{About, Note, PlaceFact};

pub(super) fn not_known(subject: &Subject<'_>, all: &mut Vec<Found>) {
    all.extend(subject.set.notes.iter().filter_map(|note| unknowable(subject, note)));
}

fn unknowable(subject: &Subject<'_>, note: &Note) -> Option<Found> {
    let About::Place(fact) = &note.about else { return None };
    let knows = subject.at.knows;
    let (is_known, what) = match fact {
        PlaceFact::Country => (knows.country, "countries"),
        PlaceFact::RegionCode => (knows.region_code, "codes of regions"),
        PlaceFact::RegionName => (knows.region_name, "names of regions"),
        PlaceFact::City => (knows.city, "cities"),
        PlaceFact::TimeZone => (knows.time_zone, "time zones"),
    };
    if is_known {
        return None;
    }
    let has: Vec<&str> = [
        (knows.country, "countries"),
        (knows.region_code || knows.region_name, "regions"),
        (knows.city, "cities"),
        (knows.time_zone, "time zones"),
    ]
    .into_iter()
    .filter_map(|(is_there, what)| is_there.then_some(what))
    .collect();
    let help = match fact {
        PlaceFact::RegionName if knows.region_code => {
            "write the region's code, like JP-13".to_owned()
        }
        PlaceFact::RegionCode if knows.region_name => "write the region's English name".to_owned(),
        _ if has.is_empty() => "there is no database in use; give one by --geoip".to_owned(),
        _ => format!("it knows {}; give another one by --geoip", has.join(", ")),
    };
    let message =
        format!("the database of places knows no {what}, so this is missing for every visitor");
    Some(Found::new(&note.source, note.span, message, help))
}
