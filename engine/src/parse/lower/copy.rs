//! COPY in its present and older syntaxes.

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::operand::is_query;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn copy_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        if !node.is(K::COPY) {
            return Ok(None);
        }
        let direction = self.need(node.child_in(&[K::COPY_FROM, K::COPY_TO]), node)?;
        let from = direction.is(K::COPY_FROM);
        let place = self.need(direction.nodes().next(), direction)?;
        let location = match place.kind() {
            K::COPY_PROGRAM => {
                let name = self.string(self.need(place.child(K::LITERAL), place)?)?;
                if place.has(K::PROGRAM_KW) { CopyLocation::Program(name) } else { CopyLocation::File(name) }
            }
            _ => CopyLocation::Standard,
        };
        let mut options = Vec::new();
        let target = match node.child_in(&[K::COPY_QUERY, K::COPY_TABLE]) {
            Some(table) if table.is(K::COPY_TABLE) => {
                if table.has(K::BINARY_KW) {
                    options.push(("format".to_owned(), CopyOptionValue::Text("binary".into())));
                }
                CopyTarget::Table {
                    name: self.object(self.need(table.child(K::TABLE_NAME_REF), table)?)?,
                    columns: self.column_list(table.child(K::COLUMN_REF_LIST))?,
                }
            }
            Some(query) => CopyTarget::Statement(Box::new(self.copied_statement(query)?)),
            None => return Err(self.missing_in(node)),
        };
        if from && matches!(target, CopyTarget::Statement(_)) {
            return Err(self.syntax_error(direction.start()));
        }
        if let Some(list) = node.child(K::COPY_OPTION_LIST) {
            for option in list.children_of(K::COPY_OPTION) {
                options.push(self.copy_option(option)?);
            }
        }
        for option in node.children_of(K::COPY_LEGACY_OPTION) {
            options.push(self.legacy_option(option)?);
        }
        if let Some(clause) = node.child(K::WHERE_CLAUSE).filter(|_| !from) {
            let message = "WHERE clause not allowed with COPY TO";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(self.position(clause)));
        }
        let filter = self.opt_expr_in(node.child(K::WHERE_CLAUSE))?;
        Ok(Some(Utility::Copy(Box::new(Copy { target, from, location, options, filter }))))
    }

    fn copied_statement(&self, node: Node<'_>) -> Result<crate::parse::ast::Statement> {
        let inner = node
            .nodes()
            .find(|part| is_query(part.kind()) || matches!(part.kind(), K::INSERT | K::UPDATE | K::DELETE | K::MERGE));
        match self.statement(self.need(inner, node)?)? {
            Some(statement) => Ok(statement),
            None => Err(self.missing_in(node)),
        }
    }

    fn copy_option(&self, option: Node<'_>) -> Result<(String, CopyOptionValue)> {
        let name = self.ident(self.need(option.child(K::COPY_OPTION_KEY), option)?)?.name;
        let Some(value) = option.child(K::COPY_OPTION_VALUE) else { return Ok((name, CopyOptionValue::None)) };
        let value = match value.children().next() {
            Some(star) if star.is(K::STAR) => CopyOptionValue::Star,
            Some(list) if list.is(K::COPY_OPTION_ARG_LIST) => {
                let args = list.children_of(K::COPY_OPTION_ARG);
                let items = args.map(|arg| match arg.nodes().next() {
                    Some(item) => self.setting_value(item),
                    None => Ok(self.ident(arg)?.name),
                });
                CopyOptionValue::Columns(items.collect::<Result<_>>()?)
            }
            Some(word) if word.is_token() => CopyOptionValue::Text(word.text().to_ascii_lowercase()),
            Some(value) => CopyOptionValue::Text(self.setting_value(value)?),
            None => CopyOptionValue::None,
        };
        Ok((name, value))
    }

    /// `CSV HEADER DELIMITER ','`, the syntax before PostgreSQL 9.0, as options of today.
    fn legacy_option(&self, option: Node<'_>) -> Result<(String, CopyOptionValue)> {
        let word = self.need(option.children().next(), option)?.text().to_ascii_lowercase();
        let text = match option.child(K::LITERAL) {
            Some(literal) => Some(CopyOptionValue::Text(self.string(literal)?)),
            None => None,
        };
        Ok(match word.as_str() {
            "binary" | "csv" | "json" => ("format".into(), CopyOptionValue::Text(word)),
            "freeze" | "header" => (word, CopyOptionValue::None),
            "force" => {
                let kind = self.need(option.child_in(&[K::FORCE_QUOTE, K::FORCE_NOT_NULL, K::FORCE_NULL]), option)?;
                let name = match kind.kind() {
                    K::FORCE_QUOTE => "force_quote",
                    K::FORCE_NOT_NULL => "force_not_null",
                    _ => "force_null",
                };
                let columns = self.idents(option, K::COLUMN_NAME_REF)?;
                let value = match columns.is_empty() {
                    true if option.has(K::STAR) => CopyOptionValue::Star,
                    true => return Err(self.missing_in(option)),
                    false => CopyOptionValue::Columns(columns.into_iter().map(|column| column.name).collect()),
                };
                (name.into(), value)
            }
            _ => (word, text.ok_or_else(|| self.missing_in(option))?),
        })
    }
}
