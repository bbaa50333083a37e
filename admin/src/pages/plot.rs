//! Bar charts as SVG from a template: no script, and a table for screen readers.

use usher_admin_engine::grouped;

/// One bar.
pub(crate) struct Point {
    /// Under the bar, where there is room.
    pub(crate) tick: String,
    /// The full label, in the table and on hover.
    pub(crate) label: String,
    pub(crate) value: i64,
}

/// A chart, laid out for `parts/plot.html`. Lengths are in the SVG's own units.
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    /// What the bars count, in the total's number: `sign-ups`.
    pub(crate) unit: &'static str,
    pub(crate) total: String,
    pub(crate) bars: Vec<Bar>,
    pub(crate) lines: Vec<Line>,
    pub(crate) is_empty: bool,
}

pub(crate) struct Bar {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) middle: f64,
    pub(crate) tick: Option<String>,
    pub(crate) label: String,
    pub(crate) value: String,
}

/// A line across with its number.
pub(crate) struct Line {
    pub(crate) y: f64,
    pub(crate) label: String,
}

/// The picture's measures; the template's `viewBox` says the same.
const WIDTH: f64 = 560.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 150.0;
const LEFT: f64 = 36.0;
/// Room for half of the last tick.
const RIGHT: f64 = 12.0;
/// Ticks stand no closer than this.
const TICK_EVERY: f64 = 44.0;

impl Plot {
    /// Bars that are averages, whose sum is meaningless.
    pub(crate) fn mean(title: &'static str, units: [&'static str; 2], points: Vec<Point>) -> Self {
        let known: Vec<_> = points
            .iter()
            .map(|point| point.value)
            .filter(|value| *value > 0)
            .collect();
        let mean = known.iter().sum::<i64>() / i64::try_from(known.len().max(1)).unwrap_or(1);
        Self {
            total: grouped(mean),
            ..Self::new(title, units, points)
        }
    }

    pub(crate) fn new(title: &'static str, [one, many]: [&'static str; 2], points: Vec<Point>) -> Self {
        let most = points.iter().map(|point| point.value).max().unwrap_or(0);
        let top = round_up(most);
        let slot = (WIDTH - LEFT - RIGHT) / points.len().max(1) as f64;
        let y = |value: i64| BOTTOM - (BOTTOM - TOP) * value as f64 / top as f64;
        let every = (TICK_EVERY / slot).ceil().max(1.0) as usize;
        let last = points.len().saturating_sub(1);
        let total: i64 = points.iter().map(|point| point.value).sum();
        let bars = points.into_iter().enumerate().map(|(i, point)| Bar {
            x: round(LEFT + slot * i as f64 + slot * 0.14),
            y: round(y(point.value)),
            width: round(slot * 0.72),
            height: round(BOTTOM - y(point.value)),
            middle: round(LEFT + slot * (i as f64 + 0.5)),
            // Counted from the end, so that today always has its tick.
            tick: (last - i).is_multiple_of(every).then_some(point.tick),
            label: point.label,
            value: grouped(point.value),
        });
        Self {
            title,
            unit: if total == 1 { one } else { many },
            total: grouped(total),
            bars: bars.collect(),
            lines: [0, top / 2, top]
                .map(|value| Line {
                    y: round(y(value)),
                    label: grouped(value),
                })
                .into(),
            is_empty: most == 0,
        }
    }
}

/// The next even number whose first digits are 2, 4, 6, 8 or 10, so that half of it is whole too.
fn round_up(most: i64) -> i64 {
    let mut unit = 1;
    loop {
        if let Some(top) = [2, 4, 6, 8, 10].iter().map(|step| step * unit).find(|top| *top >= most) {
            return top;
        }
        unit *= 10;
    }
}

fn round(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::round_up;

    #[test]
    fn the_scale_ends_at_a_round_even_number() {
        for (most, top) in [
            (0, 2),
            (1, 2),
            (3, 4),
            (9, 10),
            (11, 20),
            (57, 60),
            (101, 200),
            (100_000, 100_000),
        ] {
            assert_eq!(round_up(most), top, "{most}");
        }
    }
}
