//! Cron patterns as people write them. The cron library accepts more than five fields and guesses what they mean: with
//! six fields the first is seconds, and `*/90` is minute 0 alone. Whoever typed that meant something else, so it is
//! rejected with what to write instead.

/// A field: its name, its lowest and highest value, and the names of its values.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field::of("minute", 0, 59),
    Field::of("hour", 0, 23),
    Field::of("day of the month", 1, 31),
    Field {
        words: &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        ..Field::of("month", 1, 12)
    },
    // Sunday is 0 and 7.
    Field {
        words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
        ..Field::of("weekday", 0, 7)
    },
];
const DAY: usize = 2;
const MONTH: usize = 3;
const WEEKDAY: usize = 4;

const NICKNAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

/// Checks that a person can have meant this pattern; the error says what is wrong with it. `seconds` allows a sixth
/// field in front, for built-in schedules.
pub(super) fn check(pattern: &str, seconds: bool) -> Result<(), String> {
    if NICKNAMES.iter().any(|name| name.eq_ignore_ascii_case(pattern.trim())) {
        return Ok(());
    }
    let mut fields: Vec<&str> = pattern.split_whitespace().collect();
    if seconds && fields.len() == 6 {
        Field::of("second", 0, 59).values(fields.remove(0))?;
    }
    if fields.len() != FIELDS.len() {
        let (count, s) = (fields.len(), if fields.len() == 1 { "" } else { "s" });
        return Err(format!(
            "it has {count} field{s}; write five: minute, hour, day of the month, month and weekday"
        ));
    }
    let mut values = Vec::new();
    for (index, (field, text)) in FIELDS.iter().zip(&fields).enumerate() {
        let text = text.to_ascii_uppercase();
        let parts = text
            .split(',')
            .filter(|part| !is_special(index, part))
            .collect::<Vec<_>>();
        let has_special = parts.len() < text.split(',').count();
        let mut own = Vec::new();
        for part in parts {
            own.extend(field.values(part)?);
        }
        values.push((own, has_special));
    }
    let ((days, last), (months, _)) = (&values[DAY], &values[MONTH]);
    // A weekday beside a day of the month makes the pattern match on either.
    let by_weekday = fields[WEEKDAY] != "*";
    if !last
        && !by_weekday
        && !months
            .iter()
            .any(|month| days.iter().any(|day| *day <= longest(*month)))
    {
        return Err("no month that it names has such a day, so it would never run".to_owned());
    }
    Ok(())
}

