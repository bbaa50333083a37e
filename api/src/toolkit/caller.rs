//! Who calls: the credential of a request, checked by extractors. If it is in a handler's signature, it was checked.

use std::{marker::PhantomData, pin::Pin, sync::Arc};

use axum::{
    extract::{FromRef, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use sea_orm::{ColumnTrait, Condition, DatabaseTransaction, EntityTrait};
use tokio::time::{Sleep, sleep};
use usher_shared::{
    accounts::{
        api_keys::{self, Scope},
        mfa,
        sessions::{self, Signed},
        staff::policy::{Act, Holder, Refusal},
        users,
    },
    audit::Actor,
    foundation::{
        config::StaffMfa,
        db,
        entity::{api_key, audit_log::ActorKind, session, user},
        time::now,
        token::{Token, TokenKind},
    },
};

use super::{
    code::Code,
    error::ApiError,
    limits::Limit,
    list::Filter,
    request::{Context, RequestContext},
    state::Toolkit,
};

/// The caller. A bad credential is rejected, never treated as none.
#[derive(Clone)]
pub enum Caller {
    /// No credential at all.
    Anonymous,
    /// Another service, by an API key.
    Key(Arc<api_key::Model>),
    /// A person, by an access token.
    User(Box<Signed>),
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(checked) = parts.extensions.get::<Self>() {
            return Ok(checked.clone());
        }
        let Some(token) = bearer(&parts.headers)? else {
            return Ok(Self::Anonymous);
        };
        let (token, toolkit) = (token.to_owned(), Toolkit::from_ref(state));
        let Context(context) = Context::from_request_parts(parts, state).await?;
        Self::of_token(&token, &toolkit, &context).await
    }
}

impl Caller {
    /// Whose token this is: an access token or an API key.
    pub(crate) async fn of_token(token: &str, toolkit: &Toolkit, context: &RequestContext) -> Result<Self, ApiError> {
        if let Some(access) = Token::parse(TokenKind::Access, token) {
            return user(toolkit, context, &access).await.map(Self::User);
        }
        let key = toolkit.keys.authenticate(token, context.address).await?;
        let key = key.ok_or(Code::INVALID_CREDENTIAL)?;
        context.caller.get_or_init(|| format!("api_key:{}", key.id));
        Limit::of_key(&key).charge(toolkit, context).await?;
        toolkit.key_use.note(&toolkit.db, &key);
        Ok(Self::Key(key))
    }

    /// Counts one more operation of the same request.
    pub(crate) async fn charge(&self, toolkit: &Toolkit, context: &RequestContext) -> Result<(), ApiError> {
        match self {
            Self::Anonymous => Ok(()),
            Self::Key(key) => Limit::of_key(key).charge(toolkit, context).await,
            Self::User(signed) => Limit::of_user(signed.user.id).charge(toolkit, context).await,
        }
    }

    /// Ends with the access token, or with the secret that a rotation has replaced: it may be the one that was sent.
    pub(crate) fn expiry(&self) -> Option<Pin<Box<Sleep>>> {
        let end = match self {
            Self::User(signed) => signed.session.token_expires_at?,
            Self::Key(key) => key.previous_until.filter(|until| now() < *until)?,
            Self::Anonymous => return None,
        };
        let left = (end - now()).to_std().unwrap_or_default();
        Some(Box::pin(sleep(left)))
    }
}

/// The person behind an access token. One statement, and a second one for the first request with a new token.
async fn user(toolkit: &Toolkit, context: &RequestContext, access: &Token) -> Result<Box<Signed>, ApiError> {
    let signed = sessions::load(&toolkit.db, access).await?;
    let signed = signed.ok_or(Code::INVALID_CREDENTIAL)?;
    context.caller.get_or_init(|| format!("user:{}", signed.user.id));
    Limit::of_user(signed.user.id).charge(toolkit, context).await?;
    sessions::note_use(&db::writing(&toolkit.db), &signed.session).await?;
    Ok(Box::new(signed))
}

/// The token of `Authorization: Bearer …`; the scheme in any letter case (RFC 9110 §11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().map_err(|_| Code::INVALID_CREDENTIAL)?;
    match text.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && values.next().is_none() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Code::INVALID_CREDENTIAL.into()),
    }
}

