//! Usher's own models in the admin. A product names them where its models refer to them, as in
//! `Field::foreign_key::<Users>(…)` or `.inline::<Users, Tickets>(…)`.

mod api_keys;
mod audit_log;
mod breakers;
mod bulk_job;
mod deliveries;
mod events;
mod jobs;
mod mails;
mod queues;
pub(crate) mod registered;
mod roles;
mod schedules;
mod sessions;
mod suppressions;
mod user_actions;
mod users;
mod webhooks;

pub use bulk_job::enqueue as enqueue_bulk;
pub use registered::{
    ApiKeys, AuditLog, Breakers, Deliveries, Events, Jobs, Mails, Queues, Roles, Schedules, Sessions, Suppressions,
    Users, Webhooks,
};

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use usher_shared::accounts::{
        api_keys::Scope,
        staff::policy::{Act, ReasonRule},
    };

    use usher_admin_engine::{Extension, Param, Site};

    use crate::apps;

    const SECURITY: &str = include_str!("../../../SECURITY.md");

    fn site() -> Site {
        apps::site(&Extension::new("product")).unwrap()
    }

    /// Every permission that a role can give.
    fn permissions() -> HashSet<String> {
        let groups = site().permissions().into_iter();
        let options = groups.flat_map(|group| group.columns.into_iter().flatten().chain(group.others));
        options.map(|option| option.value).collect()
    }

    #[test]
    fn actions_ask_for_what_the_table_of_acts_says() {
        let site = site();
        let actions = site
            .models
            .iter()
            .flat_map(|model| model.actions.iter().map(move |action| (model, action)));
        let mut met = 0;
        for (model, action) in actions {
            let permission = action.permission(model);
            let Some(act) = Act::by_permission(&permission) else {
                continue;
            };
            let (rule, params) = (act.rule(), action.params.iter());
            let mut reason = params.filter_map(|ask| match ask {
                Param::Reason { required: true } => Some(ReasonRule::Required),
                Param::Reason { required: false } => Some(ReasonRule::Optional),
                _ => None,
            });
            assert_eq!(
                reason.next_back().unwrap_or(ReasonRule::None),
                rule.reason,
                "{permission}"
            );
            assert_eq!((action.sensitive, action.name), (rule.fresh, rule.word), "{permission}");
            assert_eq!(model.meta.object_type(), rule.object.as_str(), "{permission}");
            met += 1;
        }
        assert!(met > 15, "{met}");
    }

    #[test]
    fn what_is_done_to_accounts_sessions_keys_roles_and_jobs_is_in_the_table() {
        let known: HashSet<_> = Act::ALL.map(|act| act.rule().permission.to_owned()).into();
        let no_acts = ["view", "export", "import"];
        for permission in permissions() {
            let (model, word) = permission.split_once('.').unwrap();
            if ["users", "sessions", "api_keys", "roles", "jobs"].contains(&model) && !no_acts.contains(&word) {
                assert!(known.contains(&permission), "{permission}");
            }
        }
    }

    #[test]
    fn security_md_says_what_each_permission_and_scope_amounts_to() {
        let said = |word: &str| SECURITY.contains(&format!("`{word}`"));
        for permission in permissions() {
            let is_general = [".view", ".export"].iter().any(|end| permission.ends_with(end));
            assert!(
                is_general || said(&permission),
                "SECURITY.md does not say what {permission} amounts to"
            );
        }
        let (_, table) = SECURITY.split_once("A scope of a key takes").unwrap();
        let table = table.split("\n\n").next().unwrap().replace('\n', " ");
        for scope in Scope::BUILT_IN {
            let (_, rest) = table.split_once(&format!("`{}`", scope.as_str())).unwrap();
            let named = rest.split(';').next().unwrap();
            for permission in scope.permissions() {
                assert!(
                    named.contains(&format!("`{permission}`")),
                    "{} takes {permission}",
                    scope.as_str()
                );
            }
            assert_eq!(
                named.matches('`').count(),
                2 * scope.permissions().len(),
                "{}",
                scope.as_str()
            );
        }
    }
}
