//! Numbers: `80`, `1_000`, `-2.5e3`, `0xff`, `0o17`, `0b101`.

use super::Scalar;

/// Why a word that begins like a number is none that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not a number at all.
    Shape,
    /// More than 128 bits.
    TooLarge,
}

/// Whether a word can only be meant as a number: a digit stands at its beginning, or after a sign or a point.
pub(super) fn looks_like_one(word: &str) -> bool {
    let rest = word.strip_prefix(['+', '-']).unwrap_or(word);
    rest.strip_prefix('.').unwrap_or(rest).starts_with(|letter: char| letter.is_ascii_digit())
}

pub(super) fn parse(word: &str) -> Result<Scalar, Fault> {
    let (sign, rest) = match word.as_bytes().first() {
        Some(b'-') => ("-", &word[1..]),
        Some(b'+') => ("", &word[1..]),
        _ => ("", word),
    };
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = rest.strip_prefix(prefix) {
            return integer(sign, digits, radix);
        }
    }
    if digits(rest, 10) { integer(sign, rest, 10) } else { float(sign, rest) }
}

/// Whether these are digits, with underscores behind the first.
fn digits(text: &str, radix: u32) -> bool {
    text.starts_with(|letter: char| letter.is_digit(radix))
        && text.chars().all(|letter| letter == '_' || letter.is_digit(radix))
}

fn integer(sign: &str, text: &str, radix: u32) -> Result<Scalar, Fault> {
    if !digits(text, radix) {
        return Err(Fault::Shape);
    }
    let plain = format!("{sign}{}", text.replace('_', ""));
    i128::from_str_radix(&plain, radix).map(Scalar::Integer).map_err(|_| Fault::TooLarge)
}

fn float(sign: &str, text: &str) -> Result<Scalar, Fault> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        None => (text, "0"),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if ![whole, fraction, exponent].iter().all(|part| digits(part, 10)) {
        return Err(Fault::Shape);
    }
    format!("{sign}{}", text.replace('_', "")).parse().map(Scalar::Float).map_err(|_| Fault::Shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Scalar, Fault>) {
        assert!(looks_like_one(text), "{text}");
        assert_eq!(parse(text), expected, "{text}");
    }

    #[test]
    fn numbers_are_read_in_every_notation() {
        check("80_", Ok(Scalar::Integer(80)));
        check("-1_000", Ok(Scalar::Integer(-1_000)));
        check("+0", Ok(Scalar::Integer(0)));
        check("0xdead_BEEF", Ok(Scalar::Integer(0xdead_beef)));
        check("-0x10", Ok(Scalar::Integer(-16)));
        check("0o17", Ok(Scalar::Integer(15)));
        check("0b1_01", Ok(Scalar::Integer(5)));
        check("2.50", Ok(Scalar::Float(2.5)));
        check("-1_0.2_5e-1_", Ok(Scalar::Float(-1.025)));
        check("2E+3", Ok(Scalar::Float(2_000.0)));
        check("1e400", Ok(Scalar::Float(f64::INFINITY)));
    }

    #[test]
    fn what_only_begins_like_a_number_is_none() {
        for text in
            ["4GiB", "1.", "1._2", ".5", "-.5", "1e", "1e+", "0x", "0x_1", "0X1", "0b2", "1__.x", "1.2.3", "0xg"]
        {
            check(text, Err(Fault::Shape));
        }
        check(&"9".repeat(50), Err(Fault::TooLarge));
        check(&format!("0x{}", "f".repeat(40)), Err(Fault::TooLarge));
    }
}
