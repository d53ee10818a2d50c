//! Frames on the relay's socket, the Hello first, and every message that a frame can hold.

use tickpath_transport::frame::{Frame, FrameDecoder, FrameError};
use tickpath_transport::message::{self, Hello, Refusal, Welcome, kind};

/// A peer's bytes, cut into reads by the first of them.
///
/// # Panics
/// If how the bytes were cut changes what they say, or a Hello that was read is written otherwise.
pub fn handshake(data: &[u8]) {
    let Some((cut, bytes)) = data.split_first() else { return };
    let (whole, pieces) = (frames(bytes, usize::MAX), frames(bytes, usize::from(*cut) + 1));
    assert_eq!(whole, pieces, "frames depend on how they arrive");
}

/// What the frames in `bytes` say, arriving `step` bytes at a time.
fn frames(bytes: &[u8], step: usize) -> (Vec<String>, Option<FrameError>) {
    let (mut decoder, mut told, mut rest) = (FrameDecoder::new(), Vec::new(), bytes);
    loop {
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => told.push(tell(frame)),
                Ok(None) => break,
                Err(error) => return (told, Some(error)),
            }
        }
        if rest.is_empty() {
            return (told, None);
        }
        let space = decoder.space();
        let len = rest.len().min(step).min(space.len());
        assert!(len > 0, "there is room, or a frame is whole");
        space[..len].copy_from_slice(&rest[..len]);
        decoder.filled(len);
        rest = &rest[len..];
    }
}

fn tell(frame: Frame<'_>) -> String {
    let payload = frame.payload;
    match frame.kind {
        kind::HELLO => {
            let hello = Hello::decode(payload);
            if let Ok(hello) = &hello {
                let mut again = Vec::new();
                hello.encode(&mut again);
                assert_eq!(
                    Hello::decode(&again[8..]).as_ref(),
                    Ok(hello),
                    "a Hello is written as it was read"
                );
            }
            format!("{hello:?}")
        }
        kind::WELCOME => format!("{:?}", Welcome::decode(payload)),
        kind::REFUSAL => format!("{:?}", Refusal::decode(payload)),
        kind::ROWS => format!("{:?}", message::rows(payload).map(|rows| rows.count())),
        kind::RECORDS => format!("{:?}", message::records(payload).map(|records| records.count())),
        kind::ENTRIES => format!(
            "{:?}",
            message::entries(payload).map(|(head, entries)| (head, entries.count()))
        ),
        kind::RUNS => format!("{:?}", message::runs(frame).map(|runs| runs.collect::<Vec<_>>())),
        _ => format!(
            "{} {:?}",
            frame.kind,
            message::numbers(frame).map(|numbers| numbers.count())
        ),
    }
}
