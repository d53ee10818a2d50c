//! Percentiles as a picture: to the right ever rarer values, upwards the time on a logarithmic axis; ours, floor and peers over each other.

use plotters::prelude::*;

use super::units::human;
use crate::context::{Result, Tried};
use crate::measurement::Measurement;
use crate::samples::Samples;

/// Text and axes; replaced by [`Palette`].
const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines of the grid; replaced by [`Palette`].
const GRID: RGBColor = RGBColor(2, 2, 2);
const OURS: RGBColor = RGBColor(217, 72, 15);
const FLOOR: RGBColor = RGBColor(134, 142, 150);
/// Peers; readable on white and on black.
const PEERS: [RGBColor; 6] = [
    RGBColor(28, 126, 214),
    RGBColor(47, 158, 68),
    RGBColor(156, 54, 181),
    RGBColor(12, 133, 153),
    RGBColor(230, 119, 0),
    RGBColor(214, 51, 108),
];
const SIZE: (u32, u32) = (760, 380);
/// Values that it takes to speak of percentiles.
const VALUES_MIN: u64 = 100;
/// Labels on the axis of time.
const STEPS_MAX: usize = 12;
/// Points on a curve for each halving of the distance to 100 %.
const TICKS_PER_HALF_DISTANCE: u32 = 16;

/// The colours of text and grid.
#[derive(Clone, Copy, Debug)]
pub enum Palette {
    /// For a file of its own: dark on white.
    Paper,
    /// Inside of the page, which has the variables `--ink` and `--grid`.
    Page,
}

/// A curve: its name, its colour, how bold it is, its values.
struct Curve<'a> {
    name: String,
    colour: RGBColor,
    width: u32,
    samples: &'a Samples,
}

/// The picture of a latency as SVG; `None` if it is none, or there are too few values.
///
/// # Errors
/// If it cannot be drawn.
pub fn svg(measurement: &Measurement, palette: Palette) -> Result<Option<String>> {
    if measurement.unit != "ns" || measurement.ours.summary().n < VALUES_MIN {
        return Ok(None);
    }
    let curves = curves(measurement);
    let mut text = String::new();
    draw(&mut text, &curves).tried(format!("the plot of {}", measurement.name))?;
    Ok(Some(coloured(&text, palette)))
}

fn curves(measurement: &Measurement) -> Vec<Curve<'_>> {
    let floor = measurement.floor.iter().map(|(name, samples)| Curve {
        name: format!("floor: {name}"),
        colour: FLOOR,
        width: 2,
        samples,
    });
    let peers = measurement.peers.iter().zip(PEERS.iter().cycle());
    let peers = peers.map(|((name, samples), colour)| Curve {
        name: name.clone(),
        colour: *colour,
        width: 2,
        samples,
    });
    let ours = Curve {
        name: "Tickpath".into(),
        colour: OURS,
        width: 3,
        samples: &measurement.ours,
    };
    let with_values = |curve: &Curve<'_>| curve.samples.summary().n >= VALUES_MIN;
    floor
        .chain(peers)
        .filter(with_values)
        .chain(std::iter::once(ours))
        .collect()
}

/// Of each percentile: how many nines it has, and the value in ns.
fn points(samples: &Samples) -> Vec<(f64, f64)> {
    let histogram = samples.histogram();
    let rarest = (histogram.len() as f64).log10();
    let steps = histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE);
    let points = steps.map(|step| {
        let nines = -(1.0 - step.quantile_iterated_to()).log10();
        let value = step.value_iterated_to().min(histogram.max()) as f64 * samples.scale();
        (nines.min(rarest), value.max(f64::MIN_POSITIVE))
    });
    points.collect()
}

