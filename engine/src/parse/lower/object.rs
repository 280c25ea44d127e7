//! Statements on objects of any kind: DROP, COMMENT, and ALTER … RENAME, SET SCHEMA, OWNER.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::names::Words;
use super::types::is_type;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

/// DROP statements: the kind of the statement, of its names in the library's tree, and of the objects.
const DROPS: &[(K, K, ObjectKind)] = &[
    (K::DROP_TABLE, K::TABLE_NAME_REF, ObjectKind::Table),
    (K::DROP_VIEW, K::VIEW_REF, ObjectKind::View),
    (K::DROP_MATERIALIZED_VIEW, K::VIEW_REF, ObjectKind::MaterializedView),
    (K::DROP_INDEX, K::INDEX_REF, ObjectKind::Index),
    (K::DROP_SEQUENCE, K::SEQUENCE_REF, ObjectKind::Sequence),
    (K::DROP_SCHEMA, K::SCHEMA_REF, ObjectKind::Schema),
    (K::DROP_TYPE, K::TYPE_NAME_REF, ObjectKind::Type),
    (K::DROP_DOMAIN, K::DOMAIN_REF, ObjectKind::Domain),
    (K::DROP_EXTENSION, K::EXTENSION_REF, ObjectKind::Extension),
    (K::DROP_COLLATION, K::COLLATION_REF, ObjectKind::Other("COLLATION")),
    (K::DROP_STATISTICS, K::STATISTICS_REF, ObjectKind::Other("STATISTICS")),
    (K::DROP_TEXT_SEARCH_CONFIG, K::TEXT_SEARCH_CONFIGURATION_REF, ObjectKind::Other("TEXT SEARCH CONFIGURATION")),
    (K::DROP_TEXT_SEARCH_DICT, K::TEXT_SEARCH_DICTIONARY_REF, ObjectKind::Other("TEXT SEARCH DICTIONARY")),
];

/// DROP statements of objects that nothing creates yet, and what messages call these.
const ABSENT: &[(K, K, &str)] = &[
    (K::DROP_TRIGGER, K::TRIGGER_REF, "trigger"),
    (K::DROP_POLICY, K::POLICY_REF, "policy"),
    (K::DROP_RULE, K::RULE_REF, "rule"),
    (K::DROP_EVENT_TRIGGER, K::EVENT_TRIGGER_REF, "event trigger"),
    (K::DROP_PUBLICATION, K::PUBLICATION_REF, "publication"),
    (K::DROP_SUBSCRIPTION, K::SUBSCRIPTION_REF, "subscription"),
    (K::DROP_SERVER, K::SERVER_REF, "server"),
    (K::DROP_FOREIGN_DATA_WRAPPER, K::FOREIGN_DATA_WRAPPER_REF, "foreign-data wrapper"),
    (K::DROP_FOREIGN_TABLE, K::TABLE_NAME_REF, "foreign table"),
    (K::DROP_TEXT_SEARCH_PARSER, K::TEXT_SEARCH_PARSER_REF, "text search parser"),
    (K::DROP_TEXT_SEARCH_TEMPLATE, K::TEXT_SEARCH_TEMPLATE_REF, "text search template"),
    (K::DROP_CONVERSION, K::CONVERSION_REF, "conversion"),
];

