//! Expressions, one arm per kind.

use aegis_catalog::types::oid;

use super::simple::Parent;
use super::subquery::uncast;
use super::{Deparser, INDENT_INNER, Node};
use crate::bind::tree::{CallForm, CastMethod, Expr, ExprKind, RowOperator, Subscript};
use crate::functions::Function;

impl<'t> Deparser<'t> {
    /// The expression; `implicit` shows the casts that nobody wrote, where they decide how the text is understood.
    pub(super) fn expr(&mut self, expr: &'t Expr, implicit: bool) {
        match self.resolve(expr) {
            Node::Expr(expr) => self.own_expr(expr, implicit),
            Node::Aggregate(call) => self.aggregate(call),
            Node::Window(call) => self.window_call(call),
            Node::Set(call) => self.set_call(call),
        }
    }

    /// In parentheses if the parent's precedence needs them and the layout leaves out others.
    pub(super) fn inside(&mut self, expr: &'t Expr, implicit: bool, parent: Parent<'_>) {
        let needed = self.target.layout.pretty && !self.is_simple(self.resolve(expr), parent);
        if needed {
            self.push("(");
        }
        self.expr(expr, implicit);
        if needed {
            self.push(")");
        }
    }

    pub(super) fn exprs(&mut self, list: impl IntoIterator<Item = &'t Expr>) {
        self.separated(list, |out, expr| out.expr(expr, true));
    }

    /// An expression where `t.*` would be more than one column.
    pub(super) fn top(&mut self, expr: &'t Expr, implicit: bool) {
        self.expr(expr, implicit);
        if self.whole_row(expr).is_some() {
            self.push("::");
            self.type_name(expr.ty);
        }
    }

    fn own_expr(&mut self, expr: &'t Expr, implicit: bool) {
        if let Some((item, column)) = self.column_name(expr) {
            let (item, column) = (item.map(str::to_owned), column.to_owned());
            return self.column(item.as_deref(), &column);
        }
        if let Some(item) = self.whole_row(expr) {
            let item = item.to_owned();
            self.quoted(&item);
            return self.push(".*");
        }
        match &expr.kind {
            ExprKind::Constant(value) => self.constant(value, expr.ty, super::constant::Label::Needed),
            ExprKind::Parameter(number) => self.parameter(*number),
            ExprKind::Column { .. } => self.fail("a column of no relation in sight"),
            ExprKind::Call { function, args, form, variadic } => self.call(function, args, form, *variadic),
            ExprKind::Cast { arg, method, implicit: hidden } => {
                self.cast(expr, arg, method, *hidden && !implicit, *hidden)
            }
            ExprKind::Collate { arg, collation } => self.collate(arg, *collation, implicit),
            // Of a key there is nothing to write; what is left are functions.
            ExprKind::Collated { arg, operation, .. } => {
                self.push(operation.name());
                self.push("(");
                self.expr(arg, true);
                self.push(")");
            }
            ExprKind::And(list) => self.junction(list, " AND ", Parent::And),
            ExprKind::Or(list) => self.junction(list, " OR ", Parent::Or),
            ExprKind::Not(arg) => self.not(|out| out.inside(arg, false, Parent::Not)),
            ExprKind::IsNull { arg, negated } => {
                self.test(arg, true, if *negated { " IS NOT NULL" } else { " IS NULL" });
            }
            ExprKind::IsBoolean { arg, value, negated } => {
                let value = value.map_or("UNKNOWN", |value| if value { "TRUE" } else { "FALSE" });
                self.test(arg, false, &format!(" IS {}{value}", if *negated { "NOT " } else { "" }));
            }
            ExprKind::IsDistinct { left, right, negated, .. } => match negated {
                true => self.not(|out| {
                    // What NOT stands before has its own parentheses only in the plain layout.
                    out.is_distinct(left, right);
                }),
                false => self.is_distinct(left, right),
            },
            ExprKind::Case { operand, branches, otherwise } => {
                self.case(expr, operand.as_deref(), branches, otherwise.as_deref());
            }
            ExprKind::CaseOperand => self.fail("the operand of a CASE by itself"),
            ExprKind::DomainValue => self.push("VALUE"),
            // No stored text assigns.
            ExprKind::FieldStore { .. } | ExprKind::SubscriptStore { .. } => self.fail("an assignment"),
            ExprKind::Coalesce(args) => self.listed("COALESCE(", args, ")"),
            ExprKind::Extreme { args, greatest, .. } => {
                self.listed(if *greatest { "GREATEST(" } else { "LEAST(" }, args, ")");
            }
            ExprKind::NullIf { left, right, .. } => {
                self.push("NULLIF(");
                self.exprs([&**left, &**right]);
                self.push(")");
            }
            ExprKind::Array { elements, .. } => {
                self.listed("ARRAY[", elements, "]");
                if elements.is_empty() {
                    self.push("::");
                    self.type_name(expr.ty);
                }
            }
            ExprKind::Row(fields) => self.row(fields, expr),
            ExprKind::NamedRow { fields, .. } => self.row(fields, expr),
            ExprKind::NullExtended { row, .. } => self.own_expr(row, implicit),
            ExprKind::RowCompare { op, left, right, .. } => self.row_compare(*op, left, right),
            ExprKind::Field { arg, index } => self.field(arg, *index),
            ExprKind::Subscript { arg, subscripts } => self.subscript(arg, subscripts),
            ExprKind::QuantifiedArray { function, operator, left, array, all } => {
                let operator = self.operator_name(function, operator);
                self.quantified(left, &operator, *all, |out| {
                    out.inside(array, true, Parent::Other);
                    // Without it, a sub-query would be compared with row by row.
                    if matches!(&array.kind, ExprKind::Subquery(_)) {
                        out.push("::");
                        out.type_name(array.ty);
                    }
                });
            }
            ExprKind::InList { equal, left, list, negated } => self.in_list(equal, left, list, *negated),
            ExprKind::Subquery(subquery) => self.subquery(subquery),
            ExprKind::Grouping { rel, keys } => self.grouping(*rel, keys),
            ExprKind::Default => self.push("DEFAULT"),
        }
    }

