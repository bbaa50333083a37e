//! Text that people see: something visible, and nothing that hides or reverses the text around it. Based on PRECIS's
//! FreeformClass (RFC 8264 §4.3), as nicknames are (RFC 8266).

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{
        DefaultIgnorableCodePoint, EmojiModifier, ExtendedPictographic, GeneralCategory as Category,
        GeneralCategoryGroup as Group, JoiningType, Script,
    },
};
use unicode_normalization::char::canonical_combining_class;

use super::violation::Violation;

const ZWNJ: char = '\u{200c}';
const ZWJ: char = '\u{200d}';
/// The black flag before a region's letters, as in Scotland's flag.
const FLAG: char = '\u{1f3f4}';
const LAST_TAG: char = '\u{e007f}';
/// The Braille cell without dots: a symbol by its category, but blank.
const BLANK_CELL: char = '\u{2800}';
/// The combining class of the mark that joins consonants in Indic scripts.
const VIRAMA: u8 = 9;

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Control,
    Hidden(char),
    Blank,
}

/// A single line of visible text. `what` begins the sentence that says what is wrong, such as "The name".
pub fn visible(what: &str, text: &str) -> Result<(), Violation> {
    told(what, fault(text, false))
}

/// [`visible`] for text of several lines.
pub fn visible_lines(what: &str, text: &str) -> Result<(), Violation> {
    told(what, fault(text, true))
}

fn told(what: &str, fault: Option<Fault>) -> Result<(), Violation> {
    let words = match fault {
        None => return Ok(()),
        Some(Fault::Control) => {
            format!("{what} holds a control character, such as NUL or a line break; remove it")
        }
        Some(Fault::Hidden(c)) => format!(
            "{what} holds a character that cannot be shown here (U+{:04X}); remove it",
            u32::from(c)
        ),
        Some(Fault::Blank) => format!("{what} has nothing that can be seen; enter letters, digits or signs"),
    };
    Err(Violation::value(words))
}

fn fault(text: &str, lines: bool) -> Option<Fault> {
    // The most frequent case.
    if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return text.trim().is_empty().then_some(Fault::Blank);
    }
    let mut is_visible = false;
    let mut before = Before::default();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let category = category(c);
        match category {
            Category::Control if lines && matches!(c, '\n' | '\t') => {}
            Category::Control | Category::LineSeparator | Category::ParagraphSeparator => return Some(Fault::Control),
            Category::PrivateUse | Category::Unassigned | Category::Surrogate => return Some(Fault::Hidden(c)),
            _ if is_hidden(c, category) => {
                if !before.lets(c, chars.peek().copied()) {
                    return Some(Fault::Hidden(c));
                }
            }
            _ => is_visible |= !is_mark(c) && category != Category::SpaceSeparator && c != BLANK_CELL,
        }
        before.pass(c);
    }
    (!is_visible).then_some(Fault::Blank)
}

/// Whether the character is visible, by itself or as a mark on the one before.
pub(super) fn has_shape(c: char) -> bool {
    let category = category(c);
    let blank = Group::Separator
        .union(Group::Other)
        .intersection(Group::Format.complement());
    !blank.contains(category) && !is_hidden(c, category) && c != BLANK_CELL
}

/// Whether the character is invisible. Most of these don't belong in text; some modify what precedes them.
fn is_hidden(c: char, category: Category) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
        || (category == Category::Format && matches!(c, '\u{fff9}'..='\u{fffb}'))
}

/// What precedes a character.
#[derive(Default)]
struct Before {
    /// The previous character.
    last: Option<char>,
    /// The base character of the marks since then.
    base: Option<char>,
}

impl Before {
    fn pass(&mut self, c: char) {
        if !is_mark(c) && !is_joiner(c) && !is_tag(c) {
            self.base = Some(c);
        }
        self.last = Some(c);
    }

