//! CREATE TABLE and its columns and constraints, CREATE TABLE AS, SELECT INTO (manual 5).

use aegis_catalog::object::ReferentialAction;
use aegis_catalog::{Error, Result};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn table_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::CREATE_TABLE => self.create_table(node)?,
            K::CREATE_TABLE_AS | K::CREATE_MATERIALIZED_VIEW => self.create_table_as(node)?,
            _ => return Ok(None),
        }))
    }

    fn create_table(&self, node: Node<'_>) -> Result<Utility> {
        let partition_of = match node.child(K::PARTITION_OF) {
            Some(of) => {
                let parent = self.object(self.need(of.child(K::TABLE_NAME_REF), of)?)?;
                Some((parent, self.partition_bound(node)?))
            }
            None => None,
        };
        let typed = node.has(K::OF_TYPE) || partition_of.is_some();
        let of_type = match node.child(K::OF_TYPE) {
            Some(of) => Some(self.type_in(of)?.name),
            None => None,
        };
        let elements = match node.child(K::TABLE_ARG_LIST) {
            None if typed => None,
            list => Some(self.need(list, node)?),
        };
        let element = |element: Node<'_>| match element.kind() {
            K::COLUMN if typed => self.column_options(element),
            _ => self.table_element(element),
        };
        Ok(Utility::CreateTable(Box::new(CreateTable {
            name: self.object(self.need(node.child(K::TABLE_NAME), node)?)?,
            temporary: node.has(K::TEMP),
            unlogged: node.has(K::UNLOGGED),
            if_not_exists: node.has(K::IF_NOT_EXISTS),
            elements: elements.into_iter().flat_map(|list| list.nodes()).map(element).collect::<Result<_>>()?,
            inherits: match node.child(K::INHERITS) {
                Some(inherits) => self.objects(inherits, K::TABLE_NAME_REF)?,
                None => Vec::new(),
            },
            of_type,
            partition_of,
            partition_by: node.child(K::PARTITION_BY).map(|clause| self.partition_by(clause)).transpose()?,
            options: self.with_params(node)?,
            on_commit: self.on_commit(node),
        })))
    }

    fn partition_by(&self, node: Node<'_>) -> Result<PartitionBy> {
        let items = self.need(node.child(K::PARTITION_ITEM_LIST), node)?;
        let item = |item: Node<'_>| {
            let key = self.index_element(item)?;
            Ok(PartitionItem {
                expr: key.expr,
                collation: key.collation,
                operator_class: key.operator_class,
                span: self.span(item),
            })
        };
        let keys = items.children_of(K::PARTITION_ITEM).map(item).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(self.missing_in(items));
        }
        Ok(PartitionBy { strategy: self.column_id(self.need(node.child(K::PARTITION_STRATEGY), node)?)?, keys })
    }

    /// The bound among the parts of a statement or action.
    pub fn partition_bound(&self, node: Node<'_>) -> Result<PartitionBoundSpec> {
        let kinds = [
            K::PARTITION_DEFAULT,
            K::PARTITION_FOR_VALUES_IN,
            K::PARTITION_FOR_VALUES_FROM,
            K::PARTITION_FOR_VALUES_WITH,
        ];
        let bound = self.need(node.child_in(&kinds), node)?;
        let values = |node: Node<'_>| -> Result<Vec<Expr>> {
            node.nodes().filter(|part| is_expr(part.kind())).map(|part| self.expr(part)).collect()
        };
        Ok(match bound.kind() {
            K::PARTITION_FOR_VALUES_IN => PartitionBoundSpec::In(values(bound)?),
            K::PARTITION_FOR_VALUES_FROM => {
                let from = self.need(bound.child(K::PARTITION_FROM_VALUES), bound)?;
                let to = self.need(bound.child(K::PARTITION_TO_VALUES), bound)?;
                PartitionBoundSpec::FromTo(values(from)?, values(to)?)
            }
            K::PARTITION_FOR_VALUES_WITH => {
                let number = |part: Node<'_>| -> Result<(Ident, i32)> {
                    let literal = self.need(part.child(K::LITERAL), part)?;
                    let number = literal.text().parse().map_err(|_| self.syntax_error(literal.start()))?;
                    Ok((self.ident(part)?, number))
                };
                let parts = bound.children_of(K::HASH_PARTITION_BOUND).map(number).collect::<Result<_>>()?;
                PartitionBoundSpec::With(parts)
            }
            _ => PartitionBoundSpec::Default,
        })
    }

    fn on_commit(&self, node: Node<'_>) -> OnCommit {
        let action = node.child(K::ON_COMMIT).and_then(|clause| clause.child_in(&[K::DELETE_ROWS, K::DROP]));
        match action {
            Some(action) if action.is(K::DROP) => OnCommit::Drop,
            Some(_) => OnCommit::DeleteRows,
            None => OnCommit::Preserve,
        }
    }

    fn table_element(&self, node: Node<'_>) -> Result<TableElement> {
        match node.kind() {
            K::COLUMN => Ok(TableElement::Column(self.column(node)?)),
            K::LIKE_CLAUSE => {
                let table = self.object(self.need(node.child(K::RELATION_NAME_REF), node)?)?;
                let properties = |kind| {
                    node.children_of(kind)
                        .filter_map(|option| option.nodes().next())
                        .map(|property| property.text().to_ascii_lowercase())
                        .collect()
                };
                let including = properties(K::INCLUDING_PROPERTY);
                Ok(TableElement::Like { table, including, excluding: properties(K::EXCLUDING_PROPERTY) })
            }
            _ => Ok(TableElement::Constraint(self.table_constraint(node)?)),
        }
    }

    /// `column [WITH OPTIONS] constraints` of a table OF a type.
    fn column_options(&self, node: Node<'_>) -> Result<TableElement> {
        if let Some(ty) = node.nodes().find(|part| super::types::is_type(part.kind())) {
            return Err(self.syntax_error(ty.start()));
        }
        let constraints = node.nodes().filter(|part| is_constraint(part.kind()));
        Ok(TableElement::ColumnOptions {
            name: self.column_id(self.need(node.child(K::COLUMN_NAME), node)?)?,
            constraints: constraints.map(|part| self.column_constraint(part)).collect::<Result<_>>()?,
        })
    }

    /// A column of CREATE TABLE or of ADD COLUMN.
    pub fn column(&self, node: Node<'_>) -> Result<ColumnDefinition> {
        if let Some(options) =
            node.child_in(&[K::STORAGE, K::COMPRESSION_METHOD, K::WITH_OPTIONS, K::ALTER_OPTION_LIST])
        {
            let name = super::transaction::words(options).split(' ').next().unwrap_or_default().to_owned();
            return Err(Error::unsupported(format!("column option {name}")).at(self.position(options)));
        }
        let mut constraints: Vec<ColumnConstraint> = Vec::new();
        for constraint in node.nodes().filter(|part| is_constraint(part.kind())) {
            constraints.push(self.column_constraint(constraint)?);
        }
        Ok(ColumnDefinition {
            name: self.column_id(self.need(node.child(K::COLUMN_NAME), node)?)?,
            ty: self.type_in(node)?,
            collation: self.collation(node)?,
            constraints,
        })
    }

    pub fn collation(&self, node: Node<'_>) -> Result<Option<Name>> {
        match node.child(K::COLLATE) {
            Some(collate) => Ok(Some(self.object(self.need(collate.child(K::COLLATION_REF), collate)?)?)),
            None => Ok(None),
        }
    }

    fn constraint_name(&self, node: Node<'_>) -> Result<Option<Ident>> {
        match node.child(K::CONSTRAINT_NAME_CLAUSE) {
            Some(clause) => Ok(Some(self.ident(self.need(clause.child(K::CONSTRAINT_NAME), clause)?)?)),
            None => Ok(None),
        }
    }

    pub fn column_constraint(&self, node: Node<'_>) -> Result<ColumnConstraint> {
        let kind = match node.kind() {
            K::NOT_NULL_CONSTRAINT => ColumnConstraintKind::NotNull,
            K::NULL_CONSTRAINT => ColumnConstraintKind::Null,
            K::DEFAULT_CONSTRAINT => {
                let (expr, text) = self.restricted_expr_text(node)?;
                ColumnConstraintKind::Default(expr, text)
            }
            K::CHECK_CONSTRAINT => {
                let (expr, text) = self.expr_text(node)?;
                ColumnConstraintKind::Check(expr, text)
            }
            K::PRIMARY_KEY_CONSTRAINT => ColumnConstraintKind::PrimaryKey { include: self.included(node)? },
            K::UNIQUE_CONSTRAINT => ColumnConstraintKind::Unique {
                include: self.included(node)?,
                nulls_not_distinct: self.nulls_not_distinct(node),
            },
            K::REFERENCES_CONSTRAINT => ColumnConstraintKind::References(self.references(node)?),
            K::GENERATED_CONSTRAINT => self.generated(node)?,
            _ => return Err(self.syntax_error(node.start())),
        };
        let is_key = [K::PRIMARY_KEY_CONSTRAINT, K::UNIQUE_CONSTRAINT, K::REFERENCES_CONSTRAINT].contains(&node.kind());
        let misplaced = node.nodes().find_map(|option| match option.kind() {
            _ if is_key => None,
            K::DEFERRABLE_CONSTRAINT_OPTION => Some((option, "DEFERRABLE")),
            K::NOT_DEFERRABLE_CONSTRAINT_OPTION => Some((option, "NOT DEFERRABLE")),
            K::INITIALLY_DEFERRED_CONSTRAINT_OPTION => Some((option, "INITIALLY DEFERRED")),
            K::INITIALLY_IMMEDIATE_CONSTRAINT_OPTION => Some((option, "INITIALLY IMMEDIATE")),
            _ => None,
        });
        if let Some((option, what)) = misplaced {
            let message = format!("misplaced {what} clause");
            return Err(Error::new(aegis_catalog::sqlstate::SYNTAX_ERROR, message).at(self.position(option)));
        }
        Ok(ColumnConstraint { name: self.constraint_name(node)?, kind, timing: self.timing(node)? })
    }

    fn generated(&self, node: Node<'_>) -> Result<ColumnConstraintKind> {
        let clause = self.need(node.child_in(&[K::GENERATED_IDENTITY, K::GENERATED_STORED]), node)?;
        let always = clause.has(K::GENERATED_ALWAYS);
        if clause.is(K::GENERATED_IDENTITY) {
            let options = match clause.child(K::SEQUENCE_OPTION_LIST) {
                Some(list) => self.sequence_options(list)?,
                None => Vec::new(),
            };
            return Ok(ColumnConstraintKind::Identity { always, options });
        }
        if let Some(by_default) = clause.child(K::GENERATED_BY_DEFAULT) {
            return Err(Error::new(
                aegis_catalog::sqlstate::SYNTAX_ERROR,
                "for a generated column, GENERATED ALWAYS must be specified",
            )
            .at(self.position(by_default)));
        }
        if !clause.has(K::STORED) {
            return Err(match clause.child(K::VIRTUAL) {
                Some(kind) => Error::unsupported("virtual generated column").at(self.position(kind)),
                None => self.syntax_error(clause.end()),
            });
        }
        let (expr, text) = self.expr_text(clause)?;
        Ok(ColumnConstraintKind::GeneratedStored(expr, text))
    }

    fn nulls_not_distinct(&self, node: Node<'_>) -> bool {
        node.child(K::INDEX_PARAMETERS).is_some_and(|parameters| parameters.has(K::NULLS_NOT_DISTINCT))
    }

    /// `INCLUDE (…)` of a key.
    fn included(&self, node: Node<'_>) -> Result<Vec<Ident>> {
        let parameters = node.child(K::INDEX_PARAMETERS);
        match parameters.and_then(|parameters| parameters.child(K::CONSTRAINT_INCLUDE_CLAUSE)) {
            Some(clause) => self.column_list(clause.nodes().next()),
            None => Ok(Vec::new()),
        }
    }

    pub fn timing(&self, node: Node<'_>) -> Result<ConstraintTiming> {
        let mut timing = ConstraintTiming::default();
        for option in node.nodes() {
            match option.kind() {
                K::DEFERRABLE_CONSTRAINT_OPTION => timing.deferrable = Some(true),
                K::NOT_DEFERRABLE_CONSTRAINT_OPTION => timing.deferrable = Some(false),
                K::INITIALLY_DEFERRED_CONSTRAINT_OPTION => timing.initially_deferred = Some(true),
                K::INITIALLY_IMMEDIATE_CONSTRAINT_OPTION => timing.initially_deferred = Some(false),
                K::NOT_VALID => timing.not_valid = true,
                K::NO_INHERIT => timing.no_inherit = true,
                K::NOT_ENFORCED => return Err(Error::unsupported("NOT ENFORCED").at(self.position(option))),
                _ => {}
            }
        }
        if timing.initially_deferred == Some(true) && timing.deferrable == Some(false) {
            let message = "constraint declared INITIALLY DEFERRED must be DEFERRABLE";
            let code = aegis_catalog::sqlstate::SYNTAX_ERROR;
            return Err(Error::new(code, message).at(self.position(node)));
        }
        Ok(timing)
    }

    pub fn table_constraint(&self, node: Node<'_>) -> Result<TableConstraint> {
        let using_index = match node.child(K::USING_INDEX_NAME) {
            Some(clause) => self.path(self.need(clause.child(K::INDEX_REF), clause)?)?.parts.pop(),
            None => None,
        };
        let kind = match node.kind() {
            K::PRIMARY_KEY_CONSTRAINT => {
                let (columns, include) = (self.key_columns(node)?, self.included(node)?);
                TableConstraintKind::PrimaryKey { columns, include, using_index }
            }
            K::UNIQUE_CONSTRAINT => TableConstraintKind::Unique {
                columns: self.key_columns(node)?,
                include: self.included(node)?,
                nulls_not_distinct: self.nulls_not_distinct(node),
                using_index,
            },
            K::CHECK_CONSTRAINT => {
                let (expr, text) = self.expr_text(node)?;
                TableConstraintKind::Check(expr, text)
            }
            K::FOREIGN_KEY_CONSTRAINT => {
                let columns = self.need(node.child(K::FOREIGN_KEY_COLUMN_LIST), node)?;
                TableConstraintKind::ForeignKey {
                    columns: self.column_list(Some(columns))?,
                    references: self.references(node)?,
                }
            }
            K::EXCLUDE_CONSTRAINT => TableConstraintKind::Exclude,
            K::NOT_NULL_CONSTRAINT => {
                return Err(Error::unsupported("NOT NULL as a table constraint").at(self.position(node)));
            }
            _ => return Err(self.syntax_error(node.start())),
        };
        let name = self.constraint_name(node)?;
        Ok(TableConstraint { name, kind, timing: self.timing(node)?, span: self.span(node) })
    }

    fn key_columns(&self, node: Node<'_>) -> Result<Vec<Ident>> {
        if node.has(K::USING_INDEX_NAME) {
            return Ok(Vec::new());
        }
        let parameters = self.need(node.child(K::INDEX_PARAMETERS), node)?;
        let list = self.need(parameters.child(K::CONSTRAINT_COLUMN_REF_LIST), parameters)?;
        if let Some(overlaps) = list.child(K::WITHOUT_OVERLAPS) {
            return Err(Error::unsupported("WITHOUT OVERLAPS").at(self.position(overlaps)));
        }
        self.column_list(Some(list))
    }

    fn references(&self, node: Node<'_>) -> Result<References> {
        let table = self.need(node.child(K::TABLE_NAME_REF), node)?;
        let columns = match node.child(K::COLUMN_NAME_REF) {
            Some(column) => vec![self.ident(column)?],
            None => {
                let lists = node.nodes().filter(|part| {
                    matches!(part.kind(), K::COLUMN_REF_LIST | K::FOREIGN_KEY_COLUMN_LIST)
                        && part.start() > table.start()
                });
                self.column_list(lists.last())?
            }
        };
        if let Some(partial) = node.child(K::MATCH_PARTIAL) {
            return Err(Error::new(
                aegis_catalog::sqlstate::FEATURE_NOT_SUPPORTED,
                "MATCH PARTIAL not yet implemented",
            )
            .at(self.position(partial)));
        }
        Ok(References {
            table: self.object(table)?,
            columns,
            match_full: node.has(K::MATCH_FULL),
            on_update: self.referential_action(node.child(K::ON_UPDATE_ACTION), true)?,
            on_delete: self.referential_action(node.child(K::ON_DELETE_ACTION), false)?,
            delete_columns: match node.child(K::ON_DELETE_ACTION).and_then(|clause| clause.nodes().next()) {
                Some(action) => self.column_list(action.nodes().next())?,
                None => Vec::new(),
            },
        })
    }

    fn referential_action(&self, clause: Option<Node<'_>>, update: bool) -> Result<ReferentialAction> {
        let Some(clause) = clause else { return Ok(ReferentialAction::NoAction) };
        let action = self.need(clause.nodes().next(), clause)?;
        if update && action.nodes().next().is_some() {
            let verb = if action.is(K::SET_NULL_COLUMNS) { "SET NULL" } else { "SET DEFAULT" };
            let message = format!("a column list with {verb} is only supported for ON DELETE actions");
            let code = aegis_catalog::sqlstate::FEATURE_NOT_SUPPORTED;
            return Err(Error::new(code, message).at(self.position(clause)));
        }
        Ok(match action.kind() {
            K::NO_ACTION => ReferentialAction::NoAction,
            K::RESTRICT => ReferentialAction::Restrict,
            K::CASCADE => ReferentialAction::Cascade,
            K::SET_NULL_COLUMNS => ReferentialAction::SetNull,
            _ => ReferentialAction::SetDefault,
        })
    }

    /// The expression in `node` and its SQL text.
    pub fn expr_text(&self, node: Node<'_>) -> Result<(Expr, String)> {
        let expr = node.nodes().find(|part| is_expr(part.kind()));
        let expr = self.need(expr, node)?;
        Ok((self.expr(expr)?, self.source_text(expr)))
    }

    fn restricted_expr_text(&self, node: Node<'_>) -> Result<(Expr, String)> {
        let expr = node.nodes().find(|part| is_expr(part.kind()));
        let expr = self.need(expr, node)?;
        Ok((self.restricted_expr(expr)?, self.source_text(expr)))
    }

    /// `WITH (name = value, …)` or WITHOUT OIDS.
    pub fn with_params(&self, node: Node<'_>) -> Result<Vec<(String, String)>> {
        match node.child(K::WITH_PARAMS) {
            Some(clause) => self.attributes(self.need(clause.child(K::ATTRIBUTE_LIST), clause)?),
            None => Ok(Vec::new()),
        }
    }

    /// `(name = value, …)`; a name alone means true.
    pub fn attributes(&self, list: Node<'_>) -> Result<Vec<(String, String)>> {
        let options =
            list.children_of(K::ATTRIBUTE_OPTION).map(|option| self.attribute(option)).collect::<Result<Vec<_>>>()?;
        if options.is_empty() { Err(self.missing_in(list)) } else { Ok(options) }
    }

    fn attribute(&self, option: Node<'_>) -> Result<(String, String)> {
        let mut name = self.ident(self.need(option.child(K::ATTRIBUTE_NAME), option)?)?.name;
        if let Some(namespace) = option.child(K::ATTRIBUTE_NAMESPACE) {
            name = format!("{}.{name}", self.ident(namespace)?.name);
        }
        let value = match option.child(K::ATTRIBUTE_VALUE) {
            None if option.has(K::EQ) => return Err(self.missing_in(option)),
            None => "true".to_owned(),
            Some(value) => match value.child_in(&[K::LITERAL, K::PREFIX_EXPR]) {
                Some(constant) => self.setting_value(constant)?,
                None => super::names::fold(value.text()),
            },
        };
        Ok((name, value))
    }

    fn create_table_as(&self, node: Node<'_>) -> Result<Utility> {
        let materialized_view = node.is(K::CREATE_MATERIALIZED_VIEW);
        let source = node.nodes().find(|part| is_query(part.kind()) || part.is(K::EXECUTE));
        let source = self.need(source, node)?;
        let text = self.source_text(source);
        let source = self.statement(source)?;
        let columns = match node.child_in(&[K::TABLE_ARG_LIST, K::COLUMN_LIST]) {
            Some(list) if list.is(K::COLUMN_LIST) => self.column_list(Some(list))?,
            Some(list) => list
                .nodes()
                .map(|column| match column.nodes().count() {
                    1 => self.ident(self.need(column.child(K::COLUMN_NAME), column)?),
                    _ => Err(self.syntax_error(column.nodes().nth(1).map_or(column.end(), |part| part.start()))),
                })
                .collect::<Result<Vec<_>>>()?,
            None => Vec::new(),
        };
        Ok(Utility::CreateTableAs(Box::new(CreateTableAs {
            name: self.object(self.need(node.child_in(&[K::TABLE_NAME, K::VIEW]), node)?)?,
            columns,
            temporary: node.has(K::TEMP),
            unlogged: node.has(K::UNLOGGED),
            if_not_exists: node.has(K::IF_NOT_EXISTS),
            materialized_view,
            on_commit: self.on_commit(node),
            with_data: !node.has(K::WITH_NO_DATA),
            options: self.with_params(node)?,
            text,
            source: Box::new(source.ok_or_else(|| self.missing_in(node))?),
        })))
    }

    /// `SELECT … INTO name FROM …` is CREATE TABLE AS.
    pub fn select_into(&self, node: Node<'_>) -> Result<Utility> {
        let into = self.need(node.child(K::INTO_CLAUSE), node)?;
        let query = self.into_query(node)?;
        Ok(Utility::CreateTableAs(Box::new(CreateTableAs {
            name: self.object(self.need(into.child(K::TABLE_NAME), into)?)?,
            columns: Vec::new(),
            temporary: into.has(K::TEMP),
            unlogged: into.has(K::UNLOGGED),
            if_not_exists: false,
            materialized_view: false,
            on_commit: OnCommit::Preserve,
            with_data: true,
            options: Vec::new(),
            text: String::new(),
            source: Box::new(Statement::Query(Box::new(query))),
        })))
    }
}

pub fn is_constraint(kind: K) -> bool {
    matches!(
        kind,
        K::CHECK_CONSTRAINT
            | K::DEFAULT_CONSTRAINT
            | K::EXCLUDE_CONSTRAINT
            | K::GENERATED_CONSTRAINT
            | K::NOT_NULL_CONSTRAINT
            | K::NULL_CONSTRAINT
            | K::PRIMARY_KEY_CONSTRAINT
            | K::REFERENCES_CONSTRAINT
            | K::UNIQUE_CONSTRAINT
    )
}