/// The scopes of which a key needs one; [`access!`](crate::access) declares it.
pub trait Access: Send {
    /// A key needs one of them.
    const ONE_OF: &'static [Scope];
}

/// Declares scopes as types, one for each kind of access: an API key needs one of the listed [`Scope`]s.
///
/// ```
/// use usher_api::{ApiKey, Scope, access};
///
/// const READ: Scope = Scope::new("tickets:read", &["tickets.view"]);
///
/// access! {
///     /// May see tickets.
///     pub TicketsRead = [READ];
/// }
///
/// async fn handler(key: ApiKey<TicketsRead>) {}
/// ```
#[macro_export]
macro_rules! access {
    ($($(#[$about:meta])* $vis:vis $name:ident = [$($scope:expr),+ $(,)?];)+) => {
        $(
            $(#[$about])*
            $vis struct $name;

            impl $crate::Access for $name {
                const ONE_OF: &'static [$crate::Scope] = &[$($scope),+];
            }
        )+
    };
}

access! {
    /// May see a user: whole with `users:read`, in its four basic fields with `users:write` alone.
    pub UsersSee = [Scope::USERS_READ, Scope::USERS_WRITE];
    /// May see everything of every user.
    pub UsersRead = [Scope::USERS_READ];
    /// May create and change users.
    pub UsersWrite = [Scope::USERS_WRITE];
    /// May delete users.
    pub UsersDelete = [Scope::USERS_DELETE];
    /// May see who is signed in.
    pub SessionsRead = [Scope::SESSIONS_READ];
    /// May end sessions.
    pub SessionsWrite = [Scope::SESSIONS_WRITE];
    /// May see where events are sent.
    pub WebhooksRead = [Scope::WEBHOOKS_READ];
    /// May decide where events are sent.
    pub WebhooksWrite = [Scope::WEBHOOKS_WRITE];
}

/// An API key that has one of the scopes of `A`.
pub struct ApiKey<A> {
    key: Arc<api_key::Model>,
    access: PhantomData<A>,
}

impl<A: Access> ApiKey<A> {
    /// The key, if it has one of the scopes.
    ///
    /// # Errors
    ///
    /// [`ApiError::InsufficientScope`].
    pub fn of(key: Arc<api_key::Model>) -> Result<Self, ApiError> {
        if A::ONE_OF.iter().any(|scope| api_keys::allows(&key, *scope)) {
            Ok(Self {
                key,
                access: PhantomData,
            })
        } else {
            Err(ApiError::InsufficientScope(A::ONE_OF))
        }
    }

    /// Whether it has another scope as well.
    #[must_use]
    pub fn allows(&self, scope: Scope) -> bool {
        api_keys::allows(&self.key, scope)
    }

    /// Whether the table of acts lets it do this to this account.
    pub(crate) fn may(&self, act: Act, user: &user::Model) -> Result<(), ApiError> {
        match Holder::key(&self.key).refuses_to(act, user.into()) {
            None => Ok(()),
            Some(Refusal::Permission(_)) => Err(ApiError::InsufficientScope(A::ONE_OF)),
            Some(_) => Err(Code::STAFF_PROTECTED.into()),
        }
    }

    /// The key's row.
    #[must_use]
    pub fn row(&self) -> &api_key::Model {
        &self.key
    }

    /// That the key is still valid: a body may arrive long after the headers that were checked.
    ///
    /// # Errors
    ///
    /// [`Code::INVALID_CREDENTIAL`] where it was revoked or has expired since.
    pub async fn hold(&self, tx: &DatabaseTransaction) -> Result<(), ApiError> {
        let key = api_key::Entity::find_by_id(self.key.id).one(tx).await?;
        let is_live = |key: &api_key::Model| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| now() < end);
        key.filter(is_live).map(drop).ok_or(Code::INVALID_CREDENTIAL.into())
    }

    /// The key as an actor, for the audit log.
    #[must_use]
    pub fn actor(&self, context: &RequestContext) -> Actor {
        context.actor(ActorKind::ApiKey, Some(self.key.id), &self.key.name)
    }
}

impl<S: Send + Sync, A: Access> FromRequestParts<S> for ApiKey<A>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Key(key) => Self::of(key),
            Caller::User(_) => Err(ApiError::InsufficientScope(A::ONE_OF)),
            Caller::Anonymous => Err(Code::AUTHENTICATION_REQUIRED.into()),
        }
    }
}

