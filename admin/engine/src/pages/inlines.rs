//! The rows of other models that belong to an object, beside its form, newest first, page by page. However many inlines
//! there are, one statement reads the rows of all.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ConnectionTrait, DbErr,
    sea_query::{Alias, Condition, Expr, ExprTrait, Order, Query, SelectStatement, UnionType},
};

use crate::declare::{inline::Inline, model::Model, panel::Panel, site::Site, spec::Spec};
use crate::request::{sent::Fields, staff::Staff};
use crate::rows::cell::{Cell, Names};
use crate::rows::{row::Row, storage::Storage};
use crate::text::path_segment;

/// Rows of one inline on a page.
const ROWS: u64 = 5;

impl Inline {
    /// The rows that belong to this object; `None` if no row can have such an id.
    pub(crate) fn condition(&self, model: &Model, id: &str) -> Option<Condition> {
        let own = model.field(self.column)?.storage.parse(id)?;
        let own = Condition::all().add(Expr::col(self.column).eq(own));
        Some(match self.only {
            Some((column, word)) => own.add(model.field(column)?.equals(&word.into())),
            None => own,
        })
    }

    /// The parameter that holds the id of the last row of the page before.
    fn parameter(&self) -> String {
        format!("{}.{}", self.model, self.column)
    }
}

/// An inline with the rows of one of its pages.
pub(crate) struct InlineRows<'a> {
    inline: &'a Inline,
    model: &'a Model,
    shown: Vec<&'a Spec>,
    rows: Vec<Row>,
    more: bool,
}

impl InlineRows<'_> {
    /// The values that may be foreign keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Spec, &Row)> {
        self.rows
            .iter()
            .flat_map(|row| self.shown.iter().map(move |spec| (*spec, row)))
    }

    /// The table beside the form of the object at `here` with this `id`.
    pub(crate) fn panel(&self, here: &str, id: &str, fields: &Fields, names: &Names) -> Panel {
        let (inline, model) = (self.inline, self.model);
        let parameter = inline.parameter();
        let is_paged = fields.get(&parameter).is_some();
        let line = |row: &Row| {
            let mut cells: Vec<_> = self.shown.iter().map(|spec| Cell::of(spec, row, names)).collect();
            if let (Some(first), Some(id)) = (cells.first_mut(), row.text(model.id)) {
                first.href = Some(model.object_href(&id));
                if first.text.is_empty() {
                    first.text = "(none)".to_owned();
                }
            }
            cells
        };
        let last = self.rows.last().and_then(|row| row.text(model.id));
        let older = last.filter(|_| self.more).map(|last| {
            let query = format!("{}={}", path_segment(&parameter), path_segment(&last));
            ("Older", format!("{here}?{query}#{}", model.meta.name))
        });
        let newest = is_paged.then(|| ("Newest", format!("{here}#{}", model.meta.name)));
        let is_filter = |column: &str| model.field(column).is_some_and(|spec| spec.filter);
        let filters = is_filter(inline.column) && inline.only.is_none_or(|(column, _)| is_filter(column));
        let only = inline.only.map(|(column, word)| format!("{column}={word}&"));
        Panel {
            anchor: model.meta.name,
            title: inline.title.map_or_else(|| model.meta.title(), str::to_owned),
            columns: self.shown.iter().map(|spec| spec.label.clone()).collect(),
            rows: self.rows.iter().map(line).collect(),
            empty: inline.empty,
            href: filters.then(|| {
                let only = only.unwrap_or_default();
                format!("{}?{only}{}={}", model.href(), inline.column, path_segment(id))
            }),
            pages: newest.into_iter().chain(older).collect(),
            ..Panel::default()
        }
    }
}

