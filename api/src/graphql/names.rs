//! Names of the API as GraphQL writes them.

/// `created_at` and `If-Match` as `createdAt` and `ifMatch`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    let mut letters = pascal.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

/// `created_at` as `CreatedAt`.
pub(super) fn pascal(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        })
        .collect()
}

/// `listUsers` and `getUser` as `users` and `user`: a query needs no verb.
pub(super) fn noun(operation_id: &str) -> String {
    let rest = ["list", "get"]
        .into_iter()
        .find_map(|verb| operation_id.strip_prefix(verb));
    let rest = rest.filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()));
    rest.map_or_else(|| operation_id.to_owned(), camel)
}

/// A word as a value of an enum: `not_migrated` as `NOT_MIGRATED`. None where GraphQL has no such name.
pub(super) fn enum_value(word: &str) -> Option<String> {
    let is_letter = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let begins = word.starts_with(is_letter);
    let goes_on = word.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit());
    (begins && goes_on).then(|| word.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_document_become_those_of_graphql() {
        let made = ["created_at", "If-Match", "id", "id_of_2"].map(camel);
        assert_eq!(made, ["createdAt", "ifMatch", "id", "idOf2"]);
        let made = ["listUsers", "getMyMfa", "listen", "getaway", "isReady"].map(noun);
        assert_eq!(made, ["users", "myMfa", "listen", "getaway", "isReady"]);
        let made = ["active", "not_migrated", "users:read", "2fa", "Active"].map(enum_value);
        let made = made.map(Option::unwrap_or_default);
        assert_eq!(made, ["ACTIVE", "NOT_MIGRATED", "", "", ""]);
    }
}
