//! A bound tree as indented text, for golden files.

use std::fmt::{self, Write};

use aegis_catalog::types::format_type;
use datafusion::scalar::ScalarValue;

use super::tree::*;
use crate::parse::ast::FrameUnit;

/// The statement, its parameters' types and its result columns.
pub fn print(bound: &BoundStatement) -> String {
    let mut out = Printer { text: String::new(), depth: 0 };
    if !bound.parameters.is_empty() {
        let types: Vec<_> = bound.parameters.iter().map(|&oid| format_type(aegis_catalog::Type::of(oid))).collect();
        out.line(format_args!("parameters: {}", types.join(", ")));
    }
    out.statement(&bound.statement);
    out.text
}

struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        let _ = writeln!(self.text, "{:width$}{text}", "", width = self.depth * 2);
    }

    fn inside(&mut self, work: impl FnOnce(&mut Self)) {
        self.depth += 1;
        work(self);
        self.depth -= 1;
    }

    fn statement(&mut self, statement: &Statement) {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                self.ctes(&update.ctes);
                self.line(format_args!("update {} {}", update.table.name, rel(update.rel)));
                self.inside(|out| {
                    update.from.iter().for_each(|from| out.from(from));
                    out.optional("where", update.filter.as_ref());
                    out.assignments(&update.set);
                    out.row_rules(&update.row_rules);
                    out.returning(update.returning.as_ref());
                });
            }
            Statement::Merge(merge) => {
                self.ctes(&merge.ctes);
                self.line(format_args!("merge {} {}", merge.table.name, rel(merge.rel)));
                self.inside(|out| {
                    out.from(&merge.source);
                    out.optional("on", Some(&merge.condition));
                    out.row_rules(&merge.row_rules);
                });
            }
            Statement::Delete(delete) => {
                self.ctes(&delete.ctes);
                self.line(format_args!("delete {} {}", delete.table.name, rel(delete.rel)));
                self.inside(|out| {
                    delete.using.iter().for_each(|from| out.from(from));
                    out.optional("where", delete.filter.as_ref());
                    out.returning(delete.returning.as_ref());
                });
            }
        }
    }

    fn insert(&mut self, insert: &Insert) {
        self.ctes(&insert.ctes);
        self.line(format_args!("insert {} {} from {}", insert.table.name, rel(insert.rel), rel(insert.source_rel)));
        self.inside(|out| {
            out.query(&insert.source);
            out.assignments(&insert.values);
            out.row_rules(&insert.row_rules);
            if let Some(conflict) = &insert.on_conflict {
                out.line(format_args!("on conflict {} arbiters", conflict.arbiters.len()));
                if let Some(update) = &conflict.update {
                    out.line(format_args!("do update {} excluded {}", rel(update.existing), rel(update.excluded)));
                    out.assignments(&update.set);
                    out.optional("where", update.filter.as_ref());
                }
            }
            out.returning(insert.returning.as_ref());
        });
    }

    fn assignments(&mut self, set: &[(i16, Expr)]) {
        for (attnum, value) in set {
            self.line(format_args!("set {attnum} = {}", expr(value)));
        }
    }

    fn row_rules(&mut self, rules: &RowRules) {
        for (attnum, value) in &rules.generated {
            self.line(format_args!("generated {attnum} = {}", expr(value)));
        }
        for (whose, check) in &rules.checks {
            let (RowCheck::Constraint(name) | RowCheck::View(name)) = whose;
            self.line(format_args!("check {name}: {}", expr(check)));
        }
    }

    fn returning(&mut self, returning: Option<&Returning>) {
        if let Some(returning) = returning {
            self.line(format_args!("returning {}", exprs(&returning.targets)));
        }
    }

    fn optional(&mut self, label: &str, value: Option<&Expr>) {
        if let Some(value) = value {
            self.line(format_args!("{label} {}", expr(value)));
        }
    }

    fn ctes(&mut self, ctes: &[Cte]) {
        for cte in ctes {
            let columns = columns(&cte.columns);
            self.line(format_args!("with {} c{} ({columns}) used {}", cte.name, cte.id.0, cte.references));
            self.inside(|out| match &cte.body {
                CteBody::Query(query) => out.query(query),
                CteBody::Recursive { seed, step, all } => {
                    out.query(seed);
                    out.line(format_args!("recursive union{}", if *all { " all" } else { "" }));
                    out.query(step);
                }
                CteBody::Change(statement) => out.statement(statement),
                CteBody::Given => out.line(format_args!("given rows")),
            });
        }
    }

    fn query(&mut self, query: &Query) {
        self.ctes(&query.ctes);
        self.line(format_args!("query ({})", columns(&query.columns)));
        self.inside(|out| {
            match &query.body {
                SetExpr::Select(select) => out.select(select),
                SetExpr::Values(rows) => {
                    rows.iter().for_each(|row| out.line(format_args!("values {}", exprs(row))));
                }
                SetExpr::Operation { op, all, legs } => {
                    out.line(format_args!("{op:?}{}", if *all { " all" } else { "" }));
                    legs.iter().for_each(|leg| out.query(leg));
                }
            }
            for key in &query.order_by {
                let direction = direction(key.descending, key.nulls_first);
                out.line(format_args!("order by {}{direction}", key.position + 1));
            }
            out.optional(if query.with_ties { "limit with ties" } else { "limit" }, query.limit.as_ref());
            out.optional("offset", query.offset.as_ref());
            for lock in &query.locking {
                out.line(format_args!("for {:?} of {} rels", lock.strength, lock.rels.len()));
            }
        });
    }

    fn select(&mut self, select: &Select) {
        select.from.iter().for_each(|from| self.from(from));
        self.optional("where", select.filter.as_ref());
        if let Some(grouping) = &select.grouping {
            self.line(format_args!("group {} by [{}]", rel(grouping.rel), exprs(&grouping.keys)));
            if let Some(sets) = &grouping.sets {
                self.line(format_args!("sets {sets:?}"));
            }
            for call in &grouping.aggregates {
                self.aggregate(call);
            }
        }
        self.optional("having", select.having.as_ref());
        for call in select.windows.iter().flat_map(|windows| &windows.calls) {
            self.window(call, select.windows.as_ref().map_or(RelId(0), |windows| windows.rel));
        }
        if let Some(sets) = &select.set_functions {
            for (level, call) in &sets.calls {
                self.line(format_args!("set {} level {level} {}", rel(sets.rel), set_call(call)));
            }
        }
        self.line(format_args!("targets {}", exprs(&select.targets)));
        match &select.distinct {
            Distinct::None => {}
            Distinct::All => self.line(format_args!("distinct")),
            Distinct::On(positions) => self.line(format_args!("distinct on {positions:?}")),
        }
    }

    fn aggregate(&mut self, call: &AggregateCall) {
        let mut text = format!("aggregate {}(", call.function.name);
        if call.distinct {
            text.push_str("distinct ");
        }
        text.push_str(&exprs(&call.args));
        text.push_str(&order(&call.order_by));
        text.push(')');
        if let Some(filter) = &call.filter {
            let _ = write!(text, " filter {}", expr(filter));
        }
        self.line(format_args!("{text} -> {}", format_type(call.ty)));
    }

    fn window(&mut self, call: &WindowCall, id: RelId) {
        let frame = match (&call.frame.unit, &call.frame.start, &call.frame.end) {
            (FrameUnit::Range, FrameBound::UnboundedPreceding, FrameBound::CurrentRow) => String::new(),
            (unit, start, end) => format!(" {unit:?} {} to {}", bound(start), bound(end)),
        };
        self.line(format_args!(
            "window {} {}({}) over (partition [{}]{}{frame}) -> {}",
            rel(id),
            call.function.name,
            exprs(&call.args),
            exprs(&call.partition_by),
            order(&call.order_by),
            format_type(call.ty)
        ));
    }

    fn from(&mut self, from: &From) {
        match from {
            From::Table { rel: id, relation, .. } => self.line(format_args!("table {} {}", relation.name, rel(*id))),
            From::Subquery { rel: id, query, lateral, view, .. } => {
                let lateral = if *lateral { "lateral " } else { "" };
                let view = if view.is_some() { "view " } else { "" };
                self.line(format_args!("{lateral}{view}subquery {}", rel(*id)));
                self.inside(|out| out.query(query));
            }
            From::Function { rel: id, calls, ordinality, .. } => {
                let calls: Vec<_> = calls.iter().map(set_call).collect();
                let ordinality = if *ordinality { " with ordinality" } else { "" };
                self.line(format_args!("function {} {}{ordinality}", rel(*id), calls.join(", ")));
            }
            From::Cte { rel: id, cte, .. } => self.line(format_args!("cte c{} {}", cte.0, rel(*id))),
            From::Join { kind, left, right, condition, .. } => {
                let on = condition.as_ref().map(|condition| format!(" on {}", expr(condition))).unwrap_or_default();
                self.line(format_args!("{kind:?} join{on}"));
                self.inside(|out| {
                    out.from(left);
                    out.from(right);
                });
            }
        }
    }
}

