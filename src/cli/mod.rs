//! The command line: verbs, what they share, and exit codes. One file for each verb.
//!
//! Must not: hold logic that a service or another verb would need too.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

mod backtest;
mod check;
mod data;
mod explain;
mod logging;
mod new;
mod preview;
mod schema;
mod serve;
mod settings;

/// Fine.
pub const EXIT_FINE: u8 = 0;
/// It ran, and found something to put right.
pub const EXIT_FINDINGS: u8 = 1;
/// It could not run; also what clap answers to arguments that make no sense.
pub const EXIT_COULD_NOT_RUN: u8 = 2;

/// Decides, for every page view, whether now is the moment to offer a visitor a chat.
#[derive(Debug, Parser)]
#[command(name = "koekake", version, after_help = AFTER_HELP)]
struct Arguments {
    #[command(flatten)]
    serve: serve::ServeArguments,
    #[command(subcommand)]
    verb: Option<Verb>,
}

const AFTER_HELP: &str = "Settings come from koekake.toml, then KOEKAKE_* variables, then flags: \
                          --admin-listen is also KOEKAKE_ADMIN_LISTEN, and admin_listen in the \
                          file. `koekake --print-config` shows each with where it came from.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the service; what a bare `koekake` does too
    Serve(serve::ServeArguments),
    /// Check rule files: everything that is wrong with them, and whether their examples hold
    Check(check::CheckArguments),
    /// Look at the data folder: stats, check, export, backup, erase
    Data(data::DataArguments),
    /// Begin a site or a rule
    New(new::NewArguments),
    /// Show prompts as visitors would read them
    Preview(preview::PreviewArguments),
    /// Write the JSON Schema of rule files, for editors
    Schema(schema::SchemaArguments),
    /// Explain why a prompt shows or does not: every rule with every condition
    Explain(explain::ExplainArguments),
    /// Try rules out on the traffic of a log: what they would have done, and what stopped them
    Backtest(backtest::BacktestArguments),
}

/// How output that programs may want is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing is left to tell where this cannot be told.
            let _ = error.print();
            let code = u8::try_from(error.exit_code()).unwrap_or(EXIT_COULD_NOT_RUN);
            return ExitCode::from(code);
        }
    };
    let result = match arguments.verb {
        None => serve::run(arguments.serve),
        Some(Verb::Serve(serve)) => serve::run(arguments.serve.then(serve)),
        Some(Verb::Check(check)) => check::run(check, arguments.serve.into_settings()),
        Some(Verb::Data(data)) => data::run(data, arguments.serve.into_settings()),
        Some(Verb::New(new)) => new::run(new, arguments.serve.into_settings()),
        Some(Verb::Preview(preview)) => preview::run(preview, arguments.serve.into_settings()),
        Some(Verb::Schema(schema)) => schema::run(&schema),
        Some(Verb::Backtest(backtest)) => backtest::run(backtest, arguments.serve.into_settings()),
        Some(Verb::Explain(explain)) => explain::run(explain, arguments.serve.into_settings()),
    };
    let code = result.unwrap_or_else(|error| {
        // Nothing is left to tell where this cannot be told.
        let _ = writeln!(std::io::stderr(), "{error:#}");
        EXIT_COULD_NOT_RUN
    });
    ExitCode::from(code)
}
