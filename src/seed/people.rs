//! Names, domains and browsers of seeded people.

use std::sync::LazyLock;

use rand::{Rng, seq::IndexedRandom};

const FIRST: &str = "\
    Ada Aisha Alan Alice Amara Ana Anders Anna Arjun Astrid Barbara Björn Carlos Chen Chiara Chloé Claude Daniel \
    Dmitri Edsger Elif Elena Emeka Emma Fatima Frances Giulia Grace Hana Haruto Hedy Hiroshi Ingrid Ivan James Jean \
    João José Katherine Kenji Kofi Lars Leila Linus Lucía Margaret Maria Mateo Mei Mohammed Niamh Noor Olga Omar \
    Priya Radia Rosa Sofia Søren Tim Wanjiru Yuki Zeynep Zoë";

const LAST: &str = "\
    Abebe Allen Andersson Bernard Borg Brown Castillo Chen Costa Diallo Dijkstra Dubois Eriksen Fernández Ferrari \
    García Goldberg Gupta Hamilton Hansen Hopper Horvat Ivanova Jackson Johnson Jónsson Kaya Khan Kim Kovács Lamarr \
    Lee Lovelace Mbeki Meyer Müller Murphy Nakamura Nguyen Novák Nowak O'Brien Okafor Olsen Papadopoulos Park Patel \
    Perlman Petrov Ritchie Rossi Santos Sato Schmidt Silva Singh Smith Tanaka Torvalds Turing Virtanen Wang Yılmaz \
    Zhang";

const DOMAINS: [&str; 5] = [
    "example.com",
    "example.org",
    "example.net",
    "mail.example.com",
    "post.example.org",
];

const BROWSERS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 \
     Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
];

pub(super) fn name(random: &mut impl Rng) -> (&'static str, &'static str) {
    static ALL: LazyLock<[Vec<&str>; 2]> = LazyLock::new(|| [FIRST, LAST].map(|names| names.split(' ').collect()));
    let [first, last] = &*ALL;
    (draw(first, random), draw(last, random))
}

pub(super) fn domain(random: &mut impl Rng) -> &'static str {
    draw(&DOMAINS, random)
}

pub(super) fn browser(random: &mut impl Rng) -> &'static str {
    draw(&BROWSERS, random)
}

/// A name in ASCII letters, for an email address.
pub(super) fn plain(name: &str) -> String {
    let plain = name.chars().map(|c| match c {
        'á' | 'ã' => 'a',
        'é' | 'ë' => 'e',
        'í' | 'ı' => 'i',
        'ó' | 'ö' | 'ø' => 'o',
        'ü' => 'u',
        'ñ' => 'n',
        other => other.to_ascii_lowercase(),
    });
    plain.filter(char::is_ascii_lowercase).collect()
}

fn draw(from: &[&'static str], random: &mut impl Rng) -> &'static str {
    from.choose(random).copied().unwrap_or_default()
}
