//! Countries: their codes, English names, continents, and membership in the European Union.
//!
//! Codes are ISO 3166-1 alpha-2 as of 2026, and `XK`, which every location database uses for
//! Kosovo. Names are the common English ones. Continents are those of `GeoNames`, as in GeoLite2.
//!
//! Must not: know databases, addresses or rules.

/// A country of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country {
    /// ISO 3166-1 alpha-2, in capitals.
    pub code: &'static str,
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: &'static str,
    /// The common English name.
    pub name: &'static str,
}

/// The codes of continents with their English names.
pub const CONTINENTS: [(&str, &str); 7] = [
    ("AF", "Africa"),
    ("AN", "Antarctica"),
    ("AS", "Asia"),
    ("EU", "Europe"),
    ("NA", "North America"),
    ("OC", "Oceania"),
    ("SA", "South America"),
];

/// The members of the European Union since 2020-02-01, then the territories with codes of their
/// own where its treaties and law apply (TFEU article 355(1) and (4)). In order.
const IN_EU: [&str; 34] = [
    "AT", "AX", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GF", "GP", "GR", "HR",
    "HU", "IE", "IT", "LT", "LU", "LV", "MF", "MQ", "MT", "NL", "PL", "PT", "RE", "RO", "SE", "SI",
    "SK", "YT",
];

/// What people write for a country that is neither its code nor its name here.
const OTHER_NAMES: [(&str, &str); 26] = [
    ("America", "US"),
    ("Britain", "GB"),
    ("Burma", "MM"),
    ("Cabo Verde", "CV"),
    ("Czech Republic", "CZ"),
    ("Côte d'Ivoire", "CI"),
    ("Democratic Republic of the Congo", "CD"),
    ("East Timor", "TL"),
    ("EL", "GR"),
    ("England", "GB"),
    ("Great Britain", "GB"),
    ("Holland", "NL"),
    ("Hongkong", "HK"),
    ("Korea", "KR"),
    ("Macau", "MO"),
    ("Macedonia", "MK"),
    ("Republic of Korea", "KR"),
    ("Russian Federation", "RU"),
    ("Swaziland", "SZ"),
    ("The Netherlands", "NL"),
    ("Turkey", "TR"),
    ("UAE", "AE"),
    ("UK", "GB"),
    ("United States of America", "US"),
    ("USA", "US"),
    ("Viet Nam", "VN"),
];

