//! The table of settings: each one's name, default and help, for file, environment and flags.
//!
//! Must not: read any of them.

/// A setting of the service. One table for all three sources, so that they cannot drift apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Where the public listener listens.
    Listen,
    /// Where a listener of its own serves the admin routes.
    AdminListen,
    /// The file of admin tokens.
    AdminTokenFile,
    /// The folder of rules.
    Rules,
    /// The place database.
    Geoip,
    /// The folder for what must outlive the process.
    Data,
    /// Where sessions live.
    Store,
    /// Whose forwarded addresses count.
    TrustedProxies,
    /// Whether `event.at` counts.
    TrustEventTime,
    /// How many requests one address may make.
    RateLimit,
    /// How log lines are written.
    LogFormat,
    /// Which log lines are written.
    LogLevel,
    /// How many threads answer requests.
    Workers,
    /// The most sessions in memory.
    MaxSessions,
    /// The most visitors in memory.
    MaxVisitors,
    /// How long page views may wait to be written.
    WriteBehind,
    /// How long visitors are remembered.
    VisitorRetention,
    /// How long offers are remembered for what becomes of them.
    OutcomeRetention,
    /// How long a shutdown waits for what is in flight.
    ShutdownTimeout,
}

/// What a setting's value looks like in `koekake.toml` and in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Quoted text.
    Text,
    /// A path; in a file it is relative to that file's folder.
    Path,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Switch,
    /// Texts; separated by commas in the environment and in flags.
    List,
}

/// What is to be known of a setting.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its flag without the dashes.
    pub name: &'static str,
    /// What its value looks like.
    pub kind: Kind,
    /// Its default as one would type it; `None` where unset means something of its own.
    pub default: Option<&'static str>,
    /// How `--help` names the value.
    pub value_name: &'static str,
    /// One line for `--help`.
    pub help: &'static str,
}

impl Setting {
    /// Every setting, in the order in which they are shown.
    pub const ALL: [Self; 19] = [
        Self::Listen,
        Self::AdminListen,
        Self::AdminTokenFile,
        Self::Rules,
        Self::Geoip,
        Self::Data,
        Self::Store,
        Self::TrustedProxies,
        Self::TrustEventTime,
        Self::RateLimit,
        Self::LogFormat,
        Self::LogLevel,
        Self::Workers,
        Self::MaxSessions,
        Self::MaxVisitors,
        Self::WriteBehind,
        Self::VisitorRetention,
        Self::OutcomeRetention,
        Self::ShutdownTimeout,
    ];

    /// Its flag without the dashes: `admin-listen`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// Its key in `koekake.toml`: `admin_listen`.
    #[must_use]
    pub fn key(self) -> String {
        self.name().replace('-', "_")
    }

    /// Its variable: `KOEKAKE_ADMIN_LISTEN`.
    #[must_use]
    pub fn variable(self) -> String {
        format!("KOEKAKE_{}", self.key().to_uppercase())
    }

    /// Its row of the table.
    #[must_use]
    pub const fn spec(self) -> Spec {
        use Kind::{List, Number, Path, Switch, Text};
        let (name, kind, default, value_name, help) = match self {
            Self::Listen => {
                let help = "Listen here; port 0 picks a free one";
                ("listen", Text, Some("127.0.0.1:8080"), "ADDRESS:PORT", help)
            }
            Self::AdminListen => {
                let help = "Serve the admin routes on a listener of their own";
                ("admin-listen", Text, None, "ADDRESS:PORT", help)
            }
            Self::AdminTokenFile => {
                let help = "Admin tokens, one a line: `full TOKEN` or `read-only TOKEN`";
                ("admin-token-file", Path, None, "FILE", help)
            }
            Self::Rules => ("rules", Path, Some("rules"), "FOLDER", "The sites and their rules"),
            Self::Geoip => {
                let help =
                    "An .mmdb file, a folder with one, or `none` [default: what is in geoip/]";
                ("geoip", Path, None, "PATH", help)
            }
            Self::Data => {
                let help = "Folder for what must outlive the process, or `none` to keep \
                            everything in memory";
                ("data", Path, Some("data"), "FOLDER", help)
            }
            Self::Store => {
                ("store", Text, Some("memory"), "STORE", "Where sessions live: `memory`")
            }
            Self::TrustedProxies => {
                let help = "Addresses and networks whose word on the client's address counts";
                ("trusted-proxies", List, Some(""), "LIST", help)
            }
            Self::TrustEventTime => {
                let help = "Let callers say when an event was (tests, replays); only on loopback \
                            or with an admin token";
                ("trust-event-time", Switch, Some("false"), "BOOL", help)
            }
            Self::RateLimit => {
                let help = "Requests a second for one address: `50`, `50,burst=100`, or `off`; \
                            the burst is twice the rate unless given";
                ("rate-limit", Text, Some("100,burst=200"), "RATE", help)
            }
            Self::LogFormat => {
                ("log-format", Text, Some("text"), "FORMAT", "Log lines as `text` or `json`")
            }
            Self::LogLevel => {
                let help = "`off`, `error`, `warn`, `info`, `debug` or `trace`, also for one \
                            part: `info,koekake::store=debug`";
                ("log-level", Text, Some("info"), "LEVEL", help)
            }
            Self::Workers => {
                let help = "Threads that answer requests [default: one for each core]";
                ("workers", Number, None, "N", help)
            }
            Self::MaxSessions => {
                ("max-sessions", Number, Some("500000"), "N", "The most sessions in memory")
            }
            Self::MaxVisitors => {
                ("max-visitors", Number, Some("1000000"), "N", "The most visitors in memory")
            }
            Self::WriteBehind => {
                let help = "How long page views may wait to be written: what a crash may lose. \
                            Prompts and what becomes of them never wait";
                ("write-behind", Text, Some("2s"), "TIME", help)
            }
            Self::VisitorRetention => {
                let help = "How long visitors are remembered after their last visit or prompt";
                ("visitor-retention", Text, Some("400d"), "TIME", help)
            }
            Self::OutcomeRetention => {
                let help = "How long prompts are remembered for what becomes of them; a goal's \
                            `within` never reaches further";
                ("outcome-retention", Text, Some("90d"), "TIME", help)
            }
            Self::ShutdownTimeout => {
                let help = "How long a shutdown waits for requests in flight";
                ("shutdown-timeout", Text, Some("20s"), "TIME", help)
            }
        };
        Spec { name, kind, default, value_name, help }
    }

    /// The setting with that flag, without the dashes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name)
    }

    /// The setting with that key of `koekake.toml`.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.key() == key)
    }
}

/// The one of `known` that was probably meant by `typed`: at most a third of it is mistyped.
#[must_use]
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&plain(typed), &plain(name)), name))
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .min()
        .map(|(_, name)| name)
}
