//! The command: arguments → `cli` → exit code. Must not: do anything else.

use std::process::ExitCode;

fn main() -> ExitCode {
    koekake::cli::main()
}
