//! Calls of functions and operators, in the form they were written in.

use std::borrow::Cow;

use aegis_catalog::definition::quote_identifier;
use aegis_catalog::types::oid;
use datafusion::scalar::ScalarValue;

use super::Deparser;
use super::constant::Label;
use super::simple::Parent;
use crate::bind::tree::{CallForm, Expr, ExprKind, SetCall};
use crate::functions::Function;

impl<'t> Deparser<'t> {
    pub(super) fn call(&mut self, function: &'t Function, args: &'t [Expr], form: &'t CallForm, variadic: bool) {
        match form {
            CallForm::Operator(name) => self.operator(function, name, args),
            CallForm::Keyword(keyword) => self.push(keyword),
            CallForm::Subscript => {
                if let [value, key] = args {
                    self.subscripted(value);
                    self.listed("[", std::slice::from_ref(key), "]");
                }
            }
            CallForm::Arguments(written) => self.written_arguments(function, args, written),
            CallForm::Syntax if self.syntax(&function.name, args) => {}
            CallForm::Syntax | CallForm::Function => self.function(function, args, variadic),
        }
    }

    pub(super) fn set_call(&mut self, call: &'t SetCall) {
        self.function(&call.function, &call.args, call.variadic);
    }

    /// An operator's symbol, with the schema if the path does not lead there.
    pub(super) fn operator_name<'n>(&self, function: &Function, name: &'n str) -> Cow<'n, str> {
        let printer = self.target.printer;
        let is_hidden = function.schema != aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA
            && !printer.search_path.schemas().contains(&function.schema);
        match printer.catalog.schema(function.schema).filter(|_| is_hidden) {
            Some(schema) => format!("OPERATOR({}.{name})", quote_identifier(&schema.name)).into(),
            None => name.into(),
        }
    }

    fn operator(&mut self, function: &Function, name: &'t str, args: &'t [Expr]) {
        let shown = self.operator_name(function, name);
        self.open();
        let infix = args.len() == 2;
        for (position, arg) in args.iter().enumerate() {
            let first = position == 0;
            if !(infix && first) {
                self.push(if infix { " " } else { "" });
                self.push(&shown);
                self.push(" ");
            }
            self.inside(arg, true, Parent::Operator { name, infix, first });
        }
        self.close();
    }

    pub(super) fn function_name(&mut self, function: &Function) {
        if function.schema != aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA
            && let Some(schema) = self.target.printer.catalog.schema(function.schema)
            && !self.target.printer.search_path.schemas().contains(&function.schema)
        {
            let schema = schema.name.clone();
            self.quoted(&schema);
            self.push(".");
        }
        self.quoted(&function.name);
    }

    pub(super) fn function(&mut self, function: &'t Function, args: &'t [Expr], variadic: bool) {
        self.function_name(function);
        self.push("(");
        self.arguments(function, args, variadic);
        self.push(")");
    }

    fn written_arguments(&mut self, function: &'t Function, args: &'t [Expr], written: &'t [(usize, Option<String>)]) {
        self.function_name(function);
        self.push("(");
        self.separated(written, |out, (position, name)| {
            if let Some(name) = name {
                out.quoted(name);
                out.push(" => ");
            }
            if let Some(arg) = args.get(*position) {
                out.expr(arg, true);
            }
        });
        self.push(")");
    }

    /// The arguments; those of a variadic function as the array that it gets.
    pub(super) fn arguments(&mut self, function: &'t Function, args: &'t [Expr], variadic: bool) {
        let declared = function.args.len();
        let element = function.args.last().copied().filter(|&element| function.variadic && element != oid::ANY);
        let fixed = declared.saturating_sub(1).min(args.len());
        match (element, variadic) {
            (Some(_), false) if args.len() > fixed => {
                let (fixed, rest) = args.split_at(fixed);
                self.exprs(fixed);
                self.push(if fixed.is_empty() { "VARIADIC ARRAY[" } else { ", VARIADIC ARRAY[" });
                self.exprs(rest);
                self.push("]");
            }
            (_, true) => {
                if let Some((last, fixed)) = args.split_last() {
                    self.exprs(fixed);
                    self.push(if fixed.is_empty() { "VARIADIC " } else { ", VARIADIC " });
                    self.expr(last, true);
                }
            }
            _ => self.separated(args.iter().enumerate(), |out, (position, arg)| {
                let declared = function.args.get(position.min(declared.saturating_sub(1))).copied();
                match &arg.kind {
                    // A literal without type stays one where any type will do.
                    ExprKind::Constant(value) if declared == Some(oid::ANY) && is_text(arg) && !value.is_null() => {
                        out.constant(value, arg.ty, Label::Never);
                    }
                    _ => out.expr(arg, true),
                }
            }),
        }
    }

    /// The syntax of its own that a function has; false if it has none for these arguments.
    fn syntax(&mut self, name: &str, args: &'t [Expr]) -> bool {
        match (name, args) {
            ("timezone", [zone, value]) => {
                self.push("(");
                self.inside(value, false, Parent::Other);
                self.push(" AT TIME ZONE ");
                self.inside(zone, false, Parent::Other);
                self.push(")");
            }
            ("overlaps", [a, b, c, d]) => {
                self.between("((", &[a, b], ", ");
                self.between(") OVERLAPS (", &[c, d], ", ");
                self.push("))");
            }
            ("extract", [field, value]) => {
                let Some(field) = text_constant(field) else { return false };
                self.between(&format!("EXTRACT({field} FROM "), &[value], "");
                self.push(")");
            }
            ("is_normalized", [value, form]) => {
                let Some(form) = text_constant(form) else { return false };
                self.push("(");
                self.inside(value, false, Parent::Other);
                self.push(&format!(" IS {form} NORMALIZED)"));
            }
            ("normalize", [value, form]) => {
                let Some(form) = text_constant(form) else { return false };
                self.between("NORMALIZE(", &[value], "");
                self.push(&format!(", {form})"));
            }
            ("normalize", [value]) => {
                self.between("NORMALIZE(", &[value], "");
                self.push(")");
            }
            ("pg_collation_for", [value, ..]) => {
                self.between("COLLATION FOR (", &[value], "");
                self.push(")");
            }
            ("overlay", [value, replacement, rest @ ..]) => {
                self.between("OVERLAY(", &[value, replacement], " PLACING ");
                self.from_for(rest);
            }
            ("position", [value, part]) => {
                self.between("POSITION((", &[part], "");
                self.between(") IN (", &[value], "");
                self.push("))");
            }
            ("substring", [value, pattern, escape]) if is_text(pattern) => {
                self.between("SUBSTRING(", &[value, pattern], " SIMILAR ");
                self.between(" ESCAPE ", &[escape], "");
                self.push(")");
            }
            ("substring", [value, rest @ ..]) if !rest.iter().any(is_text) => {
                self.between("SUBSTRING(", &[value], "");
                self.from_for(rest);
            }
            ("btrim", args) => return self.trim("BOTH", args),
            ("ltrim", args) => return self.trim("LEADING", args),
            ("rtrim", args) => return self.trim("TRAILING", args),
            _ => return false,
        }
        true
    }

    fn between(&mut self, before: &str, args: &[&'t Expr], with: &str) {
        self.push(before);
        for (position, arg) in args.iter().enumerate() {
            if position > 0 {
                self.push(with);
            }
            self.expr(arg, false);
        }
    }

    fn from_for(&mut self, args: &'t [Expr]) {
        for (word, arg) in [" FROM ", " FOR "].into_iter().zip(args) {
            self.between(word, &[arg], "");
        }
        self.push(")");
    }

    fn trim(&mut self, side: &str, args: &'t [Expr]) -> bool {
        self.push(&format!("TRIM({side}"));
        if let Some(characters) = args.get(1) {
            self.between(" ", &[characters], "");
        }
        if let Some(value) = args.first() {
            self.between(" FROM ", &[value], "");
        }
        self.push(")");
        true
    }
}

fn text_constant(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Constant(ScalarValue::Utf8View(Some(text))) => Some(text.clone()),
        _ => None,
    }
}

fn is_text(expr: &Expr) -> bool {
    expr.ty.oid == oid::TEXT
}
