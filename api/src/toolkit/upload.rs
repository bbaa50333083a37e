//! Files that clients send, as `multipart/form-data` (RFC 7578) with one part.

mod incoming;

use std::{marker::PhantomData, sync::Arc, time::Duration};

use axum::{
    body::{Bytes, HttpBody},
    extract::{FromRequest, Request},
    http::{HeaderName, header},
};
use multer::{Constraints, Field, Multipart, SizeLimit};
use tokio::time::timeout;
use usher_serve::is_plain;
use usher_shared::foundation::{
    db::CommitGate,
    file_store::{FileError, FileStore, FileWriter, Uploaded},
    rules::{Violation, ViolationKind},
};
use utoipa::openapi::{
    ContentBuilder, Required,
    request_body::RequestBodyBuilder,
    schema::{ObjectBuilder, Type},
};

use self::incoming::{AROUND, Broken, Incoming};
use super::{
    code::Code,
    error::ApiError,
    fields::in_body,
    file_type::{FileType, HEAD, Utf8, recognize},
    limits::admit_stranger,
    media_type::{MULTIPART, media_type},
    openapi::UPLOAD_ERRORS,
    operation::{Describe, Fault, OperationDoc},
    request::RequestContext,
    schema,
};

/// The name of the part with the file.
const PART: &str = "file";
/// How long a file may take to arrive.
const TIME: Duration = Duration::from_secs(5 * 60);

/// Which files an operation takes.
///
/// ```
/// use usher_api::UploadRule;
///
/// struct Picture;
///
/// impl UploadRule for Picture {
///     const MAX_BYTES: u64 = 2 * 1024 * 1024;
///     const MEDIA_TYPES: &'static [&'static str] = &["image/png", "image/jpeg", "image/webp"];
/// }
/// ```
pub trait UploadRule {
    /// The largest file, in bytes: 10 MiB unless you say otherwise.
    const MAX_BYTES: u64 = 10 * 1024 * 1024;
    /// The types it can have, such as `image/png`. They are recognized by the file's first bytes, whatever the client
    /// declares; of text (`text/…`, JSON and XML) the declared type counts, and all of it must be UTF-8.
    const MEDIA_TYPES: &'static [&'static str];
}

/// A file in the part `file` of a `multipart/form-data` body. Nothing is read before [`Upload::receive`], so that the
/// handler can check first whether the caller may send it.
pub struct Upload<R> {
    body: Incoming,
    parts: Multipart<'static>,
    context: Option<Arc<RequestContext>>,
    rule: PhantomData<R>,
}

impl<S: Send + Sync, R: UploadRule> FromRequest<S> for Upload<R> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is_plain(request.headers()) {
            return Err(Code::UNSUPPORTED_CONTENT_CODING.into());
        }
        let boundary = boundary(&request).ok_or_else(|| {
            let accepted = HeaderName::from_static("accept-post");
            ApiError::UnsupportedMediaType(accepted, MULTIPART)
        })?;
        let context = request.extensions().get::<Arc<RequestContext>>().cloned();
        let body = request.into_body();
        let whole = R::MAX_BYTES + 2 * AROUND as u64;
        if body.size_hint().lower() > whole {
            return Err(Code::FILE_TOO_LARGE.into());
        }
        let size = SizeLimit::new().whole_stream(whole).per_field(R::MAX_BYTES);
        let constraints = Constraints::new().size_limit(size);
        let body = Incoming::new(body);
        Ok(Self {
            parts: Multipart::with_constraints(body.clone(), boundary, constraints),
            body,
            context,
            rule: PhantomData,
        })
    }
}

fn boundary(request: &Request) -> Option<String> {
    let is_form = media_type(request.headers()).is_some_and(|named| named == MULTIPART);
    let value = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
    multer::parse_boundary(value).ok().filter(|_| is_form)
}

impl<R: UploadRule> Upload<R> {
    /// Reads the file into the store, for up to five minutes. [`Uploaded::keep`] keeps it in the transaction with the
    /// row that refers to it; without, it is removed after a day.
    ///
    /// # Errors
    ///
    /// What is wrong with the body or the file; [`Code::FILE_TOO_LARGE`]; [`Code::BODY_TIMED_OUT`]; those of the store.
    pub async fn receive(mut self, files: &FileStore) -> Result<Uploaded, ApiError> {
        if let Some(context) = &self.context {
            admit_stranger(context)?;
        }
        if let Some(gate) = CommitGate::current() {
            gate.extend(TIME);
        }
        let file = timeout(TIME, self.receive_file(files)).await;
        file.map_err(|_| Code::BODY_TIMED_OUT)?
    }

