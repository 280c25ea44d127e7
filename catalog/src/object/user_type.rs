//! Types that users create and that are no relations: enums, domains and ranges (`pg_type`, `pg_enum`). Composite types are
//! relations without rows ([`super::RelationKind::Composite`]).

use serde::{Deserialize, Serialize};

use super::{Constraint, Dependency, DependencyKind, ObjectAddress};
use crate::extension_facts::is_made;
use crate::fixed_oid::{FIRST_NORMAL, PG_COLLATION, PG_CONSTRAINT, PG_NAMESPACE, PG_PROC, PG_TYPE};
use crate::types::range::{RangeType, Subtype};
use crate::types::{Type, oid::Oid};
use crate::{Error, Result, sqlstate};

/// What `CREATE TYPE … AS ENUM`, `… AS RANGE` and `CREATE DOMAIN` make.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserType {
    pub oid: Oid,
    /// The type of arrays over it.
    pub array_type: Oid,
    pub schema: Oid,
    pub name: String,
    pub owner: Oid,
    pub kind: UserTypeKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum UserTypeKind {
    Enum(Enum),
    Domain(Domain),
    Range(Range),
    /// Made along with its range.
    Multirange(Range),
    /// A base type of an extension ([`crate::extension_facts`]).
    Base,
}

/// A range and its multirange (`pg_range`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Range {
    pub range: Oid,
    pub multirange: Oid,
    /// The type of its bounds, and the one that this is without domains.
    pub element: Oid,
    pub base: Oid,
    pub collation: Oid,
    pub class: Oid,
    pub difference: Oid,
}

impl Range {
    /// What values are made of; None if the base type has no such form, which CREATE TYPE refuses.
    pub fn structure(&self) -> Option<RangeType> {
        let subtype = Subtype::of_user_range(self.base)?;
        Some(RangeType { range: self.range, multirange: self.multirange, element: self.element, subtype })
    }
}

/// Labels in their order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Enum {
    pub labels: Vec<EnumLabel>,
}

/// One value of an enum: `pg_enum`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumLabel {
    pub oid: Oid,
    pub name: String,
    /// What stands for it in columns: integers in the order of the labels, with gaps for those that come between.
    pub key: i64,
    /// `enumsortorder`, as PostgreSQL would number it.
    pub sort_order: f32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    pub base: Type,
    pub collation: Oid,
    pub not_null: bool,
    /// SQL text.
    pub default: Option<String>,
    /// Checks over `VALUE`.
    pub constraints: Vec<Constraint>,
}

/// Where a label is put among those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelPlace<'a> {
    Last,
    Before(&'a str),
    After(&'a str),
}

/// The distance between labels that are appended. Between two of them fit at least 40 more, wherever each is put.
const LABEL_DISTANCE: i64 = 1 << 40;

impl Enum {
    /// With labels in the given order; their OIDs are assigned when the type is written.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let labels = names.into_iter().zip(1_i64..).map(|(name, position)| EnumLabel {
            oid: 0,
            name,
            key: position * LABEL_DISTANCE,
            sort_order: position as f32,
        });
        Self { labels: labels.collect() }
    }

    pub fn by_name(&self, name: &str) -> Option<&EnumLabel> {
        self.labels.iter().find(|label| label.name == name)
    }

    pub fn by_key(&self, key: i64) -> Option<&EnumLabel> {
        self.labels.binary_search_by_key(&key, |label| label.key).ok().and_then(|position| self.labels.get(position))
    }

    /// Adds a label that is not there yet. 22023 if its neighbour is not there, 54000 if no key is left between its neighbours.
    pub fn add(&mut self, name: String, place: LabelPlace<'_>) -> Result<()> {
        let position_of = |neighbour: &str| {
            self.labels.iter().position(|label| label.name == neighbour).ok_or_else(|| {
                let message = format!("\"{neighbour}\" is not an existing enum label");
                Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
            })
        };
        let position = match place {
            LabelPlace::Last => self.labels.len(),
            LabelPlace::Before(neighbour) => position_of(neighbour)?,
            LabelPlace::After(neighbour) => position_of(neighbour)? + 1,
        };
        let before = position.checked_sub(1).and_then(|before| self.labels.get(before));
        let after = self.labels.get(position);
        let key = key_between(before.map(|label| label.key), after.map(|label| label.key))?;
        let sort_order = sort_order_between(before.map(|label| label.sort_order), after.map(|label| label.sort_order));
        let label = EnumLabel { oid: 0, name, key, sort_order: sort_order.unwrap_or_default() };
        self.labels.insert(position, label);
        if sort_order.is_none() {
            // No float is left between the two: PostgreSQL numbers them anew.
            self.labels.iter_mut().zip(1_u16..).for_each(|(label, number)| label.sort_order = f32::from(number));
        }
        Ok(())
    }
}

fn key_between(before: Option<i64>, after: Option<i64>) -> Result<i64> {
    let full = || Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "no more labels fit between these two enum labels");
    match (before, after) {
        (None, None) => Ok(LABEL_DISTANCE),
        (Some(before), None) => before.checked_add(LABEL_DISTANCE).ok_or_else(full),
        (None, Some(after)) => after.checked_sub(LABEL_DISTANCE).ok_or_else(full),
        (Some(before), Some(after)) => {
            let key = before + (after - before) / 2;
            if key == before { Err(full()) } else { Ok(key) }
        }
    }
}

