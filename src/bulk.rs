//! What staff can do to many objects at once: in the admin a button, beyond a screenful a job.

use sea_orm::{DbErr, EntityTrait, IdenStatic, Iterable, sea_query::SelectStatement};
use usher_admin_engine::{Action, ActionContext, AdminModel, Outcome, Row};
use usher_shared::accounts::staff::bulk::{Applied, BulkAction, BulkExtension, BulkRow, OwnAction};
use uuid::Uuid;

/// Something that staff can do to objects of a model: to one on its page, to ticked ones, and to all that match the
/// filters of the list. What exceeds a page is done by a job, row by row, each with its audit entry.
///
/// ```
/// # mod ticket {
/// #     use sea_orm::entity::prelude::*;
/// #     #[sea_orm::model]
/// #     #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
/// #     #[sea_orm(table_name = "tickets")]
/// #     pub struct Model {
/// #         #[sea_orm(primary_key)]
/// #         pub id: i64,
/// #         pub subject: String,
/// #         pub is_closed: bool,
/// #     }
/// #     impl ActiveModelBehavior for ActiveModel {}
/// # }
/// # use usher::admin::{AdminModel, Field, Meta};
/// # impl AdminModel for ticket::Entity {
/// #     type Entity = Self;
/// #     const META: Meta = Meta::new("tickets", "ticket", "tickets");
/// #     fn field(column: ticket::Column) -> Field<Self> {
/// #         match column {
/// #             ticket::Column::Id => Field::id(ticket::COLUMN.id),
/// #             ticket::Column::Subject => Field::text(ticket::COLUMN.subject).link(),
/// #             ticket::Column::IsClosed => Field::bool(ticket::COLUMN.is_closed).list(),
/// #         }
/// #     }
/// # }
/// use sea_orm::{ActiveModelTrait, ActiveValue::Set, DbErr, EntityTrait, IntoActiveModel};
/// use usher::{Applied, Bulk, BulkRow};
///
/// struct Close;
///
/// impl Bulk for Close {
///     type Model = ticket::Entity;
///     const NAME: &'static str = "close";
///     const LABEL: &'static str = "Close";
///     const DONE: &'static str = "closed";
///
///     async fn apply(row: BulkRow<'_>) -> Result<Applied, DbErr> {
///         let id: i64 = row.id.parse().unwrap_or_default();
///         let found = ticket::Entity::find_by_id(id).one(&**row.tx).await?;
///         let Some(ticket) = found.filter(|ticket| !ticket.is_closed) else {
///             return Ok(Applied::Skipped("it is closed already"));
///         };
///         let label = ticket.subject.clone();
///         let mut ticket = ticket.into_active_model();
///         ticket.is_closed = Set(true);
///         ticket.update(&**row.tx).await?;
///         Ok(Applied::Done(label))
///     }
/// }
/// ```
pub trait Bulk: 'static {
    type Model: AdminModel;

    /// The action in the audit log, and the end of its permission: `close` takes `tickets.close`.
    const NAME: &'static str;
    /// On the button.
    const LABEL: &'static str;
    /// In the message afterwards: "3 tickets closed".
    const DONE: &'static str;
    /// What it does, on the confirmation page.
    const ABOUT: &'static str = "";

    /// Applies it to one row, in a transaction of its own.
    fn apply(row: BulkRow<'_>) -> impl Future<Output = Result<Applied, DbErr>> + Send;
}

/// The action that the admin shows.
pub(crate) const fn action<B: Bulk>() -> &'static Action {
    Shown::<B>::ACTION
}

struct Shown<B>(B);

impl<B: Bulk> Shown<B> {
    const ACTION: &'static Action = &Action::new(B::NAME, B::LABEL, |acting, row| Box::pin(one::<B>(acting, row)))
        .done(B::DONE)
        .about(B::ABOUT)
        .bulk(|acting, select| Box::pin(many::<B>(acting, select)));
}

/// What the worker carries out.
pub(crate) fn extension<B: Bulk>() -> BulkExtension {
    // Once for each action, at the start of the program.
    let permission = permission::<B>().leak();
    BulkExtension {
        name: permission,
        word: B::NAME,
        permission,
        object_type: B::Model::META.object_type(),
        objects: B::Model::META.plural,
        apply: |row| Box::pin(B::apply(row)),
    }
}

fn permission<B: Bulk>() -> String {
    format!("{}.{}", B::Model::META.name, B::NAME)
}

async fn one<B: Bulk>(acting: &ActionContext<'_>, row: &Row) -> Result<Outcome, DbErr> {
    let id = id_of::<B>(row).unwrap_or_default();
    let row = BulkRow {
        tx: acting.saving.tx,
        id: &id,
        actor: acting.saving.actor,
        reason: acting.params.reason.as_ref(),
    };
    Ok(match B::apply(row).await? {
        Applied::Done(_) => Outcome::Done,
        Applied::Audited => Outcome::Audited,
        Applied::Skipped(why) => Outcome::Skipped(why.into()),
    })
}

fn id_of<B: Bulk>(row: &Row) -> Option<String> {
    let mut key = <<B::Model as AdminModel>::Entity as EntityTrait>::PrimaryKey::iter();
    row.text(key.next()?.as_str())
}

async fn many<B: Bulk>(acting: &ActionContext<'_>, select: SelectStatement) -> Result<(Uuid, u64), DbErr> {
    let name = OwnAction::named(&permission::<B>());
    let name = name.ok_or_else(|| DbErr::Custom(format!("{} is not registered", permission::<B>())))?;
    usher_admin::enqueue_bulk(acting, BulkAction::Own { name }, select).await
}