    async fn receive_file(&mut self, files: &FileStore) -> Result<Uploaded, ApiError> {
        let part = self.parts.next_field().await.map_err(unreadable)?;
        let mut part = part.ok_or_else(|| fault(ViolationKind::Missing, "Send the file in a part named file"))?;
        if part.name() != Some(PART) {
            return Err(fault(ViolationKind::ExtraForbidden, "Send one part, named file"));
        }
        self.body.enter_content();
        let head = head(&mut part).await?;
        if head.is_empty() {
            return Err(fault(ViolationKind::TooShort, "The file is empty"));
        }
        let declared = part.content_type().map(|declared| declared.essence_str().to_owned());
        let kind = recognize(&head, declared.as_deref(), R::MEDIA_TYPES).map_err(other_type::<R>)?;
        let mut writer = files.create(part.file_name().unwrap_or_default()).await?;
        let copied = copy(&mut writer, head, &mut part, kind).await;
        drop(part);
        let ended = match copied {
            Ok(()) => self.end().await,
            Err(error) => Err(error),
        };
        match ended {
            Ok(()) => Ok(writer.finish(kind.media_type).await?),
            Err(error) => {
                writer.abort().await;
                Err(error)
            }
        }
    }

    /// Reads the rest: a file that is followed by something else was not meant to be all, and a client that is answered
    /// before it has sent everything may not see the answer.
    async fn end(&mut self) -> Result<(), ApiError> {
        self.body.leave_content();
        if self.parts.next_field().await.map_err(unreadable)?.is_some() {
            return Err(fault(ViolationKind::ExtraForbidden, "Send one part, named file"));
        }
        self.body.finish().await.map_err(|broken| broken_off(&broken))
    }
}

/// The first bytes, as many as recognizing a type takes.
async fn head(part: &mut Field<'_>) -> Result<Bytes, ApiError> {
    let mut head = Vec::new();
    while head.len() < HEAD
        && let Some(chunk) = part.chunk().await.map_err(unreadable)?
    {
        head.extend_from_slice(&chunk);
    }
    Ok(head.into())
}

async fn copy(writer: &mut FileWriter, head: Bytes, part: &mut Field<'_>, kind: FileType) -> Result<(), ApiError> {
    let mut text = Utf8::default();
    let mut next = Some(head);
    while let Some(chunk) = next {
        if kind.is_text && !text.continues(&chunk) {
            return Err(fault(ViolationKind::ValueError, "The file is not text in UTF-8"));
        }
        writer.write(chunk).await?;
        next = part.chunk().await.map_err(unreadable)?;
    }
    if text.is_whole() {
        Ok(())
    } else {
        Err(fault(ViolationKind::ValueError, "The file is not text in UTF-8"))
    }
}

fn other_type<R: UploadRule>(found: Option<&'static str>) -> ApiError {
    let found = found.unwrap_or("of an unknown type");
    let allowed = R::MEDIA_TYPES.join(", ");
    let violation = Violation::value(format!("The file is {found}; send one of these types: {allowed}"));
    ApiError::Invalid(vec![in_body(PART, violation)])
}

fn fault(kind: ViolationKind, message: &str) -> ApiError {
    ApiError::Invalid(vec![in_body(PART, Violation::new(kind, message))])
}

fn unreadable(error: multer::Error) -> ApiError {
    match error {
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Code::FILE_TOO_LARGE.into()
        }
        multer::Error::StreamReadFailed(source) => match source.downcast_ref::<Broken>() {
            Some(broken) => broken_off(broken),
            None => fault(ViolationKind::ValueError, "The body ended before it was complete"),
        },
        multer::Error::IncompleteStream
        | multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders => fault(ViolationKind::ValueError, "The body ended before it was complete"),
        error => fault(
            ViolationKind::ValueError,
            &format!("The body is not multipart/form-data: {error}"),
        ),
    }
}

fn broken_off(broken: &Broken) -> ApiError {
    let message = match broken {
        Broken::LongHead => "The head of a part is longer than 16 KiB",
        Broken::Ended => "The body ended before it was complete",
    };
    fault(ViolationKind::ValueError, message)
}

impl From<FileError> for ApiError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Db(error) => error.into(),
            error @ (FileError::Store(_) | FileError::Folder(_)) => Self::Unavailable(error.into()),
            error => Self::Internal(error.into()),
        }
    }
}

impl<R: UploadRule> Describe for Upload<R> {
    fn describe(operation: &mut OperationDoc) {
        let about = format!(
            "The file: {}, of at most {}.",
            R::MEDIA_TYPES.join(", "),
            readable_size(R::MAX_BYTES)
        );
        let mut file = schema::binary();
        file.description = Some(about);
        let form = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property(PART, file)
            .required(PART);
        let content = ContentBuilder::new().schema(Some(form)).build();
        let body = RequestBodyBuilder::new().required(Some(Required::True));
        operation.request_body(body.content(MULTIPART, content).build());
        operation.errors(UPLOAD_ERRORS);
        operation.sample(Fault::Body, || {
            in_body(
                PART,
                Violation::new(ViolationKind::Missing, "Send the file in a part named file"),
            )
        });
    }
}

/// In the largest unit that shows it whole.
fn readable_size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1024 * 1024) => format!("{} MiB", bytes / (1024 * 1024)),
        _ if bytes.is_multiple_of(1024) => format!("{} KiB", bytes / 1024),
        _ => format!("{bytes} bytes"),
    }
}