/// A key that sees all rows, or a person who sees their own: an API key that has one of the scopes of `A`, or the user
/// who is signed in.
///
/// ```
/// use axum::extract::State;
/// use usher_api::{ApiError, AppState, KeyOrUser, PathId, UsersRead};
/// use usher_shared::foundation::entity::user;
///
/// async fn name(
///     State(state): State<AppState>,
///     caller: KeyOrUser<UsersRead>,
///     id: PathId,
/// ) -> Result<String, ApiError> {
///     let user = id.row::<user::Entity>(&state.db, caller.rows(user::Column::Id)).await?;
///     Ok(user.name)
/// }
/// ```
pub enum KeyOrUser<A> {
    /// Sees all rows.
    Key(ApiKey<A>),
    /// Sees their own.
    User(CurrentUser),
}

impl<A: Access> KeyOrUser<A> {
    /// The user whose rows alone the caller may see; None for a key, which sees all.
    #[must_use]
    pub fn owner(&self) -> Option<i64> {
        match self {
            Self::Key(_) => None,
            Self::User(user) => Some(user.id()),
        }
    }

    /// The rows that the caller may see, by the column of their owner's id.
    #[must_use]
    pub fn rows(&self, owner: impl ColumnTrait) -> Condition {
        Condition::all().add_option(self.owner().map(|id| owner.eq(id)))
    }

    /// The same as a filter of a list; none for a key.
    #[must_use]
    pub fn filter<E: EntityTrait>(&self, owner: E::Column) -> Option<Filter<E>> {
        self.owner().map(|_| Filter::indexed(self.rows(owner)))
    }

    /// As [`CurrentUser::hold`], and for a key that it was not revoked and has not expired since: one statement.
    ///
    /// # Errors
    ///
    /// [`Code::INVALID_CREDENTIAL`] where the key or the session has ended, or the account may not sign in any more.
    pub async fn hold(&self, tx: &DatabaseTransaction) -> Result<(), ApiError> {
        match self {
            Self::Key(key) => key.hold(tx).await,
            Self::User(user) => user.hold(tx).await.map(drop),
        }
    }

    /// The caller as an actor, for the audit log.
    #[must_use]
    pub fn actor(&self, context: &RequestContext) -> Actor {
        match self {
            Self::Key(key) => key.actor(context),
            Self::User(user) => user.actor(context),
        }
    }
}

impl<S: Send + Sync, A: Access> FromRequestParts<S> for KeyOrUser<A>
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::Key(key) => ApiKey::of(key).map(Self::Key),
            Caller::User(signed) => Ok(Self::User(CurrentUser(signed))),
            Caller::Anonymous => Err(Code::AUTHENTICATION_REQUIRED.into()),
        }
    }
}

/// The person who is signed in.
pub struct CurrentUser(pub Box<Signed>);

impl CurrentUser {
    /// The account of the person.
    #[must_use]
    pub fn user(&self) -> &user::Model {
        &self.0.user
    }

