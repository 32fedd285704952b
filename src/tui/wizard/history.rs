//! Undo and redo, without a limit within the session.

/// Former and undone states of what an editor changes.
#[derive(Debug)]
pub struct History<T> {
    undo: Vec<T>,
    redo: Vec<T>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { undo: Vec::new(), redo: Vec::new() }
    }
}

impl<T: PartialEq> History<T> {
    /// Notes what was before a change. What had been undone cannot be redone any more.
    pub fn record(&mut self, before: T) {
        self.undo.push(before);
        self.redo.clear();
    }

    /// The state before the last change; `now` can be had back by [`Self::redo`].
    pub fn undo(&mut self, now: T) -> Option<T> {
        let before = self.undo.pop()?;
        self.redo.push(now);
        Some(before)
    }

    pub fn redo(&mut self, now: T) -> Option<T> {
        let after = self.redo.pop()?;
        self.undo.push(now);
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever was done: all of it undone is the start, all of that redone is the end.
        #[test]
        fn undo_and_redo_are_inverse(changes in proptest::collection::vec(0_u8..5, 0..40)) {
            let mut history = History::default();
            let mut now = Vec::new();
            for change in changes {
                let before = now.clone();
                match change {
                    0 => now = history.undo(now.clone()).unwrap_or(now),
                    1 => now = history.redo(now.clone()).unwrap_or(now),
                    value => {
                        now.push(value);
                        history.record(before);
                    }
                }
            }
            while let Some(after) = history.redo(now.clone()) {
                now = after;
            }
            let end = now.clone();
            while let Some(before) = history.undo(now.clone()) {
                now = before;
            }
            prop_assert_eq!(&now, &Vec::<u8>::new());
            while let Some(after) = history.redo(now.clone()) {
                now = after;
            }
            prop_assert_eq!(now, end);
        }
    }
}
