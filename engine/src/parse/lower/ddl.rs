//! CREATE of views, indexes, sequences, schemas, databases and extensions; TRUNCATE and maintenance.

use aegis_catalog::{Error, Result};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn ddl_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::CREATE_VIEW => self.create_view(node)?,
            K::REFRESH => Utility::RefreshMaterializedView {
                name: self.object(self.need(node.child(K::VIEW_REF), node)?)?,
                concurrently: node.has(K::CONCURRENTLY_KW),
                with_data: !node.has(K::WITH_NO_DATA),
            },
            K::CREATE_INDEX => self.create_index(node)?,
            K::CREATE_SEQUENCE => Utility::CreateSequence {
                name: self.object(self.need(node.child(K::SEQUENCE), node)?)?,
                temporary: node.has(K::TEMP),
                if_not_exists: node.has(K::IF_NOT_EXISTS),
                options: self.sequence_options(node)?,
            },
            K::CREATE_SCHEMA => self.create_schema(node)?,
            K::CREATE_DATABASE => Utility::CreateDatabase {
                name: self.ident(self.need(node.child(K::DATABASE), node)?)?,
                options: self.database_options(node)?,
            },
            K::ALTER_DATABASE => return self.alter_database(node),
            K::TRUNCATE => {
                let list = self.need(node.child(K::TABLE_LIST), node)?;
                let table = |table: Node<'_>| Ok((self.object(table)?, table.has(K::ONLY_KW)));
                let tables = list.children_of(K::TABLE_RELATION_NAME).map(table).collect::<Result<Vec<_>>>()?;
                if tables.is_empty() {
                    return Err(self.missing_in(node));
                }
                let restart_identity = node.has(K::RESTART_IDENTITY);
                Utility::Truncate { tables, restart_identity, cascade: node.has(K::CASCADE) }
            }
            K::VACUUM | K::ANALYZE | K::CHECKPOINT => self.maintenance(node)?,
            K::CLUSTER => self.cluster(node)?,
            K::REINDEX => self.reindex(node)?,
            _ => return Ok(None),
        }))
    }

    fn create_view(&self, node: Node<'_>) -> Result<Utility> {
        let query = node.nodes().find(|part| is_query(part.kind()));
        let query = self.need(query, node)?;
        let recursive = node.has(K::RECURSIVE_KW);
        let columns = self.column_list(node.child(K::COLUMN_LIST))?;
        if recursive && columns.is_empty() {
            let view = self.need(node.child(K::VIEW), node)?;
            return Err(self.syntax_error(view.end()));
        }
        let check_option = node.child(K::WITH_CHECK_OPTION).map(|clause| match clause.has(K::LOCAL_CHECK_OPTION) {
            true => "local".to_owned(),
            false => "cascaded".to_owned(),
        });
        let name = self.object(self.need(node.child(K::VIEW), node)?)?;
        let written = self.query(query)?;
        let (columns, written) = match name.parts.last() {
            Some(bare) if recursive => (Vec::new(), recursive_query(bare, columns, written)),
            _ => (columns, written),
        };
        Ok(Utility::CreateView(Box::new(CreateView {
            name,
            columns,
            or_replace: node.has(K::OR_REPLACE),
            temporary: node.has(K::TEMP),
            query: Box::new(written),
            text: self.source_text(query),
            check_option,
            options: self.with_params(node)?,
        })))
    }

    fn create_index(&self, node: Node<'_>) -> Result<Utility> {
        let table = self.need(node.child(K::TABLE_RELATION_NAME), node)?;
        let items = self.need(node.child(K::PARTITION_ITEM_LIST), node)?;
        let keys =
            items.children_of(K::PARTITION_ITEM).map(|item| self.index_element(item)).collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Err(self.missing_in(items));
        }
        let name = self.opt_path(node.child(K::INDEX))?;
        let name = match name.map(|name| <[Ident; 1]>::try_from(name.parts)) {
            None if node.has(K::IF_NOT_EXISTS) => return Err(self.missing_in(node)),
            None => None,
            Some(Ok([name])) => Some(name),
            Some(Err(parts)) => {
                return Err(self.syntax_error(self.base() + parts.first().map_or(0, |part| part.span.end)));
            }
        };
        let include = match node.child(K::INDEX_INCLUDE_CLAUSE) {
            Some(clause) => {
                let list = self.need(clause.child(K::PARTITION_ITEM_LIST), clause)?;
                list.children_of(K::PARTITION_ITEM)
                    .map(|item| match item.child(K::NAME_REF) {
                        Some(column) if item.nodes().count() == 1 => self.ident(column),
                        _ => Err(Error::unsupported("expressions in included columns").at(self.position(item))),
                    })
                    .collect::<Result<_>>()?
            }
            None => Vec::new(),
        };
        let method = match node.child(K::USING_METHOD) {
            Some(using) => Some(self.column_id(self.need(using.child(K::ACCESS_METHOD_REF), using)?)?.name),
            None => None,
        };
        Ok(Utility::CreateIndex(Box::new(CreateIndex {
            name,
            table: self.object(table)?,
            only: table.has(K::ONLY_KW),
            method,
            unique: node.has(K::UNIQUE_KW),
            concurrently: node.has(K::CONCURRENTLY_KW),
            if_not_exists: node.has(K::IF_NOT_EXISTS),
            keys,
            include,
            nulls_not_distinct: node.has(K::NULLS_NOT_DISTINCT),
            predicate: node.child(K::WHERE_CLAUSE).map(|clause| self.expr_text(clause)).transpose()?,
            options: self.with_params(node)?,
        })))
    }

    pub fn index_element(&self, item: Node<'_>) -> Result<IndexElement> {
        let key = item.nodes().find(|part| is_expr(part.kind()));
        let mut key = self.need(key, item)?;
        let mut collation = None;
        if key.is(K::COLLATE) {
            collation = Some(self.object(self.need(key.child(K::COLLATION_REF), key)?)?);
            key = self.need(key.nodes().next(), key)?;
        }
        if !matches!(key.kind(), K::NAME_REF | K::CALL_EXPR | K::PAREN_EXPR) {
            let inner = key.nodes().next().map_or(key.end(), |first| first.end());
            return Err(self.syntax_error(inner));
        }
        if let Some(parameters) = item.child(K::ATTRIBUTE_LIST) {
            return Err(Error::unsupported("operator class parameters").at(self.position(parameters)));
        }
        Ok(IndexElement {
            expr: self.expr(key)?,
            text: self.source_text(key),
            collation,
            operator_class: self.opt_path(item.child(K::OP_CLASS_REF))?,
            descending: item.has(K::SORT_DESC),
            nulls_first: self.nulls_first(item),
        })
    }

    fn create_schema(&self, node: Node<'_>) -> Result<Utility> {
        let target = self.need(node.child_in(&[K::NAMED_SCHEMA, K::AUTHORIZATION_SCHEMA]), node)?;
        let name = self.opt_ident(target.child(K::SCHEMA))?;
        let owner = target.child_in(&[K::ROLE_REF, K::ROLE]).map(|role| self.role(role)).transpose()?;
        if name.is_none() && owner.is_none() {
            return Err(self.missing_in(target));
        }
        let if_not_exists = node.has(K::IF_NOT_EXISTS);
        let mut elements = Vec::new();
        for element in node.nodes().filter(|part| part.start() > target.start()) {
            if if_not_exists {
                let message = "CREATE SCHEMA IF NOT EXISTS cannot include schema elements";
                let code = aegis_catalog::sqlstate::FEATURE_NOT_SUPPORTED;
                return Err(Error::new(code, message).at(self.position(element)));
            }
            elements.extend(self.parsed_statement(element)?);
        }
        Ok(Utility::CreateSchema { name, owner, if_not_exists, elements })
    }

    /// Options by their names in lower case; DEFAULT is as good as leaving the option out.
    fn database_options(&self, node: Node<'_>) -> Result<Vec<(String, String)>> {
        let Some(list) = node.child(K::DATABASE_OPTION_LIST) else { return Ok(Vec::new()) };
        let mut options = Vec::new();
        for option in list.nodes() {
            let name = match option.kind() {
                K::DATABASE_OPTION_CONNECTION_LIMIT => "connection_limit".to_owned(),
                _ => self.ident(option)?.name,
            };
            if option.has(K::DEFAULT_KW) {
                continue;
            }
            let value = self.need(option.nodes().next(), option)?;
            let value = match value.kind() {
                K::ROLE_REF => self.role(value)?.name,
                _ => self.setting_value(value)?,
            };
            options.push((name, value));
        }
        Ok(options)
    }

    fn alter_database(&self, node: Node<'_>) -> Result<Option<Utility>> {
        let name = self.need(node.child(K::DATABASE_REF), node)?;
        let Some(action) = node.nodes().find(|part| part.start() > name.start()) else {
            return Err(self.missing_in(node));
        };
        let action = match action.kind() {
            K::SET_CONFIG_PARAM => {
                let (name, value) = self.config_assignment(action)?;
                AlterDatabase::Set { name, value }
            }
            K::RESET_CONFIG_PARAM => AlterDatabase::Reset(self.reset_target(action)?),
            K::DATABASE_OPTION_LIST => AlterDatabase::Options(self.database_options(node)?),
            _ => return Ok(None),
        };
        Ok(Some(Utility::AlterDatabase { name: self.ident(name)?, action }))
    }

    /// RESET name, None for RESET ALL.
    pub fn reset_target(&self, node: Node<'_>) -> Result<Option<String>> {
        match node.child(K::CONFIG_PARAMETER_REF) {
            Some(name) => self.setting_name(name).map(Some),
            None if node.has(K::ALL_KW) => Ok(None),
            None => Err(self.missing_in(node)),
        }
    }

    fn cluster(&self, node: Node<'_>) -> Result<Utility> {
        // `CLUSTER index ON table` is how it was written once.
        let (table, index) = match node.child(K::CLUSTER_LEGACY) {
            Some(legacy) => (legacy.child(K::ON_PATH).and_then(|on| on.child(K::TABLE_NAME_REF)), Some(legacy)),
            None => (node.child(K::TABLE_NAME_REF), node.child(K::CLUSTER_USING_INDEX)),
        };
        let index = index.map(|clause| self.need(clause.child(K::INDEX_REF), clause)).transpose()?;
        Ok(Utility::Cluster {
            table: table.map(|table| self.object(table)).transpose()?,
            index: index.map(|index| self.bare_name(index)).transpose()?,
        })
    }

    /// A name that nothing qualifies, such as that of an index beside its table.
    pub fn bare_name(&self, node: Node<'_>) -> Result<Ident> {
        match self.object(node)?.parts.as_slice() {
            [name] => Ok(name.clone()),
            _ => Err(self.syntax_error(node.end())),
        }
    }

    fn reindex(&self, node: Node<'_>) -> Result<Utility> {
        let targets = [
            K::REINDEX_TARGET_TABLE,
            K::REINDEX_TARGET_INDEX,
            K::REINDEX_TARGET_SCHEMA,
            K::REINDEX_TARGET_SYSTEM,
            K::REINDEX_TARGET_DATABASE,
        ];
        let target = self.need(node.child_in(&targets), node)?;
        let object = |kind| self.object(self.need(target.child(kind), target)?);
        let name = |kind| target.child(kind).map(|name| self.ident(name)).transpose();
        let concurrently = target.has(K::CONCURRENTLY_KW)
            || node.descendants().any(|part| part.is(K::REINDEX_OPTION_CONCURRENTLY) && !part.has(K::FALSE_KW));
        let target = match target.kind() {
            K::REINDEX_TARGET_TABLE => ReindexTarget::Table(object(K::TABLE_NAME_REF)?),
            K::REINDEX_TARGET_INDEX => ReindexTarget::Index(object(K::INDEX_REF)?),
            K::REINDEX_TARGET_SCHEMA => {
                ReindexTarget::Schema(name(K::SCHEMA_REF)?.ok_or_else(|| self.missing_in(target))?)
            }
            K::REINDEX_TARGET_SYSTEM => ReindexTarget::System(name(K::DATABASE_REF)?),
            _ => ReindexTarget::Database(name(K::DATABASE_REF)?),
        };
        Ok(Utility::Reindex { target, concurrently })
    }

    fn maintenance(&self, node: Node<'_>) -> Result<Utility> {
        let verb = match node.kind() {
            K::VACUUM => "VACUUM",
            K::ANALYZE => "ANALYZE",
            _ => "CHECKPOINT",
        };
        let mut tables = Vec::new();
        if let Some(list) = node.child(K::TABLE_AND_COLUMNS_LIST) {
            for table in list.children_of(K::TABLE_AND_COLUMNS) {
                let name = self.object(self.need(table.child(K::TABLE_RELATION_NAME), table)?)?;
                let columns = self.column_list(table.child(K::COLUMN_REF_LIST))?;
                tables.push((name, columns));
            }
        }
        tables.extend(self.objects(node, K::TABLE_NAME_REF)?.into_iter().map(|name| (name, Vec::new())));
        Ok(Utility::Maintenance { verb: verb.into(), tables })
    }
}

/// `WITH RECURSIVE name (columns) AS (query) SELECT columns FROM name`.
fn recursive_query(name: &Ident, columns: Vec<Ident>, query: Query) -> Query {
    let span = query.span;
    let named = |ident: &Ident| Name { parts: vec![ident.clone()], span: ident.span };
    let target = |column: &Ident| Target {
        expr: Expr { kind: ExprKind::Column(named(column)), span: column.span },
        alias: None,
    };
    let select = Select {
        distinct: Distinct::None,
        targets: columns.iter().map(target).collect(),
        from: vec![TableExpr::Table { name: named(name), only: false, alias: None, sample: None }],
        filter: None,
        group_by: Vec::new(),
        group_distinct: false,
        having: None,
        windows: Vec::new(),
        span,
    };
    let cte = Cte {
        name: name.clone(),
        columns,
        materialized: None,
        statement: Box::new(Statement::Query(Box::new(query))),
        search: None,
        cycle: None,
    };
    Query {
        with: Some(With { recursive: true, ctes: vec![cte] }),
        body: SetExpr::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        locking: Vec::new(),
        span,
    }
}
