//! Common passwords, words and names: 93,000 from zxcvbn's lists (MIT, see `words.LICENSE`), including its 30,000 most
//! common passwords. One line each, sorted by its [`leet`] form; the letter after it is its cost.

const WORDS: &str = include_str!("words.txt");

/// The cost of `A`, in tenths of a power of ten.
const CHEAPEST: u8 = 20;

/// Replaces digits and symbols by the letters they stand for; letters that look alike become one.
pub(super) fn leet(c: char) -> char {
    match c {
        'l' | '1' | '!' | '|' => 'i',
        '7' | '+' => 't',
        '2' => 'z',
        '9' | '6' => 'g',
        '8' => 'b',
        '0' => 'o',
        '5' | '$' => 's',
        '4' | '@' => 'a',
        '3' => 'e',
        '(' => 'c',
        other => other,
    }
}

/// Every word that the folded text begins with: its length and its rank as a power of ten.
///
/// Each character narrows down the lines, so this costs two binary searches for each character of the longest word
/// found, however long the text is.
pub(super) fn at_start(folded: impl Iterator<Item = char>, mut found: impl FnMut(usize, f32)) {
    let (mut from, mut to) = (0, WORDS.len());
    for (depth, c) in folded.enumerate() {
        let Ok(byte) = u8::try_from(c) else { return };
        from = first_not_below(from, to, depth, byte.into());
        to = first_not_below(from, to, depth, u32::from(byte) + 1);
        if from >= to {
            return;
        }
        let rest = &WORDS.as_bytes()[from + depth + 1..to];
        if let [b' ', cost, ..] = rest {
            found(depth + 1, f32::from(CHEAPEST + cost - b'A') / 10.0);
        }
    }
}

/// The first line between these two whose character at this depth is not lower. They all share the characters before.
fn first_not_below(mut from: usize, mut to: usize, depth: usize, least: u32) -> usize {
    let text = WORDS.as_bytes();
    while from < to {
        let middle = usize::midpoint(from, to);
        let before = text[from..middle].iter().rposition(|byte| *byte == b'\n');
        let line = before.map_or(from, |at| from + at + 1);
        if u32::from(leet(char::from(text[line + depth]))) < least {
            let length = text[line..].iter().position(|byte| *byte == b'\n');
            from = length.map_or(to, |length| line + length + 1);
        } else {
            to = line;
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Option<f32> {
        let mut cost = None;
        at_start(text.chars().map(leet), |length, power| {
            if length == text.len() {
                cost = Some(power);
            }
        });
        cost
    }

    #[test]
    fn every_word_is_found_and_what_is_none_is_not() {
        let mut common = 0;
        for line in WORDS.lines() {
            let (text, cost) = line.split_once(' ').unwrap();
            let tenths = CHEAPEST + cost.as_bytes()[0] - b'A';
            assert_eq!(word(text), Some(f32::from(tenths) / 10.0), "{text}");
            common += 1;
        }
        assert!(common > 90_000);
        assert!(word("password").is_some() && word("P4ssw0rd".to_lowercase().as_str()).is_some());
        for none in [
            "",
            "q",
            "xqzvkjw",
            "passwordpassword",
            "zzzzzzzzzzzzzzzzzzzzzzzzz",
            "пароль",
            "\u{ff}",
            "~~~",
        ] {
            assert_eq!(word(none), None, "{none}");
        }
    }
}
