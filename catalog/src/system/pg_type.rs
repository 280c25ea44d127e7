//! `pg_type`: the built-in types, enums and domains, the row type of every relation; each with the array over it.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::facts::{self, TypeRow};
use crate::object::{Relation, UserType, UserTypeKind};
use crate::types::oid::Oid;
use crate::types::{Structure, TypeLookup};
use crate::{Result, TypeEntry};

// Input, output, receive and send functions of row types, enums and arrays.
const RECORD_FUNCTIONS: [Oid; 4] = [2290, 2291, 2402, 2403];
const ENUM_FUNCTIONS: [Oid; 4] = [3506, 3507, 3532, 3533];
/// Input and receive.
const DOMAIN_FUNCTIONS: [Oid; 2] = [2597, 2598];
const ARRAY_FUNCTIONS: [Oid; 4] = [750, 751, 2400, 2401];
const RANGE_FUNCTIONS: [Oid; 4] = [3834, 3835, 3836, 3837];
const MULTIRANGE_FUNCTIONS: [Oid; 4] = [4231, 4232, 4233, 4234];
const RANGE_ANALYZE: Oid = 3916;
const MULTIRANGE_ANALYZE: Oid = 4242;
const ARRAY_SUBSCRIPT: Oid = 6179;
const ARRAY_ANALYZE: Oid = 3816;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let Some(wanted) = context.oids("oid") else {
        facts::types().iter().for_each(|row| push_builtin(row, rows));
        for relation in context.catalog.relations() {
            push_of_relation(relation, relation.row_type, rows);
            push_of_relation(relation, relation.row_array_type, rows);
        }
        for ty in context.catalog.user_types() {
            push_of_user_type(context, ty, ty.oid, rows);
            push_of_user_type(context, ty, ty.array_type, rows);
        }
        return Ok(());
    };
    for &oid in wanted {
        if let Some(row) = facts::type_row(oid) {
            push_builtin(row, rows);
        } else if let Some(ty) = context.catalog.user_type_or_array(oid) {
            push_of_user_type(context, ty, oid, rows);
        } else if let Some(relation) = context.catalog.relation_of_type(oid) {
            push_of_relation(relation, oid, rows);
        }
    }
    Ok(())
}

/// The functions that read and write the values of built-in types.
pub(super) fn io_functions() -> impl Iterator<Item = Oid> {
    facts::types()
        .iter()
        .flat_map(|row| [row.input, row.output, row.receive, row.send, row.modifier_in, row.modifier_out])
        .chain(ENUM_FUNCTIONS)
        .chain(DOMAIN_FUNCTIONS)
}

fn push_builtin(row: &TypeRow, rows: &mut Rows<'_>) {
    rows.push(row![
        row.oid,
        row.name.clone(),
        row.schema,
        row.owner,
        row.len,
        row.by_value,
        row.kind,
        row.category,
        row.preferred,
        row.defined,
        row.delimiter,
        row.relation,
        row.subscript,
        row.element,
        row.array,
        row.input,
        row.output,
        row.receive,
        row.send,
        row.modifier_in,
        row.modifier_out,
        row.analyze,
        row.align,
        row.storage,
        row.not_null,
        row.base_type,
        row.typmod,
        row.dimensions,
        row.collation,
        Cell::Null,
        Cell::Null,
        Cell::Null,
    ]);
}

fn push_of_relation(relation: &Relation, oid: Oid, rows: &mut Rows<'_>) {
    let Some(entry) = TypeEntry::of_relation(relation, oid) else { return };
    let physical = if entry.is_array() { Physical::array('d') } else { Physical::ROW };
    push(&entry, relation.owner, physical, &Base::NONE, rows);
}

