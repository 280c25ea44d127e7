//! Prepared statements: parsed once, bound once per catalog version.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use aegis_catalog::{Error, Oid, Result, sqlstate};
use parking_lot::Mutex;

use super::context::StatementContext;
use super::protocol::OutputColumn;
use super::tables::Tables;
use crate::bind::tree::BoundStatement;
use crate::execute::GenericPlan;
use crate::parse::ast::{ParsedStatement, Statement};
use crate::parse::utility::Utility;
use crate::statement::lock::Needs;
use crate::statement_statistics::Entry;

/// A statement ready to run with parameters.
pub struct Prepared {
    pub name: String,
    /// The query string the statement's spans point into.
    pub sql: Arc<str>,
    /// None for an empty query string.
    pub statement: Option<Arc<ParsedStatement>>,
    pub parameters: Vec<Oid>,
    /// Made by SQL PREPARE rather than by the protocol.
    pub from_sql: bool,
    /// µs since 1970-01-01 UTC.
    pub prepared_at: i64,
    declared: Vec<Oid>,
    columns: Option<Arc<Vec<OutputColumn>>>,
    plan: Mutex<Option<Arc<Plan>>>,
    /// Where its executions are counted.
    pub counted: Mutex<Option<Arc<Entry>>>,
}

/// A bound statement, with what was worked out for it.
pub struct Plan {
    pub tree: BoundStatement,
    /// Calls of functions whose bodies run statement by statement.
    pub calls: bool,
    /// The relations that it locks.
    pub needs: Needs,
    catalog_version: u64,
    search_path: aegis_catalog::SearchPath,
    /// The role that was last found to have the privileges it needs, which are facts of the catalog version; 0 for none.
    allowed: AtomicU32,
    /// It has run before.
    used: AtomicBool,
    generic: OnceLock<Option<GenericPlan>>,
    /// As an expression, which reads nothing.
    expression: OnceLock<Option<GenericPlan>>,
}

impl Plan {
    pub fn new(mut tree: BoundStatement, context: &StatementContext) -> Result<Self> {
        let mut calls = false;
        if !tree.routines.is_empty() || context.catalog.routines().next().is_some() {
            calls = crate::bind::inline::statement(&mut tree.statement, context)?;
        }
        Ok(Self { calls, ..Self::settled(tree, context) })
    }

    /// One whose calls have run.
    pub fn settled(tree: BoundStatement, context: &StatementContext) -> Self {
        Self {
            calls: false,
            needs: Needs::of_tree(&tree, &context.catalog),
            tree,
            catalog_version: context.catalog.version(),
            search_path: context.search_path.clone(),
            allowed: AtomicU32::new(0),
            used: AtomicBool::new(false),
            generic: OnceLock::new(),
            expression: OnceLock::new(),
        }
    }

