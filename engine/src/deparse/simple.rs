//! Which expressions need no parentheses inside others, for the prettier layout.

use super::{Deparser, Node};
use crate::bind::tree::{CallForm, CastMethod, Expr, ExprKind};

/// What an expression stands in.
#[derive(Clone, Copy)]
pub(super) enum Parent<'t> {
    /// Operand of an operator; `first` if the left one.
    Operator {
        name: &'t str,
        infix: bool,
        first: bool,
    },
    And,
    Or,
    Not,
    Other,
}

impl<'t> Deparser<'t> {
    pub(super) fn is_simple(&self, node: Node<'t>, parent: Parent<'t>) -> bool {
        let Node::Expr(expr) = node else { return true };
        if self.named_column(expr).is_some() || self.whole_row(expr).is_some() {
            return true;
        }
        match &expr.kind {
            ExprKind::Call { form: CallForm::Operator(name), args, .. } => operator(name, args.len() == 2, parent),
            ExprKind::Cast { arg, method, implicit: _ } => match method {
                CastMethod::Function(_) => true,
                _ => is_keyword(arg) || self.is_simple(self.resolve(arg), Parent::Other),
            },
            ExprKind::And(_) => matches!(parent, Parent::And | Parent::Or),
            ExprKind::Or(_) => matches!(parent, Parent::Or),
            ExprKind::Not(_) => matches!(parent, Parent::And | Parent::Or),
            ExprKind::IsNull { .. } | ExprKind::IsBoolean { .. } | ExprKind::Subquery(_) => is_closed(parent),
            ExprKind::IsDistinct { negated, .. } => match negated {
                true => matches!(parent, Parent::And | Parent::Or),
                false => is_closed(parent),
            },
            ExprKind::QuantifiedArray { .. } | ExprKind::InList { .. } | ExprKind::RowCompare { .. } => false,
            ExprKind::Collate { .. } => false,
            _ => true,
        }
    }
}

/// The cast around a keyword is part of it.
pub(super) fn is_keyword(expr: &Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call { form: CallForm::Keyword(_), .. })
}

fn is_closed(parent: Parent<'_>) -> bool {
    matches!(parent, Parent::And | Parent::Or | Parent::Not)
}

/// Only among `+ - * / %` is precedence trusted.
fn operator(name: &str, infix: bool, parent: Parent<'_>) -> bool {
    let Parent::Operator { name: outer, infix: outer_infix, first } = parent else { return is_closed(parent) };
    if !infix || !outer_infix {
        return false;
    }
    match (level(name), level(outer)) {
        (Some(inner), Some(outer)) if inner == outer => first,
        (Some(inner), Some(outer)) => inner > outer,
        _ => false,
    }
}

fn level(name: &str) -> Option<u8> {
    match name {
        "+" | "-" => Some(1),
        "*" | "/" | "%" => Some(2),
        _ => None,
    }
}
