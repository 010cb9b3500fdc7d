//! Findings for programs.

use std::io::{self, Write};

use serde_json::json;

use super::Checked;
use crate::http::wire::rules::finding_json;

pub(super) fn write(checked: &[Checked], out: &mut impl Write) -> io::Result<()> {
    let sites: Vec<_> = checked
        .iter()
        .map(|Checked { report, set }| {
            json!({
                "site": &*report.key,
                "loads": report.is_loaded,
                "version": set.as_ref().map(|set| &*set.version),
                "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
                "notes": report.notes,
            })
        })
        .collect();
    writeln!(out, "{:#}", json!({ "sites": sites }))
}
