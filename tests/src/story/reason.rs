//! Reason codes by the standard's words: "Topic Alias invalid" is written `topic_alias_invalid`.

use super::word::Word;
use sanderling_core::reason::ReasonCode;

/// 0x00 in a SUBACK; elsewhere it is `success`.
const GRANTED_QOS_0: &str = "granted_qos_0";

/// The return codes of a 3.1 and 3.1.1 CONNACK. [MQTT 3.1.1, table 3.1]
const RETURN_CODES: [&str; 6] = [
    "accepted",
    "unacceptable_protocol_version",
    "identifier_rejected",
    "server_unavailable",
    "bad_user_name_or_password",
    "not_authorized",
];

/// The name of a reason code.
pub(super) fn name(reason: ReasonCode) -> String {
    let Some(text) = reason.text() else {
        return format!("0x{:02x}", reason.0);
    };
    text.to_lowercase().replace([' ', '-'], "_")
}

/// The name of a reason code in a SUBACK.
pub(super) fn suback_name(reason: ReasonCode) -> String {
    if reason.0 == 0 {
        GRANTED_QOS_0.into()
    } else {
        name(reason)
    }
}

/// The name of a 3.1 or 3.1.1 CONNACK's return code.
pub(super) fn return_code_name(reason: ReasonCode) -> String {
    let code = reason.to_connect_return_code();
    RETURN_CODES
        .get(usize::from(code))
        .map_or_else(|| format!("0x{code:02x}"), |n| (*n).into())
}

/// The reason code with this name, or with this number: `0x87`.
///
/// # Errors
/// There is none.
pub(super) fn parse(word: &Word) -> Result<ReasonCode, String> {
    let text = word.text.as_str();
    if let Some(digits) = text.strip_prefix("0x") {
        let code = u8::from_str_radix(digits, 16);
        return code
            .map(ReasonCode)
            .map_err(|_| format!("{text:?} is no number of one byte"));
    }
    if text == GRANTED_QOS_0 {
        return Ok(ReasonCode::SUCCESS);
    }
    (0..=u8::MAX)
        .map(ReasonCode)
        .find(|&reason| name(reason) == text)
        .ok_or_else(|| format!("no reason code is called {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_name() {
        for code in 0..=u8::MAX {
            let reason = ReasonCode(code);
            assert_eq!(parse(&Word::plain(name(reason))), Ok(reason));
        }
        assert_eq!(name(ReasonCode::TOPIC_ALIAS_INVALID), "topic_alias_invalid");
        assert_eq!(return_code_name(ReasonCode(4)), "bad_user_name_or_password");
        assert!(parse(&Word::plain("fine")).is_err());
    }
}
