//! Function calls, and the call syntaxes that PostgreSQL's grammar turns into calls (manual 9; `gram.y`, func_expr).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::expr::{boxed, is_expr};
use super::names::Words;
use super::types::{catalog_name, internal};
use super::{Lower, literal, operand};
use crate::parse::ast::*;
use crate::parse::tree::Node;

/// A call that special syntax stands for.
pub fn special(name: &str, args: Vec<Expr>, span: Span) -> ExprKind {
    ExprKind::Call(Box::new(Call { special: true, ..plain(catalog_name(name, span), args) }))
}

pub fn plain(name: Name, args: Vec<Expr>) -> Call {
    Call {
        name,
        args: args.into_iter().map(|value| Argument { name: None, value }).collect(),
        star: false,
        distinct: false,
        variadic: false,
        order_by: Vec::new(),
        within_group: None,
        filter: None,
        over: None,
        ignore_nulls: false,
        special: false,
    }
}

impl Lower<'_> {
    pub fn call(&self, node: Node<'_>) -> Result<ExprKind> {
        let head = self.need(node.nodes().next(), node)?;
        if !is_expr(head.kind()) {
            return self.special_call(node, head);
        }
        let list = self.need(node.child(K::ARG_LIST), node)?;
        if let Some(kind) = self.keyword_call(node, head, list)? {
            return Ok(kind);
        }
        let name = match head.kind() {
            K::NAME_REF => {
                self.check_word(head, Words::Function)?;
                let ident = self.ident(head)?;
                Name { span: ident.span, parts: vec![ident] }
            }
            _ => match self.operand(head)?.kind {
                ExprKind::Column(name) => name,
                _ => return Err(self.syntax_error(list.start())),
            },
        };
        let mut call = plain(name, Vec::new());
        self.arguments(list, &mut call)?;
        self.call_clauses(node, &mut call)?;
        Ok(ExprKind::Call(Box::new(call)))
    }

    pub fn arguments(&self, list: Node<'_>, call: &mut Call) -> Result<()> {
        call.star = list.has(K::STAR);
        call.distinct = list.has(K::DISTINCT);
        for arg in list.children_of(K::ARG) {
            if call.variadic || !call.order_by.is_empty() {
                return Err(self.syntax_error(arg.start()));
            }
            call.variadic = arg.has(K::VARIADIC_KW);
            call.args.push(match arg.child(K::NAMED_ARG) {
                Some(named) => Argument {
                    name: Some(self.ident(self.need(named.child(K::PARAM_NAME_REF), named)?)?),
                    value: self.expr_in(named)?,
                },
                None => Argument { name: None, value: self.expr_in(arg)? },
            });
            if let Some(order) = arg.child(K::ORDER_BY_CLAUSE) {
                call.order_by = self.order_by(order)?;
            }
        }
        if call.args.is_empty() && call.distinct {
            return Err(self.missing_in(list));
        }
        Ok(())
    }

    fn call_clauses(&self, node: Node<'_>, call: &mut Call) -> Result<()> {
        if let Some(within) = node.child(K::WITHIN_CLAUSE) {
            let position = self.position(within);
            let misuse = |message: &str| Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(position));
            if !call.order_by.is_empty() {
                return misuse("cannot use multiple ORDER BY clauses with WITHIN GROUP");
            }
            if call.distinct {
                return misuse("cannot use DISTINCT with WITHIN GROUP");
            }
            if call.variadic {
                return misuse("cannot use VARIADIC with WITHIN GROUP");
            }
            call.within_group = Some(self.order_by(self.need(within.child(K::ORDER_BY_CLAUSE), within)?)?);
        }
        call.filter = self.opt_expr_in(node.child(K::FILTER_CLAUSE))?;
        call.ignore_nulls = node.has(K::IGNORE_NULLS);
        if let Some(over) = node.child(K::OVER_CLAUSE) {
            call.over = Some(match over.child_in(&[K::WINDOW_REF, K::OVER_WINDOW_SPEC]) {
                Some(name) if name.is(K::WINDOW_REF) => Over::Name(self.ident(name)?),
                Some(spec) => Over::Window(match spec.child(K::WINDOW_SPEC) {
                    Some(inner) => WindowSpec { span: self.span(spec), ..self.window_spec(inner)? },
                    None => WindowSpec { span: self.span(spec), ..WindowSpec::default() },
                }),
                None => return Err(self.missing_in(over)),
            });
        }
        Ok(())
    }

    /// COALESCE, GREATEST and the like, which are keywords; None for an ordinary function.
    fn keyword_call(&self, node: Node<'_>, head: Node<'_>, list: Node<'_>) -> Result<Option<ExprKind>> {
        let keyword = match head.children().next() {
            Some(token) if head.is(K::NAME_REF) && !token.is(K::IDENT) => token.text().to_ascii_lowercase(),
            _ => return Ok(None),
        };
        if let Some(name) = operand::sql_value(head)
            && keyword != "current_schema"
        {
            return self.sql_value_call(name, list).map(Some);
        }
        if !matches!(
            keyword.as_str(),
            "coalesce" | "greatest" | "least" | "nullif" | "grouping" | "normalize" | "xmlconcat"
        ) {
            return Ok(None);
        }
        let mut call = plain(catalog_name("", self.span(head)), Vec::new());
        self.arguments(list, &mut call)?;
        self.call_clauses(node, &mut call)?;
        let plain_call = !call.star && !call.distinct && !call.variadic && call.order_by.is_empty();
        let bare = plain_call && call.within_group.is_none() && call.filter.is_none() && call.over.is_none();
        if !bare || call.args.is_empty() || call.args.iter().any(|arg| arg.name.is_some()) {
            return Err(self.syntax_error(list.end().saturating_sub(1)));
        }
        let mut args = call.args.into_iter().map(|arg| arg.value).collect::<Vec<_>>();
        Ok(Some(match keyword.as_str() {
            "coalesce" => ExprKind::Coalesce(args),
            "greatest" => ExprKind::Greatest(args),
            "least" => ExprKind::Least(args),
            "grouping" => ExprKind::Grouping(args),
            "nullif" => match <[Expr; 2]>::try_from(args) {
                Ok([left, right]) => ExprKind::NullIf(boxed(left), boxed(right)),
                Err(_) => return Err(self.syntax_error(list.end().saturating_sub(1))),
            },
            "normalize" => {
                // The form is a keyword there: normalize(text, NFC).
                if let Some(form) = args.get_mut(1)
                    && let ExprKind::Column(name) = &form.kind
                    && let [word] = name.parts.as_slice()
                {
                    form.kind = ExprKind::Literal(Literal::String(word.name.to_ascii_uppercase()));
                }
                special("normalize", args, self.span(node))
            }
            _ => return Err(Error::unsupported("XMLCONCAT").at(self.position(node))),
        }))
    }

    /// `CURRENT_TIMESTAMP(3)`.
    fn sql_value_call(&self, name: String, list: Node<'_>) -> Result<ExprKind> {
        let timed = matches!(name.as_str(), "current_time" | "current_timestamp" | "localtime" | "localtimestamp");
        let precision = list.child(K::ARG).filter(|_| timed).and_then(|arg| arg.child(K::LITERAL));
        match (precision, list.children_of(K::ARG).count()) {
            (Some(precision), 1) if precision.has(K::INT_NUMBER) => {
                let precision = i32::try_from(self.signed_integer(precision)?).unwrap_or(i32::MAX);
                Ok(ExprKind::SqlValue { name, precision: Some(precision) })
            }
            _ => Err(self.syntax_error(list.start())),
        }
    }

    fn special_call(&self, node: Node<'_>, head: Node<'_>) -> Result<ExprKind> {
        let span = self.span(node);
        match head.kind() {
            K::EXISTS_FN => {
                let inner = self.need(head.nodes().next(), head)?;
                let query = match self.query_in_parentheses(inner)? {
                    Some(query) => query,
                    None => self.query(inner)?,
                };
                Ok(ExprKind::Exists(Box::new(query)))
            }
            K::EXTRACT_FN => self.extract(head, span),
            K::SUBSTRING_FN => self.substring(head, span),
            K::POSITION_FN => {
                let args = head.nodes().map(|arg| self.restricted_expr(arg)).collect::<Result<Vec<_>>>()?;
                match <[Expr; 2]>::try_from(args) {
                    Ok([needle, string]) => Ok(special("position", vec![string, needle], span)),
                    Err(_) => Err(self.missing_in(head)),
                }
            }
            K::OVERLAY_FN => match self.need(head.nodes().next(), head)? {
                args if args.is(K::OVERLAY_PLACING) => Ok(special("overlay", self.exprs_in(args)?, span)),
                args => self.plain_special("overlay", args, head),
            },
            K::TRIM_FN => self.trim(head, span),
            K::COLLATION_FOR_FN => Ok(special("pg_collation_for", self.exprs_in(head)?, span)),
            // Functions of that name came with PostgreSQL 9.3; the SQL/JSON constructors later.
            K::JSON_OBJECT_FN if !head.nodes().any(|part| !is_expr(part.kind()) && !part.is(K::NAMED_ARG)) => {
                self.plain_special("json_object", head, head)
            }
            K::JSON_FN | K::JSON_SCALAR_FN | K::JSON_SERIALIZE_FN => self.plain_special(
                &head.first_token().map_or(String::new(), |token| token.text().to_ascii_lowercase()),
                head,
                head,
            ),
            K::ANY_FN | K::SOME_FN | K::ALL_FN => Err(self.syntax_error(head.start())),
            _ => {
                let name = head.first_token().map_or(String::new(), |token| token.text().to_ascii_uppercase());
                Err(Error::unsupported(name).at(self.position(head)))
            }
        }
    }

    /// Ordinary argument lists after a keyword that also has special syntax: `substring(a, 1)`.
    fn plain_special(&self, name: &str, args: Node<'_>, head: Node<'_>) -> Result<ExprKind> {
        let token = self.need(head.first_token(), head)?;
        let ident = Ident { name: name.into(), span: self.span(token) };
        let mut call = plain(Name { span: ident.span, parts: vec![ident] }, Vec::new());
        for part in args.nodes() {
            let (name, value) = match part.kind() {
                K::NAMED_ARG => (Some(self.ident(self.need(part.nodes().next(), part)?)?), self.expr_in(part)?),
                kind if is_expr(kind) => (None, self.expr(part)?),
                _ => return Err(Error::unsupported(name.to_ascii_uppercase()).at(self.position(part))),
            };
            call.args.push(Argument { name, value });
        }
        Ok(ExprKind::Call(Box::new(call)))
    }

    /// EXTRACT(field FROM source).
    fn extract(&self, node: Node<'_>, span: Span) -> Result<ExprKind> {
        let field = self.need(node.child_in(&[K::EXTRACT_FIELD_NAME, K::EXTRACT_FIELD_LITERAL]), node)?;
        let name = match field.kind() {
            K::EXTRACT_FIELD_LITERAL => self.string(self.need(field.child(K::LITERAL), field)?)?,
            _ => self.ident(field)?.name,
        };
        let field = Expr { kind: ExprKind::Literal(Literal::String(name)), span: self.span(field) };
        Ok(special("extract", vec![field, self.expr_in(node)?], span))
    }

    fn substring(&self, node: Node<'_>, span: Span) -> Result<ExprKind> {
        let form = self.need(node.nodes().next(), node)?;
        if form.is(K::SUBSTRING_EXPRS) {
            return self.plain_special("substring", form, node);
        }
        let mut args = self.exprs_in(form)?;
        match (form.kind(), args.len()) {
            (K::SUBSTRING_FROM_FOR, 2 | 3) | (K::SUBSTRING_SIMILAR_ESCAPE, 3) => {}
            (K::SUBSTRING_FOR_FROM, 3) => args.swap(1, 2),
            (K::SUBSTRING_FOR_FROM, 2) => {
                // Without FROM the length is an integer whatever it looks like, so that no other substring() fits.
                let count = args.remove(1);
                let span = count.span;
                args.push(literal::integer(1, span));
                let ty = internal("int4", Vec::new(), span);
                args.push(Expr { kind: ExprKind::Cast { arg: boxed(count), ty }, span });
            }
            _ => return Err(self.missing_in(form)),
        }
        Ok(special("substring", args, span))
    }

    fn trim(&self, node: Node<'_>, span: Span) -> Result<ExprKind> {
        let name = match node.child_in(&[K::TRIM_BOTH, K::TRIM_LEADING, K::TRIM_TRAILING]) {
            Some(side) if side.is(K::TRIM_LEADING) => "ltrim",
            Some(side) if side.is(K::TRIM_TRAILING) => "rtrim",
            _ => "btrim",
        };
        let form = node.child_in(&[K::TRIM_FROM, K::TRIM_EXPR_FROM, K::TRIM_EXPRS]);
        let form = self.need(form, node)?;
        let mut args = self.exprs_in(form)?;
        if form.is(K::TRIM_EXPR_FROM) {
            // TRIM(characters FROM string): the string goes first.
            args.rotate_left(1);
        }
        Ok(special(name, args, span))
    }
}
