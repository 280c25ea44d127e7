//! CREATE TYPE … AS RANGE (PostgreSQL manual, "CREATE TYPE"; DefineRange): the range, the multirange over it, and their constructors.

use aegis_catalog::facts::FunctionRow;
use aegis_catalog::fixed_oid::INTERNAL_LANGUAGE;
use aegis_catalog::object::{Column, Range, Routine, UserType, UserTypeKind};
use aegis_catalog::types::range::Subtype;
use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::namespace::{self, Place};
use crate::bind;
use crate::bind::user_aggregate::support;
use crate::parse::definition::DefinitionItem;
use crate::session::Session;
use crate::session::context::StatementContext;

const TAG: &str = "CREATE TYPE";

/// The default operator classes of btree for the types that ranges may be over.
const CLASSES: [(Oid, &str, Oid); 13] = [
    (oid::INT2, "int2_ops", 1979),
    (oid::INT4, "int4_ops", 1978),
    (oid::INT8, "int8_ops", 3124),
    (oid::FLOAT4, "float4_ops", 10012),
    (oid::FLOAT8, "float8_ops", 3123),
    (oid::DATE, "date_ops", 3122),
    (oid::TIME, "time_ops", 10038),
    (oid::TIMESTAMP, "timestamp_ops", 3128),
    (oid::TIMESTAMPTZ, "timestamptz_ops", 3127),
    (oid::MONEY, "money_ops", 10047),
    (oid::NAME, "name_ops", 10028),
    (oid::TEXT, "text_ops", 3126),
    (oid::VARCHAR, "text_ops", 3126),
];

fn syntax(message: String) -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, message)
}

pub fn create(session: &mut Session, place: Place, items: &[DefinitionItem], context: &StatementContext) -> Result<()> {
    let given = Given::of(items)?;
    let mut range = given.range(context)?;
    let multirange = given.multirange(session, &place, context)?;
    let owner = session.context()?.user_oid;
    let open = session.writable(TAG)?;
    open.catalog.reject_type_name(place.schema, &place.name)?;
    if multirange.schema == place.schema && multirange.name == place.name {
        return Err(taken(&multirange.name, &place.name, given.multirange_name.is_some()));
    }
    open.catalog
        .reject_type_name(multirange.schema, &multirange.name)
        .map_err(|_| taken(&multirange.name, &place.name, given.multirange_name.is_some()))?;
    range.range = open.catalog.allocate_oid()?;
    range.multirange = open.catalog.allocate_oid()?;
    let named = |oid: Oid, place: &Place, kind| UserType {
        oid,
        array_type: 0,
        schema: place.schema,
        name: place.name.clone(),
        owner,
        kind,
    };
    let ty = named(range.range, &place, UserTypeKind::Range(range.clone()));
    let ty = open.catalog.create_type(open.tables.permanent(), ty)?;
    let multi = named(range.multirange, &multirange, UserTypeKind::Multirange(range.clone()));
    open.catalog.create_type(open.tables.permanent(), multi)?;
    for row in constructors(&range, &place, &multirange, ty.array_type, owner) {
        let routine = Routine { row, sql_body: None, library: None, settings: Vec::new(), aggregate: None };
        let made = open.catalog.create_routine(open.tables.permanent(), routine)?;
        for edge in made.structural_dependencies() {
            open.catalog.add_dependency(open.tables.permanent(), edge)?;
        }
    }
    Ok(())
}

fn taken(multirange: &str, range: &str, given: bool) -> Error {
    let error = Error::new(sqlstate::DUPLICATE_OBJECT, format!("type \"{multirange}\" already exists"));
    if given {
        return error;
    }
    error
        .with_detail(format!("Failed while creating a multirange type for type \"{range}\"."))
        .with_hint("You can manually specify a multirange type name using the \"multirange_type_name\" attribute.")
}

/// The attributes of a definition.
#[derive(Default)]
struct Given<'a> {
    subtype: Option<&'a DefinitionItem>,
    class: Option<&'a DefinitionItem>,
    collation: Option<&'a DefinitionItem>,
    canonical: Option<&'a DefinitionItem>,
    difference: Option<&'a DefinitionItem>,
    multirange_name: Option<&'a DefinitionItem>,
}

impl<'a> Given<'a> {
    fn of(items: &'a [DefinitionItem]) -> Result<Self> {
        let mut given = Self::default();
        for item in items {
            let slot = match item.name.as_str() {
                "subtype" => &mut given.subtype,
                "subtype_opclass" => &mut given.class,
                "collation" => &mut given.collation,
                "canonical" => &mut given.canonical,
                "subtype_diff" => &mut given.difference,
                "multirange_type_name" => &mut given.multirange_name,
                name => return Err(syntax(format!("type attribute \"{name}\" not recognized"))),
            };
            if slot.replace(item).is_some() {
                return Err(syntax("conflicting or redundant options".into()).at(item.span.start));
            }
        }
        Ok(given)
    }