    /// Whether an invisible character changes the look of what precedes it, so that it belongs there.
    fn lets(&self, c: char, next: Option<char>) -> bool {
        let (Some(last), Some(base)) = (self.last, self.base) else {
            return false;
        };
        match c {
            ZWNJ | ZWJ if is_joiner(last) => false,
            ZWNJ | ZWJ if canonical_combining_class(last) == VIRAMA => true,
            ZWJ if is_emoji(base) => next.is_some_and(is_emoji),
            // Between letters of a script with contextual forms: RFC 5892 §A, and for Persian also after letters that
            // don't join, where people type it as well.
            ZWNJ | ZWJ if joins(base) => next.map_or(c == ZWJ && connects(base), |next| {
                joins(next) || (c == ZWJ && connects(base))
            }),
            ZWNJ | ZWJ => false,
            // A variation selector after a symbol or a letter without case.
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180d}' | '\u{180f}' => {
                has_shapes(last)
            }
            c if is_tag(c) => {
                base == FLAG && (last == FLAG || is_tag(last)) && (c == LAST_TAG || next.is_some_and(is_tag))
            }
            _ => false,
        }
    }
}

fn category(c: char) -> Category {
    CodePointMapData::<Category>::new().get(c)
}

fn is_mark(c: char) -> bool {
    Group::Mark.contains(category(c))
}

fn is_joiner(c: char) -> bool {
    matches!(c, ZWNJ | ZWJ)
}

fn is_tag(c: char) -> bool {
    matches!(c, '\u{e0020}'..=LAST_TAG)
}

fn is_emoji(c: char) -> bool {
    CodePointSetData::new::<ExtendedPictographic>().contains(c) || CodePointSetData::new::<EmojiModifier>().contains(c)
}

fn has_shapes(c: char) -> bool {
    let symbols = Group::Number.union(Group::Symbol).union(Group::Punctuation);
    symbols.union(Group::OtherLetter).contains(category(c))
}

/// Letters and marks with contextual forms: Arabic, Syriac, Indic and the like.
fn joins(c: char) -> bool {
    use Category::{ModifierLetter, OtherLetter};
    let (category, script) = (category(c), CodePointMapData::<Script>::new().get(c));
    (matches!(category, OtherLetter | ModifierLetter) || is_mark(c))
        && ![
            Script::Common,
            Script::Latin,
            Script::Greek,
            Script::Cyrillic,
            Script::Armenian,
            Script::Georgian,
            Script::Hebrew,
            Script::Ethiopic,
            Script::Cherokee,
            Script::Thai,
            Script::Lao,
            Script::Han,
            Script::Hiragana,
            Script::Katakana,
            Script::Hangul,
            Script::Bopomofo,
        ]
        .contains(&script)
}

