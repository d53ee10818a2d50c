//! Which exit code a failed backtest has.

use std::error::Error;

use tickpath_backtest::results::WriteError;
use tickpath_backtest::source::SourceError;
use tickpath_service::exit::{ExitCode, ProcessError};

/// The error with the code that a script goes by: nearly all is wrong input, which trying again does not mend.
pub fn failure(error: &(dyn Error + 'static)) -> ProcessError {
    let is_of_machine = matches!(
        error.downcast_ref::<WriteError>(),
        Some(WriteError::Io { .. } | WriteError::Parquet { .. } | WriteError::Chart(_))
    ) || matches!(
        error.downcast_ref::<SourceError>(),
        Some(SourceError::Thread(_) | SourceError::ReaderDied(_))
    );
    let code = if is_of_machine {
        ExitCode::Failed
    } else {
        ExitCode::BadInput
    };
    ProcessError::new(code, "backtest", error)
}
