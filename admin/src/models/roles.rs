//! Roles: a name and a set of permissions.

use super::registered::Roles;
use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait};
use usher_shared::{
    AppContext,
    accounts::staff::roles::{self, RoleDraft},
    foundation::{
        config::Config,
        entity::{
            role::{COLUMN as C, Column, Entity},
            user, user_role,
        },
        rules::Name,
    },
};

use usher_admin_engine::{
    AdminModel, Cell, Change, Changed, Checklist, Deletion, Draft, Field, HookFuture, Meta, Offered, OnDelete,
    Ordering, PERMISSION_COLUMNS, Panel, Related, Row, SaveContext, Search, Staff, headings,
};

/// Members listed in the panel.
const HOLDERS: u64 = 20;

impl AdminModel for Roles {
    type Entity = Entity;

    const META: Meta = Meta::new("roles", "role", "roles")
        .few()
        .section("People")
        .icon("roles")
        .about("What staff can do. Assign roles on a user's page.")
        .editable()
        .deletable()
        .sensitive();

    const DELETION: Option<&'static Deletion> = Some(&Deletion::rows(&[Related {
        singular: "user",
        plural: "users",
        table: "user_roles",
        column: "role_id",
        named_by: "(SELECT email FROM users WHERE users.id = user_roles.user_id)",
        seen_with: "users.view",
        on_delete: OnDelete::Protect,
    }]));

    const CHECKLIST: Option<&'static Checklist> = Some(&Checklist {
        name: "permission",
        title: "Permissions",
        help: "You can only grant permissions you have.",
        columns: &PERMISSION_COLUMNS,
        offered: Offered::Permissions,
        may: |staff, permission| staff.may(permission),
        load: |app, row| Box::pin(roles::permissions(&app.db, id_of(row))),
    });

    const CHANGE: Option<Change> = Some(|saving, row, draft| Box::pin(change(saving, row, draft)));

    fn ordering() -> Ordering<Entity> {
        Ordering::ascending(Column::Name)
    }

    fn field(column: Column) -> Field<Entity> {
        use Column::*;
        match column {
            Id => Field::id(C.id),
            Name => Field::text(C.name).link().form().sort().search(Search::Words),
            Description => Field::text(C.description)
                .list()
                .form()
                .optional()
                .help("What this role is for"),
            Version => Field::row_version(C.version),
            CreatedAt => Field::time(C.created_at).list().readonly().not_new(),
            UpdatedAt => Field::touched(C.updated_at).not_new(),
        }
    }

    fn clean(draft: &mut Draft, _: Option<&Row>, _: &Config) {
        if let Some(name) = draft.rule(Column::Name, Name::parse) {
            draft.set(Column::Name, name.as_str());
        }
        if draft.typed(Column::Description).chars().count() > 500 {
            draft.refuse(Column::Description, "Use at most 500 characters");
        }
    }

    fn create<'a>(saving: &'a SaveContext<'a>, draft: &'a mut Draft) -> HookFuture<'a, Option<String>> {
        Box::pin(create(saving, draft))
    }

    fn taken(violated: &str) -> Option<(Column, &'static str)> {
        violated
            .contains("name")
            .then_some((Column::Name, "A role with this name already exists"))
    }

    fn panels<'a>(app: &'a AppContext, row: &'a Row, staff: &'a Staff) -> HookFuture<'a, Vec<Panel>> {
        Box::pin(panels(app, row, staff))
    }
}

fn id_of(row: &Row) -> i64 {
    row.parse("id").unwrap_or_default()
}

async fn create(saving: &SaveContext<'_>, draft: &mut Draft) -> Result<Option<String>, DbErr> {
    let Some(new) = wanted(draft, saving.checked.clone().unwrap_or_default()) else {
        return Ok(None);
    };
    let role = roles::create(saving.tx, &new, saving.actor).await?;
    Ok(Some(role.id.to_string()))
}

async fn change(saving: &SaveContext<'_>, row: &Row, draft: &mut Draft) -> Result<Changed, DbErr> {
    let before = Entity::find_by_id(id_of(row)).one(&**saving.tx).await?;
    let Some(before) = before else {
        draft.refuse(Column::Name, "This role no longer exists");
        return Ok(Changed::Refused);
    };
    let permissions = match &saving.checked {
        Some(checked) => checked.clone(),
        None => roles::permissions(&**saving.tx, before.id).await?,
    };
    let Some(wanted) = wanted(draft, permissions) else {
        return Ok(Changed::Refused);
    };
    Ok(match roles::edit(saving.tx, before, &wanted, saving.actor).await? {
        true => Changed::Saved,
        false => Changed::Unchanged,
    })
}

fn wanted(draft: &mut Draft, permissions: BTreeSet<String>) -> Option<RoleDraft> {
    Some(RoleDraft {
        name: draft.rule(Column::Name, Name::parse)?,
        description: draft.text(Column::Description).unwrap_or_default(),
        permissions,
    })
}

async fn panels(app: &AppContext, row: &Row, staff: &Staff) -> Result<Vec<Panel>, DbErr> {
    if !staff.may("users.view") {
        return Ok(vec![]);
    }
    let ids = user_role::Entity::find()
        .select_only()
        .column(user_role::Column::UserId)
        .filter(user_role::Column::RoleId.eq(id_of(row)));
    let holders = user::Entity::find()
        .filter(user::Column::Id.in_subquery(ids.into_query()))
        .order_by_asc(user::Column::Id)
        .limit(HOLDERS)
        .all(&app.db)
        .await?;
    Ok(vec![Panel {
        title: "Members".to_owned(),
        columns: headings(["User", "Name"]),
        rows: holders
            .into_iter()
            .map(|user| {
                vec![
                    Cell::link(user.email, format!("/admin/users/{}", user.id)),
                    Cell::text(user.name),
                ]
            })
            .collect(),
        empty: "No members yet. Assign roles on a user's page.",
        href: Some(format!("/admin/users?role={}", id_of(row))),
        ..Panel::default()
    }])
}
