//! What excludes what. Pure.

use serde::{Deserialize, Serialize};

/// The modes of a table lock, weakest first (PostgreSQL manual, "Table-Level Locks").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[repr(u8)]
pub enum TableMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

use TableMode::*;

/// A set of table modes as bits.
pub type Modes = u8;

impl TableMode {
    pub const ALL: [TableMode; 8] = [
        AccessShare,
        RowShare,
        RowExclusive,
        ShareUpdateExclusive,
        Share,
        ShareRowExclusive,
        Exclusive,
        AccessExclusive,
    ];

    pub const fn bit(self) -> Modes {
        1 << self as u8
    }

    /// The modes that nobody else may hold beside this one.
    pub const fn conflicts(self) -> Modes {
        const fn bits(modes: &[TableMode]) -> Modes {
            let (mut bits, mut at) = (0, 0);
            while at < modes.len() {
                bits |= modes[at].bit();
                at += 1;
            }
            bits
        }
        match self {
            AccessShare => bits(&[AccessExclusive]),
            RowShare => bits(&[Exclusive, AccessExclusive]),
            RowExclusive => bits(&[Share, ShareRowExclusive, Exclusive, AccessExclusive]),
            ShareUpdateExclusive => bits(&[ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive]),
            Share => bits(&[RowExclusive, ShareUpdateExclusive, ShareRowExclusive, Exclusive, AccessExclusive]),
            ShareRowExclusive => {
                bits(&[RowExclusive, ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive])
            }
            Exclusive => !AccessShare.bit(),
            AccessExclusive => !0,
        }
    }

    /// As `pg_locks` shows it.
    pub const fn name(self) -> &'static str {
        match self {
            AccessShare => "AccessShareLock",
            RowShare => "RowShareLock",
            RowExclusive => "RowExclusiveLock",
            ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Share => "ShareLock",
            ShareRowExclusive => "ShareRowExclusiveLock",
            Exclusive => "ExclusiveLock",
            AccessExclusive => "AccessExclusiveLock",
        }
    }
}

/// What a transaction claims of a row: one of the four modes of PostgreSQL ("Row-Level Locks"), and whether it has
/// changed the row, for which those wait who want to insert the row's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RowClaim(u8);

const KEY_SHARE: u8 = 1;
const SHARE: u8 = 1 << 1;
const NO_KEY_UPDATE: u8 = 1 << 2;
const UPDATE: u8 = 1 << 3;
const CHANGED: u8 = 1 << 4;
const LOOK: u8 = 1 << 5;

impl RowClaim {
    /// FOR KEY SHARE: the row keeps its key.
    pub const KEY_SHARE: Self = Self(KEY_SHARE);
    /// FOR SHARE.
    pub const SHARE: Self = Self(SHARE);
    /// FOR NO KEY UPDATE.
    pub const NO_KEY_UPDATE: Self = Self(NO_KEY_UPDATE);
    /// FOR UPDATE.
    pub const UPDATE: Self = Self(UPDATE);
    /// An UPDATE that leaves the keys as they are.
    pub const CHANGE: Self = Self(NO_KEY_UPDATE | CHANGED);
    /// A DELETE, or an UPDATE of a key.
    pub const REPLACE: Self = Self(UPDATE | CHANGED);
    /// To see what becomes of a row that somebody changes. To be given back at once.
    pub const LOOK: Self = Self(LOOK);

    pub(super) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The claims of others that this one waits for.
    pub const fn conflicts(self) -> u8 {
        let mut found = 0;
        if self.0 & KEY_SHARE != 0 {
            found |= UPDATE;
        }
        if self.0 & SHARE != 0 {
            found |= NO_KEY_UPDATE | UPDATE;
        }
        if self.0 & NO_KEY_UPDATE != 0 {
            found |= SHARE | NO_KEY_UPDATE | UPDATE;
        }
        if self.0 & UPDATE != 0 {
            found |= KEY_SHARE | SHARE | NO_KEY_UPDATE | UPDATE;
        }
        if self.0 & LOOK != 0 {
            found |= CHANGED;
        }
        found
    }

    /// The mode of the tuple lock that `pg_locks` shows for who waits.
    pub const fn waits_as(self) -> TableMode {
        match self.0 & (UPDATE | NO_KEY_UPDATE | SHARE) {
            0 => AccessShare,
            SHARE => RowShare,
            NO_KEY_UPDATE => Exclusive,
            _ => AccessExclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Table 13.2 of the manual: a row and a column per mode, weakest first.
    const CONFLICTS: [&str; 8] =
        [".......X", "......XX", "....XXXX", "...XXXXX", "..XX.XXX", "..XXXXXX", ".XXXXXXX", "XXXXXXXX"];

    #[test]
    fn table_modes_exclude_each_other_as_the_manual_says() {
        for (mode, line) in TableMode::ALL.iter().zip(CONFLICTS) {
            for (other, mark) in TableMode::ALL.iter().zip(line.chars()) {
                assert_eq!(mode.conflicts() & other.bit() != 0, mark == 'X', "{mode:?} {other:?}");
            }
        }
    }

    #[test]
    fn row_modes_exclude_each_other_as_the_manual_says() {
        let modes = [RowClaim::KEY_SHARE, RowClaim::SHARE, RowClaim::NO_KEY_UPDATE, RowClaim::UPDATE];
        let lines = ["...X", "..XX", ".XXX", "XXXX"];
        for (mode, line) in modes.iter().zip(lines) {
            for (other, mark) in modes.iter().zip(line.chars()) {
                assert_eq!(mode.conflicts() & other.bits() != 0, mark == 'X', "{mode:?} {other:?}");
            }
        }
        let conflict = |a: RowClaim, b: RowClaim| a.conflicts() & b.bits() != 0;
        assert!(conflict(RowClaim::LOOK, RowClaim::CHANGE) && conflict(RowClaim::LOOK, RowClaim::REPLACE));
        assert!(!conflict(RowClaim::LOOK, RowClaim::UPDATE) && !conflict(RowClaim::CHANGE, RowClaim::KEY_SHARE));
    }
}