/// Letters that join the next one, and show it even if none follows.
fn connects(c: char) -> bool {
    matches!(
        CodePointMapData::<JoiningType>::new().get(c),
        JoiningType::DualJoining | JoiningType::LeftJoining
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_scripts_are_visible() {
        for name in [
            "Ada Lovelace",
            "Élodie",
            "E\u{301}lodie",
            "İpek Işık",
            "O’Brien-Smith, Jr. (III)",
            "Владимир",
            "Ελένη",
            "山田太郎",
            "葛\u{e0100}城",
            "김철수",
            "ทักษิณ",
            "محمد علي",
            "مُحَمَّد",
            "علی\u{200c}رضا",
            "برادر\u{200c}زاده",
            "ه\u{200d}",
            "דָּוִד",
            "क्\u{200d}षत्रिय",
            "শ্র\u{200d}্যাবণ",
            "ക്\u{200d}",
            "සුදර්ශි ශ්\u{200d}රී",
            "ᠮᠣᠩ\u{180b}",
            "🎉",
            "❤\u{fe0f}",
            "1\u{fe0f}\u{20e3}",
            "👩\u{1f3fd}\u{200d}❤\u{fe0f}\u{200d}👨",
            "👨\u{200d}👩\u{200d}👧\u{200d}👦 family",
            "🏳\u{fe0f}\u{200d}🌈",
            "🇫🇷",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
            "山田\u{3000}太郎",
            "\u{600}١٢",
            "-",
        ] {
            assert_eq!(fault(name, false), None, "{name:?}");
        }
    }

    #[test]
    fn what_hides_or_turns_is_refused() {
        for (text, expected) in [
            ("\u{200b}", Fault::Hidden('\u{200b}')),
            ("Ada\u{200b}", Fault::Hidden('\u{200b}')),
            ("\u{202e}Ada", Fault::Hidden('\u{202e}')),
            ("Ada\u{2066}x\u{2069}", Fault::Hidden('\u{2066}')),
            ("Ada\u{200f}", Fault::Hidden('\u{200f}')),
            ("\u{61c}ا", Fault::Hidden('\u{61c}')),
            ("Ada\u{ad}Lovelace", Fault::Hidden('\u{ad}')),
            ("Ada\u{feff}", Fault::Hidden('\u{feff}')),
            ("Ada\u{2060}", Fault::Hidden('\u{2060}')),
            ("Ada\u{e000}", Fault::Hidden('\u{e000}')),
            ("Ada\u{f0000}", Fault::Hidden('\u{f0000}')),
            ("Ada\u{10fffd}", Fault::Hidden('\u{10fffd}')),
            ("Ada\u{378}", Fault::Hidden('\u{378}')),
            ("Ada\u{ffff}", Fault::Hidden('\u{ffff}')),
            ("Ada\u{fdd0}", Fault::Hidden('\u{fdd0}')),
            ("Ada\u{fffa}", Fault::Hidden('\u{fffa}')),
            ("\u{3164}", Fault::Hidden('\u{3164}')),
            ("\u{115f}\u{1160}", Fault::Hidden('\u{115f}')),
            ("Ada\u{34f}", Fault::Hidden('\u{34f}')),
            ("Ada\u{200d}Lovelace", Fault::Hidden('\u{200d}')),
            ("Ada\u{200c}", Fault::Hidden('\u{200c}')),
            ("\u{200d}", Fault::Hidden('\u{200d}')),
            ("علی\u{200c}", Fault::Hidden('\u{200c}')),
            ("علی\u{200c}\u{200c}رضا", Fault::Hidden('\u{200c}')),
            ("e\u{301}\u{200c}\u{301}", Fault::Hidden('\u{200c}')),
            ("👩\u{200d}", Fault::Hidden('\u{200d}')),
            ("👩\u{200d}Ada", Fault::Hidden('\u{200d}')),
            ("Ada\u{fe0f}", Fault::Hidden('\u{fe0f}')),
            ("❤\u{fe0f}\u{fe0f}", Fault::Hidden('\u{fe0f}')),
            ("Ada\u{e0041}", Fault::Hidden('\u{e0041}')),
            ("\u{1f3f4}\u{e0067}Ada", Fault::Hidden('\u{e0067}')),
            ("Ada\u{1d173}", Fault::Hidden('\u{1d173}')),
            ("a\nb", Fault::Control),
            ("a\u{2028}b", Fault::Control),
            ("a\u{85}b", Fault::Control),
            ("a\0b", Fault::Control),
            ("", Fault::Blank),
            ("   ", Fault::Blank),
            ("\u{3000}\u{a0}", Fault::Blank),
            ("\u{2800}", Fault::Blank),
            ("\u{301}", Fault::Blank),
        ] {
            assert_eq!(fault(text, false), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn lines_are_a_matter_of_the_field() {
        assert_eq!(fault("one\n\ttwo", true), None);
        assert_eq!(fault("one\r\ntwo", true), Some(Fault::Control));
        assert_eq!(fault("\n\n", true), Some(Fault::Blank));
        assert_eq!(fault("one\ntwo\u{202e}", true), Some(Fault::Hidden('\u{202e}')));
    }
}