/// Every country, in the order of the codes.
pub static ALL: [Country; 250] = [
    country("AD", "EU", "Andorra"),
    country("AE", "AS", "United Arab Emirates"),
    country("AF", "AS", "Afghanistan"),
    country("AG", "NA", "Antigua and Barbuda"),
    country("AI", "NA", "Anguilla"),
    country("AL", "EU", "Albania"),
    country("AM", "AS", "Armenia"),
    country("AO", "AF", "Angola"),
    country("AQ", "AN", "Antarctica"),
    country("AR", "SA", "Argentina"),
    country("AS", "OC", "American Samoa"),
    country("AT", "EU", "Austria"),
    country("AU", "OC", "Australia"),
    country("AW", "NA", "Aruba"),
    country("AX", "EU", "Åland Islands"),
    country("AZ", "AS", "Azerbaijan"),
    country("BA", "EU", "Bosnia and Herzegovina"),
    country("BB", "NA", "Barbados"),
    country("BD", "AS", "Bangladesh"),
    country("BE", "EU", "Belgium"),
    country("BF", "AF", "Burkina Faso"),
    country("BG", "EU", "Bulgaria"),
    country("BH", "AS", "Bahrain"),
    country("BI", "AF", "Burundi"),
    country("BJ", "AF", "Benin"),
    country("BL", "NA", "Saint Barthélemy"),
    country("BM", "NA", "Bermuda"),
    country("BN", "AS", "Brunei"),
    country("BO", "SA", "Bolivia"),
    country("BQ", "NA", "Caribbean Netherlands"),
    country("BR", "SA", "Brazil"),
    country("BS", "NA", "Bahamas"),
    country("BT", "AS", "Bhutan"),
    country("BV", "AN", "Bouvet Island"),
    country("BW", "AF", "Botswana"),
    country("BY", "EU", "Belarus"),
    country("BZ", "NA", "Belize"),
    country("CA", "NA", "Canada"),
    country("CC", "AS", "Cocos Islands"),
    country("CD", "AF", "DR Congo"),
    country("CF", "AF", "Central African Republic"),
    country("CG", "AF", "Republic of the Congo"),
    country("CH", "EU", "Switzerland"),
    country("CI", "AF", "Ivory Coast"),
    country("CK", "OC", "Cook Islands"),
    country("CL", "SA", "Chile"),
    country("CM", "AF", "Cameroon"),
    country("CN", "AS", "China"),
    country("CO", "SA", "Colombia"),
    country("CR", "NA", "Costa Rica"),
    country("CU", "NA", "Cuba"),
    country("CV", "AF", "Cape Verde"),
    country("CW", "NA", "Curaçao"),
    country("CX", "AS", "Christmas Island"),
    country("CY", "EU", "Cyprus"),
    country("CZ", "EU", "Czechia"),
    country("DE", "EU", "Germany"),
    country("DJ", "AF", "Djibouti"),
    country("DK", "EU", "Denmark"),
    country("DM", "NA", "Dominica"),
    country("DO", "NA", "Dominican Republic"),
    country("DZ", "AF", "Algeria"),
    country("EC", "SA", "Ecuador"),
    country("EE", "EU", "Estonia"),
    country("EG", "AF", "Egypt"),
    country("EH", "AF", "Western Sahara"),
    country("ER", "AF", "Eritrea"),
    country("ES", "EU", "Spain"),
    country("ET", "AF", "Ethiopia"),
    country("FI", "EU", "Finland"),
    country("FJ", "OC", "Fiji"),
    country("FK", "SA", "Falkland Islands"),
    country("FM", "OC", "Micronesia"),
    country("FO", "EU", "Faroe Islands"),
    country("FR", "EU", "France"),
    country("GA", "AF", "Gabon"),
    country("GB", "EU", "United Kingdom"),
    country("GD", "NA", "Grenada"),
    country("GE", "AS", "Georgia"),
    country("GF", "SA", "French Guiana"),
    country("GG", "EU", "Guernsey"),
    country("GH", "AF", "Ghana"),
    country("GI", "EU", "Gibraltar"),
    country("GL", "NA", "Greenland"),
    country("GM", "AF", "Gambia"),
    country("GN", "AF", "Guinea"),
    country("GP", "NA", "Guadeloupe"),
    country("GQ", "AF", "Equatorial Guinea"),
    country("GR", "EU", "Greece"),
    country("GS", "AN", "South Georgia and the South Sandwich Islands"),
    country("GT", "NA", "Guatemala"),
    country("GU", "OC", "Guam"),
    country("GW", "AF", "Guinea-Bissau"),
    country("GY", "SA", "Guyana"),
    country("HK", "AS", "Hong Kong"),
    country("HM", "AN", "Heard Island and McDonald Islands"),
    country("HN", "NA", "Honduras"),
    country("HR", "EU", "Croatia"),
    country("HT", "NA", "Haiti"),
    country("HU", "EU", "Hungary"),
    country("ID", "AS", "Indonesia"),
    country("IE", "EU", "Ireland"),
    country("IL", "AS", "Israel"),
    country("IM", "EU", "Isle of Man"),
    country("IN", "AS", "India"),
    country("IO", "AS", "British Indian Ocean Territory"),
    country("IQ", "AS", "Iraq"),
    country("IR", "AS", "Iran"),
    country("IS", "EU", "Iceland"),
    country("IT", "EU", "Italy"),
    country("JE", "EU", "Jersey"),
    country("JM", "NA", "Jamaica"),
    country("JO", "AS", "Jordan"),
    country("JP", "AS", "Japan"),
    country("KE", "AF", "Kenya"),
    country("KG", "AS", "Kyrgyzstan"),
    country("KH", "AS", "Cambodia"),
    country("KI", "OC", "Kiribati"),
    country("KM", "AF", "Comoros"),
    country("KN", "NA", "Saint Kitts and Nevis"),
    country("KP", "AS", "North Korea"),
    country("KR", "AS", "South Korea"),
    country("KW", "AS", "Kuwait"),
    country("KY", "NA", "Cayman Islands"),
    country("KZ", "AS", "Kazakhstan"),
    country("LA", "AS", "Laos"),
    country("LB", "AS", "Lebanon"),
    country("LC", "NA", "Saint Lucia"),
    country("LI", "EU", "Liechtenstein"),
    country("LK", "AS", "Sri Lanka"),
    country("LR", "AF", "Liberia"),
    country("LS", "AF", "Lesotho"),
    country("LT", "EU", "Lithuania"),
    country("LU", "EU", "Luxembourg"),
    country("LV", "EU", "Latvia"),
    country("LY", "AF", "Libya"),
    country("MA", "AF", "Morocco"),
    country("MC", "EU", "Monaco"),
    country("MD", "EU", "Moldova"),
    country("ME", "EU", "Montenegro"),
    country("MF", "NA", "Saint Martin"),
    country("MG", "AF", "Madagascar"),
    country("MH", "OC", "Marshall Islands"),
    country("MK", "EU", "North Macedonia"),
    country("ML", "AF", "Mali"),
    country("MM", "AS", "Myanmar"),
    country("MN", "AS", "Mongolia"),
    country("MO", "AS", "Macao"),
    country("MP", "OC", "Northern Mariana Islands"),
    country("MQ", "NA", "Martinique"),
    country("MR", "AF", "Mauritania"),
    country("MS", "NA", "Montserrat"),
    country("MT", "EU", "Malta"),
    country("MU", "AF", "Mauritius"),
    country("MV", "AS", "Maldives"),
    country("MW", "AF", "Malawi"),
    country("MX", "NA", "Mexico"),
    country("MY", "AS", "Malaysia"),
    country("MZ", "AF", "Mozambique"),
    country("NA", "AF", "Namibia"),
    country("NC", "OC", "New Caledonia"),
    country("NE", "AF", "Niger"),
    country("NF", "OC", "Norfolk Island"),
    country("NG", "AF", "Nigeria"),
    country("NI", "NA", "Nicaragua"),
    country("NL", "EU", "Netherlands"),
    country("NO", "EU", "Norway"),
    country("NP", "AS", "Nepal"),
    country("NR", "OC", "Nauru"),
    country("NU", "OC", "Niue"),
    country("NZ", "OC", "New Zealand"),
    country("OM", "AS", "Oman"),
    country("PA", "NA", "Panama"),
    country("PE", "SA", "Peru"),
    country("PF", "OC", "French Polynesia"),
    country("PG", "OC", "Papua New Guinea"),
    country("PH", "AS", "Philippines"),
    country("PK", "AS", "Pakistan"),
    country("PL", "EU", "Poland"),
    country("PM", "NA", "Saint Pierre and Miquelon"),
    country("PN", "OC", "Pitcairn"),
    country("PR", "NA", "Puerto Rico"),
    country("PS", "AS", "Palestine"),
    country("PT", "EU", "Portugal"),
    country("PW", "OC", "Palau"),
    country("PY", "SA", "Paraguay"),
    country("QA", "AS", "Qatar"),
    country("RE", "AF", "Réunion"),
    country("RO", "EU", "Romania"),
    country("RS", "EU", "Serbia"),
    country("RU", "EU", "Russia"),
    country("RW", "AF", "Rwanda"),
    country("SA", "AS", "Saudi Arabia"),
    country("SB", "OC", "Solomon Islands"),
    country("SC", "AF", "Seychelles"),
    country("SD", "AF", "Sudan"),
    country("SE", "EU", "Sweden"),
    country("SG", "AS", "Singapore"),
    country("SH", "AF", "Saint Helena"),
    country("SI", "EU", "Slovenia"),
    country("SJ", "EU", "Svalbard and Jan Mayen"),
    country("SK", "EU", "Slovakia"),
    country("SL", "AF", "Sierra Leone"),
    country("SM", "EU", "San Marino"),
    country("SN", "AF", "Senegal"),
    country("SO", "AF", "Somalia"),
    country("SR", "SA", "Suriname"),
    country("SS", "AF", "South Sudan"),
    country("ST", "AF", "Sao Tome and Principe"),
    country("SV", "NA", "El Salvador"),
    country("SX", "NA", "Sint Maarten"),
    country("SY", "AS", "Syria"),
    country("SZ", "AF", "Eswatini"),
    country("TC", "NA", "Turks and Caicos Islands"),
    country("TD", "AF", "Chad"),
    country("TF", "AN", "French Southern Territories"),
    country("TG", "AF", "Togo"),
    country("TH", "AS", "Thailand"),
    country("TJ", "AS", "Tajikistan"),
    country("TK", "OC", "Tokelau"),
    country("TL", "OC", "Timor-Leste"),
    country("TM", "AS", "Turkmenistan"),
    country("TN", "AF", "Tunisia"),
    country("TO", "OC", "Tonga"),
    country("TR", "AS", "Türkiye"),
    country("TT", "NA", "Trinidad and Tobago"),
    country("TV", "OC", "Tuvalu"),
    country("TW", "AS", "Taiwan"),
    country("TZ", "AF", "Tanzania"),
    country("UA", "EU", "Ukraine"),
    country("UG", "AF", "Uganda"),
    country("UM", "OC", "United States Minor Outlying Islands"),
    country("US", "NA", "United States"),
    country("UY", "SA", "Uruguay"),
    country("UZ", "AS", "Uzbekistan"),
    country("VA", "EU", "Vatican City"),
    country("VC", "NA", "Saint Vincent and the Grenadines"),
    country("VE", "SA", "Venezuela"),
    country("VG", "NA", "British Virgin Islands"),
    country("VI", "NA", "U.S. Virgin Islands"),
    country("VN", "AS", "Vietnam"),
    country("VU", "OC", "Vanuatu"),
    country("WF", "OC", "Wallis and Futuna"),
    country("WS", "OC", "Samoa"),
    country("XK", "EU", "Kosovo"),
    country("YE", "AS", "Yemen"),
    country("YT", "AF", "Mayotte"),
    country("ZA", "AF", "South Africa"),
    country("ZM", "AF", "Zambia"),
    country("ZW", "AF", "Zimbabwe"),
];

