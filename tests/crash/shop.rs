//! The sites that the load visits: their rules, and the settings of the service.
//!
//! Must not: know what is asked of them.

use std::path::Path;

use jsonwebtoken::{EncodingKey, Header, encode};

/// What the shop's own server presents.
pub const SERVER_KEY: &str = "server-0123456789abcdef0123456789abcdef";
const IDENTITY_KEY: &str = "identity-0123456789abcdef0123456789abcdef";

/// The two sites: one with room for everybody, and one that only so many may be offered a prompt.
pub const SITES: [&str; 2] = ["shop", "kiosk"];
/// The most offers of the whole kiosk.
pub const KIOSK_LIMIT: usize = 15;
/// The most offers of the shop's rule `scarce`.
pub const SCARCE_LIMIT: usize = 10;

/// Pages on which something is offered, and one on which nothing is.
pub const PAGES: [&str; 4] = ["/offer", "/scarce", "/held", "/quiet"];

const SITE: &str = "
session: { timeout: 6h }
caps: { per_session: 1, cooldown: 24h, after_dismissal: 7d, after_acceptance: 30d }
goals:
  order: { event: order_completed, within: 7d }
";

/// Every page view of `/offer` is worth an offer; the fourth of a session is on any page but one.
const RULES: &str = "
rules:
  - id: scarce
    priority: 60
    when: [ { page.path: { under: /scarce } } ]
    limits: { per_day: 10 }
    prompt: { message: { en: There are few of these } }
  - id: held
    priority: 50
    when: [ { page.path: { under: /held } } ]
    holdout: 50%
    prompt: { message: { en: Half of you see this } }
  - id: welcome
    priority: 40
    when: [ { page.path: { under: /offer } } ]
    variants:
      - { id: a, weight: 50, prompt: { message: { en: Can I help } } }
      - { id: b, weight: 50, prompt: { message: { en: May I help } } }
  - id: reader
    priority: 30
    when: [ { not: { page.path: /quiet } }, { session.page_views: { at_least: 4 } } ]
    prompt: { message: { en: Still looking } }
";

/// Writes rules and settings into a folder.
pub fn furnish(folder: &Path) {
    for site in SITES {
        let home = folder.join("rules").join(site);
        std::fs::create_dir_all(&home).unwrap();
        let limits = if site == "kiosk" { "limits: { per_day: 15 }\n" } else { "" };
        let head = format!("name: {site}\norigins: [\"https://shop.example\"]\n");
        std::fs::write(home.join("site.yaml"), format!("{head}{SITE}{limits}")).unwrap();
        std::fs::write(home.join("rules.yaml"), RULES).unwrap();
    }
    let keys = SITES.map(|site| {
        format!(
            "[sites.{site}]\nserver_keys = [\"{SERVER_KEY}\"]\nidentity_key = \"{IDENTITY_KEY}\"\n"
        )
    });
    std::fs::write(folder.join("koekake.toml"), keys.concat()).unwrap();
}

/// What the shop's server says of who a visitor is; good until 2100.
pub fn identity_token(customer: &str) -> String {
    let claims = serde_json::json!({ "sub": customer, "exp": 4_102_444_800_u64 });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(IDENTITY_KEY.as_bytes())).unwrap()
}
