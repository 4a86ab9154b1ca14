//! "Did you mean": the known word that is nearest to a misspelt one.

/// The known word nearest to `found`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long text is no slip of the pen, and comparing costs the product of both lengths.
    if found.len() > 64 {
        return None;
    }
    let folded = fold(found);
    let allowed = (found.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(&folded, &fold(word)), word))
        .filter(|(distance, word)| *distance <= allowed && *distance < word.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// A word as it would be written here: `maxSurge`, `max_surge` and `max-surge` are one, and a unit in the name
/// (`period_seconds`) says nothing where values carry their own.
pub(crate) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len() + 4);
    let mut lower = false;
    for letter in word.chars() {
        if letter.is_uppercase() && lower {
            folded.push('-');
        }
        lower = letter.is_lowercase() || letter.is_ascii_digit();
        folded.extend(if letter == '_' { '-' } else { letter }.to_lowercase());
    }
    for unit in ["-seconds", "-id"] {
        if let Some(bare) = folded.strip_suffix(unit).filter(|bare| !bare.is_empty()) {
            folded.truncate(bare.len());
        }
    }
    folded
}

/// The help line about a name that is not among `known`.
pub fn did_you_mean<'a>(found: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(word) = nearest(found, known.clone()) {
        return Some(format!("did you mean `{word}`?"));
    }
    let listed: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    match listed.len() {
        0 => None,
        1..=16 => Some(format!("known: {}", listed.join(", "))),
        more => Some(format!("known: {} and {} more", listed[..12].join(", "), more - 12)),
    }
}

/// `a, b or c`.
pub(crate) fn either(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(found: &str, expected: Option<&str>) {
        assert_eq!(nearest(found, ["instances", "port", "max-surge", "expose"]), expected, "{found}");
    }

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        check("instance", Some("instances"));
        check("prot", Some("port"));
        check("max_surge", Some("max-surge"));
        check("Expose", Some("expose"));
        check("maxSurge", Some("max-surge"));
        check("max_surge_seconds", Some("max-surge"));
        check("exports", None);
        check("replicas", None);
        check("x", None);
        check("", None);
    }
}