const fn country(code: &'static str, continent: &'static str, name: &'static str) -> Country {
    Country { code, continent, name }
}

/// The country of that code, in any case.
#[must_use]
pub fn find(code: &str) -> Option<&'static Country> {
    if code.len() != 2 {
        return None;
    }
    let code = code.to_ascii_uppercase();
    ALL.binary_search_by_key(&code.as_str(), |country| country.code).ok().and_then(|at| ALL.get(at))
}

/// Whether there is a country of that code, in any case.
#[must_use]
pub fn is_country(code: &str) -> bool {
    find(code).is_some()
}

/// The code of a country's continent.
#[must_use]
pub fn continent(code: &str) -> Option<&'static str> {
    find(code).map(|country| country.continent)
}

/// Whether the law of the European Union applies there; `None` for a code that is not known.
#[must_use]
pub fn in_eu(code: &str) -> Option<bool> {
    find(code).map(|country| IN_EU.binary_search(&country.code).is_ok())
}

/// The common English name.
#[must_use]
pub fn name(code: &str) -> Option<&'static str> {
    find(code).map(|country| country.name)
}

/// The country that goes by that English name, or another that people use for it, in any case.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Country> {
    let name = name.trim().to_lowercase();
    let is_meant = |other: &str| other.to_lowercase() == name;
    ALL.iter().find(|country| is_meant(country.name)).or_else(|| {
        OTHER_NAMES.iter().find(|(other, _)| is_meant(other)).and_then(|(_, code)| find(code))
    })
}