    fn column(&mut self, item: Option<&str>, column: &str) {
        if let Some(item) = item.filter(|_| self.qualified) {
            self.quoted(item);
            self.push(".");
        }
        self.quoted(column);
    }

    pub(super) fn listed(&mut self, open: &str, list: &'t [Expr], close: &str) {
        self.push(open);
        self.exprs(list);
        self.push(close);
    }

    fn junction(&mut self, list: &'t [Expr], word: &str, parent: Parent<'_>) {
        // `(a, b) = (SELECT …)` is bound to a comparison per column.
        if self.row_of_subquery(list) {
            return;
        }
        self.open();
        for (position, expr) in list.iter().enumerate() {
            if position > 0 {
                self.push(word);
            }
            self.inside(expr, false, parent);
        }
        self.close();
    }

    pub(super) fn not(&mut self, work: impl FnOnce(&mut Self)) {
        self.open();
        self.push("NOT ");
        work(self);
        self.close();
    }

    fn test(&mut self, arg: &'t Expr, implicit: bool, test: &str) {
        self.open();
        self.inside(arg, implicit, Parent::Other);
        self.push(test);
        self.close();
    }

    fn is_distinct(&mut self, left: &'t Expr, right: &'t Expr) {
        self.open();
        self.inside(left, true, Parent::Other);
        self.push(" IS DISTINCT FROM ");
        self.inside(right, true, Parent::Other);
        self.close();
    }