/// The most days that the month can have.
fn longest(month: u32) -> u32 {
    match month {
        2 => 29,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The last day (`L`), the weekday nearest to a day (`15W`), the last Friday (`5L`), the second Monday (`1#2`).
fn is_special(index: usize, part: &str) -> bool {
    let weekday = |text: &str| FIELDS[WEEKDAY].value(text).is_some();
    match index {
        DAY => {
            part == "L"
                || part
                    .strip_suffix('W')
                    .is_some_and(|day| FIELDS[DAY].value(day).is_some())
        }
        WEEKDAY => match part.split_once('#') {
            Some((day, nth)) => weekday(day) && matches!(nth, "1" | "2" | "3" | "4" | "5"),
            None => part.strip_suffix('L').is_some_and(weekday),
        },
        _ => false,
    }
}

impl Field {
    const fn of(name: &'static str, least: u32, most: u32) -> Self {
        Self {
            name,
            least,
            most,
            words: &[],
        }
    }

    fn value(&self, text: &str) -> Option<u32> {
        if let Some(place) = self.words.iter().position(|word| *word == text) {
            return u32::try_from(place).ok().map(|place| place + self.least);
        }
        let is_number = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse().ok().filter(|_| is_number)?;
        (self.least..=self.most).contains(&number).then_some(number)
    }

    /// The values of `*`, `5`, `1-5`, `*/15` or `0-30/10`.
    fn values(&self, part: &str) -> Result<Vec<u32>, String> {
        let Self { name, least, most, .. } = self;
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let wrong = || {
            let example = self.words.get(1).map(|word| format!(" or {word}")).unwrap_or_default();
            format!("{part:?} is no {name}; write *, a number from {least} to {most}{example}, 1-5 or */2")
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (*least, *most),
            Some((from, to)) => {
                let from = self.value(from).ok_or_else(wrong)?;
                let to = self.value(to).ok_or_else(wrong)?;
                // Until Sunday.
                let to = if to == 0 && *most == 7 { 7 } else { to };
                if from > to {
                    return Err(format!(
                        "{part:?} ends before it begins; write two ranges with a comma between"
                    ));
                }
                (from, to)
            }
            None if step.is_some() => return Err(wrong()),
            None => {
                let value = self.value(range).ok_or_else(wrong)?;
                (value, value)
            }
        };
        let Some(step) = step else {
            return Ok((from..=to).collect());
        };
        let size = step
            .parse::<u32>()
            .ok()
            .filter(|_| step.bytes().all(|b| b.is_ascii_digit()));
        match size {
            Some(size) if size > 0 && size <= to - from => Ok((from..=to).step_by(size as usize).collect()),
            Some(0) | None => Err(wrong()),
            Some(size) => Err(format!(
                "steps of {size} do not fit into a {name} from {from} to {to}, so it would come at {from} alone; write \
                 the values out, such as {from}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_cron_knows_is_taken() {
        for pattern in [
            "* * * * *",
            "0 7 * * 1-5",
            "0 7 * * MON-FRI",
            "*/15 0-6/2 1,15 jan,JUL *",
            "  0   6 * * SUN ",
            "0 0 * * 7",
            "0 0 * * FRI-SUN",
            "0 0 29 2 *",
            "0 0 31 * *",
            "0 0 31 2 MON",
            "0 0 L * *",
            "0 0 15W * *",
            "0 0 * * 5L",
            "0 0 * * MON#2",
            "*/59 * * * *",
            "05 07 * * *",
            "@daily",
        ] {
            assert_eq!(check(pattern, false), Ok(()), "{pattern}");
        }
        assert_eq!(check("*/10 * * * * *", true), Ok(()));
    }

    #[test]
    fn what_would_be_taken_for_something_else_is_refused_with_what_to_write() {
        for (pattern, words) in [
            ("", "it has 0 fields; write five"),
            ("every day", "it has 2 fields; write five"),
            ("* * * *", "it has 4 fields"),
            ("*/10 * * * * *", "it has 6 fields; write five"),
            ("0 0 7 * * MON 2027", "it has 7 fields"),
            ("*/90 * * * *", "steps of 90 do not fit into a minute"),
            ("*/60 * * * *", "steps of 60"),
            ("0 */24 * * *", "steps of 24"),
            ("0 0 */31 * *", "steps of 31"),
            ("10-20/11 * * * *", "steps of 11"),
            ("*/0 * * * *", "is no minute"),
            ("*/x * * * *", "is no minute"),
            ("5/15 * * * *", "is no minute"),
            ("60 * * * *", "is no minute; write *, a number from 0 to 59"),
            ("-1 * * * *", "is no minute"),
            ("007 * * * *", "is no minute"),
            ("1, * * * *", "is no minute"),
            ("* 24 * * *", "is no hour"),
            ("* * 0 * *", "is no day of the month"),
            ("* * ? * *", "is no day of the month"),
            ("* * LW * *", "is no day of the month"),
            ("* * * 13 *", "is no month"),
            ("* * * JANUARY *", "is no month"),
            ("* * * * 8", "is no weekday"),
            ("* * * * +1", "is no weekday"),
            ("* * * * 1#6", "is no weekday"),
            ("30-10 * * * *", "ends before it begins"),
            ("0 0 31 2 *", "never run"),
            ("0 0 30 FEB *", "never run"),
            ("0 0 31 4,6,9,11 *", "never run"),
            ("@reboot", "it has 1 field;"),
        ] {
            let said = check(pattern, false).unwrap_err();
            assert!(said.contains(words), "{pattern}: {said}");
        }
        assert!(check("*/90 * * * * *", true).unwrap_err().contains("steps of 90"));
    }
}
