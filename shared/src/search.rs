//! Conditions on text that an index answers: a word anywhere in a text, and what a text begins with.

use sea_orm::{
    Condition,
    sea_query::{Expr, ExprTrait, Func, IntoColumnRef, LikeExpr},
};

/// Letters that an index of trigrams needs.
const TRIGRAM: usize = 3;

/// The word anywhere in the text, in any letter case. One too short for a trigram index is looked for where a word
/// of the text starts, which such an index does find.
#[must_use]
pub fn holds(column: impl IntoColumnRef, word: &str) -> Condition {
    let text = Func::lower(Expr::col(column));
    let like = |pattern: String| Expr::expr(text.clone()).like(LikeExpr::new(pattern).escape('\\'));
    let word = word.to_lowercase();
    let (short, word) = (word.chars().count() < TRIGRAM, escaped(&word));
    if short {
        return Condition::any()
            .add(like(format!("{word}%")))
            .add(like(format!("% {word}%")));
    }
    Condition::any().add(like(format!("%{word}%")))
}

/// The text begins with the prefix, byte for byte. For columns that are collated bytewise.
#[must_use]
pub fn starts_with(column: impl IntoColumnRef, prefix: &str) -> Condition {
    let column = Expr::col(column);
    let from = Condition::all().add(column.clone().gte(prefix));
    match after_prefix(prefix) {
        Some(end) => from.add(column.lt(end)),
        None => from,
    }
}

fn escaped(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        if matches!(c, '%' | '_' | '\\') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

/// The first text that comes after all that begin with the prefix; none when nothing does.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_the_next_text() {
        assert_eq!(after_prefix("ada").as_deref(), Some("adb"));
        assert_eq!(after_prefix("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(after_prefix("\u{10ffff}"), None);
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn what_like_understands_is_escaped() {
        assert_eq!(escaped(r"100%_\"), r"100\%\_\\");
    }
}
