//! How many guesses a password takes for an attacker who knows what people choose: common passwords, words and names,
//! what is known about the person and the product, dates, keyboard patterns, and any of these repeated.
//!
//! The text is split into the cheapest parts, and the costs, which are powers of ten, add up. This is zxcvbn's idea
//! (Wheeler 2016) without its search through every reading of digits and symbols, which took a second for some
//! passwords of 27 characters: here the work is quadratic in the length, and the length is limited.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{
    keyboard,
    words::{self, leet},
};

/// One letter or digit that matches nothing.
const ANY: f32 = 1.0;
/// The same symbol again: people put one between all words.
const SYMBOL_AGAIN: f32 = 0.2;
/// Seasons, months and days.
const CALENDAR: f32 = 1.0;
const YEAR: f32 = 1.5;
/// A day and a month in four digits.
const DATE: f32 = 2.6;
/// What is known about the person or the product.
const OWN: f32 = 0.3;
/// Three or more characters in the order of the alphabet, or every second.
const SEQUENCE: f32 = 1.0;
/// Adjacent keys, and each turn of their path.
const PATH: f32 = 1.2;
const TURN: f32 = 0.5;
/// Three or more characters that occur earlier.
const COPY: f32 = 1.0;
/// A word backwards.
const BACKWARDS: f32 = 0.3;

/// The same in all installations.
const PRODUCT: [&str; 1] = ["usher"];

/// In languages that many users speak; without accents.
const CALENDAR_WORDS: &str = "spring summer autumn fall winter january february march april may june july august \
    september october november december monday tuesday wednesday thursday friday saturday sunday fruhling sommer \
    herbst januar februar marz mai juni juli oktober dezember montag dienstag mittwoch donnerstag freitag samstag \
    sonntag printemps ete automne hiver janvier fevrier mars avril juin juillet aout septembre octobre novembre \
    decembre lundi mardi mercredi jeudi vendredi samedi dimanche primavera verano otono invierno enero febrero marzo \
    abril mayo junio julio agosto septiembre octubre noviembre diciembre lunes martes miercoles jueves viernes \
    sabado domingo estate autunno inverno gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre \
    lunedi martedi mercoledi giovedi venerdi domenica";

/// The number of guesses as a power of ten. `own` are words that an attacker tries first.
pub(super) fn magnitude(password: &str, own: &[&str]) -> f32 {
    let own = own_words(own.iter().chain(&PRODUCT));
    let text: Vec<char> = plain(password).collect();
    // `p.a.s.s.w.o.r.d` is a word with dots in it.
    let (inner, symbols): (Vec<char>, Vec<char>) = text.iter().partition(|c| c.is_alphanumeric());
    let symbols = (0..symbols.len()).map(|at| single(&symbols, at)).sum::<f32>();
    cheapest(&text, &own).min(cheapest(&inner, &own) + symbols)
}

/// Lower case and without accents.
fn plain(text: &str) -> impl Iterator<Item = char> {
    let letters = text.nfkd().filter(|c| !is_combining_mark(*c));
    letters.flat_map(char::to_lowercase)
}

/// The parts of names and addresses, and each of these as one word.
fn own_words<'a>(own: impl Iterator<Item = &'a &'a str>) -> Vec<Vec<char>> {
    let mut words = Vec::new();
    for text in own {
        let text: Vec<char> = plain(text).collect();
        words.extend(text.split(|c| !c.is_alphanumeric()).map(<[char]>::to_vec));
        words.push(text.into_iter().filter(|c| c.is_alphanumeric()).collect());
    }
    words.retain(|word| word.len() >= 3);
    for word in &mut words {
        word.iter_mut().for_each(|c| *c = leet(*c));
    }
    words
}

/// The lowest cost of a split of the text.
fn cheapest(text: &[char], own: &[Vec<char>]) -> f32 {
    let folded: Vec<char> = text.iter().copied().map(leet).collect();
    let (backwards, copied) = (backwards(&folded), copied(&folded));
    let mut least = vec![f32::INFINITY; text.len() + 1];
    least[0] = 0.0;
    for at in 0..text.len() {
        let before = least[at];
        let mut part = |length: usize, cost: f32| least[at + length] = least[at + length].min(before + cost);
        part(1, single(text, at));
        words::at_start(folded[at..].iter().copied(), &mut part);
        for (length, cost) in &backwards[at] {
            part(*length, *cost);
        }
        for word in own.iter().filter(|word| folded[at..].starts_with(word)) {
            part(word.len(), OWN);
        }
        for word in CALENDAR_WORDS.split_ascii_whitespace() {
            if word.chars().map(leet).eq(folded[at..].iter().copied().take(word.len())) {
                part(word.len(), CALENDAR);
            }
        }
        for length in 3..=copied[at] {
            part(length, COPY);
        }
        for length in 3..=sequence(&text[at..]) {
            part(length, SEQUENCE);
        }
        keyboard::paths(&text[at..], |length, turns| {
            part(length, PATH + TURN * f32::from(turns))
        });
        if let Some(number) = four_digits(&text[at..]) {
            if (1900..2060).contains(&number) {
                part(4, YEAR);
            }
            let is_date = |day: u32, month: u32| (1..=31).contains(&day) && (1..=12).contains(&month);
            if is_date(number / 100, number % 100) || is_date(number % 100, number / 100) {
                part(4, DATE);
            }
        }
    }
    least[text.len()]
}

fn single(text: &[char], at: usize) -> f32 {
    if !text[at].is_alphanumeric() && text[..at].contains(&text[at]) {
        SYMBOL_AGAIN
    } else {
        ANY
    }
}

/// The reversed words at each position.
fn backwards(folded: &[char]) -> Vec<Vec<(usize, f32)>> {
    let mut found = vec![Vec::new(); folded.len()];
    for end in 1..=folded.len() {
        words::at_start(folded[..end].iter().rev().copied(), |length, cost| {
            found[end - length].push((length, cost + BACKWARDS));
        });
    }
    found
}

/// How many characters from each position on also occur earlier; the two may overlap, as in `aaaa`.
fn copied(folded: &[char]) -> Vec<usize> {
    let mut longest = vec![0; folded.len()];
    // The length of the common prefix of the texts at two positions, for one position and all before it.
    let mut after = vec![0_usize; folded.len() + 1];
    for at in (0..folded.len()).rev() {
        let mut here = vec![0_usize; folded.len() + 1];
        for earlier in 0..at {
            if folded[earlier] == folded[at] {
                here[earlier] = after[earlier + 1] + 1;
                longest[at] = longest[at].max(here[earlier]);
            }
        }
        after = here;
    }
    longest
}

/// How many characters form a sequence such as `abc`, `321` or `2468`.
fn sequence(text: &[char]) -> usize {
    let step = |pair: &[char]| i64::from(u32::from(pair[1])) - i64::from(u32::from(pair[0]));
    let mut steps = text.windows(2).map(step);
    let Some(first) = steps.next().filter(|step| matches!(step.abs(), 1 | 2)) else {
        return 0;
    };
    2 + steps.take_while(|step| *step == first).count()
}

fn four_digits(text: &[char]) -> Option<u32> {
    let digits = text.get(..4)?.iter();
    digits
        .map(|c| c.to_digit(10))
        .try_fold(0, |number, digit| Some(number * 10 + digit?))
}
