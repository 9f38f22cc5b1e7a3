//! Words for labels.

use sanderling_core::reason::ReasonCode;

/// A reason as one word: the standard's, in lower case.
pub(crate) fn of_reason(reason: ReasonCode) -> String {
    let text = reason.text().unwrap_or("other");
    text.to_lowercase().replace([' ', '-'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_word() {
        assert_eq!(
            of_reason(ReasonCode::BAD_USER_NAME_OR_PASSWORD),
            "bad_user_name_or_password"
        );
        assert_eq!(of_reason(ReasonCode(0xF0)), "other");
    }
}
