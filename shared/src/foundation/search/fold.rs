//! One spelling for text that people consider the same: letter case, accents and widths don't matter in a search.

use caseless::Caseless;
use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, Script},
};
use unicode_normalization::{UnicodeNormalization, char::canonical_combining_class};

/// The form of texts and search terms: case-folded (Unicode's full folding), without accents and invisible characters,
/// in NFKC, with single spaces between words.
///
/// Chinese, Japanese and Korean characters are doubled, so that two of them are long enough for a trigram index. That
/// changes no result: a part of a text, doubled, is a part of the doubled text, and nothing else is.
#[must_use]
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return spaced(text.to_ascii_lowercase());
    }
    let plain = text.nfkd().default_case_fold().nfkd().filter(|c| !is_dropped(*c));
    let mut folded = String::with_capacity(text.len());
    for c in plain.flat_map(letters).nfc() {
        folded.push(c);
        if is_doubled(c) {
            folded.push(c);
        }
    }
    spaced(folded)
}

fn spaced(text: String) -> String {
    let is_spaced = !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ");
    if is_spaced && text.bytes().all(|byte| byte == b' ' || !byte.is_ascii_whitespace()) && text.is_ascii() {
        return text;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Accents over, under and through letters, but not marks that act as letters, such as vowels of Indic scripts and the
/// voicing of kana. Invisible characters, and the stroke that only stretches Arabic words.
fn is_dropped(c: char) -> bool {
    matches!(canonical_combining_class(c), 1 | 10..=36 | 200..)
        || c == '\u{640}'
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// The base of letters with a stroke or a tail, which no normalization decomposes.
fn letters(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        'æ' => ('a', Some('e')),
        'œ' => ('o', Some('e')),
        'þ' => ('t', Some('h')),
        'ı' | 'ɨ' => ('i', None),
        'ø' => ('o', None),
        'đ' | 'ð' | 'ɗ' => ('d', None),
        'ł' => ('l', None),
        'ħ' => ('h', None),
        'ŧ' => ('t', None),
        'ŋ' => ('n', None),
        'ƀ' | 'ɓ' => ('b', None),
        'ƙ' => ('k', None),
        'ƴ' => ('y', None),
        'ʉ' => ('u', None),
        '‘' | '’' | 'ʻ' | 'ʼ' | '′' | '`' => ('\'', None),
        '‐'..='―' | '−' => ('-', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

fn is_doubled(c: char) -> bool {
    !c.is_ascii()
        && matches!(
            CodePointMapData::<Script>::new().get(c),
            Script::Han | Script::Hiragana | Script::Katakana | Script::Hangul | Script::Bopomofo
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_takes_for_the_same_is_the_same() {
        for (one, other) in [
            ("Élodie", "elodie"),
            ("E\u{301}lodie", "ÉLODIE"),
            ("İpek", "ipek"),
            ("Işık", "isik"),
            ("Kovács", "kovacs"),
            ("Straße", "STRASSE"),
            ("STRAẞE", "strasse"),
            ("Søren Ærø", "soren aero"),
            ("Đorđe Łukasz", "dorde lukasz"),
            ("ﬁnn", "FINN"),
            ("Ａｄａ", "ada"),
            ("ﾔﾏﾀﾞ", "ヤマダ"),
            ("か\u{3099}", "が"),
            ("ΟΔΥΣΣΕΎΣ", "οδυσσευς"),
            ("Ёлкин", "елкин"),
            ("مُحَمَّد", "محمد"),
            ("علی\u{200c}رضا", "علیرضا"),
            ("محـــمد", "محمد"),
            ("שָׁלוֹם", "שלום"),
            ("O’Brien", "o'brien"),
            ("Smith–Jones", "smith-jones"),
            ("\u{1112}\u{1161}\u{11ab}", "한"),
            ("Ada \u{3000} Lovelace\u{a0}", "ada lovelace"),
            ("𝐀𝐝𝐚", "ada"),
            ("ŉ", "'n"),
            ("Nguyễn Thị Hường", "nguyen thi huong"),
        ] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn letters_that_differ_stay_apart() {
        for (one, other) in [("が", "か"), ("कि", "कु"), ("กิน", "กัน"), ("ada", "adá x"), ("พี่", "พา")]
        {
            assert_ne!(folded(one), folded(other), "{one} {other}");
        }
    }

    #[test]
    fn a_part_of_a_text_is_a_part_of_the_folded_text() {
        for text in [
            "Élodie Straße",
            "İpek Işık",
            "山田太郎",
            "김철수 Kim",
            "Đorđe",
            "नमस्ते दुनिया",
            "ﬁnn ŉ",
            "ヤマダ ラーメン",
            "Ａｄａ 🎉",
        ] {
            let chars: Vec<char> = text.chars().collect();
            for start in 0..chars.len() {
                for end in start + 1..=chars.len() {
                    let part: String = chars[start..end].iter().collect();
                    assert!(folded(text).contains(&folded(&part)), "{part:?} in {text}");
                }
            }
            assert_eq!(folded(&text.to_uppercase()), folded(text), "{text}");
        }
    }
}
