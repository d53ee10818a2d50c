//! Processes that are started while the host lacks something: they say what, and end with a code after which service managers start them again.

mod support;

use std::process::Stdio;

use support::{Pipeline, binary, stderr};

/// Programs, and how many descriptors each may have: too few for its configuration, its memory, its journal, its runtime.
const TOO_FEW: [(&str, &[u32]); 6] = [
    ("tickpath-relay", &[4, 5, 6]),
    ("tickpath-recorder", &[4, 5]),
    ("tickpath-bridge", &[4, 5, 6, 7, 8]),
    ("tickpath-engine", &[4, 5, 6]),
    ("tickpath-kill-watchdog", &[4]),
    ("tickpath-simulator", &[4, 5, 6, 7, 8]),
];

/// 2 is the code of a mistake in the configuration, after which no unit is started again; 101 is a panic's.
#[test]
fn without_descriptors_they_end_so_that_they_are_started_again() {
    let pipeline = Pipeline::new("");
    for (program, limits) in TOO_FEW {
        for limit in limits {
            // What the test itself was given is closed, or nothing would be left to load libraries with.
            let script =
                format!("exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n {limit}; exec \"$0\" --config \"$1\"");
            let output = std::process::Command::new("sh")
                .args(["-c", &script])
                .arg(binary(program))
                .arg(pipeline.config_path())
                .stdin(Stdio::null())
                .output()
                .expect("sh runs");
            let said = stderr(&output);
            let code = output.status.code();
            assert!(matches!(code, Some(1 | 3)), "{program} with {limit}: {code:?}: {said}");
            assert!(said.contains("os error 24"), "{program} with {limit}: {said}");
        }
    }
}
