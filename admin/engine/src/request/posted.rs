//! A posted form. Reading it checks its CSRF token, so no handler can forget to.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest, Request},
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use multer::{Constraints, Multipart, SizeLimit};
use usher_serve::is_plain;
use usher_shared::foundation::rate_limit::{Policy, bucket};

use super::csrf::{self, Binding, Origin};
use super::sent::{Fields, SAVED_FORM};
use super::visit::{Visit, new_visitor};
use crate::error::{AdminError, allowed};

/// The fields of a form from a page made for this visitor.
pub struct Posted(pub Fields);

impl<S: Send + Sync> FromRequest<S> for Posted {
    type Rejection = AdminError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AdminError> {
        let visit = visit(&request)?;
        csrf::check_origin(request.headers(), &visit.app.config.admin_url)?;
        let (mut fields, body) = read(request, state).await?;
        let to = fields.resumes_at().unwrap_or(&visit.path);
        match visit.check_form(token(&fields), to, &body).await {
            Ok(form) => {
                fields.token = Some(form);
                Ok(Self(fields))
            }
            // Made in an earlier session of the same person: what they typed is not lost.
            Err(AdminError::StaleForm)
                if visit.staff.as_ref().is_some_and(|staff| {
                    csrf::author(&visit.app.config.secret_key, token(&fields)) == Some(staff.id())
                }) =>
            {
                Err(AdminError::SignedInSince(Box::new(fields)))
            }
            Err(error) => Err(error),
        }
    }
}

/// The fields of a form that signs in or out. Another tab may have been faster: the page was made for a visitor, and by
/// now the browser has a session, or another one.
pub struct PostedOutside {
    pub fields: Fields,
    /// Whether the form is certainly this browser's own. If that matters, the handler shows the page again.
    pub is_own: bool,
}

impl<S: Send + Sync> FromRequest<S> for PostedOutside {
    type Rejection = AdminError;

