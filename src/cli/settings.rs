//! Flags out of the table of settings, and settings out of flags, environment and file.
//!
//! Must not: judge values; `config` says what is wrong with them, in one voice for all sources.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::config::{ConfigError, Kind, Loaded, Setting, Sources, load};

/// The settings that stand in the arguments, as typed.
#[derive(Debug, Clone, Default)]
pub struct SettingsArguments {
    file: Option<PathBuf>,
    flags: Vec<(Setting, String)>,
}

impl SettingsArguments {
    /// These with others over them.
    pub fn then(mut self, later: Self) -> Self {
        self.flags.extend(later.flags);
        Self { file: later.file.or(self.file), flags: self.flags }
    }

    /// These with one more over them.
    pub fn with(mut self, setting: Setting, text: String) -> Self {
        self.flags.push((setting, text));
        self
    }

    /// Reads file and environment, and puts these over them.
    ///
    /// # Errors
    /// Everything that is wrong with any of them.
    pub fn load(self) -> Result<Loaded, ConfigError> {
        let environment = std::env::vars_os().collect();
        load(Sources { file: self.file, environment, flags: self.flags })
    }
}

const FILE: &str = "config";

impl clap::Args for SettingsArguments {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Read settings from this file [default: koekake.toml if it exists]");
        command.arg(file).args(Setting::ALL.map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn flag(setting: Setting) -> Arg {
    let spec = setting.spec();
    let mut arg = Arg::new(spec.name).long(spec.name).value_name(spec.value_name);
    arg = match spec.default.filter(|text| !text.is_empty()) {
        Some(default) => arg.help(format!("{} [default: {default}]", spec.help)),
        None => arg.help(spec.help),
    };
    match spec.kind {
        Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::List => arg.action(ArgAction::Append),
        Kind::Text | Kind::Path | Kind::Number => arg,
    }
}

impl clap::FromArgMatches for SettingsArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut arguments = Self::default();
        arguments.update_from_arg_matches(matches)?;
        Ok(arguments)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one(FILE).cloned().or(self.file.take());
        for setting in Setting::ALL {
            if let Some(texts) = matches.get_many::<String>(setting.name()) {
                let texts: Vec<&str> = texts.map(String::as_str).collect();
                self.flags.push((setting, texts.join(",")));
            }
        }
        Ok(())
    }
}
