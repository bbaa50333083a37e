//! A year, a month or a day in UTC: the steps of drilling down into a list by time.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

/// `2026`, `2026-11` or `2026-11-22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Period {
    Year(NaiveDate),
    Month(NaiveDate),
    Day(NaiveDate),
}

impl Period {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let date = |text: &str| {
            let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            (1..=9998).contains(&date.year()).then_some(date)
        };
        match text.len() {
            4 => date(&format!("{text}-01-01")).map(Self::Year),
            7 => date(&format!("{text}-01")).map(Self::Month),
            10 => date(text).map(Self::Day),
            _ => None,
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Year(first) => first.format("%Y"),
            Self::Month(first) => first.format("%Y-%m"),
            Self::Day(first) => first.format("%Y-%m-%d"),
        }
        .to_string()
    }

    /// Its name.
    pub(crate) fn label(self) -> String {
        match self {
            Self::Year(first) => first.format("%Y"),
            Self::Month(first) => first.format("%B %Y"),
            Self::Day(first) => first.format("%-d %B %Y"),
        }
        .to_string()
    }

    /// From this time on, and before that one.
    pub(crate) fn range(self) -> (DateTime<Utc>, DateTime<Utc>) {
        let (first, next) = match self {
            Self::Year(first) => (first, first.checked_add_months(Months::new(12))),
            Self::Month(first) => (first, first.checked_add_months(Months::new(1))),
            Self::Day(first) => (first, first.succ_opt()),
        };
        let start = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc();
        (start(first), start(next.unwrap_or(first)))
    }

    /// The period that contains it.
    pub(crate) fn wider(self) -> Option<Self> {
        match self {
            Self::Year(_) => None,
            Self::Month(first) => first.with_month(1).map(Self::Year),
            Self::Day(first) => first.with_day(1).map(Self::Month),
        }
    }

    /// The parts that have begun, newest first; a day has none.
    pub(crate) fn parts(self, today: NaiveDate) -> Vec<Self> {
        let parts: Vec<Self> = match self {
            Self::Year(first) => (1..=12)
                .filter_map(|month| first.with_month(month).map(Self::Month))
                .collect(),
            Self::Month(first) => (1..=31).filter_map(|day| first.with_day(day).map(Self::Day)).collect(),
            Self::Day(_) => vec![],
        };
        parts
            .into_iter()
            .filter(|part| part.range().0.date_naive() <= today)
            .rev()
            .collect()
    }

    /// The last years, where the drill-down starts.
    pub(crate) fn years(today: NaiveDate) -> Vec<Self> {
        let year = |back: i32| NaiveDate::from_ymd_opt(today.year() - back, 1, 1).map(Self::Year);
        (0..4).filter_map(year).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_drilled_into() {
        let month = Period::parse("2026-02").unwrap();
        assert_eq!(month.text(), "2026-02");
        assert_eq!(month.range().1.to_rfc3339(), "2026-03-01T00:00:00+00:00");
        assert_eq!(month.wider(), Period::parse("2026"));
        let today = NaiveDate::from_ymd_opt(2026, 2, 20).unwrap();
        assert_eq!(month.parts(today).len(), 20);
        assert_eq!(Period::parse("2026").unwrap().parts(today).len(), 2);
        for text in [
            "",
            "26",
            "2026-13",
            "2026-02-30",
            "x026",
            "99999",
            "2026-2-1",
            "0000",
            "9999-12-31",
        ] {
            assert_eq!(Period::parse(text), None, "{text}");
        }
    }
}