fn columns(columns: &[OutputColumn]) -> String {
    let columns: Vec<_> = columns.iter().map(|column| format!("{} {}", column.name, format_type(column.ty))).collect();
    columns.join(", ")
}

fn exprs(list: &[Expr]) -> String {
    list.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn rel(id: RelId) -> String {
    format!("#{}", id.0)
}

fn direction(descending: bool, nulls_first: bool) -> &'static str {
    match (descending, nulls_first) {
        (false, false) => "",
        (true, true) => " desc",
        (true, false) => " desc nulls last",
        (false, true) => " nulls first",
    }
}

fn order(keys: &[OrderKey]) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let keys: Vec<_> = keys.iter().map(|key| expr(&key.expr) + direction(key.descending, key.nulls_first)).collect();
    format!(" order by {}", keys.join(", "))
}

fn bound(bound: &FrameBound) -> String {
    match bound {
        FrameBound::UnboundedPreceding => "start".into(),
        FrameBound::Preceding(offset) => format!("-{}", expr(offset)),
        FrameBound::CurrentRow => "current".into(),
        FrameBound::Following(offset) => format!("+{}", expr(offset)),
        FrameBound::UnboundedFollowing => "end".into(),
    }
}

fn set_call(call: &SetCall) -> String {
    format!("{}({}) -> ({})", call.function.name, exprs(&call.args), columns(&call.columns))
}

