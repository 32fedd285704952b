//! Which stored records a read has met: four bytes a record, in blocks that are made where records are.

use std::collections::HashMap;

const BLOCK: usize = 1024;
const ALIVE: u32 = 1 << 31;

/// By row id: the place in the read that took the record, and whether the source calls it active.
#[derive(Default)]
pub(super) struct Seen {
    blocks: HashMap<u64, Box<[u32; BLOCK]>>,
}

impl Seen {
    #[expect(clippy::cast_possible_truncation, reason = "a remainder of 1024")]
    fn place(id: i64) -> (u64, usize) {
        let id = id.unsigned_abs();
        (id / BLOCK as u64, (id % BLOCK as u64) as usize)
    }

    /// Notes that the record at `number` (1-based) was stored as `id`.
    pub(super) fn take(&mut self, id: i64, number: u64, alive: bool) {
        let (block, place) = Self::place(id);
        let cell = &mut self.blocks.entry(block).or_insert_with(|| Box::new([0; BLOCK]))[place];
        // Places beyond two thousand million share the last number: it is only for a message.
        let number = u32::try_from(number).unwrap_or(u32::MAX) & !ALIVE;
        *cell = number.max(1) | if alive { ALIVE } else { 0 };
    }

    /// Notes that the source has the record, though it could not be taken.
    pub(super) fn keep(&mut self, id: i64) {
        let (block, place) = Self::place(id);
        self.blocks.entry(block).or_insert_with(|| Box::new([0; BLOCK]))[place] |= ALIVE;
    }

    fn cell(&self, id: i64) -> u32 {
        let (block, place) = Self::place(id);
        self.blocks.get(&block).map_or(0, |block| block[place])
    }

    /// The place in the read that took this record.
    pub(super) fn taken_by(&self, id: i64) -> Option<u64> {
        Some(u64::from(self.cell(id) & !ALIVE)).filter(|number| *number > 0)
    }

    pub(super) fn alive(&self, id: i64) -> bool {
        self.cell(id) & ALIVE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_remembered_one_by_one() {
        let mut seen = Seen::default();
        seen.take(1, 7, true);
        seen.take(1_000_000_007, 8, false);
        seen.keep(2);
        assert_eq!((seen.taken_by(1), seen.alive(1)), (Some(7), true));
        assert_eq!((seen.taken_by(1_000_000_007), seen.alive(1_000_000_007)), (Some(8), false));
        assert_eq!((seen.taken_by(2), seen.alive(2)), (None, true));
        assert_eq!((seen.taken_by(3), seen.alive(3)), (None, false));
        seen.take(2, u64::MAX, true);
        assert_eq!(seen.taken_by(2), Some(u64::from(u32::MAX >> 1)));
        assert_eq!(seen.blocks.len(), 2);
    }
}
