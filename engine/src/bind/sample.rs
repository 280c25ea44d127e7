//! TABLESAMPLE (PostgreSQL's transformRangeTableSample; manual, "SELECT").

use aegis_catalog::object::RelationKind;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use super::scope::Clause;
use super::tree::{Expr, From, Sample, SampleMethod};
use crate::parse::ast::{Span, TableSample};

impl Binder<'_> {
    /// Puts the sample into a FROM item, which must be a stored table. `span` is the table's name.
    pub(super) fn sampled(&mut self, from: &mut From, sample: &TableSample, span: Span) -> Result<()> {
        let slot = match from {
            From::Table { relation, sample, .. } if matches!(relation.kind, RelationKind::Table(_)) => sample,
            From::Table { relation, .. } if matches!(relation.kind, RelationKind::System) => {
                return Err(Error::unsupported("TABLESAMPLE of a system catalog").at(span.start));
            }
            _ => {
                let message = "TABLESAMPLE clause can only be applied to tables and materialized views";
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
            }
        };
        let name = sample.method.parts.last().map_or("", |part| part.name.as_str());
        let method = match (name, sample.method.parts.len()) {
            ("bernoulli", 1) => SampleMethod::Bernoulli,
            ("system", 1) => SampleMethod::System,
            _ => {
                let message = format!("tablesample method {name} does not exist");
                return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(sample.method.span.start));
            }
        };
        let [percentage] = sample.args.as_slice() else {
            let message = format!("tablesample method {name} requires 1 argument, not {}", sample.args.len());
            return Err(Error::new(sqlstate::INVALID_TABLESAMPLE_ARGUMENT, message).at(sample.method.span.start));
        };
        let percentage = self.sample_argument(percentage, oid::FLOAT4, "TABLESAMPLE")?;
        let seed = match &sample.repeatable {
            Some(seed) => Some(self.sample_argument(seed, oid::FLOAT8, "REPEATABLE")?),
            None => None,
        };
        *slot = Some(Box::new(Sample { method, percentage, seed }));
        Ok(())
    }

    fn sample_argument(&mut self, argument: &crate::parse::ast::Expr, ty: u32, place: &str) -> Result<Expr> {
        self.lateral(true, |binder| {
            binder.in_clause(Clause::FromFunction, |binder| {
                let argument = binder.expr(argument)?;
                binder.coerce_to_specific(argument, ty, place)
            })
        })
    }
}
