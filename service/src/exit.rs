//! From an error to an exit code, once for all processes.

use std::error::Error;
use std::{io, process};

use rustix::io::Errno;

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
    /// A failure with the causes of `error` in its message. Where the host lacks something for now, [`ExitCode::BadInput`] becomes [`ExitCode::Failed`]:
    /// nothing is wrong with the input then, and service managers leave a process down after the former.
    pub fn new(code: ExitCode, context: impl Into<String>, error: &(dyn Error + 'static)) -> ProcessError {
        let code = match code {
            ExitCode::BadInput if is_shortage(error) => ExitCode::Failed,
            code => code,
        };
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

/// Whether descriptors, memory or room on a disk ran out, or the call has to be made again.
fn is_shortage(error: &(dyn Error + 'static)) -> bool {
    let errno = |cause: &(dyn Error + 'static)| match cause.downcast_ref::<io::Error>() {
        Some(cause) => Errno::from_io_error(cause),
        None => cause.downcast_ref::<Errno>().copied(),
    };
    const SHORTAGES: [Errno; 8] = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOMEM,
        Errno::NOSPC,
        Errno::DQUOT,
        Errno::NOBUFS,
        Errno::AGAIN,
        Errno::INTR,
    ];
    let mut next = Some(error);
    while let Some(cause) = next {
        if errno(cause).is_some_and(|errno| SHORTAGES.contains(&errno)) {
            return true;
        }
        next = cause.source();
    }
    false
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

    #[test]
    fn what_the_host_lacks_for_now_is_no_bad_input() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot read: {0}")]
        struct Reading(#[source] io::Error);
        let code = |errno: Errno| {
            let error = Reading(io::Error::from(errno));
            ProcessError::new(ExitCode::BadInput, "", &error).code()
        };
        assert_eq!(code(Errno::MFILE), ExitCode::Failed);
        assert_eq!(code(Errno::NOSPC), ExitCode::Failed);
        assert_eq!(code(Errno::NOENT), ExitCode::BadInput);
        assert_eq!(
            ProcessError::new(ExitCode::BadInput, "", &Errno::NOMEM).code(),
            ExitCode::Failed
        );
        assert_eq!(
            ProcessError::new(ExitCode::Unavailable, "", &Errno::MFILE).code(),
            ExitCode::Unavailable
        );
    }
}