fn sort_order_between(before: Option<f32>, after: Option<f32>) -> Option<f32> {
    match (before, after) {
        (None, None) => Some(1.0),
        (Some(before), None) => Some(before + 1.0),
        (None, Some(after)) => Some(after - 1.0),
        (Some(before), Some(after)) => {
            let middle = (before + after) / 2.0;
            (middle != before && middle != after).then_some(middle)
        }
    }
}

impl UserType {
    pub fn address(&self) -> ObjectAddress {
        ObjectAddress::new(PG_TYPE, self.oid)
    }

    pub fn as_enum(&self) -> Option<&Enum> {
        if let UserTypeKind::Enum(labels) = &self.kind { Some(labels) } else { None }
    }

    pub fn domain(&self) -> Option<&Domain> {
        if let UserTypeKind::Domain(domain) = &self.kind { Some(domain) } else { None }
    }

    pub fn range(&self) -> Option<&Range> {
        match &self.kind {
            UserTypeKind::Range(range) | UserTypeKind::Multirange(range) => Some(range),
            UserTypeKind::Enum(_) | UserTypeKind::Domain(_) | UserTypeKind::Base => None,
        }
    }

    /// `pg_type.typtype`.
    pub fn kind_code(&self) -> char {
        match self.kind {
            UserTypeKind::Enum(_) => 'e',
            UserTypeKind::Domain(_) => 'd',
            UserTypeKind::Range(_) => 'r',
            UserTypeKind::Multirange(_) => 'm',
            UserTypeKind::Base => 'b',
        }
    }

    /// Constraints of a domain; none of an enum.
    pub fn constraints(&self) -> &[Constraint] {
        self.domain().map(|domain| domain.constraints.as_slice()).unwrap_or_default()
    }

    /// What it and its constraints rest on by their structure.
    pub fn structural_dependencies(&self) -> Vec<Dependency> {
        let address = self.address();
        let mut edges = vec![
            Dependency {
                dependent: address,
                referenced: ObjectAddress::new(PG_NAMESPACE, self.schema),
                kind: DependencyKind::Normal,
            },
            Dependency {
                dependent: ObjectAddress::new(PG_TYPE, self.array_type),
                referenced: address,
                kind: DependencyKind::Internal,
            },
        ];
        if let Some(domain) = self.domain().filter(|domain| is_made(domain.base.oid)) {
            edges.push(Dependency {
                dependent: address,
                referenced: ObjectAddress::new(PG_TYPE, domain.base.oid),
                kind: DependencyKind::Normal,
            });
        }
        if let Some(domain) = self.domain().filter(|domain| domain.collation >= FIRST_NORMAL) {
            edges.push(Dependency {
                dependent: address,
                referenced: ObjectAddress::new(PG_COLLATION, domain.collation),
                kind: DependencyKind::Normal,
            });
        }
        let on = |class: Oid, object: Oid, kind: DependencyKind| Dependency {
            dependent: address,
            referenced: ObjectAddress::new(class, object),
            kind,
        };
        match &self.kind {
            UserTypeKind::Range(range) => {
                let used = [(PG_TYPE, range.element), (PG_PROC, range.difference)];
                let used = used.into_iter().filter(|(_, oid)| is_made(*oid));
                edges.extend(used.map(|(class, oid)| on(class, oid, DependencyKind::Normal)));
            }
            UserTypeKind::Multirange(range) => edges.push(on(PG_TYPE, range.range, DependencyKind::Internal)),
            UserTypeKind::Enum(_) | UserTypeKind::Domain(_) | UserTypeKind::Base => {}
        }
        edges.extend(self.constraints().iter().map(|constraint| Dependency {
            dependent: ObjectAddress::new(PG_CONSTRAINT, constraint.oid),
            referenced: address,
            kind: DependencyKind::Auto,
        }));
        edges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(labels: &Enum) -> Vec<(&str, f32)> {
        labels.labels.iter().map(|label| (label.name.as_str(), label.sort_order)).collect()
    }

    #[test]
    fn labels_come_between_others() {
        let mut planets = Enum::new(["venus", "earth", "mars"].map(str::to_owned));
        planets.add("uranus".into(), LabelPlace::Last).unwrap();
        planets.add("mercury".into(), LabelPlace::Before("venus")).unwrap();
        planets.add("saturn".into(), LabelPlace::Before("uranus")).unwrap();
        planets.add("jupiter".into(), LabelPlace::After("mars")).unwrap();
        let expected = [("mercury", 0.0), ("venus", 1.0), ("earth", 2.0), ("mars", 3.0)];
        assert_eq!(shown(&planets)[..4], expected);
        assert_eq!(shown(&planets)[4..], [("jupiter", 3.25), ("saturn", 3.5), ("uranus", 4.0)]);
        assert!(planets.labels.is_sorted_by_key(|label| label.key));
        let error = planets.add("pluto".into(), LabelPlace::After("zeus")).unwrap_err();
        assert_eq!(error.message(), "\"zeus\" is not an existing enum label");
    }

    #[test]
    fn thirty_labels_at_one_place() {
        let mut labels = Enum::new(["L1", "L2"].map(str::to_owned));
        for number in 1..=30 {
            labels.add(format!("i{number}"), LabelPlace::Before("L2")).unwrap();
        }
        assert!(labels.labels.is_sorted_by_key(|label| label.key));
        assert!(labels.labels.windows(2).all(|pair| pair[0].sort_order < pair[1].sort_order));
        assert!(labels.labels.iter().all(|label| labels.by_key(label.key) == Some(label)));
    }
}
