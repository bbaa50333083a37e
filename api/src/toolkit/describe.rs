//! What the toolkit's extractors and answers add to the document of an operation.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode, Uri},
    response::Response,
};
use utoipa::{ToSchema, openapi::Required};

use super::{
    body::{Body, OptionalBody},
    caller::{Access, ApiKey, CurrentUser, FreshSuperuser, FreshUser, KeyOrUser, Superuser},
    code::Code,
    fields::FromFields,
    openapi::{KEY_ERRORS, SUPERUSER_ERRORS, USER_ERRORS},
    operation::{Describe, Fault, OperationDoc, path_parameter},
    path_id::PathId,
    query::{FromQuery, Query},
    request::Context,
    schema,
};

impl<S> Describe for State<S> {}
impl<T> Describe for Extension<T> {}
impl<T> Describe for Path<T> {}
impl Describe for Context {}
impl Describe for HeaderMap {}
impl Describe for Method {}
impl Describe for Uri {}
impl Describe for Response {}
impl Describe for StatusCode {}

impl<T: Describe, E> Describe for Result<T, E> {
    fn describe(operation: &mut OperationDoc) {
        T::describe(operation);
    }
}

impl<T: FromFields + ToSchema> Describe for Body<T> {
    fn describe(operation: &mut OperationDoc) {
        operation.body::<T>(Required::True);
    }
}

impl<T: FromFields + ToSchema> Describe for OptionalBody<T> {
    fn describe(operation: &mut OperationDoc) {
        operation.body::<T>(Required::False);
    }
}

impl<T: FromQuery> Describe for Query<T> {
    fn describe(operation: &mut OperationDoc) {
        T::parameters()
            .into_iter()
            .for_each(|parameter| operation.parameter(parameter));
        operation.errors(&[Code::INVALID_REQUEST]);
        operation.sample(Fault::Query, T::sample_fault);
    }
}

impl Describe for PathId {
    fn describe(operation: &mut OperationDoc) {
        let about = format!("The {}'s id.", operation.object());
        let id = path_parameter("id", schema::whole_64().into()).description(Some(about));
        operation.parameter(id.example(Some(1.into())).build());
        operation.errors(&[Code::NOT_FOUND, Code::INVALID_REQUEST]);
        operation.sample(Fault::Path, Self::fault);
    }
}

fn key_security<A: Access>(operation: &mut OperationDoc) {
    for scope in A::ONE_OF {
        operation.security("apiKey", &[scope.as_str()]);
    }
}

impl<A: Access> Describe for ApiKey<A> {
    fn describe(operation: &mut OperationDoc) {
        key_security::<A>(operation);
        operation.errors(KEY_ERRORS);
    }
}

impl<A: Access> Describe for KeyOrUser<A> {
    fn describe(operation: &mut OperationDoc) {
        key_security::<A>(operation);
        operation.security("accessToken", &[]);
        operation.errors(KEY_ERRORS);
    }
}

impl Describe for CurrentUser {
    fn describe(operation: &mut OperationDoc) {
        operation.security("accessToken", &[]);
        operation.errors(USER_ERRORS);
    }
}

impl Describe for FreshUser {
    fn describe(operation: &mut OperationDoc) {
        CurrentUser::describe(operation);
        operation.errors(&[Code::REAUTHENTICATION_REQUIRED]);
    }
}

impl Describe for Superuser {
    fn describe(operation: &mut OperationDoc) {
        operation.security("accessToken", &[]);
        operation.errors(SUPERUSER_ERRORS);
    }
}

impl Describe for FreshSuperuser {
    fn describe(operation: &mut OperationDoc) {
        Superuser::describe(operation);
        operation.errors(&[Code::REAUTHENTICATION_REQUIRED]);
    }
}

impl<T: ToSchema> Describe for Json<T> {
    fn describe(operation: &mut OperationDoc) {
        let about = format!("The {}", operation.object());
        operation.answer::<T>(StatusCode::OK, &about);
    }
}
