//! An actor with their current rights.

use std::collections::HashSet;

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, QueryTrait};

use super::{refusal::Refusal, table::Act};
use crate::{
    accounts::api_keys::Scope,
    audit::Actor,
    foundation::{
        entity::{api_key, audit_log::ActorKind, role_permission, user, user_role},
        time::now,
    },
};

/// An actor with their rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    who: Who,
    permissions: HashSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Who {
    /// Usher itself: schedules and commands. It may do everything.
    System,
    Person {
        id: i64,
        superuser: bool,
    },
    Key(Vec<Scope>),
    Nobody,
}

/// What the table needs to know about an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    pub id: i64,
    pub is_staff: bool,
    pub is_superuser: bool,
}

impl From<&user::Model> for Target {
    fn from(user: &user::Model) -> Self {
        Self {
            id: user.id,
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
        }
    }
}

impl Holder {
    #[must_use]
    pub fn system() -> Self {
        Self::new(Who::System)
    }

    /// A member of staff who is signed in.
    #[must_use]
    pub fn staff(user: &user::Model, permissions: HashSet<String>) -> Self {
        let (id, superuser) = (user.id, user.is_superuser);
        Self {
            permissions,
            ..Self::new(Who::Person { id, superuser })
        }
    }

    #[must_use]
    pub fn key(key: &api_key::Model) -> Self {
        Self::new(Who::Key(key.scopes.split(' ').filter_map(Scope::parse).collect()))
    }

    fn new(who: Who) -> Self {
        let permissions = HashSet::new();
        Self { who, permissions }
    }

    /// An actor with their current rights, because a job may run long after it was ordered. A person must still be
    /// staff and allowed to sign in. At most two statements.
    pub async fn of(conn: &impl ConnectionTrait, actor: &Actor) -> Result<Self, DbErr> {
        let id = match (actor.kind, actor.id) {
            (ActorKind::System, _) => return Ok(Self::system()),
            (ActorKind::User, Some(id)) => id,
            _ => return Ok(Self::new(Who::Nobody)),
        };
        let person = user::Entity::find_by_id(id).one(conn).await?;
        let Some(person) = person.filter(|person| person.is_staff && person.may_sign_in(now())) else {
            return Ok(Self::new(Who::Nobody));
        };
        if person.is_superuser {
            return Ok(Self::staff(&person, HashSet::new()));
        }
        let roles = user_role::Entity::find()
            .select_only()
            .column(user_role::Column::RoleId)
            .filter(user_role::Column::UserId.eq(id));
        let given: Vec<String> = role_permission::Entity::find()
            .select_only()
            .column(role_permission::Column::Permission)
            .filter(role_permission::Column::RoleId.in_subquery(roles.into_query()))
            .into_tuple()
            .all(conn)
            .await?;
        Ok(Self::staff(&person, given.into_iter().collect()))
    }

    #[must_use]
    pub fn is_superuser(&self) -> bool {
        matches!(self.who, Who::System | Who::Person { superuser: true, .. })
    }

    /// Whether they have this permission, such as `users.change`. Superusers have all, API keys none.
    #[must_use]
    pub fn may(&self, permission: &str) -> bool {
        self.is_superuser() || self.permissions.contains(permission)
    }

    /// Why they may not do this at all, if they may not.
    #[must_use]
    pub fn refuses(&self, act: Act) -> Option<Refusal> {
        let rule = act.rule();
        let may = match &self.who {
            Who::Key(scopes) => rule.scope.is_some_and(|scope| scopes.contains(&scope)),
            _ => self.may(rule.permission),
        };
        (!may).then_some(Refusal::Permission(rule.permission))
    }

    /// Why they may not do this to this account. [`super::user_refusal`] also protects the last superuser.
    #[must_use]
    pub fn refuses_to(&self, act: Act, target: Target) -> Option<Refusal> {
        self.refuses(act).or_else(|| self.refuses_target(act, target))
    }

    /// The same without the permission, for callers that check it separately.
    #[must_use]
    pub fn refuses_target(&self, act: Act, target: Target) -> Option<Refusal> {
        let rule = act.rule();
        let is_self = matches!(self.who, Who::Person { id, .. } if id == target.id);
        let is_staff = target.is_staff || target.is_superuser;
        if is_staff && !rule.on_staff {
            Some(Refusal::NeverStaff)
        } else if is_self {
            (!rule.on_self).then_some(Refusal::Oneself)
        } else if self.is_superuser() || !is_staff {
            None
        } else if target.is_superuser {
            Some(Refusal::Superuser)
        } else {
            // Somebody who can change a colleague's address could take over their rights with a password reset.
            Some(Refusal::Staff)
        }
    }

    /// A permission of these scopes that they don't have.
    #[must_use]
    pub fn lacks(&self, scopes: impl IntoIterator<Item = Scope>) -> Option<(Scope, &'static str)> {
        let needed = scopes
            .into_iter()
            .flat_map(|scope| scope.permissions().iter().map(move |permission| (scope, *permission)));
        needed.into_iter().find(|(_, permission)| !self.may(permission))
    }
}
