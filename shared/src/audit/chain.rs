//! Tamper evidence for the audit log: a hash of each row, and seals that chain them.
//!
//! A row's hash reveals a careless edit. A seal, made by a worker within seconds, signs the hashes of its rows and the
//! previous seal with `SECRET_KEY`: from then on nobody who only has the database can change, remove or insert a row
//! unnoticed. No chain can show that its newest end was cut off as a whole; to detect that as well, keep the head that
//! `usher doctor` prints.

use std::collections::HashMap;

use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, DbErr, EntityTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;

use crate::foundation::{
    crypto::{SecretKey, hex, sha256},
    db,
    entity::{audit_log, audit_seal, audit_unsealed},
    time::now,
};

/// The most rows under one seal.
const BATCH: u64 = 500;
const PURPOSE: &str = "audit chain";

/// SHA-256 of everything in the row except its id, which the database assigns, and the hash itself.
pub(super) fn row_hash(row: &audit_log::Model) -> [u8; 32] {
    let mut changes = row.changes.clone().unwrap_or(Value::Null);
    // The database may reorder keys.
    changes.sort_all_objects();
    let fields = serde_json::json!([
        row.at.timestamp_micros(),
        row.actor_kind.to_value(),
        row.actor_id,
        row.actor_label,
        row.on_behalf_of,
        row.action,
        row.object_type,
        row.object_id,
        row.object_label,
        changes,
        row.reason,
        row.address,
        row.request_id,
    ]);
    sha256(fields.to_string().as_bytes())
}

/// Seals the oldest unsealed rows, at most 500, and returns how many. Two callers at once don't disturb each other: one
/// of them may return 0.
pub async fn seal(db: &DatabaseConnection, key: &SecretKey) -> Result<usize, DbErr> {
    // Most calls find nothing and need no transaction.
    let waiting = unsealed(db, i64::MIN).await?;
    if waiting.is_empty() {
        return Ok(0);
    }
    let tx = db::begin(db).await?;
    let last = last_seal(&tx).await?;
    let (number, head) = last.map_or((0, Vec::new()), |seal| (seal.id, seal.chain_hash));
    let hashes = hashes(&rows(&tx, &waiting).await?);
    let seal = audit_seal::ActiveModel {
        id: Set(number + 1),
        audit_ids: Set(waiting.clone().into()),
        chain_hash: Set(key.sign(PURPOSE, &link(&head, &waiting, &hashes)).to_vec()),
        sealed_at: Set(now()),
    };
    match audit_seal::Entity::insert(seal).exec_without_returning(&tx).await {
        Err(error) if db::violated_unique(&error).is_some() => return Ok(0),
        other => other?,
    };
    let sealed = audit_unsealed::Entity::delete_many()
        .filter(audit_unsealed::Column::AuditId.is_in(waiting.iter().copied()))
        .exec(&tx)
        .await?;
    if sealed.rows_affected != waiting.len() as u64 {
        // Another worker has sealed some of them since.
        tx.rollback().await?;
        return Ok(0);
    }
    tx.commit().await?;
    Ok(waiting.len())
}

/// What [`verify`] found.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Rows checked.
    pub rows: u64,
    /// How many of them are under a seal.
    pub sealed: u64,
    /// The newest seal in hex, empty before the first.
    pub head: String,
    /// What is wrong, one sentence each, at most 20.
    pub faults: Vec<String>,
}

impl Verdict {
    const FAULTS: usize = 20;

    fn fault(&mut self, text: String) {
        if self.faults.len() < Self::FAULTS {
            self.faults.push(text);
        }
    }

    /// Checks single rows.
    fn look(&mut self, ids: &[i64], rows: &HashMap<i64, audit_log::Model>) {
        self.rows += ids.len() as u64;
        for id in ids {
            match rows.get(id) {
                None => self.fault(format!("row {id} is missing")),
                // Rows from before the chain have no hash.
                Some(row) if row.row_hash.as_deref().is_some_and(|hash| hash != row_hash(row)) => {
                    self.fault(format!("row {id} was changed"));
                }
                Some(_) => {}
            }
        }
    }
}

/// Reads the whole log and checks each row and each seal. `progress` receives the number of rows checked so far.
pub async fn verify(db: &DatabaseConnection, key: &SecretKey, mut progress: impl FnMut(u64)) -> Result<Verdict, DbErr> {
    let mut verdict = Verdict::default();
    let (mut number, mut head) = (0, Vec::new());
    loop {
        let next = audit_seal::Entity::find()
            .filter(audit_seal::Column::Id.gt(number))
            .order_by_asc(audit_seal::Column::Id)
            .one(db)
            .await?;
        let Some(seal) = next else { break };
        let ids: Vec<i64> = serde_json::from_value(seal.audit_ids).unwrap_or_default();
        let rows = rows(db, &ids).await?;
        verdict.look(&ids, &rows);
        verdict.sealed += ids.len() as u64;
        if seal.id != number + 1 {
            verdict.fault(format!("seals {} to {} are missing", number + 1, seal.id - 1));
        } else if !key.verify(PURPOSE, &link(&head, &ids, &hashes(&rows)), &seal.chain_hash) {
            verdict.fault(format!(
                "seal {} is not valid: a row under it was changed, or its key is neither SECRET_KEY nor in \
                 SECRET_KEY_OLD",
                seal.id
            ));
        }
        (number, head) = (seal.id, seal.chain_hash);
        progress(verdict.rows);
    }
    let mut after = i64::MIN;
    loop {
        let waiting = unsealed(db, after).await?;
        let Some(last) = waiting.last() else { break };
        after = *last;
        let rows = rows(db, &waiting).await?;
        verdict.look(&waiting, &rows);
        progress(verdict.rows);
    }
    let there = audit_log::Entity::find().count(db).await?;
    if there > verdict.rows {
        verdict.fault(format!("{} rows were added outside the chain", there - verdict.rows));
    }
    verdict.head = hex(&head);
    Ok(verdict)
}

/// The next unsealed rows.
async fn unsealed(db: &DatabaseConnection, after: i64) -> Result<Vec<i64>, DbErr> {
    audit_unsealed::Entity::find()
        .filter(audit_unsealed::Column::AuditId.gt(after))
        .order_by_asc(audit_unsealed::Column::AuditId)
        .limit(BATCH)
        .select_only()
        .column(audit_unsealed::Column::AuditId)
        .into_tuple()
        .all(db)
        .await
}

async fn last_seal(conn: &impl ConnectionTrait) -> Result<Option<audit_seal::Model>, DbErr> {
    audit_seal::Entity::find()
        .order_by_desc(audit_seal::Column::Id)
        .one(conn)
        .await
}

async fn rows(conn: &impl ConnectionTrait, ids: &[i64]) -> Result<HashMap<i64, audit_log::Model>, DbErr> {
    let rows = audit_log::Entity::find()
        .filter(audit_log::Column::Id.is_in(ids.iter().copied()))
        .all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

fn hashes(rows: &HashMap<i64, audit_log::Model>) -> HashMap<i64, [u8; 32]> {
    rows.iter().map(|(id, row)| (*id, row_hash(row))).collect()
}

/// What a seal signs: the previous link and, for each row, its id and hash; a missing row counts as zeros.
fn link(before: &[u8], ids: &[i64], hashes: &HashMap<i64, [u8; 32]>) -> Vec<u8> {
    let mut message = before.to_vec();
    for id in ids {
        message.extend_from_slice(&id.to_be_bytes());
        message.extend_from_slice(hashes.get(id).unwrap_or(&[0; 32]));
    }
    message
}
