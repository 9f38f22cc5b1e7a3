//! What the program around the broker keeps with a client.

use alloc::{boxed::Box, vec::Vec};
use core::{
    any::{Any, TypeId},
    fmt,
};

/// Values of the program, at most one of each type. They live from the first hook that is asked about a connection to the
/// end of that connection, and as long as its session is away after that; the next connection begins without.
///
/// ```
/// use sanderling_core::hooks::ClientData;
///
/// struct Tenant(u32);
///
/// let mut data = ClientData::default();
/// data.insert(Tenant(7));
/// assert_eq!(data.get::<Tenant>().map(|tenant| tenant.0), Some(7));
/// ```
#[derive(Default)]
pub struct ClientData {
    /// Few, so that a search is quick.
    #[expect(
        clippy::box_collection,
        reason = "most clients have none, and it costs them a pointer"
    )]
    values: Option<Box<Vec<Entry>>>,
}

type Entry = (TypeId, Box<dyn Any + Send>);

impl fmt::Debug for ClientData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.values.as_deref().map_or(0, Vec::len);
        f.debug_struct("ClientData")
            .field("values", &count)
            .finish()
    }
}

impl ClientData {
    /// The value of this type.
    pub fn get<T: Any + Send>(&self) -> Option<&T> {
        let values = self.values.as_deref()?.iter();
        values.filter_map(|(_, value)| value.downcast_ref()).next()
    }

    /// The value of this type, to be changed.
    pub fn get_mut<T: Any + Send>(&mut self) -> Option<&mut T> {
        let values = self.values.as_deref_mut()?.iter_mut();
        values.filter_map(|(_, value)| value.downcast_mut()).next()
    }

    /// The value of this type, made first if there is none.
    pub fn get_or_insert_with<T: Any + Send>(&mut self, make: impl FnOnce() -> T) -> &mut T {
        if self.get::<T>().is_none() {
            self.insert(make());
        }
        self.get_mut().expect("it was made")
    }

    /// Keeps a value; the former one of its type is returned.
    pub fn insert<T: Any + Send>(&mut self, value: T) -> Option<T> {
        let former = self.remove();
        let values = self.values.get_or_insert_default();
        values.push((TypeId::of::<T>(), Box::new(value)));
        former
    }

    /// Takes a value out.
    pub fn remove<T: Any + Send>(&mut self) -> Option<T> {
        let values = self.values.as_deref_mut()?;
        let at = values.iter().position(|(id, _)| *id == TypeId::of::<T>())?;
        let (_, value) = values.swap_remove(at);
        if values.is_empty() {
            self.values = None;
        }
        value.downcast().ok().map(|value| *value)
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.values.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_a_type() {
        let mut data = ClientData::default();
        assert_eq!(data.insert(1_u32), None);
        assert_eq!(data.insert("text"), None);
        assert_eq!(data.insert(2_u32), Some(1));
        *data.get_or_insert_with(|| 9_u32) += 1;
        assert_eq!(data.get(), Some(&3_u32));
        assert_eq!(*data.get_or_insert_with(|| 'x'), 'x');
        assert_eq!(data.remove::<u32>(), Some(3));
        assert_eq!(data.remove::<u32>(), None);
        assert_eq!(data.remove::<&str>(), Some("text"));
        assert_eq!(data.remove::<char>(), Some('x'));
        assert!(data.is_empty());
    }
}