    fn cast(&mut self, expr: &'t Expr, arg: &'t Expr, method: &CastMethod, hidden: bool, implicit: bool) {
        let is_keyword = implicit && super::simple::is_keyword(arg);
        if is_keyword {
            return self.expr(arg, false);
        }
        // A row is a record as it is.
        let is_row = implicit && *method == CastMethod::Relabel && expr.ty.oid == oid::RECORD;
        // That the parts of a value are verified does not show.
        let is_part = matches!(method, CastMethod::Verify(_)) && arg.ty.oid == expr.ty.oid;
        if hidden || is_row || is_part {
            return self.inside(arg, false, Parent::Other);
        }
        match (&arg.kind, self.resolve(arg)) {
            (ExprKind::Constant(value), _) if arg.ty.oid == expr.ty.oid && arg.ty.typmod == -1 => {
                self.constant(value, arg.ty, super::constant::Label::Never);
            }
            _ => {
                self.open();
                self.inside(arg, false, Parent::Other);
                // A cast of a constructor would be understood as one of its elements.
                if self.target.layout.stored && matches!(arg.kind, ExprKind::Array { .. }) {
                    self.push("::");
                    self.type_name(arg.ty);
                }
                self.close();
            }
        }
        self.push("::");
        self.type_name(expr.ty);
    }

    fn collate(&mut self, arg: &'t Expr, collation: aegis_catalog::Oid, implicit: bool) {
        self.open();
        self.inside(arg, implicit, Parent::Other);
        self.push(" COLLATE ");
        match aegis_catalog::definition::collation_name(self.target.printer, collation) {
            Some(name) => self.push(&name),
            None => self.fail("a collation that is not there"),
        }
        self.close();
    }

    fn case(
        &mut self,
        expr: &'t Expr,
        operand: Option<&'t Expr>,
        branches: &'t [(Expr, Expr)],
        otherwise: Option<&'t Expr>,
    ) {
        let lines = self.target.layout.indent;
        self.keyword("CASE", 0, INDENT_INNER, 0);
        if let Some(operand) = operand {
            self.push(" ");
            self.expr(operand, true);
        }
        for (condition, result) in branches {
            if !lines {
                self.push(" ");
            }
            self.keyword("WHEN ", 0, 0, 0);
            self.expr(when_value(condition).unwrap_or(condition), false);
            self.push(" THEN ");
            self.expr(result, true);
        }
        if !lines {
            self.push(" ");
        }
        self.keyword("ELSE ", 0, 0, 0);
        match otherwise {
            Some(otherwise) => self.expr(otherwise, true),
            None => {
                self.push("NULL::");
                self.type_name(aegis_catalog::Type::of(expr.ty.oid));
            }
        }
        if !lines {
            self.push(" ");
        }
        self.keyword("END", INDENT_INNER, 0, 0);
    }

    fn row(&mut self, fields: &'t [Expr], expr: &'t Expr) {
        self.push("ROW(");
        self.separated(fields, |out, field| out.top(field, true));
        self.push(")");
        if expr.ty.oid != oid::RECORD {
            self.push("::");
            self.type_name(expr.ty);
        }
    }

    fn row_compare(&mut self, op: RowOperator, left: &'t [Expr], right: &'t [Expr]) {
        self.push("(ROW(");
        self.exprs(left);
        self.push(&format!(") {} ROW(", row_operator(op)));
        self.exprs(right);
        self.push("))");
    }

    fn field(&mut self, arg: &'t Expr, index: usize) {
        let bare = matches!(arg.kind, ExprKind::Subscript { .. } | ExprKind::Field { .. });
        if !bare {
            self.push("(");
        }
        self.expr(arg, true);
        if !bare {
            self.push(")");
        }
        self.push(".");
        let name = self.field_name(arg, index);
        self.quoted(&name);
    }

    fn field_name(&self, arg: &Expr, index: usize) -> String {
        let catalog = self.target.printer.catalog;
        let relation = catalog.type_entry(arg.ty.oid).and_then(|entry| catalog.relation(entry.relation));
        let column = relation.and_then(|relation| relation.live_columns().nth(index)).map(|column| column.name.clone());
        if let Some(Node::Set(call)) = self.known(arg) {
            return call.columns.get(index).map_or_else(|| format!("f{}", index + 1), |column| column.name.clone());
        }
        let declared = match &arg.kind {
            ExprKind::Call { function, .. } => function.out_columns.get(index).map(|(name, _)| name.clone()),
            ExprKind::NamedRow { names, .. } => names.get(index).cloned(),
            ExprKind::NullExtended { row, .. } => return self.field_name(row, index),
            _ => None,
        };
        column.or(declared).unwrap_or_else(|| format!("f{}", index + 1))
    }

