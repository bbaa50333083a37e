//! Who does something.

use sea_orm::ActiveEnum;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::foundation::entity::audit_log::ActorKind;

/// Who does something, and from where. The payload of a long job carries it for later audit rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    #[serde(serialize_with = "serialize_kind", deserialize_with = "deserialize_kind")]
    pub kind: ActorKind,
    pub id: Option<i64>,
    /// How people recognize the actor: a name, or the beginning of a key.
    pub label: String,
    /// The user that the actor impersonates.
    pub on_behalf_of: Option<i64>,
    pub address: Option<String>,
    pub request_id: Option<String>,
}

impl Actor {
    /// Usher itself: schedules, commands.
    #[must_use]
    pub fn system() -> Self {
        Self::new(ActorKind::System, None, "Usher")
    }

    #[must_use]
    pub fn new(kind: ActorKind, id: Option<i64>, label: impl Into<String>) -> Self {
        Self {
            kind,
            id,
            label: label.into(),
            on_behalf_of: None,
            address: None,
            request_id: None,
        }
    }
}

/// Kind and id, such as `api_key:7`: how jobs store who caused them.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind.to_value())?;
        self.id.map_or(Ok(()), |id| write!(f, ":{id}"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn serialize_kind<S: Serializer>(kind: &ActorKind, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&kind.to_value())
}

fn deserialize_kind<'a, D: Deserializer<'a>>(from: D) -> Result<ActorKind, D::Error> {
    let word = String::deserialize(from)?;
    ActorKind::try_from_value(&word).map_err(serde::de::Error::custom)
}
