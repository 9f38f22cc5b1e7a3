//! Values with a name and a type that a program keeps with a client.

mod codec;

pub use codec::{DecodeValueError, EncodeValueError, decode, encode};

use bytes::Bytes;
use sanderling_core::hooks::ClientData;
use std::collections::BTreeMap;

/// A value of one of fourteen kinds. As bytes, see [`encode`] and [`decode`], it is understood by programs that use nson.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    F32(f32),
    /// A number.
    F64(f64),
    /// A number.
    I32(i32),
    /// A number.
    I64(i64),
    /// A number.
    U32(u32),
    /// A number.
    U64(u64),
    /// Text.
    String(String),
    /// Several values in order.
    Array(Vec<Self>),
    /// Several values by name.
    Message(Message),
    /// Yes or no.
    Bool(bool),
    /// Nothing.
    Null,
    /// Bytes.
    Binary(Bytes),
    /// A time, in whatever unit the program counts.
    Timestamp(u64),
    /// An identifier.
    MessageId([u8; 12]),
}

/// Values by name.
pub type Message = BTreeMap<String, Value>;

/// Makes a `From` and a getter for a kind that is copied.
macro_rules! copied {
    ($($kind:ident, $get:ident: $type:ty;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$kind(value)
            }
        })*

        impl Value {
            $(
                #[doc = concat!("What it holds, if it is a `", stringify!($kind), "`.")]
                pub fn $get(&self) -> Option<$type> {
                    match self {
                        Self::$kind(value) => Some(*value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

copied! {
    F32, as_f32: f32;
    F64, as_f64: f64;
    I32, as_i32: i32;
    I64, as_i64: i64;
    U32, as_u32: u32;
    U64, as_u64: u64;
    Bool, as_bool: bool;
    MessageId, as_message_id: [u8; 12];
}

/// The same for a kind that is lent.
macro_rules! lent {
    ($($kind:ident, $get:ident: $type:ty => $lent:ty;)*) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$kind(value)
            }
        })*

        impl Value {
            $(
                #[doc = concat!("What it holds, if it is a `", stringify!($kind), "`.")]
                pub fn $get(&self) -> Option<&$lent> {
                    match self {
                        Self::$kind(value) => Some(value),
                        _ => None,
                    }
                }
            )*
        }
    };
}

lent! {
    String, as_str: String => str;
    Array, as_array: Vec<Value> => [Value];
    Message, as_message: Message => Message;
    Binary, as_binary: Bytes => [u8];
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl Value {
    /// What it holds, if it is a `Timestamp`.
    pub fn as_timestamp(&self) -> Option<u64> {
        match self {
            Self::Timestamp(value) => Some(*value),
            _ => None,
        }
    }

    /// True if it is `Null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// The named values among what is kept with a client.
struct Named(Message);

/// The value kept under `key`.
pub fn get<'a>(data: &'a ClientData, key: &str) -> Option<&'a Value> {
    data.get::<Named>()?.0.get(key)
}

/// Keeps a value under `key`; the former one is returned.
pub fn set(
    data: &mut ClientData,
    key: impl Into<String>,
    value: impl Into<Value>,
) -> Option<Value> {
    let named = data.get_or_insert_with(|| Named(Message::new()));
    named.0.insert(key.into(), value.into())
}

/// Takes out the value kept under `key`.
pub fn remove(data: &mut ClientData, key: &str) -> Option<Value> {
    let named = data.get_mut::<Named>()?;
    let value = named.0.remove(key);
    if named.0.is_empty() {
        data.remove::<Named>();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c7_values_are_kept_by_name() {
        let mut data = ClientData::default();
        assert_eq!(get(&data, "tenant"), None);
        assert_eq!(set(&mut data, "tenant", "blue"), None);
        assert_eq!(set(&mut data, "tenant", 7_u32), Some("blue".into()));
        assert_eq!(get(&data, "tenant").and_then(Value::as_u32), Some(7));
        assert_eq!(remove(&mut data, "tenant"), Some(Value::U32(7)));
        assert_eq!(
            remove(&mut data, "tenant"),
            None,
            "to remove what is not there is fine"
        );
        assert!(data.is_empty());
    }

    #[test]
    fn c8_a_getter_answers_for_its_kind_only() {
        assert_eq!(Value::from(1_i64).as_i64(), Some(1));
        assert_eq!(Value::from(1_i64).as_i32(), None);
        assert_eq!(Value::Timestamp(5).as_timestamp(), Some(5));
        assert_eq!(Value::U64(5).as_timestamp(), None);
        assert_eq!(Value::from("text").as_str(), Some("text"));
        assert_eq!(Value::from(true).as_bool(), Some(true));
        assert_eq!(
            Value::from(vec![Value::Null]).as_array(),
            Some(&[Value::Null][..])
        );
        assert_eq!(Value::from([1; 12]).as_message_id(), Some([1; 12]));
        assert!(Value::Null.is_null() && !Value::Bool(false).is_null());
    }
}