fn not(negated: bool) -> &'static str {
    if negated { "not " } else { "" }
}

/// One expression on one line; types of constants, parameters and casts are shown.
pub fn expr(expression: &Expr) -> String {
    let joined = |list: &[Expr], with: &str| list.iter().map(expr).collect::<Vec<_>>().join(with);
    match &expression.kind {
        ExprKind::Constant(value) => constant(value, expression),
        ExprKind::Parameter(number) => format!("${number}"),
        ExprKind::Column { rel: id, column } => format!("{}.{}", rel(*id), column + 1),
        ExprKind::Call { function, args, form, variadic } => match (form, args.as_slice()) {
            (CallForm::Operator(operator), [left, right]) => format!("({} {operator} {})", expr(left), expr(right)),
            (CallForm::Operator(operator), [right]) => format!("({operator} {})", expr(right)),
            _ => format!("{}({}{})", function.name, if *variadic { "variadic " } else { "" }, exprs(args)),
        },
        ExprKind::Cast { arg, method, implicit } => {
            let mark = match method {
                CastMethod::Relabel => "=",
                CastMethod::Function(_) => "",
                CastMethod::InputOutput => "text ",
                CastMethod::Array(_) => "each ",
                CastMethod::Row(_) => "fields ",
                CastMethod::Verify(_) => "verified ",
            };
            let colons = if *implicit { ":" } else { "::" };
            format!("{}{colons}{mark}{}", expr(arg), format_type(expression.ty))
        }
        ExprKind::Collate { arg, .. } => expr(arg),
        ExprKind::Collated { arg, operation, collation } => {
            format!("{}[{collation:?}]({})", operation.name(), expr(arg))
        }
        ExprKind::And(args) => format!("({})", joined(args, " and ")),
        ExprKind::Or(args) => format!("({})", joined(args, " or ")),
        ExprKind::Not(arg) => format!("not {}", expr(arg)),
        ExprKind::IsNull { arg, negated } => format!("({} is {}null)", expr(arg), not(*negated)),
        ExprKind::IsBoolean { arg, value, negated } => {
            let value = value.map_or("unknown".to_owned(), |value| value.to_string());
            format!("({} is {}{value})", expr(arg), not(*negated))
        }
        ExprKind::IsDistinct { left, right, negated, .. } => {
            format!("({} is {}distinct from {})", expr(left), not(*negated), expr(right))
        }
        ExprKind::Case { operand, branches, otherwise } => {
            let operand = operand.as_ref().map(|operand| expr(operand) + " ").unwrap_or_default();
            let branches: Vec<_> =
                branches.iter().map(|(when, then)| format!("when {} then {}", expr(when), expr(then))).collect();
            let otherwise = otherwise.as_ref().map(|e| format!(" else {}", expr(e))).unwrap_or_default();
            format!("case {operand}{}{otherwise} end", branches.join(" "))
        }
        ExprKind::CaseOperand => "operand".into(),
        ExprKind::DomainValue => "value".into(),
        ExprKind::Coalesce(args) => format!("coalesce({})", exprs(args)),
        ExprKind::Extreme { args, greatest, .. } => {
            format!("{}({})", if *greatest { "greatest" } else { "least" }, exprs(args))
        }
        ExprKind::NullIf { left, right, .. } => format!("nullif({}, {})", expr(left), expr(right)),
        ExprKind::Array { elements, .. } => format!("array[{}]", exprs(elements)),
        ExprKind::Row(fields) => format!("row({})", exprs(fields)),
        ExprKind::NullExtended { row, .. } => format!("null_extended({})", expr(row)),
        ExprKind::NamedRow { names, fields } => {
            let fields: Vec<_> =
                names.iter().zip(fields).map(|(name, field)| format!("{name}: {}", expr(field))).collect();
            format!("row({})", fields.join(", "))
        }
        ExprKind::RowCompare { op, left, right, .. } => {
            format!("(row({}) {op:?} row({}))", exprs(left), exprs(right))
        }
        ExprKind::Field { arg, index } => format!("{}.f{}", expr(arg), index + 1),
        ExprKind::FieldStore { arg, index, value } => format!("{} with .{index} = {}", expr(arg), expr(value)),
        ExprKind::SubscriptStore { arg, subscripts, value } => {
            format!("{} with {} = {}", expr(arg), subscripts_text(subscripts), expr(value))
        }
        ExprKind::Subscript { arg, subscripts } => format!("{}{}", expr(arg), subscripts_text(subscripts)),
        ExprKind::QuantifiedArray { function, left, array, all, .. } => {
            let quantifier = if *all { "all" } else { "any" };
            format!("({} {} {quantifier} {})", expr(left), function.name, expr(array))
        }
        ExprKind::InList { left, list, negated, .. } => {
            format!("({} {}in ({}))", expr(left), not(*negated), exprs(list))
        }
        ExprKind::Subquery(subquery) => sub_query(subquery),
        ExprKind::Grouping { keys, .. } => format!("grouping{keys:?}"),
        ExprKind::Default => "default".into(),
    }
}

