//! Settings: which source wins, what is refused, and what people read then.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use koekake::config::{
    AdminLevel, ConfigError, Geoip, Loaded, LogFormat, Origin, Setting, Sources, load,
};

/// A folder of its own for one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("config").join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path
    }

    fn koekake(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
        command.current_dir(&self.0).args(arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KOEKAKE_") {
                command.env_remove(name);
            }
        }
        command.output().unwrap()
    }
}

#[cfg(unix)]
fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn chmod(_: &Path, _: u32) {}

fn sources(file: Option<&Path>, env: &[(&str, &str)], flags: &[(Setting, &str)]) -> Sources {
    Sources {
        file: file.map(Path::to_owned),
        environment: env.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        flags: flags.iter().map(|(setting, text)| (*setting, (*text).to_owned())).collect(),
    }
}

fn from_flags(flags: &[(Setting, &str)]) -> Result<Loaded, ConfigError> {
    load(sources(None, &[], flags))
}

/// What people read about a file with that text; the file's name without its folder.
fn complaint(name: &str, text: &str) -> String {
    let folder = Folder::new(name);
    let path = folder.write("koekake.toml", text);
    let error = load(sources(Some(&path), &[], &[])).expect_err("it is refused");
    error.to_string().replace(&format!("{}/", folder.0.display()), "")
}

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn without_any_source_the_contracts_defaults_hold() {
    let config = from_flags(&[]).unwrap().config;
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.rules, Path::new("rules"));
    assert_eq!(config.geoip, Geoip::Default("geoip".into()));
    assert_eq!(config.data.as_deref(), Some(Path::new("data")));
    assert_eq!(config.log_format, LogFormat::Text);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(20));
    let limit = config.rate_limit.unwrap();
    assert_eq!((limit.per_second.get(), limit.burst.get()), (100, 200));
    assert!(config.is_loopback_only() && !config.trust_event_time);
    assert!(config.memory_notice().contains("is kept in `data`"));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = Folder::new("order");
    let path = folder
        .write("koekake.toml", "listen = \"127.0.0.1:1\"\nworkers = 3\ntrust_event_time = true\n");
    let env = [("KOEKAKE_LISTEN", "127.0.0.1:2"), ("KOEKAKE_WORKERS", "4")];
    let flags = [(Setting::Listen, "127.0.0.1:3")];
    let config = load(sources(Some(&path), &env, &flags)).unwrap().config;
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.workers.get(), 4);
    assert!(config.trust_event_time);
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let config = load(sources(None, &[("KOEKAKE_LISTEN", "")], &[])).unwrap().config;
    assert_eq!(config.listen.port(), 8080);
}

