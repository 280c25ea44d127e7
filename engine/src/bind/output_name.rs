//! Names of output columns without AS (PostgreSQL's FigureColname).

use crate::parse::ast::{Expr, ExprKind, Literal, Query, SetExpr};

/// The name, `?column?` if nothing suggests one.
pub fn output_name(expr: &Expr) -> String {
    figure(expr).map_or_else(|| "?column?".into(), |(name, _)| name)
}

/// How much a name is worth: a cast's type name gives way to a better one from inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strength {
    Weak,
    Strong,
}

fn figure(expr: &Expr) -> Option<(String, Strength)> {
    use Strength::{Strong, Weak};
    let strong = |name: &str| Some((name.to_owned(), Strong));
    match &expr.kind {
        ExprKind::Column(name) | ExprKind::Star(Some(name)) => strong(&name.parts.last()?.name),
        ExprKind::Call(call) => strong(&call.name.parts.last()?.name),
        ExprKind::Field { field, .. } => strong(&field.name),
        ExprKind::Subscript { arg, .. } | ExprKind::Collate { arg, .. } => figure(arg),
        ExprKind::NullIf(..) => strong("nullif"),
        ExprKind::Cast { arg, ty } => match figure(arg) {
            Some((name, Strong)) => Some((name, Strong)),
            _ => Some((ty.name.parts.last()?.name.clone(), Weak)),
        },
        ExprKind::TypedLiteral { ty, .. } => Some((ty.name.parts.last()?.name.clone(), Weak)),
        ExprKind::Literal(Literal::Interval { .. }) => Some(("interval".into(), Weak)),
        ExprKind::Grouping(_) => strong("grouping"),
        ExprKind::Exists(_) => strong("exists"),
        ExprKind::ArrayQuery(_) | ExprKind::Array(_) => strong("array"),
        ExprKind::ScalarQuery(query) => first_column(query),
        ExprKind::Case { otherwise, .. } => match otherwise.as_deref().and_then(figure) {
            Some((name, Strong)) => Some((name, Strong)),
            _ => Some(("case".into(), Weak)),
        },
        ExprKind::Row { .. } => strong("row"),
        ExprKind::Coalesce(_) => strong("coalesce"),
        ExprKind::Greatest(_) => strong("greatest"),
        ExprKind::Least(_) => strong("least"),
        ExprKind::SqlValue { name, .. } => strong(name),
        ExprKind::AtTimeZone { .. } => strong("timezone"),
        _ => None,
    }
}

fn first_column(query: &Query) -> Option<(String, Strength)> {
    let mut body = &query.body;
    loop {
        match body {
            SetExpr::Select(select) => {
                let target = select.targets.first()?;
                return match &target.alias {
                    Some(alias) => Some((alias.name.clone(), Strength::Strong)),
                    None => figure(&target.expr),
                };
            }
            SetExpr::Query(query) => body = &query.body,
            SetExpr::Operation { left, .. } => body = left,
            SetExpr::Values(_) => return Some(("column1".into(), Strength::Strong)),
            SetExpr::Table(_) => return None,
        }
    }
}
