//! CREATE and ALTER of types and domains.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::table::is_constraint;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn type_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        match node.kind() {
            K::CREATE_TYPE => self.create_type(node),
            K::CREATE_DOMAIN => self.create_domain(node).map(Some),
            K::ALTER_TYPE => self.alter_type(node),
            K::ALTER_DOMAIN => self.alter_domain(node).map(Some),
            _ => Ok(None),
        }
    }

    /// None for base types.
    fn create_type(&self, node: Node<'_>) -> Result<Option<Utility>> {
        let definition = if let Some(labels) = node.child(K::ENUM_TYPE) {
            let list = self.need(labels.child(K::VARIANT_LIST), labels)?;
            let label = |variant: Node<'_>| self.string(variant.child(K::LITERAL).unwrap_or(variant));
            TypeDefinition::Enum(list.children_of(K::VARIANT).map(label).collect::<Result<_>>()?)
        } else if let Some(composite) = node.child(K::COMPOSITE_TYPE) {
            let list = self.need(composite.child(K::COMPOSITE_FIELD_LIST), composite)?;
            let fields = list.children_of(K::COMPOSITE_FIELD_DEF).map(|field| self.attribute_definition(field));
            TypeDefinition::Composite(fields.collect::<Result<_>>()?)
        } else if let Some(range) = node.child(K::RANGE_TYPE) {
            TypeDefinition::Range(self.definition(self.need(range.child(K::ATTRIBUTE_LIST), range)?)?)
        } else {
            return Ok(None);
        };
        let name = self.object(self.need(node.child(K::TYPE_NAME), node)?)?;
        Ok(Some(Utility::CreateType { name, definition }))
    }

    fn attribute_definition(&self, node: Node<'_>) -> Result<AttributeDefinition> {
        let name = self.need(node.child_in(&[K::COMPOSITE_FIELD, K::COMPOSITE_FIELD_REF]), node)?;
        Ok(AttributeDefinition {
            name: self.column_id(name)?,
            ty: self.type_in(node)?,
            collation: self.collation(node)?,
        })
    }

    fn create_domain(&self, node: Node<'_>) -> Result<Utility> {
        let constraints = node.nodes().filter(|part| is_constraint(part.kind()));
        Ok(Utility::CreateDomain(Box::new(CreateDomain {
            name: self.object(self.need(node.child(K::DOMAIN), node)?)?,
            ty: self.type_in(node)?,
            collation: self.collation(node)?,
            constraints: constraints.map(|part| self.domain_constraint(part)).collect::<Result<_>>()?,
        })))
    }

    fn domain_constraint(&self, node: Node<'_>) -> Result<DomainConstraint> {
        Ok(DomainConstraint { constraint: self.column_constraint(node)?, span: self.span(node) })
    }

    /// None for what is no change of values or attributes.
    fn alter_type(&self, node: Node<'_>) -> Result<Option<Utility>> {
        let name = self.need(node.child(K::TYPE_NAME_REF), node)?;
        let Some(action) = node.nodes().find(|part| part.start() > name.start()) else { return Ok(None) };
        let strings = || action.children_of(K::LITERAL).map(|value| self.string(value)).collect::<Result<Vec<_>>>();
        let actions = match action.kind() {
            K::ADD_VALUE => {
                let value = strings()?.into_iter().next().ok_or_else(|| self.missing_in(action))?;
                let neighbor = match action.child_in(&[K::BEFORE_VALUE, K::AFTER_VALUE]) {
                    Some(place) => {
                        let label = self.string(self.need(place.child(K::LITERAL), place)?)?;
                        Some((place.is(K::BEFORE_VALUE), label))
                    }
                    None => None,
                };
                vec![AlterTypeAction::AddValue { value, if_not_exists: action.has(K::IF_NOT_EXISTS), neighbor }]
            }
            K::RENAME_VALUE => match <[String; 2]>::try_from(strings()?) {
                Ok([from, to]) => vec![AlterTypeAction::RenameValue { from, to }],
                Err(_) => return Err(self.missing_in(action)),
            },
            K::ALTER_TYPE_ATTRIBUTE_ACTION_LIST => {
                action.nodes().map(|part| self.attribute_action(part)).collect::<Result<_>>()?
            }
            _ => return Ok(None),
        };
        Ok(Some(Utility::AlterType { name: self.object(name)?, actions }))
    }

    fn attribute_action(&self, node: Node<'_>) -> Result<AlterTypeAction> {
        let cascade = node.has(K::CASCADE);
        Ok(match node.kind() {
            K::ADD_ATTRIBUTE => AlterTypeAction::AddAttribute { attribute: self.attribute_definition(node)?, cascade },
            K::DROP_ATTRIBUTE => AlterTypeAction::DropAttribute {
                name: self.column_id(self.need(node.child(K::COMPOSITE_FIELD_REF), node)?)?,
                if_exists: node.has(K::IF_EXISTS),
                cascade,
            },
            _ => AlterTypeAction::SetAttributeType { attribute: self.attribute_definition(node)?, cascade },
        })
    }

    fn alter_domain(&self, node: Node<'_>) -> Result<Utility> {
        let name = self.need(node.child(K::DOMAIN_REF), node)?;
        let action = self.need(node.nodes().find(|part| part.start() > name.start()), node)?;
        let constraint = || -> Result<Ident> {
            let mut path = self.path(self.need(action.child(K::CONSTRAINT_NAME_REF), action)?)?;
            path.parts.pop().ok_or_else(|| self.missing_in(action))
        };
        let action = match action.kind() {
            K::SET_DEFAULT => {
                let (expr, text) = self.expr_text(action)?;
                AlterDomainAction::SetDefault(expr, text)
            }
            K::DROP_DEFAULT => AlterDomainAction::DropDefault,
            K::SET_NOT_NULL => AlterDomainAction::SetNotNull,
            K::DROP_NOT_NULL => AlterDomainAction::DropNotNull,
            K::ADD_CONSTRAINT => {
                let added = self.need(action.nodes().find(|part| is_constraint(part.kind())), action)?;
                AlterDomainAction::AddConstraint(self.domain_constraint(added)?)
            }
            K::DROP_CONSTRAINT => AlterDomainAction::DropConstraint {
                name: constraint()?,
                if_exists: action.has(K::IF_EXISTS),
                cascade: action.has(K::CASCADE),
            },
            K::VALIDATE_CONSTRAINT => AlterDomainAction::ValidateConstraint(constraint()?),
            _ => return self.unsupported(node),
        };
        Ok(Utility::AlterDomain { name: self.object(name)?, action: Box::new(action) })
    }
}
