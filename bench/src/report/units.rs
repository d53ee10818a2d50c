//! Figures as people read them.

/// A value with at most three digits before its unit: `48 ns`, `1.64 µs`; rates with a prefix, `21.4 M`.
#[must_use]
pub fn human(value: f64, unit: &str) -> String {
    match unit {
        "ns" => scaled(value, 1000.0, &["ns", "µs", "ms", "s"]),
        "bytes" => bytes(value),
        _ => scaled(value, 1000.0, &["", "k", "M", "G"]),
    }
}

/// The unit where [`human`] leaves it out.
#[must_use]
pub fn suffix(unit: &str) -> &str {
    match unit {
        "ns" | "bytes" => "",
        unit => unit,
    }
}

/// Bytes in powers of 1024.
#[must_use]
pub fn bytes(value: f64) -> String {
    scaled(value, 1024.0, &["B", "KiB", "MiB", "GiB"])
}

/// A ratio: `0.62 ×`, `3.4 ×`, `120 ×`.
#[must_use]
pub fn ratio(value: f64) -> String {
    format!("{} ×", digits(value))
}

/// Three digits that matter, and no more.
#[must_use]
pub fn digits(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 0.01 => format!("{value:.1e}"),
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Whole numbers below the first step stay whole.
fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut rank = 0;
    while value.abs() >= step * 0.9995 && rank + 1 < units.len() {
        value /= step;
        rank += 1;
    }
    let text = if rank == 0 && value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        digits(value)
    };
    format!("{text} {}", units[rank]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_three_digits() {
        let cases = [
            (48.0, "ns", "48 ns"),
            (0.5, "ns", "0.50 ns"),
            (1_636.0, "ns", "1.64 µs"),
            (999_999.0, "ns", "1.00 ms"),
            (21_400_000.0, "records/s", "21.4 M"),
            (999.0, "records/s", "999"),
            (0.0, "allocations/record", "0"),
            (0.000_3, "allocations/record", "3.0e-4"),
            (5_242_880.0, "bytes", "5.00 MiB"),
            (1_000.0, "bytes", "1000 B"),
        ];
        for (value, unit, expected) in cases {
            assert_eq!(human(value, unit), expected);
        }
        assert_eq!(ratio(0.624), "0.62 ×");
    }
}