#[test]
fn a_mistyped_variable_is_warned_of_and_a_foreign_one_is_not() {
    let env = [
        ("KOEKAKE_LISTN", "x"),
        ("KOEKAKE_LONG", "1"),
        ("KOEKAKE_PORT", "tcp://10.0.0.1:8080"),
        ("KOEKAKE_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    let warnings = load(sources(None, &env, &[])).unwrap().warnings;
    assert_eq!(warnings, ["KOEKAKE_LISTN means nothing here: did you mean KOEKAKE_LISTEN?"]);
}

#[test]
fn everything_wrong_in_a_file_is_told_at_once_with_its_place() {
    let text = "\
listem = \"127.0.0.1:80\"
admin-listen = \"127.0.0.1:81\"
  workers = 0
rate_limit = \"fast\"
admin_token = \"hunter2hunter2hunter2\"
cheese = 1

[sites.demo-shop]
server_key = \"x\"
";
    let complaint = complaint("everything", text);
    for expected in [
        "koekake.toml:1:1: unknown setting `listem`\n  help: did you mean `listen`?",
        "koekake.toml:2:1: unknown setting `admin-listen`\n  help: did you mean `admin_listen`?",
        "koekake.toml:3:13: `workers` is `0`, but must be a whole number from 1 to 1024",
        "koekake.toml:4:14: `rate_limit` is `fast`, but must be requests a second such as",
        "koekake.toml:5:1: unknown setting `admin_token`\n  help: put it into a file",
        "koekake.toml:6:1: unknown setting `cheese`\n  help: the settings are: listen,",
        "koekake.toml:9:1: unknown setting `server_key` of a site\n  help: did you mean `server_keys`?",
    ] {
        assert!(complaint.contains(expected), "{expected}\nis not in\n{complaint}");
    }
    assert!(!complaint.contains("hunter2"), "a secret in {complaint}");
}

#[test]
fn broken_toml_is_told_with_its_place_and_without_its_text() {
    let complaint = complaint("broken", "trust_event_time = true\nlisten = = \"hunter2\"\n");
    assert!(complaint.starts_with("koekake.toml:2:10: is not TOML here:"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn a_bad_value_names_the_variable_or_flag_it_came_from() {
    let env = [("KOEKAKE_TRUSTED_PROXIES", "10.0.0.0/8, proxy")];
    let flags = [(Setting::LogFormat, "xml"), (Setting::LogLevel, "verbose")];
    let complaint = load(sources(None, &env, &flags)).unwrap_err().to_string();
    assert!(complaint.contains("KOEKAKE_TRUSTED_PROXIES: `trusted_proxies` is"), "{complaint}");
    assert!(complaint.contains("not `proxy`"), "{complaint}");
    assert!(
        complaint.contains("--log-format: `log_format` is `xml`, but must be `text` or `json`")
    );
    assert!(complaint.contains("--log-level: `log_level` is `verbose`, but must be one of off,"));
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let error = load(sources(Some(Path::new("no-such.toml")), &[], &[])).unwrap_err();
    assert!(error.to_string().starts_with("--config: cannot read no-such.toml"), "{error}");
    assert_eq!(error.0[0].origin, Origin::Flag("--config".into()));
}

#[test]
fn values_read_as_documented() {
    let rate = |text: &str| {
        let limit = from_flags(&[(Setting::RateLimit, text)]).ok()?.config.rate_limit;
        Some(limit.map(|limit| (limit.per_second.get(), limit.burst.get())))
    };
    assert_eq!(rate("50"), Some(Some((50, 100))));
    assert_eq!(rate("50,burst=75"), Some(Some((50, 75))));
    assert_eq!(rate("50, burst=75"), Some(Some((50, 75))));
    assert_eq!(rate("off"), Some(None));
    for wrong in ["0", "-1", "50,75", "50,burst=0", "50/s", "", "99999999999"] {
        assert_eq!(rate(wrong), None, "{wrong}");
    }
    let wait = |text: &str| {
        let loaded = from_flags(&[(Setting::ShutdownTimeout, text)]);
        loaded.ok().map(|loaded| loaded.config.shutdown_timeout.as_millis())
    };
    assert_eq!(wait("1500ms"), Some(1_500));
    assert_eq!(wait("0s"), Some(0));
    assert_eq!(wait("2m"), Some(120_000));
    assert_eq!(
        (wait("20"), wait("2h"), wait("s"), wait("99999999999999999999s")),
        (None, None, None, None)
    );
    let listen = |text: &str| {
        let loaded = from_flags(&[(Setting::Listen, text)]);
        loaded.ok().map(|loaded| loaded.config.listen.to_string())
    };
    assert_eq!(listen("localhost:0").as_deref(), Some("127.0.0.1:0"));
    assert_eq!(listen("[::1]:80").as_deref(), Some("[::1]:80"));
    assert_eq!(
        (listen("8080"), listen("127.0.0.1"), listen("shop.example:80")),
        (None, None, None)
    );
    let proxies = [(Setting::TrustedProxies, "10.1.2.3/8, ::1,")];
    let config = from_flags(&proxies).unwrap().config;
    let shown: Vec<_> = config.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(from_flags(&[(Setting::Data, "none")]).unwrap().config.data, None);
    assert_eq!(from_flags(&[(Setting::Geoip, "none")]).unwrap().config.geoip, Geoip::Off);
    assert!(from_flags(&[(Setting::LogLevel, "info,koekake::store=debug")]).is_ok());
}

#[test]
fn event_time_is_trusted_only_on_loopback_or_with_an_admin_token() {
    let trust = |listen: &str, env: &[(&str, &str)], admin: Option<&str>| {
        let mut flags = vec![(Setting::TrustEventTime, "true"), (Setting::Listen, listen)];
        flags.extend(admin.map(|address| (Setting::AdminListen, address)));
        load(sources(None, env, &flags))
    };
    assert!(trust("127.0.0.1:0", &[], None).is_ok());
    assert!(trust("[::1]:0", &[], Some("127.0.0.2:0")).is_ok());
    assert!(trust("[::ffff:127.0.0.1]:0", &[], None).is_ok());
    assert!(trust("0.0.0.0:0", &[("KOEKAKE_ADMIN_TOKEN", TOKEN)], None).is_ok());
    for (listen, admin) in
        [("0.0.0.0:0", None), ("[::]:0", None), ("127.0.0.1:0", Some("192.0.2.1:9"))]
    {
        let error = trust(listen, &[], admin).unwrap_err().to_string();
        assert!(error.starts_with("--trust-event-time: lets callers say"), "{error}");
    }
}

#[test]
fn redis_is_refused_and_its_password_not_repeated() {
    let error = from_flags(&[(Setting::Store, "redis://:hunter2@redis:6379")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--store: Redis is not built into this version; `store` must be `memory`"
    );
}

#[test]
fn admin_tokens_have_levels() {
    let folder = Folder::new("tokens");
    let text = format!(
        "# ours\n\n{TOKEN}\nread-only look-{TOKEN}\nfull all-{TOKEN}\nsuffix-{TOKEN} read-only\n"
    );
    let path = folder.write("tokens", &text);
    let flags = [(Setting::AdminTokenFile, path.to_str().unwrap())];
    let env = [("KOEKAKE_ADMIN_TOKEN", "from-the-environment")];
    let loaded = load(sources(None, &env, &flags)).unwrap();
    let tokens = &loaded.config.admin_tokens;
    assert_eq!(tokens.level_of(TOKEN), Some(AdminLevel::Full));
    assert_eq!(tokens.level_of(&format!("look-{TOKEN}")), Some(AdminLevel::ReadOnly));
    assert_eq!(tokens.level_of(&format!("all-{TOKEN}")), Some(AdminLevel::Full));
    assert_eq!(tokens.level_of(&format!("suffix-{TOKEN}")), Some(AdminLevel::ReadOnly));
    assert_eq!(tokens.level_of("from-the-environment"), Some(AdminLevel::Full));
    assert_eq!(tokens.level_of("full"), None);
    assert_eq!(tokens.level_of(""), None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(!format!("{loaded:?}").contains(TOKEN), "Debug shows a token");
}

#[test]
fn bad_token_files_are_refused_line_by_line() {
    let folder = Folder::new("bad-tokens");
    let path = folder.write("tokens", &format!("short\nfull\n{TOKEN}\nread-only {TOKEN}\na b c\n"));
    let flags = [(Setting::AdminTokenFile, path.to_str().unwrap())];
    let error = load(sources(None, &[], &flags)).unwrap_err().to_string();
    for expected in [
        "tokens:1:1: has 5 characters, but needs at least 16\n  help: `openssl rand -hex 32`",
        "tokens:2:1: the token is missing after the level",
        "tokens:4:1: the same token is there twice",
        "tokens:5:1: a line is a token, `full TOKEN` or `read-only TOKEN`",
    ] {
        assert!(error.contains(expected), "{expected}\nis not in\n{error}");
    }
    assert!(!error.contains(TOKEN) && !error.contains("`short`"), "{error}");
    let empty = folder.write("empty", "# none yet\n");
    let flags = [(Setting::AdminTokenFile, empty.to_str().unwrap())];
    let error = load(sources(None, &[], &flags)).unwrap_err().to_string();
    assert!(error.contains("has no token in it"), "{error}");
    let env = [("KOEKAKE_ADMIN_TOKEN", "short")];
    let error = load(sources(None, &env, &[])).unwrap_err().to_string();
    assert!(error.starts_with("KOEKAKE_ADMIN_TOKEN: has 5 characters"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_token_file_that_all_can_read_is_warned_of() {
    let folder = Folder::new("open-tokens");
    let path = folder.write("tokens", TOKEN);
    chmod(&path, 0o644);
    let flags = [(Setting::AdminTokenFile, path.to_str().unwrap())];
    let warnings = load(sources(None, &[], &flags)).unwrap().warnings;
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("everybody on this machine can read it"), "{warnings:?}");
}

#[test]
fn secrets_of_sites_come_inline_or_from_files_beside_the_settings() {
    let folder = Folder::new("sites");
    folder.write("keys.txt", &format!("# shop\nshop-{TOKEN}\nother-{TOKEN}\n"));
    folder.write("identity.key", &format!("{TOKEN}\n"));
    let path = folder.write(
        "koekake.toml",
        &format!(
            "rules = \"my-rules\"\n[sites.demo-shop]\nserver_keys_file = \"keys.txt\"\n\
             identity_key_file = \"identity.key\"\n[sites.b]\nserver_keys = [\"b-{TOKEN}\"]\n"
        ),
    );
    let config = load(sources(Some(&path), &[], &[])).unwrap().config;
    assert_eq!(config.rules, folder.0.join("my-rules"));
    let shop = &config.sites["demo-shop"];
    assert!(shop.is_server_key(&format!("shop-{TOKEN}")));
    assert!(shop.is_server_key(&format!("other-{TOKEN}")));
    assert!(!shop.is_server_key(TOKEN));
    assert_eq!(shop.identity_key.as_ref().unwrap().expose(), TOKEN);
    assert!(config.sites["b"].is_server_key(&format!("b-{TOKEN}")));
    assert!(config.sites["b"].identity_key.is_none());
}

#[test]
fn bad_secrets_of_sites_are_told_without_showing_them() {
    let complaint = complaint(
        "bad-sites",
        "[sites.a]\nidentity_key = \"hunter2\"\nserver_keys = [\"hunter2\"]\n\
         [sites.b]\nidentity_key = \"x\"\nidentity_key_file = \"y\"\nserver_keys_file = \"gone\"\n",
    );
    for expected in [
        "koekake.toml:2:16: the identity key of `a` has 7 bytes, but a shared key needs at least 32",
        "koekake.toml:3:15: a server key of `a` has 7 characters, but needs at least 16",
        "koekake.toml:6:21: `sites.b` has both `identity_key` and `identity_key_file`",
        "koekake.toml:7:20: cannot read gone:",
    ] {
        assert!(complaint.contains(expected), "{expected}\nis not in\n{complaint}");
    }
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn print_config_shows_values_and_origins_and_hides_secrets() {
    let folder = Folder::new("print");
    let text = format!(
        "workers = 2\n[sites.demo-shop]\nidentity_key = \"{TOKEN}\"\nserver_keys = [\"k-{TOKEN}\"]\n"
    );
    folder.write("koekake.toml", &text);
    let flags = ["--listen", "127.0.0.1:0", "serve", "--print-config", "--log-format=json"];
    let output = folder.koekake(&flags);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let line = |start: &str| {
        let line = shown.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in\n{shown}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(line("listen"), ["listen", "=", "\"127.0.0.1:0\"", "#", "--listen"]);
    assert_eq!(line("workers"), ["workers", "=", "2", "#", "koekake.toml:1:11"]);
    assert_eq!(line("trust_event_time"), ["trust_event_time", "=", "false", "#", "default"]);
    assert!(shown.contains("# admin_listen is not set"), "{shown}");
    assert!(shown.contains("# sites.demo-shop.identity_key = (hidden)"), "{shown}");
    assert!(!shown.contains(TOKEN), "a secret in\n{shown}");
    // What is shown reads back as settings.
    assert!(shown.parse::<toml::Table>().is_ok(), "{shown}");

    let output = folder.koekake(&["--print-config", "--format", "json", "--trust-event-time"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["workers"]["value"], 2);
    assert_eq!(json["workers"]["origin"]["source"], "file");
    assert_eq!(json["workers"]["origin"]["line"], 1);
    assert_eq!(json["trust_event_time"]["value"], true);
    assert_eq!(json["trust_event_time"]["origin"]["name"], "--trust-event-time");
    assert_eq!(json["trusted_proxies"]["value"], serde_json::json!([]));
    assert!(!json.to_string().contains(TOKEN));
}

#[test]
fn the_command_answers_2_where_settings_are_wrong_and_0_for_help() {
    let folder = Folder::new("exit");
    let output = folder.koekake(&["--store", "redis://localhost"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--store: Redis is not built"));
    assert_eq!(folder.koekake(&["--cheese"]).status.code(), Some(2));
    let help = folder.koekake(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for setting in Setting::ALL {
        assert!(help.contains(&format!("--{}", setting.name())), "{help}");
    }
}
