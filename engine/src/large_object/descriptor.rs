//! Large objects that a transaction has open (`lo_open`), with the place where each reads and writes next. They end with the transaction, or
//! with the savepoint that is rolled back.

use aegis_catalog::{Error, Oid, Result, sqlstate};

/// Most that may be open at once.
const MAX_OPEN: usize = 10_000;

#[derive(Debug, Clone)]
pub struct Descriptor {
    pub object: Oid,
    pub offset: i64,
    pub readable: bool,
    pub writable: bool,
    /// Savepoints there were when it was opened.
    depth: usize,
}

#[derive(Debug, Default)]
pub struct Descriptors(Vec<Option<Descriptor>>);

impl Descriptors {
    /// The smallest number that is free.
    pub fn open(&mut self, object: Oid, (readable, writable): (bool, bool), depth: usize) -> Result<i32> {
        let descriptor = Some(Descriptor { object, offset: 0, readable, writable, depth });
        let free = self.0.iter().position(Option::is_none);
        let position = free.unwrap_or(self.0.len());
        if position >= MAX_OPEN {
            return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "too many large objects are open"));
        }
        match self.0.get_mut(position) {
            Some(slot) => *slot = descriptor,
            None => self.0.push(descriptor),
        }
        i32::try_from(position).map_err(|_| Error::internal("a large-object descriptor"))
    }

    fn slot(&mut self, number: i32) -> Result<&mut Option<Descriptor>> {
        let slot = usize::try_from(number).ok().and_then(|position| self.0.get_mut(position));
        slot.filter(|slot| slot.is_some())
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, format!("invalid large-object descriptor: {number}")))
    }

    /// 42704 if there is none of that number.
    pub fn get(&mut self, number: i32) -> Result<&mut Descriptor> {
        self.slot(number)?.as_mut().ok_or_else(|| Error::internal("a closed large-object descriptor"))
    }

    pub fn close(&mut self, number: i32) -> Result<()> {
        *self.slot(number)? = None;
        Ok(())
    }

    fn close_where(&mut self, ends: impl Fn(&Descriptor) -> bool) {
        self.0.iter_mut().filter(|slot| slot.as_ref().is_some_and(&ends)).for_each(|slot| *slot = None);
    }

    /// The object is gone.
    pub fn forget(&mut self, object: Oid) {
        self.close_where(|descriptor| descriptor.object == object);
    }

    /// Savepoints behind this position are undone, and what came after the one at it.
    pub fn rollback_to(&mut self, position: usize) {
        self.close_where(|descriptor| descriptor.depth > position);
    }

    /// The savepoint at this position and those behind it are forgotten.
    pub fn release(&mut self, position: usize) {
        self.0.iter_mut().flatten().for_each(|descriptor| descriptor.depth = descriptor.depth.min(position));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_savepoints_end_them() {
        let mut all = Descriptors::default();
        let open = |all: &mut Descriptors, object, depth| all.open(object, (true, false), depth).unwrap();
        assert_eq!((open(&mut all, 1, 0), open(&mut all, 2, 1), open(&mut all, 3, 2)), (0, 1, 2));
        all.close(0).unwrap();
        assert_eq!(all.get(0).unwrap_err().message(), "invalid large-object descriptor: 0");
        assert_eq!(open(&mut all, 4, 2), 0);
        all.release(1);
        all.rollback_to(1);
        assert_eq!(all.get(2).unwrap().object, 3);
        all.rollback_to(0);
        assert!(all.get(0).is_err() && all.get(1).is_err() && all.get(2).is_err());
        assert!(all.get(-1).is_err());
    }
}
