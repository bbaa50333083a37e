//! Comma-separated values (RFC 4180) for spreadsheets: what we write never runs as a formula there, and what any of
//! them saves can be read. The `csv` crate (1.4) cannot replace it: it reads a quotation that never ends without an
//! error, counts lines by `\n` alone, takes separators of one byte only, and doesn't quote `;` and tabs, at which other
//! spreadsheets would start a new cell.

use std::{borrow::Cow, fmt::Write};

/// The first record of a file, after the byte order mark that tells spreadsheets it is UTF-8.
pub fn write_head<'a>(to: &mut String, columns: impl IntoIterator<Item = &'a str>) {
    to.push(MARK);
    write_record(to, columns);
}

/// U+FEFF at the start of a file.
const MARK: char = '\u{feff}';

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

fn write_field(to: &mut String, field: &str) {
    let field = guarded(field);
    if field.contains([',', ';', '"', '\n', '\r', '\t']) {
        let _ = write!(to, "\"{}\"", field.replace('"', "\"\""));
    } else {
        to.push_str(&field);
    }
}

/// Puts an apostrophe before whatever a spreadsheet would run as a formula (OWASP, "CSV Injection"): at the start of
/// the field, and after a character at which a spreadsheet with another separator would start a new cell.
fn guarded(field: &str) -> Cow<'_, str> {
    if is_number(field) {
        return field.into();
    }
    let starts: Vec<usize> = starts(field)
        .filter(|start| would_run(&field[*start..], *start))
        .collect();
    if starts.is_empty() {
        return field.into();
    }
    let mut text = String::with_capacity(field.len() + starts.len());
    let mut from = 0;
    for start in starts {
        text.push_str(&field[from..start]);
        text.push('\'');
        from = start;
    }
    (text + &field[from..]).into()
}

/// The inverse of [`guarded`].
fn unguarded(field: String) -> String {
    let guards: Vec<usize> = starts(&field)
        .filter(|start| {
            let bare = field[*start..].strip_prefix('\'');
            bare.is_some_and(|bare| would_run(bare, *start) && !(*start == 0 && is_number(bare)))
        })
        .collect();
    let mut text = field;
    for guard in guards.into_iter().rev() {
        text.remove(guard);
    }
    text
}

/// Where a spreadsheet may start a cell.
fn starts(field: &str) -> impl Iterator<Item = usize> {
    let behind = field.match_indices([';', '\t', '\n', '\r']).map(|(at, _)| at + 1);
    std::iter::once(0).chain(behind)
}

/// Also after quotation marks and spaces, and after apostrophes, which get another so that they are not taken for the
/// guard.
fn would_run(cell: &str, start: usize) -> bool {
    let begins = cell.trim_start_matches(['\'', '"', ' ']);
    begins.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) || (start == 0 && begins.starts_with(['\t', '\r']))
}

/// A number is not a formula, even if it is negative.
fn is_number(field: &str) -> bool {
    let digits = field.strip_prefix('-').unwrap_or(field);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.parse::<f64>().is_ok()
}

/// A file's bytes as text: UTF-8, or UTF-16 as spreadsheets save "Unicode text". The error says what to do.
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, &'static str> {
    let little = match bytes {
        [0xff, 0xfe, ..] => Some(true),
        [0xfe, 0xff, ..] => Some(false),
        _ => None,
    };
    let Some(little) = little else {
        let text = str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        return text
            .map(Cow::Borrowed)
            .ok_or("the file is not UTF-8: save it as \"CSV UTF-8\"");
    };
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| match little {
        true => u16::from_le_bytes(*pair),
        false => u16::from_be_bytes(*pair),
    });
    let text: Result<String, _> = char::decode_utf16(units).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(Cow::Owned(text)),
        _ => Err("the file's UTF-16 is damaged: save it as \"CSV UTF-8\""),
    }
}

/// A quoted field that never ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quotation mark that opens in line {0} is never closed")]
pub struct Unclosed(pub usize);

/// The records of a text, each with the number of its first line, counted from 1. Skips empty lines. The separator is
/// the one named by a first line such as `sep=;`, or else the comma, semicolon or tab that is most frequent in the
/// first line with content.
#[derive(Debug)]
pub struct Records<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    separator: char,
    line: usize,
    /// Whether the next record is the line that names the separator.
    names_separator: bool,
}

const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// The separator that a spreadsheet names in the first line: `sep=;`.
fn named_separator(line: &str) -> Option<char> {
    let line = line.trim_matches([' ', '"']);
    let named = line.get(..4).filter(|word| word.eq_ignore_ascii_case("sep="))?;
    let mut rest = line[named.len()..].chars();
    let separator = rest.next().filter(|c| !c.is_alphanumeric())?;
    rest.all(|c| c == separator || SEPARATORS.contains(&c))
        .then_some(separator)
}

/// Of two that are equally frequent, the first in the list.
fn most_frequent(line: &str) -> char {
    let count = |separator: &char| line.matches(*separator).count();
    SEPARATORS.into_iter().rev().max_by_key(count).unwrap_or(',')
}

