//! Values under topic filters, in the order of the filters.

use alloc::{
    boxed::Box,
    collections::{BTreeMap, btree_map},
    vec::Vec,
};
use core::{ops::Bound, slice};

/// More than so many stand in a tree, until there are half as many. Few stand in a list without slack: most clients
/// subscribe to one filter or two, and a tree takes room for eleven at once.
const FEW: usize = 8;

/// Values under topic filters as they were written. The order is that of the filters, however they came.
#[expect(
    clippy::box_collection,
    reason = "every session has one of these, and hardly any has many filters"
)]
#[derive(Debug)]
pub(crate) enum ByFilter<T> {
    Few(Vec<(Box<str>, T)>),
    Many(Box<BTreeMap<Box<str>, T>>),
}

impl<T> Default for ByFilter<T> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<T> ByFilter<T> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The filter as it is kept, and its value.
    pub(crate) fn get(&self, filter: &str) -> Option<(&str, &T)> {
        match self {
            Self::Few(few) => {
                let place = place_of(few, filter).ok()?;
                few.get(place).map(|(filter, value)| (&**filter, value))
            }
            Self::Many(many) => {
                let (filter, value) = many.get_key_value(filter)?;
                Some((filter, value))
            }
        }
    }

    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.get(filter).is_some()
    }

    /// Puts a value under a filter, in the place of the one that was there.
    pub(crate) fn insert(&mut self, filter: &str, value: T) {
        match self {
            Self::Few(few) => match place_of(few, filter) {
                Ok(place) => few[place].1 = value,
                Err(_) if few.len() == FEW => {
                    let mut many: BTreeMap<_, _> = few.drain(..).collect();
                    many.insert(filter.into(), value);
                    *self = Self::Many(Box::new(many));
                }
                Err(place) => {
                    if few.len() == few.capacity() {
                        few.reserve_exact(few.len().max(1));
                    }
                    few.insert(place, (filter.into(), value));
                }
            },
            Self::Many(many) => match many.get_mut(filter) {
                Some(old) => *old = value,
                None => drop(many.insert(filter.into(), value)),
            },
        }
    }

    pub(crate) fn remove(&mut self, filter: &str) -> Option<T> {
        match self {
            Self::Few(few) => {
                let place = place_of(few, filter).ok()?;
                let (_, removed) = few.remove(place);
                if few.is_empty() {
                    *few = Vec::new();
                }
                Some(removed)
            }
            Self::Many(many) => {
                let removed = many.remove(filter)?;
                if many.len() <= FEW / 2 {
                    let many = core::mem::take(&mut **many);
                    *self = Self::Few(many.into_iter().collect());
                }
                Some(removed)
            }
        }
    }

    pub(crate) fn iter(&self) -> Iter<'_, T> {
        match self {
            Self::Few(few) => Iter {
                few: few.iter(),
                many: btree_map::Iter::default(),
            },
            Self::Many(many) => Iter {
                few: slice::Iter::default(),
                many: many.iter(),
            },
        }
    }

    pub(crate) fn filters(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(filter, _)| filter)
    }

    /// What stands beyond this filter, which need not be there.
    pub(crate) fn after(
        &self,
        after: Option<&str>,
    ) -> impl Iterator<Item = (&str, &T)> + use<'_, T> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let (few, many) = match self {
            Self::Few(few) => {
                let passed = |filter: &str| after.is_some_and(|after| filter <= after);
                let place = few.partition_point(|(filter, _)| passed(filter));
                (&few[place..], btree_map::Range::default())
            }
            Self::Many(many) => (
                Default::default(),
                many.range::<str, _>((from, Bound::Unbounded)),
            ),
        };
        let few = few.iter().map(|(filter, value)| (&**filter, value));
        few.chain(many.map(|(filter, value)| (&**filter, value)))
    }
}

/// Where a filter stands, or would stand.
fn place_of<T>(few: &[(Box<str>, T)], filter: &str) -> Result<usize, usize> {
    few.binary_search_by(|(one, _)| (**one).cmp(filter))
}

/// All filters with their values; one of the two is empty.
pub(crate) struct Iter<'a, T> {
    few: slice::Iter<'a, (Box<str>, T)>,
    many: btree_map::Iter<'a, Box<str>, T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a str, &'a T);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((filter, value)) = self.few.next() {
            return Some((filter, value));
        }
        self.many.next().map(|(filter, value)| (&**filter, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.few.len() + self.many.len();
        (left, Some(left))
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    /// Some numbers in no order.
    fn numbers() -> impl Iterator<Item = u32> {
        (1..=2 * FEW as u32).map(|number| number * 7 % 17)
    }

    fn name(number: u32) -> String {
        alloc::format!("{number:02}")
    }

    fn assert_same(of: &ByFilter<u32>, plain: &BTreeMap<String, u32>) {
        let pairs = plain.iter().map(|(filter, value)| (&**filter, value));
        assert!(of.iter().eq(pairs));
        assert_eq!((of.len(), of.iter().len()), (plain.len(), plain.len()));
        for number in 0..20 {
            let name = name(number);
            assert_eq!(of.get(&name).map(|(_, value)| value), plain.get(&name));
            let beyond = plain.iter().filter(|(filter, _)| **filter > name);
            let after: Vec<_> = of.after(Some(&name)).collect();
            let expected: Vec<_> = beyond.map(|(filter, value)| (&**filter, value)).collect();
            assert_eq!(after, expected);
        }
        assert_eq!(of.after(None).count(), plain.len());
    }

    #[test]
    fn few_and_many_are_like_a_plain_map() {
        let (mut of, mut plain) = (ByFilter::default(), BTreeMap::new());
        for value in [0, 100] {
            for number in numbers() {
                of.insert(&name(number), number + value);
                plain.insert(name(number), number + value);
                assert_same(&of, &plain);
            }
        }
        for number in numbers() {
            assert_eq!(of.remove(&name(number)), plain.remove(&name(number)));
            assert_eq!(of.remove(&name(number)), None);
            assert_same(&of, &plain);
        }
        assert!(of.is_empty());
    }
}
