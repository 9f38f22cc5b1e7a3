//! The numbers of rows, as names of tests begin with them and comments have them in brackets.

/// What numbers of rows begin with. `A` and two digits is an attack; other letters belong to other lists.
const LETTERS: &[&str] = &[
    "A", "B", "C", "D", "E", "F", "G", "K", "L", "M", "P", "PL", "R", "S", "SS", "T", "§",
];

/// The rows that the name of a test begins with: `c1_c3_…`, `r1_to_r3_…`, also `m14_a60_…`.
pub(super) fn in_name(name: &str) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut last = None;
    let mut words = name.split('_').peekable();
    while let Some(word) = words.next() {
        if let Some((letters, number, digits)) = split(word) {
            if !is_attack(letters, digits) {
                rows.push(row(letters, number));
            }
            last = Some((letters, number));
        } else if let Some((letters, first)) = last.filter(|_| word == "to")
            && let Some((_, end, _)) = words.peek().and_then(|word| split(word))
        {
            rows.extend((first + 1..end).map(|number| row(letters, number)));
        } else {
            break;
        }
    }
    rows.retain(|row| is_row(row));
    rows
}

fn row(letters: &str, number: u32) -> String {
    format!("{}{number}", letters.to_uppercase())
}

/// The rows in brackets in a text: `[F6]`, `[§6 OnClose]`.
pub(super) fn in_text(text: &str) -> Vec<String> {
    let tags = text.split('[').skip(1);
    let tags = tags.filter_map(|rest| rest.split_once(']'));
    let words = tags.filter_map(|(tag, _)| tag.split_whitespace().next());
    words
        .filter(|word| split(word).is_some_and(|(letters, _, digits)| !is_attack(letters, digits)))
        .filter(|word| is_row(word))
        .map(Into::into)
        .collect()
}

/// What a number begins with: `PL` of `PL2`.
pub(super) fn letters(number: &str) -> &str {
    split(number).map_or("", |(letters, ..)| letters)
}

/// Letters, number and digits.
fn split(word: &str) -> Option<(&str, u32, &str)> {
    let at = word.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = word.split_at(at);
    let number = digits.parse().ok()?;
    (!letters.is_empty()).then_some((letters, number, digits))
}

fn is_attack(letters: &str, digits: &str) -> bool {
    letters.eq_ignore_ascii_case("a") && digits.len() > 1
}

fn is_row(number: &str) -> bool {
    split(number).is_some_and(|(letters, ..)| LETTERS.contains(&letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_begin_with_rows() {
        assert_eq!(in_name("l13_to_stop_twice"), ["L13"]);
        assert_eq!(in_name("pl2_l9_in_order"), ["PL2", "L9"]);
        assert_eq!(in_name("m02_m03_pages"), ["M2", "M3"]);
        assert_eq!(
            in_name("ss1_to_ss4_subscriptions"),
            ["SS1", "SS2", "SS3", "SS4"]
        );
        assert_eq!(in_name("m14_a60_nothing_loads"), ["M14"]);
        assert_eq!(in_name("a2_and_a3"), ["A2"]);
        for other in [
            "a05_attack",
            "a54_attack",
            "i41_invariant",
            "u04_defect",
            "of_l1",
            "l_1",
            "to_l1",
        ] {
            assert_eq!(in_name(other), [""; 0], "{other}");
        }
    }

    #[test]
    fn brackets_name_rows() {
        let text =
            "A title [F6] [A43] [MQTT-3.1.2-4] [I27] [§6 OnClose] [A5] [MQTT 5.0, 4.8.2] a[0]";
        assert_eq!(in_text(text), ["F6", "§6", "A5"]);
    }
}