/// ALTER statements that know RENAME, SET SCHEMA or OWNER.
const ALTERS: &[(K, K, ObjectKind)] = &[
    (K::ALTER_TABLE, K::TABLE_RELATION_NAME, ObjectKind::Table),
    (K::ALTER_VIEW, K::VIEW_REF, ObjectKind::View),
    (K::ALTER_MATERIALIZED_VIEW, K::VIEW_REF, ObjectKind::MaterializedView),
    (K::ALTER_INDEX, K::INDEX_REF, ObjectKind::Index),
    (K::ALTER_SEQUENCE, K::SEQUENCE_REF, ObjectKind::Sequence),
    (K::ALTER_SCHEMA, K::SCHEMA_REF, ObjectKind::Schema),
    (K::ALTER_TYPE, K::TYPE_NAME_REF, ObjectKind::Type),
    (K::ALTER_DOMAIN, K::DOMAIN_REF, ObjectKind::Domain),
    (K::ALTER_DATABASE, K::DATABASE_REF, ObjectKind::Database),
    (K::ALTER_ROLE, K::ROLE_REF, ObjectKind::Role),
    (K::ALTER_USER, K::ROLE_REF, ObjectKind::Role),
    (K::ALTER_GROUP, K::ROLE_REF, ObjectKind::Role),
    (K::ALTER_EXTENSION, K::EXTENSION_REF, ObjectKind::Extension),
    (K::ALTER_COLLATION, K::COLLATION_REF, ObjectKind::Other("COLLATION")),
    (K::ALTER_LARGE_OBJECT, K::LITERAL, ObjectKind::Other("LARGE OBJECT")),
    (K::ALTER_STATISTICS, K::STATISTICS_REF, ObjectKind::Other("STATISTICS")),
    (
        K::ALTER_TEXT_SEARCH_CONFIGURATION,
        K::TEXT_SEARCH_CONFIGURATION_REF,
        ObjectKind::Other("TEXT SEARCH CONFIGURATION"),
    ),
    (K::ALTER_TEXT_SEARCH_DICTIONARY, K::TEXT_SEARCH_DICTIONARY_REF, ObjectKind::Other("TEXT SEARCH DICTIONARY")),
];

/// What COMMENT ON and SECURITY LABEL ON name.
const COMMENTS: &[(K, K, ObjectKind)] = &[
    (K::OBJECT_TABLE, K::TABLE_NAME_REF, ObjectKind::Table),
    (K::OBJECT_VIEW, K::VIEW_REF, ObjectKind::View),
    (K::OBJECT_MATERIALIZED_VIEW, K::VIEW_REF, ObjectKind::MaterializedView),
    (K::OBJECT_INDEX, K::INDEX_REF, ObjectKind::Index),
    (K::OBJECT_SEQUENCE, K::SEQUENCE_REF, ObjectKind::Sequence),
    (K::OBJECT_SCHEMA, K::SCHEMA_REF, ObjectKind::Schema),
    (K::OBJECT_TYPE, K::TYPE_NAME_REF, ObjectKind::Type),
    (K::OBJECT_DOMAIN, K::DOMAIN_REF, ObjectKind::Domain),
    (K::OBJECT_FUNCTION, K::FUNCTION_SIG, ObjectKind::Function),
    (K::OBJECT_PROCEDURE, K::PROCEDURE_SIG, ObjectKind::Procedure),
    (K::OBJECT_AGGREGATE, K::AGGREGATE, ObjectKind::Other("AGGREGATE")),
    (K::OBJECT_DATABASE, K::DATABASE_REF, ObjectKind::Database),
    (K::OBJECT_ROLE, K::ROLE_REF, ObjectKind::Role),
    (K::OBJECT_EXTENSION, K::EXTENSION_REF, ObjectKind::Extension),
    (K::OBJECT_COLUMN, K::QUALIFIED_COLUMN_NAME_REF, ObjectKind::Column),
    (K::OBJECT_CONSTRAINT, K::CONSTRAINT_NAME_REF, ObjectKind::Constraint),
    (K::OBJECT_TRIGGER, K::TRIGGER_REF, ObjectKind::Trigger),
    (K::OBJECT_POLICY, K::POLICY_REF, ObjectKind::Other("POLICY")),
    (K::OBJECT_RULE, K::RULE_REF, ObjectKind::Other("RULE")),
    (K::OBJECT_TABLESPACE, K::TABLESPACE_REF, ObjectKind::Other("TABLESPACE")),
    (K::OBJECT_COLLATION, K::COLLATION_REF, ObjectKind::Other("COLLATION")),
    (K::OBJECT_CONVERSION, K::CONVERSION_REF, ObjectKind::Other("CONVERSION")),
    (K::OBJECT_LANGUAGE, K::LANGUAGE_REF, ObjectKind::Other("LANGUAGE")),
    (K::OBJECT_STATISTICS, K::STATISTICS_REF, ObjectKind::Other("STATISTICS")),
    (K::OBJECT_FOREIGN_TABLE, K::TABLE_NAME_REF, ObjectKind::Other("FOREIGN TABLE")),
    (K::OBJECT_PUBLICATION, K::PUBLICATION_REF, ObjectKind::Other("PUBLICATION")),
    (K::OBJECT_SUBSCRIPTION, K::SUBSCRIPTION_REF, ObjectKind::Other("SUBSCRIPTION")),
    (K::OBJECT_SERVER, K::SERVER_REF, ObjectKind::Other("SERVER")),
    (K::OBJECT_TEXT_SEARCH_CONFIG, K::TEXT_SEARCH_CONFIGURATION_REF, ObjectKind::Other("TEXT SEARCH CONFIGURATION")),
    (K::OBJECT_TEXT_SEARCH_DICT, K::TEXT_SEARCH_DICTIONARY_REF, ObjectKind::Other("TEXT SEARCH DICTIONARY")),
    (K::OBJECT_LARGE_OBJECT, K::LITERAL, ObjectKind::Other("LARGE OBJECT")),
    (K::OBJECT_EVENT_TRIGGER, K::EVENT_TRIGGER_REF, ObjectKind::Other("EVENT TRIGGER")),
];

