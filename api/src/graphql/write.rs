//! Writes an answer: of what the operations said, what was asked for, under the names that were asked for.

use async_graphql::{Name, PathSegment, ServerError};
use serde_json::Value as Json;

use super::{
    answer::{Answer, DATA, append, append_name},
    cut::Page,
    execute::{Fetched, Loaded},
    operation,
    page::page_of,
    plan::{Selected, What},
    session::Failure,
    values::{Kind, Type, append_scalar},
};

/// What an answer may have, in bytes: aliases repeat a text as often as they like.
pub(super) const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Why a value is not written.
#[derive(Debug)]
enum Ended {
    /// One that must not be null is, so that what holds it is.
    Null,
    /// The answer has become too large, so that the field of the root is null.
    TooLarge,
}

/// Where a value is in the answer.
struct Path<'p> {
    before: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Field(&'p Name),
    Index(usize),
}

impl<'p> Path<'p> {
    fn root(name: &'p Name) -> Self {
        Self {
            before: None,
            step: Step::Field(name),
        }
    }

    fn then<'n>(&'n self, step: Step<'n>) -> Path<'n> {
        Path {
            before: Some(self),
            step,
        }
    }

    fn segments(&self) -> Vec<PathSegment> {
        let mut segments = self.before.map(Path::segments).unwrap_or_default();
        segments.push(match self.step {
            Step::Field(name) => PathSegment::Field(name.to_string()),
            Step::Index(index) => PathSegment::Index(index),
        });
        segments
    }
}

/// An answer that is being written.
#[derive(Default)]
pub(super) struct Writer {
    /// The fields of the root, with commas between.
    json: Vec<u8>,
    is_null: bool,
    errors: Vec<ServerError>,
}

impl Writer {
    pub(super) fn answer(mut self) -> Answer {
        if self.is_null {
            self.json = [DATA, b"null"].concat();
        } else if self.json.is_empty() {
            self.json = [DATA, b"{}"].concat();
        } else {
            self.json.push(b'}');
        }
        Answer::new(self.json, &self.errors)
    }

    /// Writes a field of the root of a query or a mutation. These are all null where they can't be written.
    pub(super) fn root(&mut self, root: &Selected<'_>, fetched: Fetched) {
        let begin = self.begin(root);
        let path = Path::root(&root.name);
        let written = match (&root.what, fetched) {
            (What::Operation(call), fetched) => self.fetched(&call.operation.answer, root, fetched, &path),
            (What::TypeName(name), _) => {
                append(&mut self.json, name);
                Ok(())
            }
            _ => Err(Ended::Null),
        };
        if let Err(ended) = written {
            self.null_from(begin);
            self.note_size(&ended, root, &path);
        }
    }

    /// Writes the one field of a subscription. It is never null, so there is no data without it (GraphQL §6.4.4).
    pub(super) fn event(&mut self, root: &Selected<'_>, event: &Json, loaded: &Loaded) {
        self.begin(root);
        let path = Path::root(&root.name);
        if let What::TypeName(name) = root.what {
            append(&mut self.json, name);
        } else if let Err(ended) = self.object(event, &root.fields, loaded, &path) {
            self.is_null = true;
            self.note_size(&ended, root, &path);
        }
    }

    fn begin(&mut self, root: &Selected<'_>) -> usize {
        match self.json.is_empty() {
            true => self.json = [DATA, b"{"].concat(),
            false => self.json.push(b','),
        }
        append_name(&mut self.json, &root.name);
        self.json.len()
    }

    fn note_size(&mut self, ended: &Ended, root: &Selected<'_>, path: &Path<'_>) {
        if let Ended::TooLarge = ended {
            let message = format!("The answer would have more than {MAX_ANSWER} bytes; ask for less");
            let mut error = ServerError::new(message, Some(root.pos));
            error.path = path.segments();
            self.errors.push(error);
        }
    }

    fn fetched(
        &mut self,
        answer: &operation::Answer,
        root: &Selected<'_>,
        fetched: Fetched,
        path: &Path<'_>,
    ) -> Result<(), Ended> {
        match fetched {
            Fetched::Nothing => {
                self.json.extend_from_slice(b"true");
                Ok(())
            }
            Fetched::Failed(failure) => {
                self.errors.push(failure.at(Some(root.pos), path.segments()));
                Err(Ended::Null)
            }
            Fetched::Page(page) => self.page(&page, root, path),
            Fetched::Value(value, loaded) => match answer {
                operation::Answer::Value(kind) => self.value(&value, kind, root, &loaded, path),
                _ => self.object(&value, &root.fields, &loaded, path),
            },
        }
    }

