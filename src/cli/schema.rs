//! `koekake schema`: the JSON Schema of rule files, for editors.
//!
//! Must not: describe a key itself; the rules room does, from its own tables.

use std::io::Write;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::EXIT_FINE;
use crate::rules::schema;

/// What may stand after `koekake schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArguments {
    /// Which files it describes
    #[arg(value_enum, default_value_t)]
    of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum SchemaOf {
    /// `site.yaml`
    Site,
    /// Every other file of a site
    #[default]
    Rules,
}

/// Writes it to standard output.
pub fn run(arguments: &SchemaArguments) -> anyhow::Result<u8> {
    let schema = match arguments.of {
        SchemaOf::Site => schema::site(),
        SchemaOf::Rules => schema::rules(),
    };
    match writeln!(std::io::stdout(), "{schema:#}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the schema")?,
    }
    Ok(EXIT_FINE)
}