    /// The id of the account.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.0.user.id
    }

    /// The person as an actor; a member of staff who has taken their place is named as such.
    pub fn actor(&self, context: &RequestContext) -> Actor {
        let Signed { session, user } = &*self.0;
        match session.impersonator_id {
            None => context.actor(ActorKind::User, Some(user.id), &user.name),
            Some(staff) => Actor {
                on_behalf_of: Some(user.id),
                ..context.actor(ActorKind::User, Some(staff), &format!("staff, user {staff}"))
            },
        }
    }

    /// Locks the account until the transaction ends, if the session is still valid: a body may arrive long after the
    /// headers that were checked.
    ///
    /// # Errors
    ///
    /// [`Code::INVALID_CREDENTIAL`] where the session has ended or the account may not sign in any more.
    pub async fn hold(&self, tx: &DatabaseTransaction) -> Result<user::Model, ApiError> {
        let user = users::find_for_change(tx, self.0.user.id).await?;
        let session = session::Entity::find_by_id(self.0.session.id).one(tx).await?;
        let is_live = session.is_some_and(|session| session.ended_at.is_none());
        user.filter(|user| is_live && user.may_sign_in(now()))
            .ok_or(Code::INVALID_CREDENTIAL.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CurrentUser
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Caller::from_request_parts(parts, state).await? {
            Caller::User(signed) => Ok(Self(signed)),
            Caller::Key(_) => Err(Code::USER_TOKEN_REQUIRED.into()),
            Caller::Anonymous => Err(Code::AUTHENTICATION_REQUIRED.into()),
        }
    }
}

/// A superuser who is signed in as themselves, with the second factor where the installation asks it of staff.
pub struct Superuser(CurrentUser);

impl Superuser {
    /// The id of the account.
    #[must_use]
    pub fn id(&self) -> i64 {
        self.0.0.user.id
    }

    /// As [`CurrentUser::hold`].
    ///
    /// # Errors
    ///
    /// [`Code::INVALID_CREDENTIAL`], or [`Code::SUPERUSER_REQUIRED`] where the person is no superuser any more.
    pub async fn hold(&self, tx: &DatabaseTransaction) -> Result<(), ApiError> {
        let user = self.0.hold(tx).await?;
        if user.is_superuser {
            Ok(())
        } else {
            Err(Code::SUPERUSER_REQUIRED.into())
        }
    }

    /// The person as an actor, for the audit log.
    #[must_use]
    pub fn actor(&self, context: &RequestContext) -> Actor {
        self.0.actor(context)
    }
}

/// [`Superuser`], who has shown the password within the last five minutes, and the second factor where there is one.
pub struct FreshSuperuser(pub Superuser);

impl<S: Send + Sync> FromRequestParts<S> for FreshSuperuser
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Superuser(current) = Superuser::from_request_parts(parts, state).await?;
        current.fresh(&Toolkit::from_ref(state)).await.map(Superuser).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Superuser
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let current = CurrentUser::from_request_parts(parts, state).await?;
        let Signed { session, user } = &*current.0;
        let is_proved = session.mfa_at.is_some() || Toolkit::from_ref(state).config.staff_mfa == StaffMfa::Optional;
        if user.is_superuser && current.0.is_owner() && is_proved {
            Ok(Self(current))
        } else {
            Err(Code::SUPERUSER_REQUIRED.into())
        }
    }
}

impl CurrentUser {
    /// Lets through who has shown the password within the last five minutes, and the second factor where there is one.
    async fn fresh(self, toolkit: &Toolkit) -> Result<Self, ApiError> {
        // Who has shown both need not be asked which are owed.
        let is_fresh =
            self.0.is_fresh(true) || (self.0.is_fresh(false) && !mfa::has_factor(&toolkit.db, self.0.user.id).await?);
        if is_fresh {
            Ok(self)
        } else {
            Err(Code::REAUTHENTICATION_REQUIRED.into())
        }
    }
}

/// The person who is signed in and has shown the password within the last five minutes, and the second factor where
/// there is one.
pub struct FreshUser(pub CurrentUser);

impl<S: Send + Sync> FromRequestParts<S> for FreshUser
where
    Toolkit: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let user = CurrentUser::from_request_parts(parts, state).await?;
        user.fresh(&Toolkit::from_ref(state)).await.map(Self)
    }
}
