//! The figures of a run, put into a document between two marks.

use std::fs;
use std::path::Path;

use tickpath_service::exit::{Context, ExitCode, ProcessError};

use crate::report::Report;

const BEGIN: &str = "<!-- chaos:begin -->\n";
const END: &str = "<!-- chaos:end -->";

/// Replaces what stands between the marks of `document` by the report in `json`.
///
/// # Errors
/// If one of them cannot be read, or there are no marks.
pub fn write(json: &Path, document: &Path) -> Result<(), ProcessError> {
    let name = |path: &Path| path.display().to_string();
    let report = fs::read(json).or_exit(ExitCode::BadInput, name(json))?;
    let report: Report = serde_json::from_slice(&report).or_exit(ExitCode::BadInput, name(json))?;
    let text = fs::read_to_string(document).or_exit(ExitCode::BadInput, name(document))?;
    let replaced = replace(&text, &report.to_markdown()).ok_or_else(|| {
        let message = format!("{} has no lines {} and {END}", document.display(), BEGIN.trim());
        ProcessError::message(ExitCode::BadInput, message)
    })?;
    fs::write(document, replaced).or_exit(ExitCode::Failed, name(document))
}

fn replace(text: &str, section: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{}\n\n{END}{after}", section.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let text = format!("a\n{BEGIN}old\n{END}\nb\n");
        assert_eq!(replace(&text, "new\n"), Some(format!("a\n{BEGIN}\nnew\n\n{END}\nb\n")));
        assert_eq!(replace("no marks", "new"), None);
    }
}
