//! From an error to an exit code, once for all processes.

use std::error::Error;
use std::process;

use crate::logging;

/// What a process says to whoever started it. Stable: scripts and units depend on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Did what was asked.
    Ok = 0,
    /// Failed while working; starting it again may help.
    Failed = 1,
    /// The command line, the configuration or an input file is wrong; starting it again will not help.
    BadInput = 2,
    /// Something it needs is taken or absent: a port, the relay's socket, a venue's name at the relay.
    Unavailable = 3,
    /// A check found nothing that is broken, but something to look at.
    Warnings = 4,
    /// A check found something that is broken.
    Failures = 5,
}

/// An error of a whole process: what failed, with its cause chain, and the code to exit with.
#[derive(Debug)]
pub struct ProcessError {
    code: ExitCode,
    message: String,
}

impl ProcessError {
    /// A failure with the causes of `error` in its message.
    pub fn new(code: ExitCode, context: impl Into<String>, error: &(dyn Error + 'static)) -> ProcessError {
        let mut message = context.into();
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            if !message.ends_with(&text) {
                if !message.is_empty() {
                    message.push_str(": ");
                }
                message.push_str(&text);
            }
            next = cause.source();
        }
        ProcessError { code, message }
    }

    /// A failure that has no cause but itself.
    pub fn message(code: ExitCode, message: impl Into<String>) -> ProcessError {
        ProcessError {
            code,
            message: message.into(),
        }
    }

    /// A code for a command that has said everything already.
    #[must_use]
    pub fn silent(code: ExitCode) -> ProcessError {
        ProcessError::message(code, "")
    }

    /// The code to exit with.
    #[must_use]
    pub fn code(&self) -> ExitCode {
        self.code
    }
}

impl std::fmt::Display for ProcessError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ProcessError {}

/// Attaches a code and a context to the errors of a process.
pub trait Context<T> {
    /// On error: exit with `code`, saying `context` first.
    ///
    /// # Errors
    /// The [`ProcessError`] made of it.
    fn or_exit(self, code: ExitCode, context: impl Into<String>) -> Result<T, ProcessError>;
}

impl<T, E: Error + 'static> Context<T> for Result<T, E> {
    fn or_exit(self, code: ExitCode, context: impl Into<String>) -> Result<T, ProcessError> {
        self.map_err(|error| ProcessError::new(code, context, &error))
    }
}

/// Runs the body of a `main`, says its error on stderr, as JSON if the log is, and maps it to the exit code.
pub fn run(body: impl FnOnce() -> Result<(), ProcessError>) -> process::ExitCode {
    match body() {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(error) => {
            if !error.message.is_empty() {
                logging::last_words(&error.to_string());
            }
            process::ExitCode::from(error.code as u8)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer: {0}")]
        struct Outer(#[source] std::num::ParseIntError);
        let cause = "x".parse::<u8>().unwrap_err();
        let error = ProcessError::new(ExitCode::BadInput, "reading port", &Outer(cause));
        assert_eq!(error.to_string(), "reading port: outer: invalid digit found in string");
        assert_eq!(error.code(), ExitCode::BadInput);
    }
}