    /// What stands before a bracket.
    pub(super) fn subscripted(&mut self, arg: &'t Expr) {
        let is_bare = matches!(arg.kind, ExprKind::Field { .. } | ExprKind::Call { form: CallForm::Subscript, .. });
        let bare = is_bare || self.column_name(arg).is_some();
        if !bare {
            self.push("(");
        }
        self.expr(arg, true);
        if !bare {
            self.push(")");
        }
    }

    fn subscript(&mut self, arg: &'t Expr, subscripts: &'t [Subscript]) {
        self.subscripted(arg);
        for subscript in subscripts {
            self.push("[");
            match subscript {
                Subscript::Index(index) => self.expr(index, false),
                Subscript::Slice { lower, upper } => {
                    if let Some(lower) = lower {
                        self.expr(lower, false);
                    }
                    self.push(":");
                    if let Some(upper) = upper {
                        self.expr(upper, false);
                    }
                }
            }
            self.push("]");
        }
    }

    /// `left op ANY (…)`.
    fn quantified(&mut self, left: &'t Expr, operator: &str, all: bool, array: impl FnOnce(&mut Self)) {
        self.open();
        self.inside(left, true, Parent::Other);
        self.push(&format!(" {operator} {} (", if all { "ALL" } else { "ANY" }));
        array(self);
        self.push(")");
        self.close();
    }

    /// IN is a comparison with an array; the casts that its elements share stand around the whole.
    fn in_list(&mut self, equal: &Function, left: &'t Expr, list: &'t [Expr], negated: bool) {
        // Elements that name columns would not be a list any more.
        if self.target.layout.stored && list.len() > 1 && !list.iter().any(crate::bind::has_columns) {
            self.push("(");
            self.expr(uncast(left), true);
            self.push(if negated { " NOT IN (" } else { " IN (" });
            self.exprs(list.iter().map(uncast));
            return self.push("))");
        }
        let (operator, all) = if negated { ("<>", true) } else { ("=", false) };
        let operator = self.operator_name(equal, operator);
        let inner: Option<Vec<&'t Expr>> = list.iter().map(relabelled).collect();
        self.quantified(left, &operator, all, |out| match inner {
            Some(inner) => {
                let array = list.first().and_then(|item| aegis_catalog::types::array_of(item.ty.oid));
                out.open();
                out.push("ARRAY[");
                out.exprs(inner);
                out.push("]");
                out.close();
                if let Some(array) = array {
                    out.push("::");
                    out.type_name(aegis_catalog::Type::of(array));
                }
            }
            None => out.listed("ARRAY[", list, "]"),
        });
    }
}

/// What an implicit change of type alone is put upon.
fn relabelled(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Cast { arg, implicit: true, method: CastMethod::Relabel } if arg.ty.oid != expr.ty.oid => Some(arg),
        _ => None,
    }
}

/// The value of `WHEN value` in a CASE with an operand.
fn when_value(condition: &Expr) -> Option<&Expr> {
    fn is_operand(expr: &Expr) -> bool {
        match &expr.kind {
            ExprKind::CaseOperand => true,
            ExprKind::Cast { arg, implicit: true, .. } => is_operand(arg),
            _ => false,
        }
    }
    match &condition.kind {
        ExprKind::Call { form: CallForm::Operator(_), args, .. } => match args.as_slice() {
            [left, right] if is_operand(left) => Some(right),
            _ => None,
        },
        _ => None,
    }
}

pub(super) fn row_operator(op: RowOperator) -> &'static str {
    match op {
        RowOperator::Equal => "=",
        RowOperator::NotEqual => "<>",
        RowOperator::Less => "<",
        RowOperator::LessEqual => "<=",
        RowOperator::Greater => ">",
        RowOperator::GreaterEqual => ">=",
    }
}
