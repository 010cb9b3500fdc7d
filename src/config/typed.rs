//! Settings as typed: texts with their origins, later sources in place of earlier ones.
//!
//! Must not: judge values; that is `resolve`'s. Nothing here has `Debug`: it may hold secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::error::{Origin, Problem};
use super::setting::{Setting, did_you_mean};

/// A text and where it was typed.
#[derive(Clone)]
pub(super) struct Given {
    pub text: String,
    pub origin: Origin,
}

/// A setting of one site, only in the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SiteSetting {
    /// One key a line.
    ServerKeys,
    ServerKeysFile,
    IdentityKey,
    IdentityKeyFile,
}

impl SiteSetting {
    pub const ALL: [Self; 4] =
        [Self::ServerKeys, Self::ServerKeysFile, Self::IdentityKey, Self::IdentityKeyFile];

    pub const fn key(self) -> &'static str {
        match self {
            Self::ServerKeys => "server_keys",
            Self::ServerKeysFile => "server_keys_file",
            Self::IdentityKey => "identity_key",
            Self::IdentityKeyFile => "identity_key_file",
        }
    }

    pub const fn is_secret(self) -> bool {
        matches!(self, Self::ServerKeys | Self::IdentityKey)
    }
}

/// What one source says, or several merged.
#[derive(Default)]
pub(super) struct Typed {
    pub values: BTreeMap<Setting, Given>,
    pub admin_token: Option<Given>,
    pub sites: BTreeMap<String, BTreeMap<SiteSetting, Given>>,
}

impl Typed {
    /// Puts a later source over this one.
    pub fn overlay(&mut self, later: Self) {
        self.values.extend(later.values);
        self.admin_token = later.admin_token.or(self.admin_token.take());
        self.sites.extend(later.sites);
    }

    pub fn from_flags(flags: Vec<(Setting, String)>) -> Self {
        let values = flags.into_iter().map(|(setting, text)| {
            (setting, Given { text, origin: Origin::Flag(format!("--{}", setting.name())) })
        });
        Self { values: values.collect(), ..Self::default() }
    }

    /// Reads the variables that begin with `KOEKAKE_`. An empty one counts as unset, as in
    /// `KOEKAKE_DATA=${DATA:-}`. Foreign ones are left alone (Kubernetes makes some for a service
    /// named koekake), but one that looks mistyped is warned of.
    pub fn from_env(
        variables: &[(OsString, OsString)],
        problems: &mut Vec<Problem>,
        warnings: &mut Vec<String>,
    ) -> Self {
        let mut typed = Self::default();
        for (name, value) in variables {
            let Some(name) = name.to_str().filter(|name| name.starts_with("KOEKAKE_")) else {
                continue;
            };
            if value.is_empty() {
                continue;
            }
            let origin = Origin::Env(name.to_owned());
            let Some(value) = value.to_str() else {
                problems.push(Problem::new(origin, "is not UTF-8"));
                continue;
            };
            let given = Given { text: value.to_owned(), origin };
            let setting = Setting::ALL.into_iter().find(|setting| setting.variable() == name);
            match setting {
                Some(setting) => {
                    typed.values.insert(setting, given);
                }
                None if name == "KOEKAKE_ADMIN_TOKEN" => typed.admin_token = Some(given),
                None if name == CONFIG => {}
                None => {
                    let known = Setting::ALL.map(Setting::name);
                    let typed = name.trim_start_matches("KOEKAKE_").replace('_', "-");
                    if let Some(meant) = did_you_mean(&typed, known).and_then(Setting::from_name) {
                        let meant = meant.variable();
                        warnings.push(format!("{name} means nothing here: did you mean {meant}?"));
                    }
                }
            }
        }
        typed
    }
}

/// The variable that names the settings file.
pub(super) const CONFIG: &str = "KOEKAKE_CONFIG";
