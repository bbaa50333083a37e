//! Comma-separated values (RFC 4180), for spreadsheets that people trust too much: what we write never runs as a
//! formula there, and what they write is read whatever they made of it.

use std::fmt::Write;

/// Appends one record with its line end.
pub fn write_record<'a>(to: &mut String, fields: impl IntoIterator<Item = &'a str>) {
    for (index, field) in fields.into_iter().enumerate() {
        if index > 0 {
            to.push(',');
        }
        write_field(to, field);
    }
    to.push_str("\r\n");
}

/// A text that a spreadsheet would run as a formula gets an apostrophe in front (OWASP, "CSV Injection").
fn write_field(to: &mut String, field: &str) {
    let guard = if would_run(field) { "'" } else { "" };
    if field.contains([',', ';', '"', '\n', '\r', '\t']) {
        let _ = write!(to, "\"{guard}{}\"", field.replace('"', "\"\""));
    } else {
        let _ = write!(to, "{guard}{field}");
    }
}

/// Also with apostrophes in front: one of them would be taken for the guard, so those get another.
fn would_run(field: &str) -> bool {
    is_formula(field.trim_start_matches('\''))
}

fn is_formula(field: &str) -> bool {
    // A number is no formula, also when it is negative.
    field.starts_with(['=', '+', '-', '@', '\t', '\r']) && field.parse::<f64>().is_err()
}

/// A field that was quoted and does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quotation mark that opens in line {0} is never closed")]
pub struct Unclosed(pub usize);

/// The records of a text, each with the number of its first line, from 1 on. Empty lines are passed over; the separator
/// is a comma, a semicolon or a tab, whichever the first line has most of.
#[derive(Debug)]
pub struct Records<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    separator: char,
    line: usize,
}

impl<'a> Records<'a> {
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        let first = text.lines().next().unwrap_or_default();
        let count = |separator: char| first.matches(separator).count();
        let separator = [',', ';', '\t']
            .into_iter()
            .rev()
            .max_by_key(|separator| count(*separator));
        Self {
            rest: text.chars().peekable(),
            separator: separator.unwrap_or(','),
            line: 1,
        }
    }

    fn field(&mut self) -> Result<String, Unclosed> {
        let mut field = String::new();
        if self.rest.next_if_eq(&'"').is_some() {
            let opened = self.line;
            loop {
                match self.rest.next().ok_or(Unclosed(opened))? {
                    '"' if self.rest.next_if_eq(&'"').is_none() => break,
                    char => {
                        self.line += usize::from(char == '\n');
                        field.push(char);
                    }
                }
            }
        }
        let separator = self.separator;
        while let Some(char) = self
            .rest
            .next_if(|char| *char != separator && !matches!(char, '\r' | '\n'))
        {
            field.push(char);
        }
        // What was guarded when it was written is itself again.
        let bare = field
            .strip_prefix('\'')
            .filter(|bare| would_run(bare))
            .map(str::to_owned);
        Ok(bare.unwrap_or(field))
    }

    fn record(&mut self) -> Result<Vec<String>, Unclosed> {
        let mut fields = vec![self.field()?];
        while self.rest.next_if_eq(&self.separator).is_some() {
            fields.push(self.field()?);
        }
        Ok(fields)
    }

    fn end_line(&mut self) {
        self.rest.next_if_eq(&'\r');
        self.rest.next_if_eq(&'\n');
        self.line += 1;
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Vec<String>), Unclosed>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            self.rest.peek()?;
            let line = self.line;
            match self.record() {
                Ok(fields) => {
                    self.end_line();
                    if fields.iter().any(|field| !field.is_empty()) {
                        return Some(Ok((line, fields)));
                    }
                }
                Err(unclosed) => {
                    self.rest = "".chars().peekable();
                    return Some(Err(unclosed));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Vec<String>)> {
        Records::of(text).map(Result::unwrap).collect()
    }

    fn fields(fields: &[&str]) -> Vec<String> {
        fields.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn nothing_that_is_written_is_a_formula_and_all_of_it_reads_back() {
        let record = [
            "=1+1",
            "+49 30",
            "-5",
            "@x",
            "-x",
            "a,b",
            "say \"hi\"",
            "two\nlines",
            "",
            "'tis",
            "'=1",
            "''-x",
            "Ødegård",
        ];
        let mut text = String::new();
        write_record(&mut text, record);
        assert_eq!(
            text,
            "'=1+1,'+49 30,-5,'@x,'-x,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",,'tis,''=1,'''-x,Ødegård\r\n"
        );
        assert_eq!(read(&text), [(1, fields(&record))]);
    }

    #[test]
    fn files_of_every_spreadsheet_are_read() {
        let expected = [
            (1, fields(&["email", "name"])),
            (3, fields(&["a@b.c", "A, B"])),
            (4, fields(&["x", ""])),
        ];
        assert_eq!(read("\u{feff}email;name\r\n\r\na@b.c;A, B\r\nx;"), expected);
        assert_eq!(read("email\tname\n\na@b.c\tA, B\nx\t\n"), expected);
        assert_eq!(read("email,name\n,\na@b.c,\"A, B\"\nx,\n"), expected);
        assert_eq!(read("a,b\n\"1\n2\",3\n4,5")[2], (4, fields(&["4", "5"])));
        assert!(read("").is_empty());
    }

    #[test]
    fn a_quotation_that_never_ends_is_named_by_its_line() {
        let records: Vec<_> = Records::of("a\nb\n\"c\nd").collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[2], Err(Unclosed(3)));
    }
}
