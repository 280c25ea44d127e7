//! Types of `$n` (PostgreSQL's parse_param.c): given by the client, or taken from the first use that tells.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::tree::{Expr, ExprKind};
use crate::parse::ast::Span;

/// Highest `$n`, as the protocol counts parameters in 16 bits.
const MAX_PARAMETERS: u32 = 65_535;

pub(super) struct Parameters {
    /// 0 is never seen, `unknown` is seen without a type yet.
    types: Vec<Oid>,
    /// Uses that tell no type.
    open_uses: Vec<(u32, Span)>,
    allowed: bool,
    /// There are no others.
    fixed: bool,
}

impl Parameters {
    pub(super) fn inferred(given: &[Oid]) -> Self {
        let types = given.iter().map(|&ty| if ty == oid::UNKNOWN { 0 } else { ty }).collect();
        Self { types, open_uses: Vec::new(), allowed: true, fixed: false }
    }

    pub(super) fn none() -> Self {
        Self { types: Vec::new(), open_uses: Vec::new(), allowed: false, fixed: false }
    }

    /// The arguments of a function.
    pub(super) fn fixed(types: &[Oid]) -> Self {
        Self { types: types.to_vec(), open_uses: Vec::new(), allowed: true, fixed: true }
    }

    /// The parameter at this position, from 0, has that type.
    pub(super) fn declare(&mut self, position: usize, ty: Oid) {
        if self.types.len() <= position {
            self.types.resize(position + 1, 0);
        }
        self.types[position] = ty;
    }

    /// All types, or 42P18 for a parameter whose type nothing told.
    pub(super) fn finish(&self) -> Result<Vec<Oid>> {
        for (number, span) in &self.open_uses {
            let decided = self.types.get(*number as usize - 1).is_some_and(|&ty| ty != 0 && ty != oid::UNKNOWN);
            if decided {
                let message = format!("could not determine data type of parameter ${number}");
                return Err(Error::new(sqlstate::AMBIGUOUS_PARAMETER, message).at(span.start));
            }
        }
        match self.types.iter().position(|&ty| ty == 0 || ty == oid::UNKNOWN) {
            Some(position) => Err(indeterminate(position + 1)),
            None => Ok(self.types.clone()),
        }
    }
}

fn indeterminate(number: usize) -> Error {
    Error::new(sqlstate::INDETERMINATE_DATATYPE, format!("could not determine data type of parameter ${number}"))
}

impl Binder<'_> {
    pub(super) fn parameter(&mut self, number: u32, span: Span) -> Result<Expr> {
        if let Some(variable) = self.numbered_variable(number, span)? {
            return Ok(variable);
        }
        let known = number as usize <= self.parameters.types.len();
        let allowed = self.parameters.allowed && (known || !self.parameters.fixed);
        if !allowed || number == 0 || number > MAX_PARAMETERS {
            let message = format!("there is no parameter ${number}");
            return Err(Error::new(sqlstate::UNDEFINED_PARAMETER, message).at(span.start));
        }
        let position = number as usize - 1;
        if self.parameters.types.len() <= position {
            self.parameters.types.resize(position + 1, 0);
        }
        let slot = &mut self.parameters.types[position];
        if *slot == 0 {
            *slot = oid::UNKNOWN;
        }
        let parameter = Expr { kind: ExprKind::Parameter(number), ty: Type::of(*slot), span };
        let ty = parameter.ty;
        Ok(if ty.oid == oid::UNKNOWN { parameter } else { self.verified(parameter, ty) })
    }

    /// As [`resolve_unknown`](Self::resolve_unknown), where a parameter may stay without a type: nothing then tells it.
    pub(super) fn resolve_literal(&mut self, expr: Expr) -> Result<Expr> {
        match expr.kind {
            ExprKind::Parameter(number) if expr.ty.oid == oid::UNKNOWN => {
                self.parameters.open_uses.push((number, expr.span));
                Ok(expr)
            }
            _ => self.resolve_unknown(expr),
        }
    }

    /// A parameter of unknown type is used as `target`.
    pub(super) fn decide_parameter(&mut self, number: u32, target: Oid, span: Span) -> Result<Expr> {
        let slot = self.parameters.types.get_mut(number as usize - 1);
        let slot = slot.ok_or_else(|| Error::internal("parameter without a slot"))?;
        if *slot == oid::UNKNOWN || *slot == 0 {
            *slot = target;
        }
        let decided = *slot;
        if decided != target {
            let message = format!("inconsistent types deduced for parameter ${number}");
            let detail = format!("{} versus {}", self.type_name(Type::of(decided)), self.type_name(Type::of(target)));
            return Err(Error::new(sqlstate::AMBIGUOUS_PARAMETER, message).with_detail(detail).at(span.start));
        }
        Ok(Expr { kind: ExprKind::Parameter(number), ty: Type::of(target), span })
    }
}