fn draw(text: &mut String, curves: &[Curve<'_>]) -> std::result::Result<(), Box<dyn std::error::Error>> {
    let all: Vec<Vec<(f64, f64)>> = curves.iter().map(|curve| points(curve.samples)).collect();
    let every = || all.iter().flatten();
    let nines = every().map(|point| point.0).fold(2.0, f64::max);
    // A value below a nanosecond is a batch's share, and 0 has no place on a logarithmic axis.
    let least = every().map(|point| point.1).fold(f64::MAX, f64::min).max(0.1);
    let most = every().map(|point| point.1).fold(0.0, f64::max).max(least * 10.0);
    let (low, high) = (least * 0.8, most * 1.6);
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    let label = ("sans-serif", 15).into_font().color(&INK);
    let mut chart = ChartBuilder::on(&root)
        .margin(12)
        .margin_right(28)
        .x_label_area_size(34)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..nines, (low..high).log_scale().with_key_points(steps(low, high)))?;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(label.clone())
        .x_labels(nines.floor() as usize + 1)
        .x_label_formatter(&|nines| percentile(*nines))
        .y_labels(STEPS_MAX)
        .y_label_formatter(&|value| human(*value, "ns"))
        .draw()?;
    for (curve, points) in curves.iter().zip(all) {
        let style = curve.colour.stroke_width(curve.width);
        let visible = points.into_iter().map(|(nines, value)| (nines, value.max(least)));
        chart
            .draw_series(LineSeries::new(visible, style))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 22, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .margin(8)
        .legend_area_size(30)
        .label_font(label)
        .draw()?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(())
}

/// Round values of a logarithmic axis: 1, 2, 5, 10, …, or only powers of ten where those are too many.
fn steps(low: f64, high: f64) -> Vec<f64> {
    let rounds = |within: &[f64]| -> Vec<f64> {
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        let all = powers.flat_map(|power| within.iter().map(move |step| step * 10_f64.powi(power)));
        all.filter(|step| (low..=high).contains(step)).collect()
    };
    let fine = rounds(&[1.0, 2.0, 5.0]);
    if fine.len() <= STEPS_MAX { fine } else { rounds(&[1.0]) }
}

/// The percentile with so many nines, where that is a whole number.
fn percentile(nines: f64) -> String {
    let whole = nines.round();
    match whole as i32 {
        _ if (nines - whole).abs() > 0.01 => String::new(),
        0 => "0 %".into(),
        1 => "90 %".into(),
        2 => "99 %".into(),
        more => format!("99.{} %", "9".repeat(more as usize - 2)),
    }
}

fn coloured(svg: &str, palette: Palette) -> String {
    let (ink, grid) = match palette {
        Palette::Paper => ("#212529", "#dee2e6"),
        Palette::Page => ("var(--ink)", "var(--grid)"),
    };
    let svg = svg.replace("#010101", ink).replace("#020202", grid);
    match palette {
        Palette::Paper => svg.replacen('>', "><rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>", 1),
        Palette::Page => svg,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurement::Better;

    #[test]
    fn the_axis_names_percentiles() {
        let texts = [0.0, 1.0, 2.0, 3.0, 5.0, 1.5].map(percentile);
        assert_eq!(texts, ["0 %", "90 %", "99 %", "99.9 %", "99.999 %", ""]);
    }

    #[test]
    fn the_axis_of_time_has_round_steps() {
        assert_eq!(steps(30.0, 250.0), [50.0, 100.0, 200.0]);
        assert_eq!(steps(10.0, 1e6), [1e1, 1e2, 1e3, 1e4, 1e5, 1e6]);
    }

    #[test]
    fn latencies_are_drawn_and_rates_are_not() {
        let samples = || Samples::of(1..=1000);
        let latency = Measurement::new("a.latency", "ns", Better::Lower, samples()).peer("slow", samples());
        let svg = svg(&latency, Palette::Page).unwrap().unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("var(--ink)") && svg.contains("slow"));
        assert!(!svg.contains("#010101"));
        let rate = Measurement::new("a.rate", "records/s", Better::Higher, samples());
        assert!(super::svg(&rate, Palette::Paper).unwrap().is_none());
    }
}