    /// Writes a page without having read it whole; one that isn't as the schema says is read whole, which tells what is
    /// wrong.
    fn page(&mut self, page: &[u8], root: &Selected<'_>, path: &Path<'_>) -> Result<(), Ended> {
        let begin = self.json.len();
        if let Some(cut) = Page::cut(page, &root.fields) {
            return self.object_of(&root.fields, |writer, selected| match &selected.what {
                What::Value(field) if field.key == "nodes" => {
                    writer.json.extend_from_slice(&cut.rows);
                    writer.within_size()
                }
                What::Value(field) => {
                    let path = path.then(Step::Field(&selected.name));
                    let value = &cut.rest[&field.key];
                    writer.value(value, &field.kind, selected, &Loaded::new(), &path)
                }
                What::TypeName(name) => {
                    append(&mut writer.json, name);
                    Ok(())
                }
                _ => Err(Ended::Null),
            });
        }
        self.json.truncate(begin);
        match page_of(page, &root.fields) {
            Ok(page) => self.object(&page, &root.fields, &Loaded::new(), path),
            Err(failure) => {
                self.errors.push(failure.at(Some(root.pos), path.segments()));
                Err(Ended::Null)
            }
        }
    }

    fn object(&mut self, value: &Json, fields: &[Selected<'_>], loaded: &Loaded, path: &Path<'_>) -> Result<(), Ended> {
        self.object_of(fields, |writer, selected| {
            let path = path.then(Step::Field(&selected.name));
            match &selected.what {
                What::TypeName(name) => append(&mut writer.json, name),
                What::Value(field) => writer.value(&value[&field.key], &field.kind, selected, loaded, &path)?,
                What::Relation(number, field, ..) => {
                    let related = value[&field.key].as_i64().zip(loaded.get(number));
                    match related {
                        Some((id, Ok(rows))) if rows.contains_key(&id) => {
                            writer.value(&rows[&id], &field.kind, selected, loaded, &path)?;
                        }
                        Some((_, Err(failure))) => {
                            writer.note_once(failure, selected, &path);
                            writer.null();
                        }
                        _ => writer.null(),
                    }
                }
                What::Operation(_) | What::Events(_) => writer.null(),
            }
            Ok(())
        })
    }

    fn object_of(
        &mut self,
        fields: &[Selected<'_>],
        mut write: impl FnMut(&mut Self, &Selected<'_>) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let mut before = b'{';
        for selected in fields {
            self.json.push(before);
            before = b',';
            append_name(&mut self.json, &selected.name);
            write(self, selected)?;
            self.within_size()?;
        }
        if fields.is_empty() {
            self.json.push(before);
        }
        self.json.push(b'}');
        Ok(())
    }

    fn value(
        &mut self,
        value: &Json,
        kind: &Type,
        selected: &Selected<'_>,
        loaded: &Loaded,
        path: &Path<'_>,
    ) -> Result<(), Ended> {
        let begin = self.json.len();
        let written = match (&kind.kind, value) {
            (_, Json::Null) => Err(Ended::Null),
            (Kind::Object(_), value) => self.object(value, &selected.fields, loaded, path),
            (Kind::List(inner), Json::Array(values)) => self.list(values, inner, selected, loaded, path),
            (kind, value) => {
                append_scalar(&mut self.json, kind, value);
                self.within_size()
            }
        };
        match written {
            Err(Ended::Null) if !kind.is_required => {
                self.null_from(begin);
                Ok(())
            }
            Err(Ended::Null) if value.is_null() => {
                let mut error = ServerError::new("The answer lacks this value", Some(selected.pos));
                error.path = path.segments();
                self.errors.push(error);
                Err(Ended::Null)
            }
            written => written,
        }
    }

    fn list(
        &mut self,
        values: &[Json],
        kind: &Type,
        selected: &Selected<'_>,
        loaded: &Loaded,
        path: &Path<'_>,
    ) -> Result<(), Ended> {
        self.json.push(b'[');
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.json.push(b',');
            }
            self.value(value, kind, selected, loaded, &path.then(Step::Index(index)))?;
        }
        self.json.push(b']');
        Ok(())
    }

    fn null(&mut self) {
        self.json.extend_from_slice(b"null");
    }

    /// Takes back what was written since.
    fn null_from(&mut self, begin: usize) {
        self.json.truncate(begin);
        self.null();
    }

    fn within_size(&self) -> Result<(), Ended> {
        match self.json.len() <= MAX_ANSWER {
            true => Ok(()),
            false => Err(Ended::TooLarge),
        }
    }

    /// A relation that could not be loaded is missing in each object, and said once.
    fn note_once(&mut self, failure: &Failure, selected: &Selected<'_>, path: &Path<'_>) {
        if !self.errors.iter().any(|error| error.locations == [selected.pos]) {
            self.errors
                .push(failure.clone().at(Some(selected.pos), path.segments()));
        }
    }
}
