//! What the types of a declaration promise: a wrong one does not compile, or does not start. Each line here is a
//! mistake that the compiler refuses, asked of it as a question.

use std::marker::PhantomData;

use sea_orm::{BoolColumn, DateTimeLikeColumn, NumericColumn, StringColumn};
use usher_shared::foundation::entity::{mail_token, role, user};

use usher_admin_engine::{AdminModel, IdColumn, IntColumn, TextColumn};

use crate::models::registered::Users;

/// Whether each of two types implements a trait.
macro_rules! have {
    ($one:ty, $other:ty: $($bound:tt)+) => {{
        trait Otherwise {
            const _HOLDS: bool = false;
        }
        impl<T> Otherwise for Question<T> {}
        struct Question<T>(PhantomData<T>);
        impl<T: $($bound)+> Question<T> {
            const _HOLDS: bool = true;
        }
        [<Question<$one>>::_HOLDS, <Question<$other>>::_HOLDS]
    }};
}

/// The first implements it, the second does not.
const FIRST_ALONE: [bool; 2] = [true, false];

#[test]
fn a_widget_takes_only_columns_that_it_can_show() {
    type Text = StringColumn<user::Entity>;
    type Number = NumericColumn<user::Entity>;
    type Truth = BoolColumn<user::Entity>;
    type Time = DateTimeLikeColumn<user::Entity>;
    assert_eq!(have!(Text, Truth: TextColumn<user::Entity>), FIRST_ALONE);
    assert_eq!(have!(Text, Number: TextColumn<user::Entity>), FIRST_ALONE);
    assert_eq!(have!(Number, Text: IntColumn<user::Entity>), FIRST_ALONE);
    assert_eq!(have!(Number, Time: IdColumn<user::Entity>), FIRST_ALONE);
}

#[test]
fn a_column_of_another_table_is_none_of_this_one() {
    type Own = StringColumn<user::Entity>;
    type Other = StringColumn<role::Entity>;
    assert_eq!(have!(Own, Other: TextColumn<user::Entity>), FIRST_ALONE);
}

#[test]
fn a_foreign_key_leads_to_a_declared_model() {
    // Nobody may see the tokens of mails.
    assert_eq!(have!(Users, mail_token::Entity: AdminModel), FIRST_ALONE);
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
