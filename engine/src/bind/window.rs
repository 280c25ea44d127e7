//! Window calls and window definitions (PostgreSQL's parse_agg.c and parse_clause.c).

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::Binder;
use super::aggregate::kind_of;
use super::function::{Resolved, shown_name};
use super::scope::Clause;
use super::tree::{Expr, ExprKind, Frame, FrameBound, FrameForm, OrderKey, WindowCall};
use super::walk;
use crate::parse::ast::{self, FrameExclude, FrameUnit, Ident, Over, Span, WindowSpec};

/// A window definition with its base resolved.
struct Window {
    partition_by: Vec<ast::Expr>,
    order_by: Vec<ast::OrderBy>,
    frame: Option<ast::Frame>,
    span: Span,
}

impl Binder<'_> {
    pub(super) fn window_call(&mut self, call: &ast::Call, resolved: Resolved, span: Span) -> Result<Expr> {
        let clause = self.clause();
        if !clause.allows_windows() {
            let message = format!("window functions are not allowed in {}", clause.place());
            return Err(Error::new(sqlstate::WINDOWING_ERROR, message).at(span.start));
        }
        self.check_window_decorations(call, &resolved, span)?;
        let (windows, sets) = (self.level().windows_rel, self.level().sets_rel);
        let inner = resolved.args.iter().find_map(|arg| walk::place_of(&mut arg.clone(), windows));
        if let Some(inner) = inner {
            let message = "window function calls cannot be nested";
            return Err(Error::new(sqlstate::WINDOWING_ERROR, message).at(inner.start));
        }
        if resolved.args.iter().any(|arg| walk::mentions(arg, sets)) {
            let message = "window function calls cannot contain set-returning function calls";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                .with_hint("You might be able to move the set-returning function into a LATERAL FROM item.")
                .at(span.start));
        }
        let filter = self.filter_clause(call)?;
        let window = match &call.over {
            Some(Over::Name(name)) => self.named_window(name)?,
            Some(Over::Window(spec)) => self.window_spec(spec, true)?,
            None => return Err(Error::internal("window call without OVER")),
        };
        let (partition_by, order_by, frame) =
            self.in_clause(Clause::WindowDefinition, |binder| binder.bind_window(&window))?;
        let window = match &call.over {
            Some(Over::Name(name)) => Some(name.name.clone()),
            _ => None,
        };
        let base = self.window_base(call.over.as_ref());
        let Resolved { function, args, ty, variadic, .. } = resolved;
        let args = self.collected(&function, args, variadic);
        let call = WindowCall { function, window, base, args, filter, partition_by, order_by, frame, ty };
        let level = self.level();
        level.windows.push(call);
        let column = level.windows.len() - 1;
        Ok(Expr { kind: ExprKind::Column { rel: windows, column }, ty, span })
    }

    fn window_base(&mut self, over: Option<&Over>) -> Option<(String, bool)> {
        let spec = match over? {
            Over::Window(spec) => spec,
            Over::Name(name) => {
                let mut named = self.level().named_windows.iter();
                &named.find(|(other, _)| other.name == name.name)?.1
            }
        };
        Some((spec.base.as_ref()?.name.clone(), !spec.order_by.is_empty()))
    }

    fn check_window_decorations(&self, call: &ast::Call, resolved: &Resolved, span: Span) -> Result<()> {
        let name = shown_name(&call.name);
        let aggregate = resolved.kind == 'a';
        let unsupported = |message: &str| Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
        if call.distinct {
            return unsupported("DISTINCT is not implemented for window functions");
        }
        if !call.order_by.is_empty() {
            return unsupported("aggregate ORDER BY is not implemented for window functions");
        }
        if call.filter.is_some() && !aggregate {
            return unsupported("FILTER is not implemented for non-aggregate window functions");
        }
        if aggregate && kind_of(&resolved.function).is_some_and(|kind| kind != 'n') {
            return unsupported(&format!("OVER is not supported for ordered-set aggregate {name}"));
        }
        if aggregate && call.args.is_empty() && !call.star {
            let message = format!("{name}(*) must be used to call a parameterless aggregate function");
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        }
        Ok(())
    }

    fn named_window(&mut self, name: &Ident) -> Result<Window> {
        let found = self.level().named_windows.iter().find(|(other, _)| other.name == name.name).cloned();
        let Some((_, spec)) = found else {
            let message = format!("window \"{}\" does not exist", name.name);
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(name.span.start));
        };
        self.nested(|binder| binder.window_spec(&spec, false))
    }

    /// Merges a definition with the window it is based on (manual, "Window Function Calls").
    fn window_spec(&mut self, spec: &WindowSpec, in_over: bool) -> Result<Window> {
        let own = Window {
            partition_by: spec.partition_by.clone(),
            order_by: spec.order_by.clone(),
            frame: spec.frame.clone(),
            span: spec.span,
        };
        let Some(base_name) = &spec.base else { return Ok(own) };
        let base = self.named_window(base_name)?;
        let refuse = |message: String| Error::new(sqlstate::WINDOWING_ERROR, message).at(spec.span.start);
        if !own.partition_by.is_empty() {
            return Err(refuse(format!("cannot override PARTITION BY clause of window \"{}\"", base_name.name)));
        }
        if !own.order_by.is_empty() && !base.order_by.is_empty() {
            return Err(refuse(format!("cannot override ORDER BY clause of window \"{}\"", base_name.name)));
        }
        if base.frame.is_some() {
            let error = refuse(format!("cannot copy window \"{}\" because it has a frame clause", base_name.name));
            let bare = in_over && own.order_by.is_empty() && own.frame.is_none();
            return Err(if bare { error.with_hint("Omit the parentheses in this OVER clause.") } else { error });
        }
        let order_by = if own.order_by.is_empty() { base.order_by } else { own.order_by };
        Ok(Window { partition_by: base.partition_by, order_by, frame: own.frame, span: own.span })
    }

    fn bind_window(&mut self, window: &Window) -> Result<(Vec<Expr>, Vec<OrderKey>, Frame)> {
        let mut partition_by = Vec::with_capacity(window.partition_by.len());
        for expr in &window.partition_by {
            let expr = self.expr(expr)?;
            let expr = self.resolve_unknown(expr)?;
            self.equality(expr.ty.oid, expr.span)?;
            partition_by.push(expr);
        }
        let order_by = self.order_keys(&window.order_by)?;
        let frame = match &window.frame {
            Some(frame) => self.frame(frame, &order_by).map_err(|error| error.at(window.span.start))?,
            None => Frame {
                unit: FrameUnit::Range,
                start: FrameBound::UnboundedPreceding,
                end: FrameBound::CurrentRow,
                exclude: FrameExclude::NoOthers,
                form: FrameForm::Absent,
            },
        };
        Ok((partition_by, order_by, frame))
    }

    fn frame(&mut self, frame: &ast::Frame, order_by: &[OrderKey]) -> Result<Frame> {
        let has_offset = [&frame.start, &frame.end]
            .iter()
            .any(|bound| matches!(bound, ast::FrameBound::Preceding(_) | ast::FrameBound::Following(_)));
        if frame.unit == FrameUnit::Range && has_offset && order_by.len() != 1 {
            let message = "RANGE with offset PRECEDING/FOLLOWING requires exactly one ORDER BY column";
            return Err(Error::new(sqlstate::WINDOWING_ERROR, message));
        }
        if frame.unit == FrameUnit::Groups && order_by.is_empty() {
            return Err(Error::new(sqlstate::WINDOWING_ERROR, "GROUPS mode requires an ORDER BY clause"));
        }
        Ok(Frame {
            unit: frame.unit,
            start: self.frame_bound(frame.unit, &frame.start, order_by)?,
            end: self.frame_bound(frame.unit, &frame.end, order_by)?,
            exclude: frame.exclude,
            form: if frame.between { FrameForm::Between } else { FrameForm::Start },
        })
    }

    fn frame_bound(&mut self, unit: FrameUnit, bound: &ast::FrameBound, order_by: &[OrderKey]) -> Result<FrameBound> {
        Ok(match bound {
            ast::FrameBound::UnboundedPreceding => FrameBound::UnboundedPreceding,
            ast::FrameBound::CurrentRow => FrameBound::CurrentRow,
            ast::FrameBound::UnboundedFollowing => FrameBound::UnboundedFollowing,
            ast::FrameBound::Preceding(offset) => FrameBound::Preceding(self.frame_offset(unit, offset, order_by)?),
            ast::FrameBound::Following(offset) => FrameBound::Following(self.frame_offset(unit, offset, order_by)?),
        })
    }

    fn frame_offset(&mut self, unit: FrameUnit, offset: &ast::Expr, order_by: &[OrderKey]) -> Result<Expr> {
        let bound = self.expr(offset)?;
        let place = match unit {
            FrameUnit::Rows => "ROWS",
            FrameUnit::Groups => "GROUPS",
            FrameUnit::Range => "RANGE",
        };
        let bound = match (unit, order_by) {
            (FrameUnit::Range, [key]) => {
                let target = self.range_offset_type(key.expr.ty.oid, bound.ty.oid, offset.span)?;
                self.coerce_to_specific(bound, target, place)?
            }
            _ => self.coerce_to_specific(bound, oid::INT8, place)?,
        };
        self.refuse_own_columns(&bound, place)?;
        Ok(bound)
    }

    /// What may be added to a sort key of that type: the `in_range` support functions of PostgreSQL's btree families.
    fn range_offset_type(&self, key: Oid, offset: Oid, span: Span) -> Result<Oid> {
        let choices: &[Oid] = match key {
            oid::INT2 => &[oid::INT2, oid::INT4, oid::INT8],
            oid::INT4 => &[oid::INT4, oid::INT2, oid::INT8],
            oid::INT8 => &[oid::INT8],
            oid::FLOAT4 | oid::FLOAT8 => &[oid::FLOAT8],
            oid::NUMERIC => &[oid::NUMERIC],
            oid::DATE | oid::TIME | oid::TIMETZ | oid::TIMESTAMP | oid::TIMESTAMPTZ | oid::INTERVAL => &[oid::INTERVAL],
            _ => {
                let message = format!(
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {}",
                    self.oid_name(key)
                );
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
            }
        };
        let usable = |&&choice: &&Oid| {
            choice == offset || self.can_coerce(&[offset], &[choice], super::coerce::Context::Implicit)
        };
        choices.iter().find(|&&choice| choice == offset).or_else(|| choices.iter().find(usable)).copied().ok_or_else(
            || {
                let message = format!(
                    "RANGE with offset PRECEDING/FOLLOWING is not supported for column type {} and offset type {}",
                    self.oid_name(key),
                    self.oid_name(offset)
                );
                Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Cast the offset value to an appropriate type.")
                    .at(span.start)
            },
        )
    }

    /// LIMIT and frame offsets must not depend on the rows of their own query.
    pub(super) fn refuse_own_columns(&mut self, expr: &Expr, place: &str) -> Result<()> {
        let depth = self.levels.len();
        let mut own = false;
        walk::columns(&mut expr.clone(), &mut |rel, _| own |= self.depth_of(rel) == depth);
        if own {
            let message = format!("argument of {place} must not contain variables");
            return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(expr.span.start));
        }
        Ok(())
    }
}
