//! What the types of a declaration promise: a wrong one does not compile, or does not start. Each line here is a mistake
//! that the compiler refuses, asked of it as a question.

use std::marker::PhantomData;

use sea_orm::{BoolColumn, DateTimeLikeColumn, NumericColumn, StringColumn};
use usher_shared::entity::{mail_token, role, user};

use super::{
    field::{Field, IdColumn, IntColumn, TextColumn},
    model::AdminModel,
};

/// Whether a type has a trait, as the compiler sees it.
macro_rules! has {
    ($type:ty: $($bound:tt)+) => {{
        trait Otherwise {
            const _HOLDS: bool = false;
        }
        impl<T> Otherwise for Question<T> {}
        struct Question<T>(PhantomData<T>);
        impl<T: $($bound)+> Question<T> {
            const _HOLDS: bool = true;
        }
        <Question<$type>>::_HOLDS
    }};
}

#[test]
fn a_widget_takes_only_columns_that_it_can_show() {
    assert!(has!(StringColumn<user::Entity>: TextColumn<user::Entity>));
    assert!(
        !has!(BoolColumn<user::Entity>: TextColumn<user::Entity>),
        "a text widget on a boolean"
    );
    assert!(
        !has!(NumericColumn<user::Entity>: TextColumn<user::Entity>),
        "a text widget on a number"
    );
    assert!(
        !has!(StringColumn<user::Entity>: IntColumn<user::Entity>),
        "a number of a text"
    );
    assert!(
        !has!(DateTimeLikeColumn<user::Entity>: IdColumn<user::Entity>),
        "a time as an id"
    );
}

#[test]
fn a_column_of_another_table_is_none_of_this_one() {
    assert!(has!(StringColumn<role::Entity>: TextColumn<role::Entity>));
    assert!(!has!(StringColumn<role::Entity>: TextColumn<user::Entity>));
}

#[test]
fn a_foreign_key_leads_to_a_declared_model() {
    assert!(has!(user::Entity: AdminModel));
    assert!(!has!(mail_token::Entity: AdminModel), "tokens are nobody's to look at");
}

#[test]
#[should_panic(expected = "users.password_hash is secret and declared to be seen")]
fn a_secret_that_is_declared_to_be_seen_does_not_start() {
    drop(
        Field::<user::Entity>::secret(user::Column::PasswordHash)
            .list()
            .erased(),
    );
}

#[test]
fn no_declaration_leaves_a_column_to_chance() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/models");
    for file in std::fs::read_dir(folder).expect("the declarations") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let Some((_, field)) = text.split_once("fn field(column: Column)") else {
            continue;
        };
        let field = field.split("\n    }\n").next().unwrap_or_default();
        assert!(field.contains("match column {") && !field.contains("_ =>"), "{field}");
    }
}
