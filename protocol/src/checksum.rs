//! Kraken's book checksum, which its collector checks and its simulator states.
//!
//! CRC-32 (IEEE) over the ten lowest asks, lowest first, then the ten highest bids, highest first; a level is its price and its size, each
//! as decimal text without point and leading zeros. That text is the mantissa in decimal, so the numbers need no formatting rule
//! of their own. Source: Kraken, "Spot WebSockets v2: book checksum"; the worked example there is the test below.

use crate::book::OrderBook;
use crate::decimal::{DecimalText, TEXT_LEN_MAX};
use crate::record::Side;

/// Levels a side that the checksum covers.
pub const CHECKSUM_DEPTH: usize = 10;

/// The checksum of the book as it stands.
#[must_use]
pub fn book_crc32(book: &OrderBook) -> u32 {
    let mut text = [0; TEXT_LEN_MAX * CHECKSUM_DEPTH * 4];
    let mut len = 0;
    for side in [Side::Ask, Side::Bid] {
        for level in book.levels(side).take(CHECKSUM_DEPTH) {
            for mantissa in [level.price, level.size] {
                let mut digits = [0; TEXT_LEN_MAX];
                let digits = DecimalText::new(mantissa, 0).write(&mut digits).as_bytes();
                text[len..len + digits.len()].copy_from_slice(digits);
                len += digits.len();
            }
        }
    }
    crc32fast::hash(&text[..len])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::parse;

    #[test]
    fn the_worked_example_of_the_document() {
        let asks = "45285.2,0.00100000 45286.4,1.54571953 45286.6,1.54571109 45289.6,1.54560911 45290.2,0.15890660 \
                    45291.8,1.54553491 45294.7,0.04454749 45296.1,0.35380000 45297.5,0.09945542 45299.5,0.18772827";
        let bids = "45283.5,0.10000000 45283.4,1.54582015 45282.1,0.10000000 45281.0,0.10000000 45280.3,1.54592586 \
                    45279.0,0.07990000 45277.6,0.03310103 45277.5,0.30000000 45277.3,1.54602737 45276.6,0.15445238";
        let mut book = OrderBook::new();
        for (side, levels) in [(Side::Ask, asks), (Side::Bid, bids)] {
            for level in levels.split(' ') {
                let (price, size) = level.split_once(',').unwrap();
                book.apply(
                    side,
                    parse(price.as_bytes(), 1).unwrap(),
                    parse(size.as_bytes(), 8).unwrap(),
                )
                .unwrap();
            }
        }
        assert_eq!(book_crc32(&book), 3_310_070_434);
        book.apply(Side::Ask, 500_000, 1).unwrap(); // an eleventh ask does not count
        assert_eq!(book_crc32(&book), 3_310_070_434);
        book.apply(Side::Bid, 452_766, 1).unwrap();
        assert_ne!(book_crc32(&book), 3_310_070_434);
    }
}