    /// 42501 unless the user may do all that the statement does.
    pub fn check_privileges(&self, context: &StatementContext) -> Result<()> {
        if self.allowed.load(Ordering::Relaxed) != context.user_oid {
            crate::bind::access::check(&self.tree.statement, &self.tree.routines, context)?;
            self.allowed.store(context.user_oid, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The generic plan, if the statement can have one; from the second execution on, since many have only one.
    pub fn generic(&self, context: &StatementContext, tables: &Tables) -> Option<&GenericPlan> {
        if self.calls || !self.used.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.generic.get_or_init(|| GenericPlan::new(&self.tree, context, tables)).as_ref()
    }

    /// What computes the statement's only row, if it reads nothing and changes nothing.
    pub fn expression(&self, context: &StatementContext, tables: &Tables) -> Option<&GenericPlan> {
        if self.calls {
            return None;
        }
        self.expression.get_or_init(|| GenericPlan::of_expression(&self.tree, context, tables)).as_ref()
    }

    /// It turned out to have no generic plan.
    pub fn is_general(&self) -> bool {
        matches!(self.generic.get(), Some(None))
    }

    /// Is it still what binding the statement again would make?
    pub fn holds(&self, context: &StatementContext) -> bool {
        self.catalog_version == context.catalog.version() && self.search_path == context.search_path
    }
}

/// The columns as clients are told of them: a domain is its base type.
fn described(columns: &[OutputColumn], context: &StatementContext) -> Vec<OutputColumn> {
    let base = |ty| context.catalog.base_type(ty);
    columns.iter().map(|column| OutputColumn { ty: base(column.ty), ..column.clone() }).collect()
}

impl Prepared {
    /// Binds the statement. `declared` has 0 for parameters whose type is to be inferred.
    pub fn new(
        name: &str,
        sql: &Arc<str>,
        statement: Option<Arc<ParsedStatement>>,
        declared: &[Oid],
        context: &StatementContext,
    ) -> Result<Self> {
        let mut prepared = Self {
            name: name.to_owned(),
            sql: Arc::clone(sql),
            statement,
            parameters: declared.to_vec(),
            from_sql: false,
            prepared_at: super::clock::now(),
            declared: declared.to_vec(),
            columns: None,
            plan: Mutex::new(None),
            counted: Mutex::new(None),
        };
        if let Some(statement) = &prepared.statement {
            match &statement.statement {
                Statement::Utility(utility) => {
                    let columns = match &**utility {
                        Utility::Call(call) => {
                            let (parameters, columns) = crate::statement::routine::describe(call, declared, context)?;
                            prepared.parameters = parameters;
                            columns.map(|columns| described(&columns, context))
                        }
                        utility => {
                            if statement.parameter_count > 0
                                && let Some(inner) = crate::statement::inner(utility)
                            {
                                prepared.parameters = crate::bind::bind(&inner, sql, declared, context)?.parameters;
                            }
                            crate::statement::output_columns(utility)
                        }
                    };
                    prepared.columns = columns.map(Arc::new);
                }
                planned => {
                    let tree = crate::bind::bind(planned, sql, declared, context)?;
                    prepared.parameters.clone_from(&tree.parameters);
                    prepared.columns = tree.columns.as_deref().map(|columns| Arc::new(described(columns, context)));
                    prepared.plan = Mutex::new(Some(Arc::new(Plan::new(tree, context)?)));
                }
            }
        }
        Ok(prepared)
    }

    /// Was it bound under that version of the catalog, or does it need no catalog?
    pub fn is_current(&self, catalog_version: u64) -> bool {
        self.plan.lock().as_ref().is_none_or(|plan| plan.catalog_version == catalog_version)
    }

    /// Result columns as Describe told them; None for statements without rows.
    pub fn columns(&self) -> Option<&Arc<Vec<OutputColumn>>> {
        self.columns.as_ref()
    }

    /// The statement bound under the present catalog. 0A000 if the result would have other columns than Describe told.
    pub fn plan(&self, context: &StatementContext) -> Result<Arc<Plan>> {
        // Clients know the types that the parameters had at first.
        self.plan_of(&self.parameters, context)
    }

    /// The statement as preparing it under the present catalog would make it. An error if it would have other parameters or columns.
    pub fn plan_anew(&self, context: &StatementContext) -> Result<Arc<Plan>> {
        self.plan_of(&self.declared, context)
    }

    fn plan_of(&self, declared: &[Oid], context: &StatementContext) -> Result<Arc<Plan>> {
        let mut kept = self.plan.lock();
        if let Some(plan) = kept.as_ref().filter(|plan| plan.holds(context)) {
            return Ok(Arc::clone(plan));
        }
        let Some(statement) = &self.statement else {
            return Err(Error::internal("an empty statement has no plan"));
        };
        let tree = crate::bind::bind(&statement.statement, &self.sql, declared, context)?;
        let types = |columns: Option<&Vec<OutputColumn>>| {
            columns.map(|all| all.iter().map(|c| (c.name.clone(), c.ty)).collect::<Vec<_>>())
        };
        let columns = tree.columns.as_deref().map(|columns| described(columns, context));
        if types(columns.as_ref()) != types(self.columns.as_deref()) || tree.parameters != self.parameters {
            // asyncpg and pgjdbc prepare anew when they see this name.
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "cached plan must not change result type")
                .with_routine("RevalidateCachedQuery"));
        }
        let plan = Arc::new(Plan::new(tree, context)?);
        *kept = Some(Arc::clone(&plan));
        Ok(plan)
    }
}
