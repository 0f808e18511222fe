//! Rows by key, in order. Most operations touch one row of a kind, so the first lies here and needs no tree.

use std::collections::BTreeMap;
use std::mem;
use std::ops::RangeInclusive;

/// A sorted map. Its smallest pair is `first`; those in the tree are boxed, because a tree's nodes have room for eleven.
#[derive(Debug)]
pub(super) struct Table<K, T> {
    first: Option<(K, T)>,
    /// Made with the second pair: even an empty tree costs something to drop.
    rest: Option<BTreeMap<K, Box<T>>>,
}

/// A sorted set.
pub(super) type Keys<K> = Table<K, ()>;

impl<K, T> Default for Table<K, T> {
    fn default() -> Self {
        Table { first: None, rest: None }
    }
}

impl<K: Ord, T> Table<K, T> {
    fn rest(&mut self) -> &mut BTreeMap<K, Box<T>> {
        self.rest.get_or_insert_default()
    }

    pub(super) fn get(&self, key: &K) -> Option<&T> {
        match &self.first {
            Some((first, value)) if first == key => Some(value),
            _ => self.rest.as_ref()?.get(key).map(Box::as_ref),
        }
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut T> {
        match &mut self.first {
            Some((first, value)) if first == key => Some(value),
            _ => self.rest.as_mut()?.get_mut(key).map(Box::as_mut),
        }
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn insert(&mut self, key: K, value: T) {
        match &mut self.first {
            None => self.first = Some((key, value)),
            Some((first, old)) if *first == key => *old = value,
            Some(first) if first.0 > key => {
                let (key, value) = mem::replace(first, (key, value));
                self.rest().insert(key, Box::new(value));
            }
            Some(_) => {
                self.rest().insert(key, Box::new(value));
            }
        }
    }

    pub(super) fn or_default(&mut self, key: K) -> &mut T
    where
        T: Default,
    {
        if self.first_key().is_some_and(|first| *first > key)
            && let Some((first, value)) = self.first.take()
        {
            self.rest().insert(first, Box::new(value));
        }
        if self.first_key().is_some_and(|first| *first < key) {
            return self.rest().entry(key).or_default();
        }
        &mut self.first.get_or_insert_with(|| (key, T::default())).1
    }

    pub(super) fn remove(&mut self, key: &K) {
        let rest = self.rest.as_mut();
        if self.first.as_ref().is_some_and(|(first, _)| first == key) {
            self.first = rest.and_then(BTreeMap::pop_first).map(|(key, value)| (key, *value));
        } else if let Some(rest) = rest {
            rest.remove(key);
        }
    }

    pub(super) fn first_key(&self) -> Option<&K> {
        self.first.as_ref().map(|(key, _)| key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        let rest = self.rest.iter().flatten().map(|(key, value)| (key, value.as_ref()));
        self.first.iter().map(|(key, value)| (key, value)).chain(rest)
    }

    pub(super) fn range(&self, keys: RangeInclusive<K>) -> impl DoubleEndedIterator<Item = (&K, &T)> {
        let first = self.first.as_ref().filter(|(key, _)| keys.contains(key)).map(|(key, value)| (key, value));
        let rest = self.rest.as_ref().map(|rest| rest.range(keys).map(|(key, value)| (key, value.as_ref())));
        first.into_iter().chain(rest.into_iter().flatten())
    }

    /// Hands all of it over.
    pub(super) fn drain(&mut self, mut each: impl FnMut(T)) {
        if let Some((_, value)) = self.first.take() {
            each(value);
        }
        self.rest.take().into_iter().flatten().for_each(|(_, value)| each(*value));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_sorted_map(steps in prop::collection::vec((0..4, 0..12_u8, any::<u8>()), 0..60)) {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 => {
                        table.remove(&key);
                        map.remove(&key);
                    }
                    1 => {
                        *table.or_default(key) |= value;
                        *map.entry(key).or_default() |= value;
                    }
                    2 => {
                        if let Some(found) = table.get_mut(&key) {
                            *found = value;
                        }
                        map.entry(key).and_modify(|found| *found = value);
                    }
                    _ => {
                        table.insert(key, value);
                        map.insert(key, value);
                    }
                }
                prop_assert_eq!(table.first_key(), map.keys().next());
                prop_assert_eq!(table.get(&key), map.get(&key));
                prop_assert_eq!(table.contains(&key), map.contains_key(&key));
                prop_assert!(table.iter().eq(map.iter()));
                prop_assert!(table.range(3..=8).rev().eq(map.range(3..=8).rev()));
            }
            let mut values = Vec::new();
            table.drain(|value| values.push(value));
            prop_assert!(values.into_iter().eq(map.into_values()));
        }
    }
}
