//! Staff roles: named sets of permissions, who has them, and the flags above them.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::json;

use crate::{
    accounts::users,
    audit::{self, Actor, Entry, ObjectType},
    foundation::{
        entity::{
            role, role_permission,
            user::{self, UserStatus},
            user_role,
        },
        rules::Name,
        time::now,
    },
};

/// A user's access to the admin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    pub staff: bool,
    pub superuser: bool,
    pub roles: BTreeSet<i64>,
}

/// The permissions of a role, such as `users.change`.
pub async fn permissions(conn: &impl ConnectionTrait, role_id: i64) -> Result<BTreeSet<String>, DbErr> {
    let words: Vec<String> = role_permission::Entity::find()
        .select_only()
        .column(role_permission::Column::Permission)
        .filter(role_permission::Column::RoleId.eq(role_id))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(words.into_iter().collect())
}

/// Gives a role exactly these permissions; returns those it had.
pub async fn set_permissions(
    tx: &DatabaseTransaction,
    role_id: i64,
    wanted: &BTreeSet<String>,
) -> Result<BTreeSet<String>, DbErr> {
    let before = permissions(tx, role_id).await?;
    let gone: Vec<_> = before.difference(wanted).cloned().collect();
    if !gone.is_empty() {
        role_permission::Entity::delete_many()
            .filter(role_permission::Column::RoleId.eq(role_id))
            .filter(role_permission::Column::Permission.is_in(gone))
            .exec(tx)
            .await?;
    }
    let new = wanted
        .difference(&before)
        .map(|permission| role_permission::ActiveModel {
            role_id: Set(role_id),
            permission: Set(permission.clone()),
        });
    let new: Vec<_> = new.collect();
    if !new.is_empty() {
        role_permission::Entity::insert_many(new)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(before)
}

/// A role to create, or as it should become.
#[derive(Clone, Debug)]
pub struct RoleDraft {
    pub name: Name,
    pub description: String,
    /// The caller decides who may grant which.
    pub permissions: BTreeSet<String>,
}

/// Creates a role with its permissions, and its audit row.
pub async fn create(tx: &DatabaseTransaction, new: &RoleDraft, actor: &Actor) -> Result<role::Model, DbErr> {
    let at = now();
    let row = role::ActiveModel {
        name: Set(new.name.as_str().to_owned()),
        description: Set(new.description.clone()),
        version: Set(1),
        created_at: Set(at),
        updated_at: Set(at),
        ..Default::default()
    };
    let role = row.insert(tx).await?;
    set_permissions(tx, role.id, &new.permissions).await?;
    let changes = audit::made([
        ("name", role.name.clone().into()),
        ("description", role.description.clone().into()),
        ("permissions", listed(&new.permissions).into()),
    ]);
    audit::record(tx, actor, entry("create", &role, changes)).await?;
    Ok(role)
}

/// Changes a role, with its audit row. False if nothing differs.
pub async fn edit(
    tx: &DatabaseTransaction,
    before: role::Model,
    wanted: &RoleDraft,
    actor: &Actor,
) -> Result<bool, DbErr> {
    let mut row = before.clone().into_active_model();
    row.name = Set(wanted.name.as_str().to_owned());
    row.description = Set(wanted.description.clone());
    let changed = audit::changes::<role::Entity>(&before, &mut row, &[]);
    let had = set_permissions(tx, before.id, &wanted.permissions).await?;
    if changed.is_none() && had == wanted.permissions {
        return Ok(false);
    }
    let mut changes = changed.unwrap_or_else(|| json!({}));
    if had != wanted.permissions {
        changes["permissions"] = json!([listed(&had), listed(&wanted.permissions)]);
    }
    row.id = Unchanged(before.id);
    row.version = Set(before.version + 1);
    row.updated_at = Set(now());
    row.update(tx).await?;
    audit::record(tx, actor, entry("update", &before, changes)).await?;
    Ok(true)
}

fn listed(permissions: &BTreeSet<String>) -> String {
    permissions.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

fn entry<'a>(action: &'a str, role: &role::Model, changes: serde_json::Value) -> Entry<'a> {
    Entry {
        changes: Some(changes),
        ..Entry::about(ObjectType::Role, role.id, &role.name, action)
    }
}

/// Every role with its permissions, by name.
pub async fn all(conn: &impl ConnectionTrait) -> Result<Vec<(role::Model, BTreeSet<String>)>, DbErr> {
    let roles = role::Entity::find().order_by_asc(role::Column::Name).all(conn).await?;
    let given = role_permission::Entity::find().all(conn).await?;
    let with_permissions = roles.into_iter().map(|role| {
        let own = given.iter().filter(|each| each.role_id == role.id);
        let own = own.map(|each| each.permission.clone()).collect();
        (role, own)
    });
    Ok(with_permissions.collect())
}

/// The roles of a user.
pub async fn of_user(conn: &impl ConnectionTrait, user_id: i64) -> Result<BTreeSet<i64>, DbErr> {
    let ids: Vec<i64> = user_role::Entity::find()
        .select_only()
        .column(user_role::Column::RoleId)
        .filter(user_role::Column::UserId.eq(user_id))
        .into_tuple()
        .all(conn)
        .await?;
    Ok(ids.into_iter().collect())
}

/// Whether nobody but this user can sign in as a superuser.
pub async fn is_last_superuser(conn: &impl ConnectionTrait, user_id: i64) -> Result<bool, DbErr> {
    let others = user::Entity::find()
        .filter(user::Column::IsSuperuser.eq(true))
        .filter(user::Column::IsStaff.eq(true))
        .filter(UserStatus::Active.of_rows("users", now()))
        .filter(user::Column::DeletedAt.is_null())
        .filter(user::Column::Id.ne(user_id));
    Ok(others.count(conn).await? == 0)
}

/// Gives a user exactly this access, with an audit row `set_roles`. The caller decides who may grant which roles. False
/// if nothing differs.
pub async fn set_access(
    tx: &DatabaseTransaction,
    before: user::Model,
    wanted: &Access,
    reason: Option<String>,
    actor: &Actor,
) -> Result<bool, DbErr> {
    let had = Access {
        staff: before.is_staff,
        superuser: before.is_superuser,
        roles: of_user(tx, before.id).await?,
    };
    if had == *wanted {
        return Ok(false);
    }
    user_role::Entity::delete_many()
        .filter(user_role::Column::UserId.eq(before.id))
        .exec(tx)
        .await?;
    let rows = wanted.roles.iter().map(|role_id| user_role::ActiveModel {
        user_id: Set(before.id),
        role_id: Set(*role_id),
    });
    let rows: Vec<_> = rows.collect();
    if !rows.is_empty() {
        user_role::Entity::insert_many(rows).exec_without_returning(tx).await?;
    }
    let names = |ids: &BTreeSet<i64>, roles: &[(role::Model, BTreeSet<String>)]| {
        let named = roles.iter().filter(|(role, _)| ids.contains(&role.id));
        named.map(|(role, _)| role.name.clone()).collect::<Vec<_>>().join(", ")
    };
    let roles = all(tx).await?;
    let changes = json!({
        "is_staff": [had.staff, wanted.staff],
        "is_superuser": [had.superuser, wanted.superuser],
        "roles": [names(&had.roles, &roles), names(&wanted.roles, &roles)],
    });
    let row = user::ActiveModel {
        is_staff: Set(wanted.staff),
        is_superuser: Set(wanted.superuser),
        ..before.clone().into()
    };
    let stored = users::store(tx, &before, row, "set_roles", changes, reason, actor).await;
    stored.map(|_| true).map_err(users::plain)
}