/// The code of the continent that goes by that English name, in any case.
#[must_use]
pub fn continent_by_name(name: &str) -> Option<&'static str> {
    let name = name.trim();
    CONTINENTS.iter().find(|(_, other)| other.eq_ignore_ascii_case(name)).map(|(code, _)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_in_order_and_complete() {
        assert!(ALL.is_sorted_by(|a, b| a.code < b.code));
        assert!(IN_EU.is_sorted());
        for country in &ALL {
            assert!(CONTINENTS.iter().any(|(code, _)| *code == country.continent), "{country:?}");
        }
        assert!(
            IN_EU.iter().chain(OTHER_NAMES.iter().map(|(_, code)| code)).all(|c| is_country(c))
        );
    }

    #[test]
    fn a_country_tells_its_continent_and_union() {
        assert_eq!(continent("jp"), Some("AS"));
        assert_eq!((in_eu("DE"), in_eu("GB"), in_eu("ZZ")), (Some(true), Some(false), None));
        assert_eq!((is_country("A1"), is_country("日"), is_country("")), (false, false, false));
    }

    #[test]
    fn a_name_leads_to_the_code() {
        assert_eq!(by_name("japan").map(|country| country.code), Some("JP"));
        assert_eq!(by_name(" UK").map(|country| country.code), Some("GB"));
        assert_eq!(by_name("TÜRKIYE").map(|country| country.code), Some("TR"));
        assert_eq!(continent_by_name("south america"), Some("SA"));
    }
}
