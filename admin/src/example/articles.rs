//! Articles in the admin.

use super::article::{ArticleState, COLUMN as C, Column, Entity};
use crate::models::registered::Users;
use usher_admin_engine::{AdminModel, Deletion, Field, Meta, Ordering, Tone};

pub(crate) struct Articles;

impl AdminModel for Articles {
    type Entity = Entity;

    const META: Meta = Meta::new("articles", "article", "articles")
        .section("Content")
        .changeable()
        .deletable();

    const DELETION: Option<&'static Deletion> = Some(&Deletion::rows(&[]));

    fn ordering() -> Ordering<Entity> {
        Ordering::descending(Column::Id)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id),
            Title => Field::text(C.title).link().form(),
            AuthorId => Field::foreign_key::<Users>(C.author_id).list().filter().form(),
            State => Field::choice(C.state, tone).list().filter().form(),
            PublishedAt => Field::time(C.published_at).list().form().sort(),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at).list().sort_by(Id).readonly(),
            UpdatedAt => Field::touched(C.updated_at),
        }
    }
}

fn tone(state: &ArticleState) -> Tone {
    match state {
        ArticleState::Draft => Tone::Quiet,
        ArticleState::Published => Tone::Good,
    }
}
