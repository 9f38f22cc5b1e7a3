//! Values as bytes, in the format of nson 0.3: little endian, a tag before each value, lengths before what has one.

use super::{Message, Value};
use bytes::Bytes;
use std::{error::Error, fmt};

/// Containers within containers; more are refused.
const DEPTH_MAX: usize = 32;

/// Why values cannot become bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EncodeValueError {
    /// A name has a U+0000 in it.
    NulInName,
    /// It is longer than 4 GiB.
    TooLong,
    /// There are more than 32 containers within each other.
    TooDeep,
}

/// Why bytes are no values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DecodeValueError {
    /// They end too early, or go on after the end.
    Length,
    /// There is no kind with this tag.
    Tag(u8),
    /// A name or a text is not UTF-8, or does not end with U+0000.
    Text,
    /// The names in an array are not its indices.
    Index,
    /// A truth value is neither 0 nor 1.
    Bool(u8),
    /// There are more than 32 containers within each other.
    TooDeep,
}

impl fmt::Display for EncodeValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NulInName => "a name has a U+0000 in it",
            Self::TooLong => "it is longer than 4 GiB",
            Self::TooDeep => "more than 32 containers are within each other",
        })
    }
}

impl fmt::Display for DecodeValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length => f.write_str("the bytes end too early, or go on after the end"),
            Self::Tag(tag) => write!(f, "no kind has the tag 0x{tag:02x}"),
            Self::Text => f.write_str("a text is not UTF-8, or does not end with U+0000"),
            Self::Index => f.write_str("the names in an array are not its indices"),
            Self::Bool(byte) => write!(f, "0x{byte:02x} is neither true nor false"),
            Self::TooDeep => f.write_str("more than 32 containers are within each other"),
        }
    }
}

impl Error for EncodeValueError {}
impl Error for DecodeValueError {}

/// A message as bytes.
///
/// # Errors
/// See [`EncodeValueError`].
pub fn encode(message: &Message) -> Result<Vec<u8>, EncodeValueError> {
    let mut bytes = Vec::new();
    let entries = message.iter().map(|(name, value)| (name.as_str(), value));
    encode_container(entries, &mut bytes, 0)?;
    Ok(bytes)
}

fn encode_container<'a>(
    entries: impl Iterator<Item = (impl AsRef<str>, &'a Value)>,
    to: &mut Vec<u8>,
    depth: usize,
) -> Result<(), EncodeValueError> {
    if depth >= DEPTH_MAX {
        return Err(EncodeValueError::TooDeep);
    }
    let begin = to.len();
    to.extend([0; 4]);
    for (name, value) in entries {
        let name = name.as_ref();
        if name.contains('\0') {
            return Err(EncodeValueError::NulInName);
        }
        to.push(tag_of(value));
        to.extend(name.bytes());
        to.push(0);
        encode_value(value, to, depth)?;
    }
    to.push(0);
    let length = length(to.len() - begin)?;
    to[begin..begin + 4].copy_from_slice(&length);
    Ok(())
}

fn length(bytes: usize) -> Result<[u8; 4], EncodeValueError> {
    let bytes = u32::try_from(bytes).map_err(|_| EncodeValueError::TooLong)?;
    Ok(bytes.to_le_bytes())
}

fn tag_of(value: &Value) -> u8 {
    match value {
        Value::F32(_) => 0x01,
        Value::F64(_) => 0x02,
        Value::I32(_) => 0x03,
        Value::I64(_) => 0x04,
        Value::U32(_) => 0x05,
        Value::U64(_) => 0x06,
        Value::String(_) => 0x07,
        Value::Array(_) => 0x08,
        Value::Message(_) => 0x09,
        Value::Bool(_) => 0x0a,
        Value::Null => 0x0b,
        Value::Binary(_) => 0x0c,
        Value::Timestamp(_) => 0x0d,
        Value::MessageId(_) => 0x0e,
    }
}

