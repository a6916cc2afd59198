//! Commands to gateways: how a box's cursor is understood, and what a ledger keeps of each command.
//!
//! Pure; the SQL is in `embedded` and `postgres`. A command stays in the ledger when it has been dealt with:
//! a box that was put back to an older state says so with its cursor, and gets again what came after.

use jiff::Timestamp;

use super::AuditEntry;
use crate::domain::command::{Command, Cursor, Outcome};
use crate::domain::ids::{CommandId, GatewayId};
use crate::wire::link::Item;

/// The most commands in one answer; a box asks again at once.
pub const MAX_ITEMS: u32 = 100;

/// A command on its way to a gateway; the ledger numbers it.
#[derive(Debug, Clone)]
pub struct Order {
    pub gateway: GatewayId,
    pub id: CommandId,
    pub command: Command,
    pub made: Timestamp,
}

impl Order {
    /// Without the coupon: whoever knows its id holds it, and the command itself has it.
    pub(super) fn audit(&self, number: u64) -> AuditEntry {
        let detail = format!("{number}: {}", self.command.kind());
        AuditEntry::new(self.made, "command_given", &self.gateway, &detail)
    }
}

/// For the audit: a gateway has dealt with more than this ledger knows of.
pub(super) fn ahead(gateway: GatewayId, row: Row, done: u64, now: Timestamp) -> AuditEntry {
    let detail = format!(
        "it has dealt with command {done}, and {} is known here",
        row.done
    );
    AuditEntry::new(now, "commands_behind", &gateway, &detail)
}

/// A command as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    pub item: Item,
    pub made: Timestamp,
    /// The gateway has said so with its cursor.
    pub is_dealt_with: bool,
    /// As the gateway's journal says.
    pub outcome: Option<Outcome>,
}

/// How far the numbers of a gateway's commands have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub given: u64,
    pub done: u64,
}

/// What a box's cursor means for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    Nothing,
    /// It has dealt with everything up to this number.
    Done(u64),
    /// It has dealt with a command that this ledger does not know, so the ledger is the older of the two: the
    /// box would pass over whatever is given a number that it has seen. So what is after `done` moves up by
    /// `by`, and the numbers go on from there.
    Ahead {
        done: u64,
        by: u64,
    },
}

/// Understands a cursor; `known` is the id of the command with that number here.
pub fn hear(row: Row, cursor: Option<Cursor>, known: Option<CommandId>) -> Heard {
    match cursor {
        Some(cursor) if known == Some(cursor.id) && cursor.number > row.done => {
            Heard::Done(cursor.number)
        }
        Some(cursor) if known != Some(cursor.id) && cursor.number != row.done => Heard::Ahead {
            done: cursor.number,
            by: row.given.max(cursor.number).saturating_sub(row.done),
        },
        // Nothing new, or a box that was put back to an older state and goes on from there.
        Some(_) | None => Heard::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::domain::command::Progress;

    const ROW: Row = Row { given: 5, done: 3 };

    fn id(number: u8) -> CommandId {
        CommandId::from_entropy([number; 16])
    }

    fn heard(row: Row, number: u64, known: Option<CommandId>) -> Heard {
        let cursor = Cursor { number, id: id(1) };
        hear(row, Some(cursor), known)
    }

    #[test]
    fn a_box_that_says_nothing_new_changes_nothing() {
        assert_eq!(hear(ROW, None, None), Heard::Nothing);
        assert_eq!(heard(ROW, 3, Some(id(1))), Heard::Nothing);
        assert_eq!(heard(ROW, 2, Some(id(1))), Heard::Nothing, "put back");
    }

    #[test]
    fn a_box_moves_on_by_what_it_was_given() {
        assert_eq!(heard(ROW, 5, Some(id(1))), Heard::Done(5));
    }

    #[test]
    fn what_waits_gets_numbers_that_a_box_has_not_seen_whoever_gave_those() {
        // Numbers 4 and 5 were given again, and are not what the box has dealt with under them.
        assert_eq!(heard(ROW, 5, Some(id(2))), Heard::Ahead { done: 5, by: 2 });
        assert_eq!(heard(ROW, 9, None), Heard::Ahead { done: 9, by: 6 });
        let row = Row { given: 11, done: 9 };
        assert_eq!(heard(row, 9, None), Heard::Nothing, "heard before");
    }

    /// What a ledger keeps of one gateway, and does with what [`hear`] says.
    #[derive(Debug, Clone)]
    struct Ledger {
        row: Row,
        commands: BTreeMap<u64, CommandId>,
    }

    impl Ledger {
        fn give(&mut self, id: CommandId) {
            self.row.given += 1;
            self.commands.insert(self.row.given, id);
        }

        fn after(&mut self, cursor: Option<Cursor>) -> Vec<Cursor> {
            let from = cursor.map_or(0, |cursor| cursor.number);
            match hear(self.row, cursor, self.commands.get(&from).copied()) {
                Heard::Nothing => {}
                Heard::Done(done) => self.row.done = done,
                Heard::Ahead { done, by } => {
                    let waiting = self.commands.split_off(&(self.row.done + 1));
                    let moved = waiting.into_iter().map(|(number, id)| (number + by, id));
                    self.commands.extend(moved);
                    self.row = Row {
                        given: self.row.given + by,
                        done,
                    };
                }
            }
            let later = self.commands.range(from + 1..);
            later
                .map(|(number, id)| Cursor {
                    number: *number,
                    id: *id,
                })
                .collect()
        }
    }

    #[derive(Debug, Clone, Default)]
    struct Gateway {
        progress: Progress,
        effects: Vec<CommandId>,
    }

    impl Gateway {
        fn deal_with(&mut self, command: Cursor) {
            if !self.progress.has_dealt_with(command.id) {
                self.effects.push(command.id);
            }
            self.progress.take(command);
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Give,
        /// The box asks, and deals with so many of what it hears before it is switched off.
        Ask(usize),
        Save,
        PutBack,
    }

    /// Which of the two is put back to what it was.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Older {
        Ledger,
        Box,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Give),
            4 => (0..4_usize).prop_map(Step::Ask),
            1 => Just(Step::Save),
            1 => Just(Step::PutBack),
        ];
        proptest::collection::vec(step, 0..60)
    }

    proptest! {
        #[test]
        fn whatever_is_put_back_a_box_deals_with_all_that_the_ledger_has_once(
            steps in steps(),
            older in prop_oneof![Just(Older::Ledger), Just(Older::Box)],
        ) {
            let mut ledger = Ledger { row: Row { given: 0, done: 0 }, commands: BTreeMap::new() };
            let mut gateway = Gateway::default();
            let (mut backup, mut image) = (ledger.clone(), gateway.clone());
            for (step, number) in steps.into_iter().chain([Step::Ask(99)]).zip(0..) {
                match step {
                    Step::Give => ledger.give(id(number)),
                    Step::Ask(many) => {
                        let heard = ledger.after(gateway.progress.cursor());
                        heard.into_iter().take(many).for_each(|command| gateway.deal_with(command));
                    }
                    Step::Save => (backup, image) = (ledger.clone(), gateway.clone()),
                    Step::PutBack if older == Older::Ledger => ledger = backup.clone(),
                    Step::PutBack => gateway = image.clone(),
                }
            }
            let effects: BTreeSet<CommandId> = gateway.effects.iter().copied().collect();
            prop_assert!(ledger.commands.values().all(|id| effects.contains(id)));
            prop_assert_eq!(effects.len(), gateway.effects.len(), "none has an effect twice");
        }
    }
}
