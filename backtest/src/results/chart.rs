//! Charts of a run as SVG text that stands in the page: values over time, and where it traded.

use plotters::coord::Shift;
use plotters::prelude::*;
use tickpath_storage::archive::Date;

/// Text and axes; replaced by a variable of the page.
const INK: RGBColor = RGBColor(1, 1, 1);
/// Lines of the grid; replaced by a variable of the page.
const GRID: RGBColor = RGBColor(2, 2, 2);
const LINE: RGBColor = RGBColor(217, 72, 15);
const FALL: RGBColor = RGBColor(201, 42, 42);
const PRICE: RGBColor = RGBColor(134, 142, 150);
const BOUGHT: RGBColor = RGBColor(47, 158, 68);
const SOLD: RGBColor = RGBColor(156, 54, 181);
const SIZE: (u32, u32) = (960, 300);
/// Points of a line: two a pixel, so that a bucket's least and greatest both show.
const POINTS_MAX: usize = 1_900;
/// Marks of fills.
pub(super) const MARKS_MAX: usize = 2_000;

/// A time in ns since the Unix epoch, and a value.
pub(super) type At = (i64, f64);

/// What a line is.
#[derive(Clone, Copy)]
pub(super) enum Look {
    Equity,
    Drawdown,
    Price,
}

/// A fill to be marked.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub at: At,
    pub is_bought: bool,
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// A line over time with marks on it; `None` without two points.
///
/// # Errors
/// If it cannot be drawn.
pub(super) fn svg(points: &[At], look: Look, marks: &[Mark]) -> Result<Option<String>, Box<dyn std::error::Error>> {
    if points.len() < 2 {
        return Ok(None);
    }
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    draw(&root, &thin(points), look, marks)?;
    root.present()?;
    drop(root);
    let text = text.replace("#010101", "var(--ink)").replace("#020202", "var(--grid)");
    Ok(Some(text))
}

fn draw(root: &DrawingArea<SVGBackend<'_>, Shift>, points: &[At], look: Look, marks: &[Mark]) -> Drawn {
    let (first, last) = (points[0].0, points[points.len() - 1].0.max(points[0].0 + 1));
    let values = points
        .iter()
        .chain(marks.iter().map(|mark| &mark.at))
        .map(|point| point.1);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = ((high - low) * 0.05).max(high.abs() * 1e-6).max(1e-9);
    let label = ("sans-serif", 13).into_font().color(&INK);
    let mut chart = ChartBuilder::on(root)
        .margin(8)
        .margin_right(24)
        .x_label_area_size(26)
        .y_label_area_size(86)
        .build_cartesian_2d(first..last, low - room..high + room)?;
    let span = last - first;
    chart
        .configure_mesh()
        .axis_style(INK)
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(label)
        .x_labels(7)
        .x_label_formatter(&|at_ns| time(*at_ns, span))
        .y_labels(6)
        .y_label_formatter(&|value| number(*value, high - low + room, look))
        .draw()?;
    let style = match look {
        Look::Equity => LINE.stroke_width(2),
        Look::Drawdown => FALL.stroke_width(2),
        Look::Price => PRICE.stroke_width(1),
    };
    chart.draw_series(LineSeries::new(points.iter().copied(), style))?;
    let marks = thin_marks(marks);
    let of = |bought: bool| {
        marks
            .iter()
            .filter(move |mark| mark.is_bought == bought)
            .map(|mark| mark.at)
    };
    chart.draw_series(of(true).map(|at| TriangleMarker::new(at, 5, BOUGHT.filled())))?;
    // A triangle that points down: the library's has one direction, so a cross it is.
    chart.draw_series(of(false).map(|at| Cross::new(at, 4, SOLD.stroke_width(2))))?;
    Ok(())
}

/// The least and the greatest of each bucket, in order of time, so that no peak is lost.
fn thin(points: &[At]) -> Vec<At> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let buckets = points.chunks(points.len().div_ceil(POINTS_MAX / 2));
    let mut kept = Vec::with_capacity(POINTS_MAX + 2);
    kept.push(points[0]);
    for bucket in buckets {
        let by_value = |a: &&At, b: &&At| a.1.total_cmp(&b.1);
        if let (Some(least), Some(most)) = (bucket.iter().min_by(by_value), bucket.iter().max_by(by_value)) {
            let (earlier, later) = if least.0 <= most.0 {
                (least, most)
            } else {
                (most, least)
            };
            kept.push(*earlier);
            if later.0 > earlier.0 {
                kept.push(*later);
            }
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

fn thin_marks(marks: &[Mark]) -> Vec<Mark> {
    let step = marks.len().div_ceil(MARKS_MAX).max(1);
    marks.iter().step_by(step).copied().collect()
}

/// As exact as the span needs.
fn time(at_ns: i64, span_ns: i64) -> String {
    const DAY_NS: i64 = 86_400_000_000_000;
    let seconds = at_ns.rem_euclid(DAY_NS) / 1_000_000_000;
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let date = Date::of_ns(at_ns).to_string();
    match span_ns {
        span if span > 7 * DAY_NS => date,
        span if span > DAY_NS => format!("{} {hours:02}:{minutes:02}", &date[5.min(date.len())..]),
        span if span > DAY_NS / 24 => format!("{hours:02}:{minutes:02}"),
        _ => format!("{hours:02}:{minutes:02}:{:02}", seconds % 60),
    }
}

/// With as many decimals as tell the labels of a range apart.
fn number(value: f64, range: f64, look: Look) -> String {
    if matches!(look, Look::Drawdown) {
        let decimals = if range >= 0.05 {
            0
        } else if range >= 0.005 {
            1
        } else {
            3
        };
        return format!("{:.decimals$} %", value * 100.0);
    }
    let decimals = (1.0 - range.max(1e-9).log10()).ceil().clamp(0.0, 8.0) as usize;
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_peak_is_lost() {
        let mut points: Vec<At> = (0..100_000).map(|n| (n, 1.0)).collect();
        points[33_333].1 = 9.0;
        points[66_666].1 = -9.0;
        let thinned = thin(&points);
        assert!(thinned.len() <= POINTS_MAX + 2);
        assert!(thinned.contains(&(33_333, 9.0)) && thinned.contains(&(66_666, -9.0)));
        assert!(thinned.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    }

    #[test]
    fn a_chart_is_self_contained_and_repeats() {
        let points: Vec<At> = (0..50)
            .map(|n| (n * 1_000_000_000, f64::from(n as u32).sin()))
            .collect();
        let marks = [Mark {
            at: points[7],
            is_bought: true,
        }];
        let once = svg(&points, Look::Price, &marks).unwrap().unwrap();
        assert!(once.starts_with("<svg") && once.contains("var(--ink)") && !once.contains("href"));
        assert_eq!(svg(&points, Look::Price, &marks).unwrap().unwrap(), once);
        assert!(svg(&points[..1], Look::Equity, &[]).unwrap().is_none());
        let still = [(0, 5.0), (1, 5.0)];
        assert!(svg(&still, Look::Drawdown, &[]).unwrap().is_some());
    }

    #[test]
    fn labels_are_as_exact_as_they_need() {
        assert_eq!(time(3_661_000_000_000, 1_000_000_000), "01:01:01");
        assert_eq!(time(3_661_000_000_000, 30 * 86_400_000_000_000), "1970-01-01");
        assert_eq!(number(0.123, 0.5, Look::Drawdown), "12 %");
        assert_eq!(number(61_234.567_8, 10.0, Look::Price), "61235");
        assert_eq!(number(1.23456, 0.01, Look::Equity), "1.235");
    }
}