impl Lower<'_> {
    pub fn object_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        match node.kind() {
            K::COMMENT_ON => self.comment(node).map(Some),
            K::SECURITY_LABEL => self.security_label(node).map(Some),
            K::DROP_ROLE | K::DROP_USER | K::DROP_GROUP => {
                let names = self.roles(node)?;
                if names.is_empty() {
                    return Err(self.missing_in(node));
                }
                Ok(Some(Utility::DropRole { names, if_exists: node.has(K::IF_EXISTS) }))
            }
            K::DROP_DATABASE => Ok(Some(Utility::DropDatabase {
                name: self.ident(self.need(node.child(K::DATABASE_REF), node)?)?,
                if_exists: node.has(K::IF_EXISTS),
                force: node.has(K::DROP_DATABASE_FORCE_CLAUSE),
            })),
            K::CREATE_EXTENSION
            | K::ALTER_EXTENSION
            | K::CREATE_COLLATION
            | K::ALTER_COLLATION
            | K::CREATE_STATISTICS
            | K::ALTER_STATISTICS
            | K::CREATE_TEXT_SEARCH_CONFIGURATION
            | K::CREATE_TEXT_SEARCH_DICTIONARY
            | K::ALTER_TEXT_SEARCH_CONFIGURATION
            | K::ALTER_TEXT_SEARCH_DICTIONARY => match self.descriptor_statement(node)? {
                Some(utility) => Ok(Some(utility)),
                None => self.alter_object(node),
            },
            kind if ABSENT.iter().any(|(statement, ..)| kind == *statement) => self.drop_absent(node).map(Some),
            _ => match self.drop(node)? {
                Some(utility) => Ok(Some(utility)),
                None => self.alter_object(node),
            },
        }
    }

    fn drop_absent(&self, node: Node<'_>) -> Result<Utility> {
        let known = ABSENT.iter().find(|(statement, ..)| node.is(*statement));
        let Some((_, name, kind)) = known else { return Err(self.missing_in(node)) };
        let names = node.children_of(*name).map(|name| self.object_path(name)).collect::<Result<Vec<_>>>()?;
        if names.is_empty() {
            return Err(self.missing_in(node));
        }
        let on = node.child_in(&[K::ON_RELATION, K::ON_TABLE]);
        let on = on.and_then(|on| on.nodes().next()).map(|table| self.object(table)).transpose()?;
        Ok(Utility::DropAbsent(DropAbsent { kind, names, on, if_exists: node.has(K::IF_EXISTS) }))
    }

    fn drop(&self, node: Node<'_>) -> Result<Option<Utility>> {
        let Some((_, name, kind)) = DROPS.iter().find(|(statement, ..)| node.is(*statement)) else { return Ok(None) };
        let names = node.children_of(*name).map(|name| self.object_path(name)).collect::<Result<Vec<_>>>()?;
        if names.is_empty() {
            return Err(self.missing_in(node));
        }
        Ok(Some(Utility::Drop(Box::new(Drop {
            kind: *kind,
            names,
            if_exists: node.has(K::IF_EXISTS),
            cascade: node.has(K::CASCADE),
            concurrently: node.has(K::CONCURRENTLY_KW),
        }))))
    }

    /// A name that may be qualified or a single identifier, whichever the node holds.
    pub fn object_path(&self, node: Node<'_>) -> Result<Name> {
        match node.nodes().next() {
            Some(_) if matches!(node.kind(), K::FUNCTION_SIG | K::PROCEDURE_SIG | K::ROUTINE_SIG | K::AGGREGATE) => {
                self.object_of(node, Words::Function)
            }
            Some(_) if !matches!(node.kind(), K::ROLE_REF) => self.object(node),
            // The number of a large object.
            _ if node.is(K::LITERAL) => {
                let ident = Ident { name: node.text().trim().to_owned(), span: self.span(node) };
                Ok(Name { span: ident.span, parts: vec![ident] })
            }
            _ => {
                let ident = if node.is(K::ROLE_REF) { self.role(node)? } else { self.ident(node)? };
                Ok(Name { span: ident.span, parts: vec![ident] })
            }
        }
    }

    pub fn object_name(&self, node: Node<'_>, kind: ObjectKind) -> Result<ObjectName> {
        let args = match node.child(K::PARAM_LIST) {
            Some(list) => Some(self.parameter_types(list)?),
            None => None,
        };
        let name = if kind == ObjectKind::Column { self.path(node)? } else { self.object_path(node)? };
        Ok(ObjectName { kind, name, on: None, on_domain: false, args })
    }

    /// The types of a function's input parameters.
    pub fn parameter_types(&self, list: Node<'_>) -> Result<Vec<TypeName>> {
        list.children_of(K::PARAM)
            .filter(|param| !param.has(K::PARAM_OUT))
            .filter_map(|param| param.nodes().find(|part| is_type(part.kind())))
            .map(|ty| self.type_name(ty))
            .collect()
    }

    fn comment(&self, node: Node<'_>) -> Result<Utility> {
        let text = self.said(node)?;
        let target = self.need(node.nodes().next(), node)?;
        match self.object_said_of(target)? {
            Some(object) => Ok(Utility::Comment { object, text }),
            None => Ok(Utility::Unsupported(format!("COMMENT ON {}", words(target)))),
        }
    }

    fn security_label(&self, node: Node<'_>) -> Result<Utility> {
        let label = self.said(node)?;
        let provider = match node.child(K::FOR_PROVIDER) {
            Some(of) => match (of.child(K::LITERAL), of.child(K::SECURITY_LABEL_PROVIDER)) {
                (Some(literal), _) => Some(self.string(literal)?),
                (None, name) => Some(self.ident(self.need(name, of)?)?.name),
            },
            None => None,
        };
        let target = node.nodes().find(|part| !part.is(K::FOR_PROVIDER));
        let target = self.need(target, node)?;
        match self.object_said_of(target)? {
            Some(object) => Ok(Utility::SecurityLabel { provider, object, label }),
            None => Ok(Utility::Unsupported(format!("SECURITY LABEL ON {}", words(target)))),
        }
    }

    /// What IS says of an object: a text, or NULL.
    fn said(&self, node: Node<'_>) -> Result<Option<String>> {
        match node.child(K::LITERAL) {
            Some(literal) => self.string(literal).map(Some),
            None if node.has(K::NULL_KW) => Ok(None),
            None => Err(self.missing_in(node)),
        }
    }

    /// The object that something is said of; None for a kind that nothing can be said of yet.
    fn object_said_of(&self, target: Node<'_>) -> Result<Option<ObjectName>> {
        let Some((_, name, kind)) = COMMENTS.iter().find(|(object, ..)| target.is(*object)) else { return Ok(None) };
        let mut object = self.object_name(self.need(target.child(*name), target)?, *kind)?;
        if matches!(kind, ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Other("POLICY" | "RULE")) {
            let on = target.child_in(&[K::TABLE_NAME_REF, K::RELATION_NAME_REF, K::DOMAIN_REF]);
            let on = self.need(on, target)?;
            object.on_domain = on.is(K::DOMAIN_REF) || target.has(K::DOMAIN_KW);
            object.on = Some(self.object(on)?);
        }
        if *kind == ObjectKind::Column && object.name.parts.len() < 2 {
            let code = aegis_catalog::sqlstate::SYNTAX_ERROR;
            return Err(aegis_catalog::Error::new(code, "column name must be qualified").at(object.name.span.start));
        }
        Ok(Some(object))
    }

    /// ALTER … RENAME, SET SCHEMA and OWNER TO; None for any other action.
    fn alter_object(&self, node: Node<'_>) -> Result<Option<Utility>> {
        let Some((_, name, kind)) = ALTERS.iter().find(|(statement, ..)| node.is(*statement)) else { return Ok(None) };
        let Some(target) = node.child(*name) else { return Ok(None) };
        let mut actions = node.nodes().filter(|part| part.start() > target.start());
        let (Some(action), None) = (actions.next(), actions.next()) else { return Ok(None) };
        let if_exists = node.has(K::IF_EXISTS);
        let object = || self.object_name(target, *kind);
        match action.kind() {
            K::RENAME_VALUE => Ok(None),
            K::ROLE_REF => {
                Ok(Some(Utility::SetOwner { object: object()?, owner: self.role(action)?, if_exists: false }))
            }
            K::OWNER_TO => {
                let owner = self.role(self.need(action.child(K::ROLE_REF), action)?)?;
                Ok(Some(Utility::SetOwner { object: object()?, owner, if_exists }))
            }
            K::SET_SCHEMA => {
                let schema = self.ident(self.need(action.child(K::SCHEMA_REF), action)?)?;
                Ok(Some(Utility::SetSchema { object: object()?, schema, if_exists }))
            }
            _ if action.has(K::RENAME_KW) => {
                let column = self.opt_ident(action.child_in(&[K::COLUMN_NAME_REF, K::COMPOSITE_FIELD_REF]))?;
                let constraint = match action.child(K::CONSTRAINT_NAME_REF) {
                    Some(name) => self.path(name)?.parts.pop(),
                    None => None,
                };
                let to = self.need(action.nodes().last(), action)?;
                if !action.has(K::TO_KW) {
                    return Err(self.missing_in(action));
                }
                let mut to = self.object_path(to)?;
                match (to.parts.pop(), to.parts.first()) {
                    (Some(to), None) => {
                        Ok(Some(Utility::Rename { object: object()?, column, constraint, to, if_exists }))
                    }
                    (_, Some(first)) => Err(self.syntax_error(self.base() + first.span.end)),
                    _ => Err(self.missing_in(action)),
                }
            }
            _ => Ok(None),
        }
    }
}

/// The keywords of what an object is.
fn words(target: Node<'_>) -> String {
    target.tokens().map(|word| word.text().to_ascii_uppercase()).collect::<Vec<_>>().join(" ")
}