    async fn from_request(request: Request, state: &S) -> Result<Self, AdminError> {
        let visit = visit(&request)?;
        let origin = csrf::check_origin(request.headers(), &visit.app.config.admin_url)?;
        let (mut fields, body) = read(request, state).await?;
        let (key, token) = (&visit.app.config.secret_key, token(&fields));
        let visitor = visit.visitor.clone().map(Binding::Visitor);
        let is_for = |binding: &Binding| csrf::check(key, binding, token).is_ok();
        let own = is_for(&visit.csrf_binding)
            || visitor.as_ref().is_some_and(is_for)
            || (visit.account_id.is_some() && csrf::author(key, token) == visit.account_id);
        let is_own = own || origin == Origin::Own;
        // A form without a token gets a new one.
        let token = Some(token).filter(|token| !token.is_empty()).map(str::to_owned);
        let form = visit.take_form(&token.unwrap_or_else(new_visitor), &body, own).await?;
        fields.token = Some(form);
        Ok(Self { fields, is_own })
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(Fields, Bytes), AdminError> {
    let kind = content_type(&request).split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") || !is_plain(request.headers()) {
        return Err(AdminError::UnsupportedBody);
    }
    let visit = visit(&request)?;
    let is_stranger = visit.staff.is_none();
    let body = if !is_stranger {
        let body = Bytes::from_request(request, state).await;
        body.map_err(|_| AdminError::BadRequest("The form is too large. The limit is 1 MB.".to_owned()))?
    } else {
        of_stranger(request, &visit).await?
    };
    let fields = Fields::parse(&body);
    let typed = fields.iter().filter(|(name, _)| *name != SAVED_FORM);
    let length: usize = typed.map(|(name, value)| name.len() + value.len()).sum();
    if is_stranger && length > STRANGERS_BYTES {
        return Err(AdminError::BadRequest(
            "The form is too large. The limit is 16 kB.".to_owned(),
        ));
    }
    Ok((fields, body))
}

fn token(fields: &Fields) -> &str {
    fields.get(csrf::FIELD).unwrap_or_default()
}

/// A file from a form on a page made for this visitor.
#[derive(Debug)]
pub struct Upload {
    /// The form's other fields.
    pub form: Fields,
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Upload {
    /// Reads the form's file. Check the permission before calling it, so that nobody else's megabytes are read.
    /// `None` when no file was chosen. `limit` is the file's size in bytes.
    pub async fn read(request: Request, limit: usize) -> Result<Option<Self>, AdminError> {
        let visit = visit(&request)?;
        csrf::check_origin(request.headers(), &visit.app.config.admin_url)?;
        if !is_plain(request.headers()) {
            return Err(AdminError::UnsupportedBody);
        }
        let boundary = multer::parse_boundary(content_type(&request)).map_err(|_| AdminError::UnsupportedBody)?;
        let sizes = SizeLimit::new()
            .whole_stream(limit as u64 + FORM_BYTES)
            .per_field(limit as u64);
        let constraints = Constraints::new().size_limit(sizes);
        // Another file is another form, but it can't be read before the token is checked.
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok());
        let contents = format!("a file of {}", length.unwrap_or_default());
        let body = request.into_body().into_data_stream();
        let mut parts = Multipart::with_constraints(body, boundary, constraints);
        let (mut form, mut file) = (Fields::default(), None);
        while let Some(part) = parts.next_field().await.map_err(unread)? {
            // The token comes first, so that the file of a forged form is never read.
            if part.name() == Some(csrf::FIELD) {
                let token = part.text().await.map_err(unread)?;
                form.token = Some(visit.check_form(&token, &visit.path, contents.as_bytes()).await?);
            } else if form.token.is_none() {
                return Err(AdminError::StaleForm);
            } else if let Some(name) = part.file_name().map(|name| name.chars().take(200).collect::<String>()) {
                let bytes = part.bytes().await.map_err(unread)?.to_vec();
                file = (!name.is_empty()).then_some((name, bytes));
            } else if let Some(name) = part.name().map(str::to_owned) {
                form.pairs.push((name, part.text().await.map_err(unread)?));
            }
        }
        if form.token.is_none() {
            return Err(AdminError::StaleForm);
        }
        Ok(file.map(|(name, bytes)| Self { form, name, bytes }))
    }
}

/// The form of a visitor who has not signed in: rate limited before it is read, and short, to bound the work.
async fn of_stranger(request: Request, visit: &Visit) -> Result<Bytes, AdminError> {
    let (bucket, quota) = (
        bucket::anonymous(visit.address),
        visit.app.config.rate_limits.quota(Policy::Anonymous),
    );
    allowed(visit.app.limiter.check_here(&bucket, quota))?;
    let body = to_bytes(request.into_body(), STRANGERS_BYTES + KEPT_BYTES).await;
    body.map_err(|_| AdminError::BadRequest("The form is too large. The limit is 16 kB.".to_owned()))
}

/// Size limit in bytes for visitors who have not signed in: an address, a password and where to go next.
const STRANGERS_BYTES: usize = 16 * 1024;
/// Room for a sealed saved form beside that.
const KEPT_BYTES: usize = 176 * 1024;

/// Size limit in bytes for the fields beside a file.
const FORM_BYTES: u64 = 64 * 1024;

fn visit(request: &Request) -> Result<Visit, AdminError> {
    request
        .extensions()
        .get::<Visit>()
        .cloned()
        .ok_or(AdminError::StaleForm)
}

fn content_type(request: &Request) -> &str {
    let header = request.headers().get(CONTENT_TYPE);
    header.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn strange() -> AdminError {
    AdminError::BadRequest(
        "The form wasn't sent the way a browser sends it. Reload the page and submit it again.".to_owned(),
    )
}

fn unread(error: multer::Error) -> AdminError {
    let too_large = matches!(
        error,
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. }
    );
    if too_large {
        return AdminError::BadRequest("The file is too large. Split it into files of up to 16 MiB.".to_owned());
    }
    strange()
}