fn encode_value(value: &Value, to: &mut Vec<u8>, depth: usize) -> Result<(), EncodeValueError> {
    match value {
        Value::F32(value) => to.extend(value.to_le_bytes()),
        Value::F64(value) => to.extend(value.to_le_bytes()),
        Value::I32(value) => to.extend(value.to_le_bytes()),
        Value::I64(value) => to.extend(value.to_le_bytes()),
        Value::U32(value) => to.extend(value.to_le_bytes()),
        Value::U64(value) | Value::Timestamp(value) => to.extend(value.to_le_bytes()),
        Value::String(text) => {
            to.extend(length(text.len() + 1)?);
            to.extend(text.bytes());
            to.push(0);
        }
        Value::Array(values) => {
            let entries = values.iter().enumerate();
            let entries = entries.map(|(index, value)| (index.to_string(), value));
            encode_container(entries, to, depth + 1)?;
        }
        Value::Message(message) => encode_container(message.iter(), to, depth + 1)?,
        Value::Bool(value) => to.push(u8::from(*value)),
        Value::Null => {}
        Value::Binary(bytes) => {
            to.extend(length(bytes.len())?);
            to.extend(bytes);
        }
        Value::MessageId(id) => to.extend(id),
    }
    Ok(())
}

/// The message that these bytes are.
///
/// # Errors
/// See [`DecodeValueError`].
pub fn decode(bytes: &[u8]) -> Result<Message, DecodeValueError> {
    let mut rest = bytes;
    let mut message = Message::new();
    decode_container(&mut rest, 0, |name, value| {
        message.insert(name.into(), value);
        Ok(())
    })?;
    match rest {
        [] => Ok(message),
        _ => Err(DecodeValueError::Length),
    }
}

fn decode_container(
    from: &mut &[u8],
    depth: usize,
    mut each: impl FnMut(&str, Value) -> Result<(), DecodeValueError>,
) -> Result<(), DecodeValueError> {
    if depth >= DEPTH_MAX {
        return Err(DecodeValueError::TooDeep);
    }
    let bytes = u32::from_le_bytes(array(from)?) as usize;
    let inner = bytes.checked_sub(4).ok_or(DecodeValueError::Length)?;
    let mut inside = take(from, inner)?;
    loop {
        let [tag] = array(&mut inside)?;
        if tag == 0 {
            break;
        }
        let end = inside.iter().position(|byte| *byte == 0);
        let name = take(&mut inside, end.ok_or(DecodeValueError::Text)?)?;
        let name = str::from_utf8(name).map_err(|_| DecodeValueError::Text)?;
        take(&mut inside, 1)?;
        let value = decode_value(tag, &mut inside, depth)?;
        each(name, value)?;
    }
    match inside {
        [] => Ok(()),
        _ => Err(DecodeValueError::Length),
    }
}

fn decode_value(tag: u8, from: &mut &[u8], depth: usize) -> Result<Value, DecodeValueError> {
    Ok(match tag {
        0x01 => Value::F32(f32::from_le_bytes(array(from)?)),
        0x02 => Value::F64(f64::from_le_bytes(array(from)?)),
        0x03 => Value::I32(i32::from_le_bytes(array(from)?)),
        0x04 => Value::I64(i64::from_le_bytes(array(from)?)),
        0x05 => Value::U32(u32::from_le_bytes(array(from)?)),
        0x06 => Value::U64(u64::from_le_bytes(array(from)?)),
        0x07 => {
            let bytes = u32::from_le_bytes(array(from)?) as usize;
            let [text @ .., 0] = take(from, bytes)? else {
                return Err(DecodeValueError::Text);
            };
            let text = str::from_utf8(text).map_err(|_| DecodeValueError::Text)?;
            Value::String(text.into())
        }
        0x08 => {
            let mut values = Vec::new();
            decode_container(from, depth + 1, |name, value| {
                if name != values.len().to_string() {
                    return Err(DecodeValueError::Index);
                }
                values.push(value);
                Ok(())
            })?;
            Value::Array(values)
        }
        0x09 => {
            let mut message = Message::new();
            decode_container(from, depth + 1, |name, value| {
                message.insert(name.into(), value);
                Ok(())
            })?;
            Value::Message(message)
        }
        0x0a => match array(from)? {
            [0] => Value::Bool(false),
            [1] => Value::Bool(true),
            [other] => return Err(DecodeValueError::Bool(other)),
        },
        0x0b => Value::Null,
        0x0c => {
            let bytes = u32::from_le_bytes(array(from)?) as usize;
            Value::Binary(Bytes::copy_from_slice(take(from, bytes)?))
        }
        0x0d => Value::Timestamp(u64::from_le_bytes(array(from)?)),
        0x0e => Value::MessageId(array(from)?),
        other => return Err(DecodeValueError::Tag(other)),
    })
}

