//! CREATE, ALTER and DROP of functions, procedures and aggregates; CALL.

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::names::Words;
use super::types::is_type;
use crate::parse::ast::*;
use crate::parse::routine::*;
use crate::parse::tree::Node;
use crate::parse::utility::Utility;

/// Kinds of names with a list of argument types.
const SIGNATURES: [(K, RoutineKind); 4] = [
    (K::FUNCTION_SIG, RoutineKind::Function),
    (K::PROCEDURE_SIG, RoutineKind::Procedure),
    (K::ROUTINE_SIG, RoutineKind::Routine),
    (K::AGGREGATE, RoutineKind::Aggregate),
];

impl Lower<'_> {
    pub fn routine_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::CREATE_FUNCTION | K::CREATE_PROCEDURE => Utility::CreateRoutine(Box::new(self.create_routine(node)?)),
            K::CREATE_AGGREGATE => Utility::CreateAggregate(Box::new(self.create_aggregate(node)?)),
            K::DROP_FUNCTION | K::DROP_PROCEDURE | K::DROP_ROUTINE | K::DROP_AGGREGATE => {
                let lists = [K::FUNCTION_SIG_LIST, K::PROCEDURE_SIG_LIST, K::ROUTINE_SIG_LIST];
                let list = node.child_in(&lists).unwrap_or(node);
                let routines = list.nodes().filter(|name| kind_of(*name).is_some());
                let routines = routines.map(|name| self.routine_name(name)).collect::<Result<Vec<_>>>()?;
                if routines.is_empty() {
                    return Err(self.missing_in(node));
                }
                let (if_exists, cascade) = (node.has(K::IF_EXISTS), node.has(K::CASCADE));
                Utility::DropRoutine(Box::new(DropRoutine { routines, if_exists, cascade }))
            }
            K::ALTER_FUNCTION | K::ALTER_PROCEDURE | K::ALTER_ROUTINE | K::ALTER_AGGREGATE => {
                Utility::AlterRoutine(Box::new(self.alter_routine(node)?))
            }
            K::DO => Utility::Do(self.do_block(node)?),
            K::CALL => Utility::Call(Box::new(self.call_procedure(node)?)),
            _ => return Ok(None),
        }))
    }

    fn create_routine(&self, node: Node<'_>) -> Result<CreateRoutine> {
        let procedure = node.is(K::CREATE_PROCEDURE);
        let name = if procedure { K::PROCEDURE_NAME } else { K::FUNCTION_NAME };
        let name = match node.child(name) {
            Some(name) => name,
            None => self.need(node.nodes().find(|part| !part.is(K::OR_REPLACE)), node)?,
        };
        let list = self.need(node.child(K::PARAM_LIST), node)?;
        let mut parameters =
            list.children_of(K::PARAM).map(|param| self.routine_parameter(param)).collect::<Result<Vec<_>>>()?;
        let mut returns = None;
        if let Some(clause) = node.child(K::RET_TYPE) {
            match clause.child(K::RETURN_TABLE_ARG_LIST) {
                Some(columns) => {
                    for column in columns.children_of(K::RETURN_TABLE_COLUMN) {
                        parameters.push(Parameter {
                            mode: ParameterMode::Table,
                            name: Some(self.ident(self.need(column.child(K::COLUMN_NAME), column)?)?),
                            ty: self.type_in(column)?,
                            default: None,
                            span: self.span(column),
                        });
                    }
                }
                None => returns = Some(self.type_in(clause)?),
            }
        }
        let body = match node.child_in(&[K::RETURN_STMT, K::ATOMIC_BODY]) {
            Some(body) if body.is(K::RETURN_STMT) => Some(SqlBody::Return(self.returned(body)?)),
            Some(body) => Some(SqlBody::Atomic(self.atomic(body)?)),
            None => None,
        };
        Ok(CreateRoutine {
            name: self.object_of(name, Words::Function)?,
            procedure,
            or_replace: node.has(K::OR_REPLACE),
            parameters,
            returns,
            options: self.routine_options(node)?,
            body,
        })
    }

    fn create_aggregate(&self, node: Node<'_>) -> Result<CreateAggregate> {
        let name = self.need(node.nodes().find(|part| !part.is(K::OR_REPLACE)), node)?;
        let (mut parameters, mut ordered) = (None, false);
        if let Some(list) = node.child(K::PARAM_LIST) {
            let order = list.child(K::AGGREGATE_ORDER_BY);
            ordered = order.is_some();
            let nested = order.iter().flat_map(|order| order.children_of(K::PARAM));
            let all = list.children_of(K::PARAM).chain(nested);
            parameters = Some(all.map(|param| self.routine_parameter(param)).collect::<Result<Vec<_>>>()?);
        }
        Ok(CreateAggregate {
            name: self.object_of(name, Words::Function)?,
            or_replace: node.has(K::OR_REPLACE),
            parameters,
            ordered,
            definition: self.definition(self.need(node.child(K::ATTRIBUTE_LIST), node)?)?,
        })
    }

    fn returned(&self, node: Node<'_>) -> Result<String> {
        let expr = self.need(node.nodes().find(|part| is_expr(part.kind())), node)?;
        // Its errors are those of this statement.
        self.expr(expr)?;
        Ok(self.source_text(expr))
    }

    fn atomic(&self, node: Node<'_>) -> Result<Vec<String>> {
        let mut statements = Vec::new();
        for part in node.nodes() {
            if part.is(K::RETURN_STMT) {
                statements.push(format!("SELECT {}", self.returned(part)?));
            } else if self.statement(part)?.is_some() {
                let text = self.source_text(part);
                statements.push(text.trim_end().trim_end_matches(';').trim_end().to_owned());
            }
        }
        Ok(statements)
    }

    fn routine_parameter(&self, node: Node<'_>) -> Result<Parameter> {
        let mode = match node.child_in(&[K::PARAM_IN, K::PARAM_OUT, K::PARAM_IN_OUT, K::PARAM_VARIADIC]) {
            Some(mode) if mode.is(K::PARAM_IN) => ParameterMode::In,
            Some(mode) if mode.is(K::PARAM_OUT) => ParameterMode::Out,
            Some(mode) if mode.is(K::PARAM_IN_OUT) => ParameterMode::InOut,
            Some(_) => ParameterMode::Variadic,
            None => ParameterMode::Default,
        };
        let default = match node.child(K::PARAM_DEFAULT) {
            Some(clause) => {
                let expr = self.need(clause.nodes().find(|part| is_expr(part.kind())), clause)?;
                Some(self.expr(expr)?)
            }
            None => None,
        };
        let ty = self.need(node.nodes().find(|part| is_type(part.kind())), node)?;
        Ok(Parameter {
            mode,
            name: self.opt_ident(node.child(K::PARAM_NAME))?,
            ty: self.type_name(ty)?,
            default,
            span: self.span(node),
        })
    }

    fn routine_options(&self, node: Node<'_>) -> Result<Vec<(RoutineOption, Span)>> {
        let Some(list) = node.child(K::FUNC_OPTION_LIST) else { return Ok(Vec::new()) };
        list.nodes().map(|option| Ok((self.routine_option(option)?, self.span(option)))).collect()
    }

    fn routine_option(&self, node: Node<'_>) -> Result<RoutineOption> {
        Ok(match node.kind() {
            K::LANGUAGE_FUNC_OPTION => {
                let name = self.need(node.nodes().next(), node)?;
                RoutineOption::Language(match name.kind() {
                    K::LITERAL => self.string(name)?,
                    _ => self.ident(name)?.name,
                })
            }
            K::AS_FUNC_OPTION => {
                let clause = self.need(node.nodes().next(), node)?;
                let mut texts = clause.children_of(K::LITERAL).map(|text| self.string(text));
                let body = texts.next().ok_or_else(|| self.missing_in(node))??;
                RoutineOption::As(body, texts.next().transpose()?)
            }
            K::WINDOW_FUNC_OPTION => RoutineOption::Window,
            K::IMMUTABLE => RoutineOption::Volatility('i'),
            K::STABLE => RoutineOption::Volatility('s'),
            K::VOLATILE => RoutineOption::Volatility('v'),
            K::LEAKPROOF_FUNC_OPTION => RoutineOption::Leakproof(true),
            K::NOT_LEAKPROOF_FUNC_OPTION => RoutineOption::Leakproof(false),
            K::CALLED_ON_NULL_INPUT_FUNC_OPTION => RoutineOption::Strict(false),
            K::RETURNS_NULL_ON_NULL_INPUT_FUNC_OPTION | K::STRICT_FUNC_OPTION => RoutineOption::Strict(true),
            K::SECURITY_DEFINER_FUNC_OPTION => RoutineOption::SecurityDefiner(true),
            K::SECURITY_INVOKER_FUNC_OPTION => RoutineOption::SecurityDefiner(false),
            K::PARALLEL_FUNC_OPTION => {
                let word = node.children().nth(1).ok_or_else(|| self.missing_in(node))?;
                RoutineOption::Parallel(self.ident(word)?.name)
            }
            K::COST_FUNC_OPTION => RoutineOption::Cost(self.option_number(node)?),
            K::ROWS_FUNC_OPTION => RoutineOption::Rows(self.option_number(node)?),
            K::SUPPORT_FUNC_OPTION => RoutineOption::Support(self.object(self.need(node.nodes().next(), node)?)?),
            K::TRANSFORM_FUNC_OPTION => RoutineOption::Transform,
            K::SET_FUNC_OPTION => {
                let (name, value) = self.config_assignment(self.need(node.nodes().next(), node)?)?;
                RoutineOption::Set(name, value)
            }
            K::RESET_FUNC_OPTION => RoutineOption::Reset(match node.child(K::CONFIG_PARAMETER_REF) {
                Some(name) => Some(self.setting_name(name)?),
                None => None,
            }),
            _ => return Err(self.syntax_error(node.start())),
        })
    }

    fn option_number(&self, node: Node<'_>) -> Result<String> {
        Ok(self.need(node.child(K::LITERAL), node)?.text().to_owned())
    }

    /// The routine that a node with a name and perhaps a list of argument types names.
    pub fn routine_name(&self, node: Node<'_>) -> Result<RoutineName> {
        let kind = kind_of(node).ok_or_else(|| self.syntax_error(node.start()))?;
        let args = match node.child(K::PARAM_LIST) {
            Some(list) => {
                let nested = list.nodes().filter(|part| part.is(K::AGGREGATE_ORDER_BY));
                let params = list.children_of(K::PARAM).chain(nested.flat_map(|part| part.children_of(K::PARAM)));
                let parameters = params.map(|param| self.routine_parameter(param)).collect::<Result<Vec<_>>>()?;
                Some(parameters.into_iter().map(|parameter| (parameter.mode, parameter.ty)).collect())
            }
            None => None,
        };
        Ok(RoutineName { kind, name: self.object_of(node, Words::Function)?, args })
    }

    fn alter_routine(&self, node: Node<'_>) -> Result<AlterRoutine> {
        let target = self.need(node.nodes().find(|part| kind_of(*part).is_some()), node)?;
        let mut routine = self.routine_name(target)?;
        let action = node.nodes().find(|part| part.start() > target.start() && !part.is_empty());
        let action = self.need(action, node)?;
        if node.is(K::ALTER_ROUTINE) {
            routine.kind = RoutineKind::Routine;
        }
        let action = match action.kind() {
            K::OWNER_TO => AlterRoutineAction::Owner(self.role(self.need(action.child(K::ROLE_REF), action)?)?),
            K::SET_SCHEMA => AlterRoutineAction::Schema(self.ident(self.need(action.child(K::SCHEMA_REF), action)?)?),
            K::FUNC_OPTION_LIST => AlterRoutineAction::Options(self.routine_options(node)?),
            _ if action.has(K::RENAME_KW) => {
                let to = self.need(action.nodes().last(), action)?;
                let mut to = self.object_of(to, Words::Function)?;
                match (to.parts.pop(), to.parts.first()) {
                    (Some(to), None) => AlterRoutineAction::Rename(to),
                    (_, Some(first)) => return Err(self.syntax_error(self.base() + first.span.end)),
                    _ => return Err(self.missing_in(action)),
                }
            }
            _ => {
                let words = super::transaction::words(action);
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{words} is not supported"))
                    .at(self.position(action)));
            }
        };
        Ok(AlterRoutine { routine, action })
    }

    fn do_block(&self, node: Node<'_>) -> Result<Do> {
        let mut languages = node.children_of(K::DO_LANGUAGE);
        let language = match languages.next() {
            Some(clause) => {
                let name = self.need(clause.nodes().next(), clause)?;
                Some(match name.kind() {
                    K::LITERAL => self.string(name)?,
                    _ => self.ident(name)?.name,
                })
            }
            None => None,
        };
        if let Some(second) = languages.next() {
            let message = "conflicting or redundant options";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(self.position(second)));
        }
        let text = self.need(node.child(K::LITERAL), node)?;
        Ok(Do { language, text: self.string(text)?, span: self.span(text) })
    }

    fn call_procedure(&self, node: Node<'_>) -> Result<(Call, Span)> {
        let name = self.need(node.nodes().next(), node)?;
        let list = self.need(node.child(K::ARG_LIST), node)?;
        let span = self.span(name).to(self.span(list));
        let mut call = super::call::plain(self.object_of(name, Words::Function)?, Vec::new());
        self.arguments(list, &mut call)?;
        Ok((call, span))
    }
}

fn kind_of(node: Node<'_>) -> Option<RoutineKind> {
    SIGNATURES.iter().find(|(kind, _)| node.is(*kind)).map(|(_, kind)| *kind)
}