/// An enum or domain, or the array over it.
fn push_of_user_type(context: &SystemContext<'_>, ty: &UserType, oid: Oid, rows: &mut Rows<'_>) {
    let entry = TypeEntry::of_user_type(ty, oid, context.catalog);
    let own = match &ty.kind {
        UserTypeKind::Enum(_) => Physical::ENUM,
        // Their own functions of input and output are nobody's to call.
        UserTypeKind::Base => Physical::of(context, crate::types::oid::TEXT),
        UserTypeKind::Domain(domain) => Physical::of_domain(context, domain.base.oid),
        UserTypeKind::Range(_) => Physical { functions: RANGE_FUNCTIONS, ..Physical::RANGE },
        UserTypeKind::Multirange(_) => Physical { analyze: MULTIRANGE_ANALYZE, ..Physical::RANGE },
    };
    if entry.is_array() {
        push(&entry, ty.owner, Physical::array(own.align), &Base::NONE, rows);
        return;
    }
    let base = match &ty.kind {
        UserTypeKind::Enum(_) | UserTypeKind::Range(_) | UserTypeKind::Multirange(_) | UserTypeKind::Base => Base::NONE,
        UserTypeKind::Domain(domain) => Base {
            oid: domain.base.oid,
            typmod: domain.base.typmod,
            dimensions: i32::from(context.catalog.element_of(domain.base.oid).is_some()),
            not_null: domain.not_null,
            default: domain.default.as_deref(),
        },
    };
    push(&entry, ty.owner, own, &base, rows);
}

/// What a domain adds to its base type.
struct Base<'a> {
    oid: Oid,
    typmod: i32,
    dimensions: i32,
    not_null: bool,
    default: Option<&'a str>,
}

impl Base<'_> {
    const NONE: Self = Self { oid: 0, typmod: -1, dimensions: 0, not_null: false, default: None };
}

/// How PostgreSQL would lay the type out, and the functions that read and write it.
#[derive(Clone, Copy)]
struct Physical {
    by_value: bool,
    align: char,
    storage: char,
    /// Input, output, receive, send.
    functions: [Oid; 4],
    analyze: Oid,
}

impl Physical {
    const ROW: Self = Self { by_value: false, align: 'd', storage: 'x', functions: RECORD_FUNCTIONS, analyze: 0 };
    const ENUM: Self = Self { by_value: true, align: 'i', storage: 'p', functions: ENUM_FUNCTIONS, analyze: 0 };

    const RANGE: Self =
        Self { by_value: false, align: 'd', storage: 'x', functions: MULTIRANGE_FUNCTIONS, analyze: RANGE_ANALYZE };

    fn array(align: char) -> Self {
        // Elements that need less than four bytes are aligned to four in an array.
        let align = if align == 'd' { 'd' } else { 'i' };
        Self { by_value: false, align, storage: 'x', functions: ARRAY_FUNCTIONS, analyze: ARRAY_ANALYZE }
    }

    /// A domain's values are written by its base type, and read by a function of its own.
    fn of_domain(context: &SystemContext<'_>, base: Oid) -> Self {
        let base = Self::of(context, base);
        let [_, output, _, send] = base.functions;
        let [input, receive] = DOMAIN_FUNCTIONS;
        Self { functions: [input, output, receive, send], ..base }
    }

    fn of(context: &SystemContext<'_>, ty: Oid) -> Self {
        if let Some(row) = facts::type_row(ty) {
            return Self {
                by_value: row.by_value,
                align: row.align,
                storage: row.storage,
                functions: [row.input, row.output, row.receive, row.send],
                analyze: row.analyze,
            };
        }
        match context.catalog.structure(ty) {
            Some(Structure::Enum(_)) => Self::ENUM,
            Some(Structure::Range(range)) if range.range == ty => Self { functions: RANGE_FUNCTIONS, ..Self::RANGE },
            Some(Structure::Range(_)) => Self::RANGE,
            Some(Structure::Domain(base)) => Self::of(context, base.oid),
            Some(Structure::Array(element)) => Self::array(Self::of(context, element).align),
            Some(Structure::Composite(_)) | None => Self::ROW,
        }
    }
}

fn push(entry: &TypeEntry, owner: Oid, physical: Physical, base: &Base<'_>, rows: &mut Rows<'_>) {
    let [input, output, receive, send] = physical.functions;
    rows.push(row![
        entry.oid,
        entry.name.clone(),
        entry.schema,
        owner,
        entry.len,
        physical.by_value,
        entry.kind,
        entry.category,
        false,
        true,
        entry.delimiter,
        entry.relation,
        if entry.is_array() { ARRAY_SUBSCRIPT } else { 0 },
        entry.element,
        entry.array,
        input,
        output,
        receive,
        send,
        0,
        0,
        physical.analyze,
        physical.align,
        physical.storage,
        base.not_null,
        base.oid,
        base.typmod,
        base.dimensions,
        entry.collation,
        base.default,
        base.default,
        Cell::Null,
    ]);
}