fn take<'a>(from: &mut &'a [u8], bytes: usize) -> Result<&'a [u8], DecodeValueError> {
    from.split_off(..bytes).ok_or(DecodeValueError::Length)
}

fn array<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], DecodeValueError> {
    let bytes = take(from, N)?;
    Ok(bytes.try_into().expect("so many were taken"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let text = "[a-zé]{0,8}";
        let leaf = prop_oneof![
            any::<i32>().prop_map(|number| Value::F32(number as f32)),
            any::<i64>().prop_map(|number| Value::F64(number as f64)),
            any::<i32>().prop_map(Value::I32),
            any::<i64>().prop_map(Value::I64),
            any::<u32>().prop_map(Value::U32),
            any::<u64>().prop_map(Value::U64),
            text.prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            Just(Value::Null),
            any::<Vec<u8>>().prop_map(|bytes| Value::Binary(bytes.into())),
            any::<u64>().prop_map(Value::Timestamp),
            any::<[u8; 12]>().prop_map(Value::MessageId),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            let map = proptest::collection::btree_map(text, inner.clone(), 0..8);
            prop_oneof![
                proptest::collection::vec(inner, 0..8).prop_map(Value::Array),
                map.prop_map(Value::Message),
            ]
        })
    }

    proptest! {
        #[test]
        fn c8_what_is_encoded_is_decoded_again(value in value()) {
            let message = Message::from([("value".to_owned(), value)]);
            prop_assert_eq!(decode(&encode(&message).unwrap()), Ok(message));
        }

        #[test]
        fn c8_bytes_that_are_no_values_are_refused(bytes in any::<Vec<u8>>()) {
            if let Ok(message) = decode(&bytes) {
                prop_assert!(encode(&message).is_ok());
            }
        }
    }

    #[test]
    fn c8_the_bytes_are_those_of_nson() {
        let message = Message::from([
            ("a".to_owned(), Value::I32(1)),
            ("b".to_owned(), Value::from("hi")),
            (
                "c".to_owned(),
                Value::Array(vec![Value::Null, Value::Bool(true)]),
            ),
        ]);
        let expected = [
            [37, 0, 0, 0].as_slice(),
            &[0x03, b'a', 0, 1, 0, 0, 0],
            &[0x07, b'b', 0, 3, 0, 0, 0, b'h', b'i', 0],
            &[0x08, b'c', 0, 12, 0, 0, 0],
            &[0x0b, b'0', 0],
            &[0x0a, b'1', 0, 1],
            &[0],
            &[0],
        ]
        .concat();
        let mut bytes = encode(&message).unwrap();
        assert_eq!(bytes, expected);
        assert_eq!(decode(&bytes), Ok(message));
        bytes.push(0);
        assert_eq!(decode(&bytes), Err(DecodeValueError::Length));
    }

    #[test]
    fn c8_what_is_too_deep_is_refused() {
        let mut value = Value::Null;
        for _ in 0..DEPTH_MAX {
            value = Value::Array(vec![value]);
        }
        let message = Message::from([("deep".to_owned(), value)]);
        assert_eq!(encode(&message), Err(EncodeValueError::TooDeep));
    }
}
