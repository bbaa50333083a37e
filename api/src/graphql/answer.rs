//! An answer as JSON, in the order of the response format (GraphQL §7).

use async_graphql::{Name, Response, ServerError, Value};

/// An answer.
pub(super) struct Answer {
    json: Vec<u8>,
    /// Whether it has data: without it nothing has run (GraphQL §7.1).
    pub(super) has_run: bool,
}

/// What an answer begins with that has data, as JSON, next.
pub(super) const DATA: &[u8] = br#"{"data":"#;

impl Answer {
    /// From [`DATA`] and the data behind it.
    pub(super) fn new(mut json: Vec<u8>, errors: &[ServerError]) -> Self {
        if !errors.is_empty() {
            json.push(b',');
            append_errors(&mut json, errors);
        }
        json.push(b'}');
        Self { json, has_run: true }
    }

    /// To what could not run.
    pub(super) fn refused(errors: &[ServerError]) -> Self {
        let mut json = vec![b'{'];
        append_errors(&mut json, errors);
        json.push(b'}');
        Self { json, has_run: false }
    }

    pub(super) fn json(self) -> Vec<u8> {
        self.json
    }
}

/// What `async-graphql` answers: questions about the schema.
impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        if response.data == Value::Null && !response.errors.is_empty() {
            return Self::refused(&response.errors);
        }
        let mut json = DATA.to_vec();
        append(&mut json, &response.data);
        Self::new(json, &response.errors)
    }
}

/// Writes a field's name. Names of GraphQL have nothing that JSON escapes (GraphQL §2.1.9).
pub(super) fn append_name(json: &mut Vec<u8>, name: &Name) {
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
}

fn append_errors(json: &mut Vec<u8>, errors: &[ServerError]) {
    json.extend_from_slice(br#""errors":"#);
    append(json, errors);
}

/// Values of GraphQL and errors are texts, numbers and lists: nothing that JSON can't say.
pub(super) fn append(json: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(json, value).expect("a vector takes everything");
}
