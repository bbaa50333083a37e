//! The cards of the dashboard, as they are drawn for a person.

use std::collections::HashMap;

use futures::future::try_join_all;
use sea_orm::{ConnectionTrait, DbErr, sea_query::Query};

use crate::context::AdminContext;
use crate::declare::card::{Card, Figure, FigureValue};
use crate::lists::count::{count_up_to_limit, up_to_limit};
use crate::request::staff::Staff;
use crate::text::grouped;

/// A card with its figures.
#[derive(Debug)]
pub struct DrawnCard {
    pub title: &'static str,
    pub href: &'static str,
    pub icon: &'static str,
    pub figures: Vec<DrawnFigure>,
}

/// A figure as people read it.
#[derive(Debug)]
pub struct DrawnFigure {
    pub label: &'static str,
    pub number: String,
    pub href: Option<&'static str>,
    /// A CSS class.
    pub tone: &'static str,
}

/// Reads the cards that this person may see. All counts together are one statement.
pub async fn cards(context: &AdminContext, staff: &Staff) -> Result<Vec<DrawnCard>, DbErr> {
    let seen = context.site.cards.iter().filter(|card| staff.may(card.permission));
    let cards = try_join_all(seen.map(|card| with_figures(context, card))).await?;
    let counts = counts(context, cards.iter().flat_map(|(_, figures)| figures)).await?;
    let (mut drawn, mut number) = (vec![], 0);
    for (card, figures) in cards {
        let figures = figures.iter().map(|figure| {
            let count = counts.get(&number).copied();
            number += 1;
            figure.drawn(count)
        });
        drawn.push(DrawnCard {
            title: card.title,
            href: card.href,
            icon: card.icon,
            figures: figures.collect(),
        });
    }
    Ok(drawn)
}

async fn with_figures<'a>(context: &AdminContext, card: &'a Card) -> Result<(&'a Card, Vec<Figure>), DbErr> {
    let mut figures = card.figures.clone();
    if let Some(load) = card.load {
        figures.extend(load(context).await?);
    }
    Ok((card, figures))
}

/// Counts rows for the figures that ask for it, by their place.
async fn counts(context: &AdminContext, figures: impl Iterator<Item = &Figure>) -> Result<HashMap<usize, i64>, DbErr> {
    let asked = figures.enumerate().filter_map(|(place, figure)| match figure.value {
        FigureValue::Count(table, rows) => Some((place, count_up_to_limit(table, rows()))),
        FigureValue::Number(_) => None,
    });
    let asked: Vec<_> = asked.collect();
    let mut select = Query::select();
    for (place, count) in &asked {
        select.expr_as(count.clone(), format!("f{place}"));
    }
    let row = match asked.is_empty() {
        true => None,
        false => context.db.query_one(&select).await?,
    };
    let Some(row) = row else {
        return Ok(HashMap::new());
    };
    asked
        .iter()
        .map(|(place, _)| Ok((*place, row.try_get("", &format!("f{place}"))?)))
        .collect()
}

impl Figure {
    fn drawn(&self, counted: Option<i64>) -> DrawnFigure {
        let number = match self.value {
            FigureValue::Number(number) => number,
            FigureValue::Count(..) => counted.unwrap_or_default(),
        };
        let [one, many] = self.label;
        let tone = if number == 0 {
            self.tone_at_zero
        } else {
            Some(self.tone)
        };
        DrawnFigure {
            label: if number == 1 { one } else { many },
            number: match self.value {
                FigureValue::Number(number) => grouped(number),
                FigureValue::Count(..) => up_to_limit(number),
            },
            href: self.href,
            tone: tone.map_or("", |tone| tone.class()),
        }
    }
}
