//! Percentiles as HdrHistogram's own tools print them, so that their plotter reads them.
//!
//! Four columns: value (in the measurement's unit), percentile from 0 to 1, how many values are at most that, and `1/(1-percentile)`.
//! <https://hdrhistogram.github.io/HdrHistogram/plotFiles.html> draws any number of such files over each other.

use std::fmt::Write;

use crate::samples::Samples;

/// Steps for each halving of the distance to 100 %, as the reference's default.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

/// The text of a `.hgrm` file.
#[must_use]
pub fn text(samples: &Samples) -> String {
    let histogram = samples.histogram();
    let scale = samples.scale();
    let mut text = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let mut total = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value = step.value_iterated_to().min(histogram.max()) as f64 * scale;
        let quantile = step.quantile_iterated_to();
        line(&mut text, format_args!("{value:12.3} {quantile:2.12} {total:10}"));
        if quantile < 1.0 {
            line(&mut text, format_args!(" {:14.2}", 1.0 / (1.0 - quantile)));
        }
        text.push('\n');
    }
    line(
        &mut text,
        format_args!(
            "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n#[Max     = {:12.3}, Total count    = {:12}]\n#[Buckets = {:12}, SubBuckets     = {:12}]\n",
            histogram.mean() * scale,
            histogram.stdev() * scale,
            histogram.max() as f64 * scale,
            histogram.len(),
            histogram.buckets(),
            // With three digits the reference needs 2,048 steps of size 1 at the low end.
            2048,
        ),
    );
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    text.write_fmt(arguments).expect("writing to a String cannot fail");
}
