//! Settings of a product's apps, beside those of Usher: from the same environment and flags, with the same errors.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use clap::{Arg, ArgMatches, Args, Command, Error};

use crate::foundation::Registered;

static GROUPS: Registered<Vec<SettingsGroup>> = Registered::new();

/// Adds settings to those of Usher. Only the first call counts: a process runs one program.
pub fn add_settings(groups: Vec<SettingsGroup>) {
    GROUPS.set(groups);
}

type Value = Arc<dyn Any + Send + Sync>;

/// The settings of one app, as a struct that derives [`clap::Args`].
#[derive(Clone, Copy)]
pub struct SettingsGroup {
    augment: fn(Command) -> Command,
    read: fn(&ArgMatches) -> Result<(TypeId, Value), Error>,
}

impl fmt::Debug for SettingsGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl SettingsGroup {
    /// Each field is a setting: `#[arg(long, env, value_name = "4", default_value_t = 4)] overdue_hours: u32` is
    /// `OVERDUE_HOURS`, and `--overdue-hours`; the value name is the example that an error shows.
    #[must_use]
    pub fn of<S: Args + Send + Sync + 'static>() -> Self {
        Self {
            augment: S::augment_args,
            read: |matches| Ok((TypeId::of::<S>(), Arc::new(S::from_arg_matches(matches)?))),
        }
    }

    /// The names of its settings, such as `OVERDUE_HOURS`.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let names = self.arguments().into_iter();
        let names = names.filter_map(|argument| Some(argument.get_env()?.to_string_lossy().into_owned()));
        names.collect()
    }

    /// The ids of its arguments, such as `overdue_hours`, which are its flags as well.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let ids = self.arguments().into_iter();
        ids.map(|argument| argument.get_id().to_string()).collect()
    }

    /// # Errors
    /// Names an argument that is no setting: one without `env`, or one that takes no value.
    pub fn check(&self) -> Result<(), String> {
        for argument in self.arguments() {
            let id = argument.get_id();
            if argument.get_env().is_none() {
                return Err(format!("the setting {id} has no variable: write #[arg(long, env)]"));
            }
            if !argument.get_action().takes_values() {
                return Err(format!(
                    "the setting {id} takes no value: write #[arg(action = ArgAction::Set)]"
                ));
            }
        }
        Ok(())
    }

    /// The arguments of all groups.
    pub(super) fn all_arguments() -> Vec<Arg> {
        GROUPS.all().iter().flat_map(Self::arguments).collect()
    }

    /// Its arguments alone: clap also makes a group of the struct's name, and many are called `Settings`.
    fn arguments(&self) -> Vec<Arg> {
        let command = (self.augment)(Command::new("settings"));
        command.get_arguments().cloned().collect()
    }
}

/// The values of all [`SettingsGroup`]s of the program.
#[derive(Clone, Default)]
pub struct OwnSettings(HashMap<TypeId, Value>);

impl OwnSettings {
    pub(super) fn read(matches: &ArgMatches) -> Result<Self, Error> {
        let groups = GROUPS.all().iter();
        groups
            .map(|group| (group.read)(matches))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether a setting of this name, such as `OVERDUE_HOURS`, is one of them.
    pub(super) fn has(name: &str) -> bool {
        let groups = GROUPS.all().iter();
        groups.flat_map(SettingsGroup::names).any(|known| known == name)
    }

    /// The settings of this type.
    ///
    /// # Panics
    /// If no app registered the type.
    #[must_use]
    pub fn get<S: 'static>(&self) -> &S {
        let value = self.0.get(&TypeId::of::<S>()).and_then(|value| value.downcast_ref());
        value.unwrap_or_else(|| panic!("no app registered the settings {}", type_name::<S>()))
    }
}