/// Reads the rows of all inlines that this person may see, at the pages in the address.
pub(crate) async fn fill<'a>(
    db: &impl ConnectionTrait,
    site: &'a Site,
    inlines: &'a [Inline],
    id: &str,
    staff: &Staff,
    fields: &Fields,
) -> Result<Vec<InlineRows<'a>>, DbErr> {
    let seen = inlines.iter().filter_map(|inline| {
        let model = site.visible(inline.model, staff)?;
        Some(InlineRows {
            inline,
            model,
            shown: inline.shown.iter().filter_map(|column| model.field(column)).collect(),
            rows: vec![],
            more: false,
        })
    });
    let mut filled: Vec<_> = seen.collect();
    let slots = Slots::of(&filled);
    let parts = filled.iter().enumerate();
    let selects = parts.filter_map(|(number, part)| slots.select(number, part, id, fields));
    let Some(union) = selects.reduce(|mut all, next| all.union(UnionType::All, next).to_owned()) else {
        return Ok(filled);
    };
    let mut rows: Vec<BTreeMap<i64, Row>> = filled.iter().map(|_| BTreeMap::new()).collect();
    for result in db.query_all(&union).await? {
        let (part, place): (i64, i64) = (result.try_get("", "part")?, result.try_get("", "place")?);
        let part = usize::try_from(part).unwrap_or_default();
        let mut values = HashMap::new();
        for (slot, column) in Slots::assigned(&filled[part]) {
            values.insert(column.name, slot.0.read(&result, &slot.name())?);
        }
        let shown = filled[part].shown.iter().copied();
        rows[part].insert(place, Row::of(values, shown));
    }
    for (part, rows) in filled.iter_mut().zip(rows) {
        part.more = rows.len() as u64 > ROWS;
        part.rows = rows.into_values().take(ROWS as usize).collect();
    }
    Ok(filled)
}

/// A column of the union: its type, and its number among those of this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot(Storage, usize);

impl Slot {
    fn name(self) -> String {
        format!("{:?}_{}", self.0, self.1).to_lowercase()
    }

    /// The type's name in both databases; SQLite takes any for a NULL.
    fn sql(self) -> &'static str {
        match self.0 {
            Storage::SmallInt | Storage::Int | Storage::BigInt => "bigint",
            Storage::Bool => "boolean",
            Storage::Text => "text",
            Storage::Time => "timestamptz",
            Storage::Uuid => "uuid",
            Storage::Json => "jsonb",
            Storage::Bytes => "bytea",
        }
    }
}

/// The columns of the union, so that each part has one of the right type for each of its own.
struct Slots(Vec<Slot>);

impl Slots {
    fn of(parts: &[InlineRows<'_>]) -> Self {
        let mut slots = vec![];
        for part in parts {
            for (slot, _) in Self::assigned(part) {
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
        }
        Self(slots)
    }

    /// The slot of each column that a part reads: its id, its shown columns, and what those depend on.
    fn assigned<'a>(part: &InlineRows<'a>) -> Vec<(Slot, &'a Spec)> {
        let mut assigned: Vec<(Slot, &Spec)> = vec![];
        let time_dependent = part.shown.iter().filter_map(|spec| spec.time_dependent);
        let deciding = time_dependent
            .flat_map(|time_dependent| time_dependent.with.iter().filter_map(|name| part.model.field(name)));
        let read = std::iter::once(part.model.id_field())
            .chain(part.shown.iter().copied())
            .chain(deciding);
        for spec in read {
            if assigned.iter().any(|(_, known)| known.name == spec.name) {
                continue;
            }
            let storage = match spec.storage {
                Storage::SmallInt | Storage::Int => Storage::BigInt,
                other => other,
            };
            let number = assigned.iter().filter(|(slot, _)| slot.0 == storage).count();
            assigned.push((Slot(storage, number), spec));
        }
        assigned
    }

    /// The select of one part; `None` if the column can't hold such an id.
    fn select(&self, number: usize, part: &InlineRows<'_>, id: &str, fields: &Fields) -> Option<SelectStatement> {
        let (inline, model) = (part.inline, part.model);
        let after = fields.get(&inline.parameter());
        let after = after.and_then(|after| model.id_field().storage.parse(after));
        let after = after.map(|after| Expr::col(model.id).lt(after));
        let assigned = Self::assigned(part);
        let mut newest = Query::select();
        newest
            .columns(assigned.iter().map(|(_, spec)| spec.name))
            .from(model.table)
            .cond_where(inline.condition(model, id)?.add_option(after))
            .order_by(model.id, Order::Desc)
            .limit(ROWS + 1);
        let mut select = Query::select();
        select.expr_as(Expr::val(number as i64).cast_as(Alias::new("bigint")), "part");
        select.expr_as(
            Expr::cust(format!("ROW_NUMBER() OVER (ORDER BY {} DESC)", model.id)),
            "place",
        );
        for slot in &self.0 {
            let value = match assigned.iter().find(|(taken, _)| taken == slot) {
                Some((Slot(Storage::BigInt, _), spec)) => Expr::col(spec.name).cast_as(Alias::new("bigint")),
                Some((_, spec)) => Expr::col(spec.name),
                None => Expr::cust("NULL").cast_as(Alias::new(slot.sql())),
            };
            select.expr_as(value, slot.name());
        }
        Some(select.from_subquery(newest, "newest").to_owned())
    }
}
