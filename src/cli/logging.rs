//! Log lines: on standard error, for people or for programs.
//!
//! Must not: write to standard output; that is for what the command was asked for.

use std::io::{IsTerminal, stderr};

use anyhow::anyhow;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts the log. Once in a process.
pub fn start(config: &Config) -> anyhow::Result<()> {
    // The web server's own lines say nothing that ours do not, unless somebody asks for them.
    let filter = EnvFilter::try_new(format!("actix_server=warn,{}", config.log_level))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let started = match config.log_format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => {
            let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            lines.with_ansi(stderr().is_terminal() && !is_plain).try_init()
        }
    };
    started.map_err(|error| anyhow!("cannot start the log: {error}"))
}