impl<'a> Records<'a> {
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        let text = text.trim_start_matches(MARK);
        let has_something = |line: &&str| !line.chars().all(|c| c.is_whitespace() || SEPARATORS.contains(&c));
        let first = text.split(['\n', '\r']).find(has_something).unwrap_or_default();
        let named = named_separator(first);
        Self {
            rest: text.chars().peekable(),
            separator: named.unwrap_or_else(|| most_frequent(first)),
            line: 1,
            names_separator: named.is_some(),
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
                        let ends_line = char == '\n' || (char == '\r' && self.rest.peek() != Some(&'\n'));
                        self.line += usize::from(ends_line);
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
        Ok(unguarded(field))
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
                    let is_empty = fields.iter().all(|field| field.trim().is_empty());
                    if !is_empty && !std::mem::take(&mut self.names_separator) {
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
        for (field, written) in [
            ("=1+1", "'=1+1"),
            ("'=1+1", "''=1+1"),
            ("''-x", "'''-x"),
            ("+49 30", "'+49 30"),
            ("+4930", "'+4930"),
            ("-5", "-5"),
            ("-5.25", "-5.25"),
            ("-x", "'-x"),
            ("-inf", "'-inf"),
            ("@x", "'@x"),
            (" =1", "' =1"),
            ("＝1", "'＝1"),
            ("\t=1", "\"'\t'=1\""),
            ("\"=1\"", "\"'\"\"=1\"\"\""),
            ("Ada;=1+1", "\"Ada;'=1+1\""),
            ("Ada;\"=1", "\"Ada;'\"\"=1\""),
            ("Ada\t@x", "\"Ada\t'@x\""),
            ("Ada;'=1", "\"Ada;''=1\""),
            ("two\n-lines\r+x", "\"two\n'-lines\r'+x\""),
            ("a;b, \"c\"", "\"a;b, \"\"c\"\"\""),
            ("'tis", "'tis"),
            ("a=1", "a=1"),
            ("Ødegård", "Ødegård"),
            ("", ""),
        ] {
            let mut text = String::new();
            write_record(&mut text, ["x", field]);
            assert_eq!(text, format!("x,{written}\r\n"));
            assert_eq!(read(&text), [(1, fields(&["x", field]))]);
        }
    }

    #[test]
    fn a_file_that_is_written_is_known_as_utf_8_and_reads_back() {
        let mut text = String::new();
        write_head(&mut text, ["email", "name"]);
        assert_eq!(text, "\u{feff}email,name\r\n");
        assert_eq!(read(&text), [(1, fields(&["email", "name"]))]);
    }

    #[test]
    fn files_of_every_spreadsheet_are_read() {
        let expected = [
            (1, fields(&["email", "name"])),
            (3, fields(&["a@b.c", "A, B"])),
            (4, fields(&["x", ""])),
        ];
        assert_eq!(read("\u{feff}email;name\r\n\r\na@b.c;A, B\r\nx;"), expected);
        assert_eq!(read("email;name\r\ra@b.c;A, B\rx;\r"), expected);
        assert_eq!(read("email\tname\n \t\na@b.c\tA, B\nx\t\n"), expected);
        assert_eq!(read("email,name\n,\na@b.c,\"A, B\"\nx,\n"), expected);
        assert_eq!(read("a,b\n\"1\n2\",3\n4,5")[2], (4, fields(&["4", "5"])));
        assert_eq!(read("a,b\r\"1\r2\",3\r4,5")[2], (4, fields(&["4", "5"])));
        assert!(read("").is_empty());
    }

    #[test]
    fn a_separator_can_be_named_in_front_and_blank_lines_are_passed_over() {
        for text in [
            "sep=;\r\na,b;c",
            "\u{feff}SEP=;\na,b;c",
            "\"sep=;\"\na,b;c",
            "\n;;\nsep=;\na,b;c",
            "sep=;;\na,b;c",
        ] {
            let records = read(text);
            assert_eq!(records.len(), 1, "{text:?}");
            assert_eq!(records[0].1, fields(&["a,b", "c"]), "{text:?}");
        }
        assert_eq!(read("sep=|\na|b"), [(2, fields(&["a", "b"]))]);
        assert_eq!(read("sep=\t\na\tb"), [(2, fields(&["a", "b"]))]);
        assert_eq!(read("\n\n;;\na;b;c"), [(4, fields(&["a", "b", "c"]))]);
        assert_eq!(read("September;x"), [(1, fields(&["September", "x"]))]);
    }

    #[test]
    fn utf_16_is_read_and_what_is_no_text_is_said() {
        let bytes = |units: &[u16], little: bool| -> Vec<u8> {
            let of = |unit: &u16| match little {
                true => unit.to_le_bytes(),
                false => unit.to_be_bytes(),
            };
            units.iter().flat_map(of).collect()
        };
        let units: Vec<u16> = "\u{feff}email\tname\r\na@b.c\tÉlodie 😀".encode_utf16().collect();
        for little in [true, false] {
            let file = bytes(&units, little);
            let text = decode(&file).unwrap();
            assert_eq!(read(&text)[1], (2, fields(&["a@b.c", "Élodie 😀"])));
        }
        assert_eq!(decode("Élodie".as_bytes()).unwrap(), "Élodie");
        let lone = bytes(&[0xfeff, 0xd800], true);
        for (file, words) in [
            (&b"\xc9lodie"[..], "CSV UTF-8"),
            (b"e\0m\0a\0", "CSV UTF-8"),
            (b"\xff\xfea", "damaged"),
            (&lone, "damaged"),
        ] {
            assert!(decode(file).unwrap_err().contains(words), "{file:?}");
        }
    }

    #[test]
    fn a_quotation_that_never_ends_is_named_by_its_line() {
        let records: Vec<_> = Records::of("a\nb\n\"c\nd").collect();
        assert_eq!(records.len(), 3);
        assert_eq!(records[2], Err(Unclosed(3)));
    }
}
