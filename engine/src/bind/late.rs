//! What of a statement differs from one execution to the next besides its parameters: the time, the time zone and whatever else stable
//! functions look at (PostgreSQL manual, "Function Volatility Categories").

use super::tree::*;
use super::walk::{children, statement};
use crate::functions::{Function, Volatility};

/// Deepest nesting of expressions that is looked at.
const MAX_DEPTH: usize = 100;

/// Takes the parts out of a statement that no plan for several executions may contain, and puts parameters in their place, numbered on
/// from `parameters`. None if a part depends on columns too, or is volatile, or is a sub-query.
pub fn take_out(tree: &mut Statement, parameters: u32) -> Option<Vec<Expr>> {
    let (mut late, mut possible) = (Vec::new(), true);
    statement(tree, &mut |expr| possible &= take_out_of(expr, parameters, &mut late, 0).is_some());
    possible.then_some(late)
}

fn take_out_of(expr: &mut Expr, parameters: u32, late: &mut Vec<Expr>, depth: usize) -> Option<()> {
    let facts = facts(expr, depth)?;
    if !facts.differs {
        return Some(());
    }
    if !facts.columns {
        let number = parameters.checked_add(u32::try_from(late.len()).ok()?)?.checked_add(1)?;
        let parameter = Expr { kind: ExprKind::Parameter(number), ty: expr.ty, span: expr.span };
        late.push(std::mem::replace(expr, parameter));
        return Some(());
    }
    if own_volatility(expr) != Volatility::Immutable {
        return None;
    }
    let mut possible = true;
    children(expr, &mut |child| possible &= take_out_of(child, parameters, late, depth + 1).is_some());
    possible.then_some(())
}

struct Facts {
    /// Its value may differ between executions with equal parameters.
    differs: bool,
    columns: bool,
}

/// None for what no plan for several executions can have.
fn facts(expr: &mut Expr, depth: usize) -> Option<Facts> {
    if depth > MAX_DEPTH {
        return None;
    }
    let mut facts = match (&expr.kind, own_volatility(expr)) {
        (_, Volatility::Volatile) => return None,
        (ExprKind::Subquery(_) | ExprKind::Grouping { .. } | ExprKind::Default, _) => return None,
        (ExprKind::Column { .. } | ExprKind::CaseOperand | ExprKind::DomainValue, _) => {
            Facts { differs: false, columns: true }
        }
        (_, volatility) => Facts { differs: volatility == Volatility::Stable, columns: false },
    };
    let mut possible = true;
    children(expr, &mut |child| match self::facts(child, depth + 1) {
        Some(found) => {
            facts.differs |= found.differs;
            facts.columns |= found.columns;
        }
        None => possible = false,
    });
    possible.then_some(facts)
}

/// The volatility of what an expression does itself, apart from its operands.
fn own_volatility(expr: &Expr) -> Volatility {
    match &expr.kind {
        ExprKind::Call { function, .. } | ExprKind::QuantifiedArray { function, .. } => function.volatility,
        ExprKind::Cast { method, .. } => of_cast(method),
        ExprKind::IsDistinct { equal, .. } | ExprKind::NullIf { equal, .. } | ExprKind::InList { equal, .. } => {
            equal.volatility
        }
        ExprKind::Extreme { less, .. } => less.volatility,
        ExprKind::RowCompare { equal, less, .. } => worst(equal.iter().chain(less)),
        _ => Volatility::Immutable,
    }
}

/// Text in and out obeys settings.
fn of_cast(method: &CastMethod) -> Volatility {
    match method {
        CastMethod::Relabel => Volatility::Immutable,
        CastMethod::Function(function) => function.volatility,
        // A check may call anything.
        CastMethod::InputOutput | CastMethod::Verify(_) => Volatility::Stable,
        CastMethod::Array(element) => of_cast(element),
        CastMethod::Row(fields) => match fields.iter().all(|field| of_cast(field) == Volatility::Immutable) {
            true => Volatility::Immutable,
            false => Volatility::Stable,
        },
    }
}

fn worst<'f>(mut functions: impl Iterator<Item = &'f std::sync::Arc<Function>>) -> Volatility {
    match functions.all(|function| function.volatility == Volatility::Immutable) {
        true => Volatility::Immutable,
        false => Volatility::Stable,
    }
}
