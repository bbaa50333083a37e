//! A CSV file as lines about users, each checked by the rules that the API has.

use usher_shared::{
    csv::Records,
    imports::MAX_ROWS,
    rules::{Age, Email, EmailPolicy, Name, Violation, ViolationKind},
};

/// All lines of a file.
pub(super) struct Table {
    pub(super) lines: Vec<Line>,
}

/// One line: what it says, or all that is wrong with it.
pub(super) struct Line {
    /// Its number in the file, from 1 on.
    pub(super) number: usize,
    pub(super) user: Result<Wanted, String>,
}

/// What a line wants a user to be.
pub(super) struct Wanted {
    pub(super) email: Email,
    pub(super) name: Name,
    /// None where the file has no such column, so that ages stay as they are.
    pub(super) age: Option<Option<Age>>,
}

/// Where the columns are.
struct Columns {
    email: usize,
    name: usize,
    age: Option<usize>,
}

impl Line {
    /// What the address is looked up by.
    pub(super) fn key(&self) -> Option<&str> {
        self.user.as_ref().ok().map(|user| user.email.key())
    }
}

impl Table {
    /// The error says why none of the file can be used, and what to do.
    pub(super) fn read(bytes: &[u8], policy: EmailPolicy) -> Result<Self, String> {
        let text = str::from_utf8(bytes).map_err(|_| "the file is not UTF-8: save it as \"CSV UTF-8\"".to_owned())?;
        let mut records = Records::of(text);
        let header = match records.next() {
            Some(Ok((_, header))) => header,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("the file is empty; its first line names the columns: email,name,age".to_owned()),
        };
        let columns = Columns::of(&header)?;
        let mut lines = Vec::new();
        for record in records {
            let (number, fields) = record.map_err(|error| error.to_string())?;
            if lines.len() == MAX_ROWS {
                return Err(format!("the file has more than {MAX_ROWS} lines: split it"));
            }
            let user = if fields.len() > header.len() {
                let (fields, columns) = (fields.len(), header.len());
                Err(format!("it has {fields} fields, the first line names {columns}"))
            } else {
                columns.read(&fields, policy)
            };
            lines.push(Line { number, user });
        }
        Ok(Self { lines })
    }
}

impl Columns {
    fn of(header: &[String]) -> Result<Self, String> {
        let (mut email, mut name, mut age) = (None, None, None);
        for (index, column) in header.iter().enumerate() {
            let place = match column.trim().to_lowercase().as_str() {
                "email" => &mut email,
                "name" => &mut name,
                "age" => &mut age,
                _ => {
                    return Err(format!(
                        "there is no column {column:?}; the columns are email, name and age"
                    ));
                }
            };
            if place.replace(index).is_some() {
                return Err(format!("the column {column:?} is there twice"));
            }
        }
        match (email, name) {
            (Some(email), Some(name)) => Ok(Self { email, name, age }),
            _ => Err("the first line must name the columns email and name; age may follow".to_owned()),
        }
    }

    fn read(&self, fields: &[String], policy: EmailPolicy) -> Result<Wanted, String> {
        let field = |index: usize| fields.get(index).map_or("", String::as_str);
        let email = Email::parse(field(self.email), policy);
        let name = Name::parse(field(self.name));
        let age = self.age.map(|index| parse_age(field(index))).transpose();
        match (email, name, age) {
            (Ok(email), Ok(name), Ok(age)) => Ok(Wanted { email, name, age }),
            (email, name, age) => {
                let faults = [email.err(), name.err(), age.err()];
                let words = faults.into_iter().flatten().map(|fault| fault.message);
                Err(words.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

fn parse_age(raw: &str) -> Result<Option<Age>, Violation> {
    if raw.trim().is_empty() {
        return Ok(None);
    }
    let number = raw.trim().parse::<i64>();
    let number = number.map_err(|_| Violation::new(ViolationKind::IntParsing, "The age must be a whole number"))?;
    Age::parse(number).map(Some)
}