    /// All but the OIDs of the types.
    fn range(&self, context: &StatementContext) -> Result<Range> {
        let subtype = self.subtype.ok_or_else(|| syntax("type attribute \"subtype\" is required".into()))?;
        let element = bind::resolve_type(&subtype.type_name()?, context)?.oid;
        let shown = context.format.names.type_name(element);
        if types::type_info(element).is_some_and(|info| info.kind == 'p') {
            let message = format!("range subtype cannot be {shown}");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
        let base = context.catalog.erased(Type::of(element)).oid;
        let class = self.class(base, &shown)?;
        let collation = self.collation(element, context)?;
        if self.canonical.is_some() {
            let message = "cannot specify a canonical function without a pre-created shell type";
            return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message).with_hint(
                "Create the type as a shell type, then create its canonicalization function, then do a full CREATE TYPE.",
            ));
        }
        let difference = self.difference(element, context)?;
        Ok(Range { range: 0, multirange: 0, element, base, collation, class, difference })
    }

    /// The operator class that orders the bounds: there is one for each type.
    fn class(&self, base: Oid, shown: &str) -> Result<Oid> {
        let category = types::type_info(base).map(|info| info.category);
        if category == Some('G') || matches!(base, oid::JSON | oid::XML | oid::XID | oid::CID) {
            let message = format!("data type {shown} has no default operator class for access method \"btree\"");
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).with_hint(
                "You must specify an operator class for the range type or define a default operator class for the subtype.",
            ));
        }
        let row = CLASSES.iter().find(|(ty, ..)| *ty == base && Subtype::of_user_range(base).is_some());
        let (_, name, class) = row.ok_or_else(|| Error::unsupported(format!("a range type over type {shown}")))?;
        let Some(given) = self.class else { return Ok(*class) };
        let given = given.qualified_name()?;
        match given.parts.last() {
            Some(last) if last.name == *name => Ok(*class),
            Some(last) if last.name == "text_pattern_ops" || last.name == "varchar_ops" => {
                Err(Error::unsupported(format!("operator class \"{}\" of a range type", last.name)))
            }
            _ => {
                let message = format!(
                    "operator class \"{}\" does not exist for access method \"btree\"",
                    namespace::written(&given)
                );
                Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
            }
        }
    }

    fn collation(&self, element: Oid, context: &StatementContext) -> Result<Oid> {
        let default = Column::new("", 0, Type::of(element)).collation;
        let Some(given) = self.collation else { return Ok(default) };
        bind::resolve_collation(&given.qualified_name()?, Type::of(element), context).map_err(|error| {
            match error.code() {
                sqlstate::DATATYPE_MISMATCH => {
                    let message = "range collation specified but subtype does not support collation";
                    Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                }
                _ => error,
            }
        })
    }

    /// `subtype_diff`: it is kept and shown; nothing here is chosen by it.
    fn difference(&self, element: Oid, context: &StatementContext) -> Result<Oid> {
        let Some(given) = self.difference else { return Ok(0) };
        let name = given.qualified_name()?;
        let found = support(&name, &[element, element], false, context)?;
        let written = namespace::written(&name);
        let refuse = |message: String| Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
        if found.returns != oid::FLOAT8 {
            return refuse(format!("range subtype diff function {written} must return type double precision"));
        }
        if context.catalog.proc(found.oid).is_some_and(|row| row.volatility != 'i') {
            return refuse(format!("range subtype diff function {written} must be immutable"));
        }
        Ok(found.oid)
    }

    /// Where the multirange goes: beside its range, unless it has a name of its own.
    fn multirange(&self, session: &mut Session, range: &Place, context: &StatementContext) -> Result<Place> {
        match self.multirange_name {
            Some(item) => namespace::place(session, &item.qualified_name()?, false, context),
            None => {
                Ok(Place { schema: range.schema, name: multirange_name(&range.name), persistence: range.persistence })
            }
        }
    }
}

/// `makeMultirangeTypeName`.
fn multirange_name(range: &str) -> String {
    let name = match range.find("range") {
        Some(at) => {
            let (before, rest) = range.split_at(at);
            format!("{before}multi{rest}")
        }
        None => {
            let suffix = "_multirange";
            let mut end = range.len().min(MAX_NAME - suffix.len());
            while !range.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{suffix}", range.get(..end).unwrap_or_default())
        }
    };
    let mut end = name.len().min(MAX_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default().to_owned()
}

/// Bytes of a name.
const MAX_NAME: usize = 63;

/// `makeRangeConstructors` and `makeMultirangeConstructors`.
fn constructors(range: &Range, place: &Place, multirange: &Place, array: Oid, owner: Oid) -> Vec<FunctionRow> {
    let row = |place: &Place, source: &'static str, args: Vec<Oid>, returns: Oid, strict: bool| FunctionRow {
        schema: place.schema,
        owner,
        language: INTERNAL_LANGUAGE,
        strict,
        source: source.into(),
        ..FunctionRow::new(0, place.name.clone(), args, returns)
    };
    let element = range.element;
    let variadic = FunctionRow {
        variadic: range.range,
        all_arg_types: Some(vec![array]),
        arg_modes: Some(vec!['v']),
        ..row(multirange, "multirange_constructor2", vec![array], range.multirange, true)
    };
    vec![
        row(place, "range_constructor2", vec![element, element], range.range, false),
        row(place, "range_constructor3", vec![element, element, oid::TEXT], range.range, false),
        row(multirange, "multirange_constructor0", vec![], range.multirange, true),
        row(multirange, "multirange_constructor1", vec![range.range], range.multirange, true),
        variadic,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiranges_are_named_after_their_ranges() {
        assert_eq!(multirange_name("textrange"), "textmultirange");
        assert_eq!(multirange_name("rangeofrange"), "multirangeofrange");
        assert_eq!(multirange_name("span"), "span_multirange");
    }
}
