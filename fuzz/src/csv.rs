//! CSV: any file is read to its end, what is written reads back as it was, and no spreadsheet runs any of it.

use arbitrary::Unstructured;
use usher_shared::foundation::csv::{Records, write_head, write_record};

/// An uploaded file, and as bytes the rows of an export.
pub fn csv(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        read(text);
    }
    if let Ok(rows) = Unstructured::new(data).arbitrary::<Vec<[String; 2]>>() {
        write(&rows);
    }
}

fn read(text: &str) {
    let (mut before, mut ended) = (0, false);
    let lines = text.split('\n').count() + text.matches('\r').count();
    for record in Records::of(text) {
        assert!(!ended, "something follows an error");
        match record {
            Ok((line, fields)) => {
                assert!(before < line && line <= lines, "line {line} after {before} of {lines}");
                assert!(fields.iter().any(|field| !field.trim().is_empty()), "an empty line");
                before = line;
            }
            Err(unclosed) => {
                assert!(before < unclosed.0 && unclosed.0 <= lines, "{unclosed} of {lines}");
                ended = true;
            }
        }
    }
}

fn write(rows: &[[String; 2]]) {
    let mut text = String::new();
    write_head(&mut text, ["name", "email"]);
    for row in rows {
        let from = text.len();
        write_record(&mut text, row.iter().map(String::as_str));
        harmless(&text[from..]);
    }
    let written = rows
        .iter()
        .filter(|row| row.iter().any(|field| !field.trim().is_empty()));
    let back = Records::of(&text)
        .skip(1)
        .map(|record| record.expect("every quotation ends").1);
    assert!(
        written.map(|row| row.to_vec()).eq(back),
        "{rows:?} was written as {text:?}"
    );
}

/// The first cell is nothing that a spreadsheet runs (OWASP, "CSV Injection").
fn harmless(record: &str) {
    let cell = record.strip_prefix('"').unwrap_or(record);
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        let number = cell.split(',').next().unwrap_or_default().trim_end();
        assert!(number.parse::<f64>().is_ok(), "a formula: {record:?}");
    }
}