fn subscripts_text(subscripts: &[Subscript]) -> String {
    let optional = |bound: &Option<Expr>| bound.as_ref().map(expr).unwrap_or_default();
    let one = |subscript: &Subscript| match subscript {
        Subscript::Index(index) => format!("[{}]", expr(index)),
        Subscript::Slice { lower, upper } => format!("[{}:{}]", optional(lower), optional(upper)),
    };
    subscripts.iter().map(one).collect()
}

fn sub_query(subquery: &Subquery) -> String {
    let kind = match &subquery.kind {
        SubqueryKind::Exists => "exists".into(),
        SubqueryKind::Scalar => "scalar".into(),
        SubqueryKind::Row => "row".into(),
        SubqueryKind::Array => "array".into(),
        SubqueryKind::Any { output, condition } => format!("any {} {}", rel(*output), expr(condition)),
        SubqueryKind::All { output, condition } => format!("all {} {}", rel(*output), expr(condition)),
    };
    let mut out = Printer { text: String::new(), depth: 0 };
    out.query(&subquery.query);
    let lines: Vec<_> = out.text.lines().map(str::trim).collect();
    format!("<{kind}: {}>", lines.join("; "))
}

fn constant(value: &ScalarValue, expression: &Expr) -> String {
    let settings = aegis_catalog::types::FormatSettings::default();
    let text = match value {
        value if value.is_null() => None,
        value => value
            .to_array()
            .ok()
            .and_then(|array| aegis_catalog::types::text_of(expression.ty, &array, 0, &settings).ok()),
    };
    let text = text.map_or("null".into(), |text| format!("'{text}'"));
    format!("{text}:{}", format_type(expression.ty))
}
