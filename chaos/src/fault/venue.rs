//! What venues do wrong: commands to the simulator's `POST /control/fault`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::dice::Dice;

const ANSWER_LIMIT: Duration = Duration::from_millis(500);
const VENUES: [&str; 4] = ["kraken", "coinbase", "binance", "alpaca"];
/// The name of the fault with its keys, without venue and braces. `@` becomes a number from 1 to 9.
const FAULTS: [&str; 17] = [
    r#""disconnect""#,
    r#""disconnect","close_frame":true"#,
    r#""gap","n":@"#,
    r#""reorder","n":@"#,
    r#""duplicate","n":@"#,
    r#""bad_checksum","n":@"#,
    r#""garbage","kind":"not_utf8""#,
    r#""garbage","kind":"truncated","n":@"#,
    r#""garbage","kind":"random","n":@"#,
    r#""garbage","kind":"deep""#,
    r#""garbage","kind":"huge_number","n":@"#,
    r#""garbage","kind":"wrong_types","n":@"#,
    r#""garbage","kind":"empty","n":@"#,
    r#""oversized","bytes":@000000"#,
    r#""stall","ms":@00"#,
    r#""slow_handshake","ms":@00,"n":2"#,
    r#""http_429","n":@"#,
];

/// Orders one; what it was, or nothing if the simulator is not there to do it.
pub fn inject(simulator: SocketAddr, dice: &mut Dice) -> Option<String> {
    let (venue, fault) = (dice.pick(&VENUES)?, dice.pick(&FAULTS)?);
    let number = dice.between(1, 9).to_string();
    let fault = fault.replace('@', &number);
    let body = format!(r#"{{"venue":"{venue}","fault":{fault}}}"#);
    let answer = post(simulator, "/control/fault", &body).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(body)
}

fn post(address: SocketAddr, path: &str, body: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
    stream.set_read_timeout(Some(ANSWER_LIMIT))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
