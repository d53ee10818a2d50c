//! Which connection carries which instruments, and the numbers that run over a connection.

use tickpath_protocol::InstrumentId;

use super::ConnectionId;

/// The connections that stand.
#[derive(Debug, Default)]
pub(super) struct Connections(Vec<Carried>);

/// One connection.
#[derive(Debug)]
pub(super) struct Carried {
    pub id: ConnectionId,
    pub instruments: Vec<InstrumentId>,
    sequence: Option<u64>,
}

/// What the number of a frame says (Coinbase Advanced Trade).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbered {
    Next,
    /// Lower than the last one: a repetition, or a straggler after a hole.
    Late,
    Hole {
        first: u64,
        last: u64,
    },
}

impl Connections {
    pub fn open(&mut self, id: ConnectionId) -> &mut Carried {
        let at = self.0.iter().position(|carried| carried.id == id).unwrap_or_else(|| {
            self.0.push(Carried {
                id,
                instruments: Vec::new(),
                sequence: None,
            });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    pub fn get(&self, id: ConnectionId) -> Option<&Carried> {
        self.0.iter().find(|carried| carried.id == id)
    }

    pub fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Carried> {
        self.0.iter_mut().find(|carried| carried.id == id)
    }

    pub fn close(&mut self, id: ConnectionId) -> Option<Carried> {
        let at = self.0.iter().position(|carried| carried.id == id)?;
        Some(self.0.swap_remove(at))
    }
}

impl Carried {
    /// Notes the number of a frame. Number 0 always begins a connection: in a capture, which does not say where one ends.
    pub fn number(&mut self, sequence: u64) -> Numbered {
        let Some(last) = self.sequence.filter(|_| sequence != 0) else {
            self.sequence = Some(sequence);
            return Numbered::Next;
        };
        if sequence <= last {
            return Numbered::Late;
        }
        self.sequence = Some(sequence);
        if sequence == last + 1 {
            return Numbered::Next;
        }
        Numbered::Hole {
            first: last + 1,
            last: sequence - 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_over_a_connection() {
        let mut connections = Connections::default();
        let id = ConnectionId(1);
        let carried = connections.open(id);
        assert_eq!(carried.number(0), Numbered::Next);
        assert_eq!(carried.number(1), Numbered::Next);
        assert_eq!(carried.number(1), Numbered::Late);
        assert_eq!(carried.number(4), Numbered::Hole { first: 2, last: 3 });
        assert_eq!(carried.number(3), Numbered::Late);
        assert_eq!(carried.number(5), Numbered::Next);
        assert_eq!(carried.number(0), Numbered::Next);
        assert_eq!(carried.number(1), Numbered::Next);
        assert!(connections.close(id).is_some());
        assert!(connections.get(id).is_none());
    }
}
