//! Window calls and the WINDOW clause.

use super::{Deparser, INDENT_STEP};
use crate::bind::tree::{Expr, Frame, FrameBound, FrameForm, WindowCall, Windows};
use crate::functions::Body;
use crate::parse::ast::{FrameExclude, FrameUnit};

impl<'t> Deparser<'t> {
    pub(super) fn window_call(&mut self, call: &'t WindowCall) {
        self.function_name(&call.function);
        self.push("(");
        match call.args.as_slice() {
            [] if matches!(call.function.body, Body::Aggregate(_) | Body::UserAggregate(_)) => self.push("*"),
            args => self.arguments(&call.function, args, false),
        }
        self.filter(call.filter.as_ref());
        self.push(") OVER ");
        match &call.window {
            Some(name) => self.quoted(name),
            None => self.window_definition(call),
        }
    }

    /// The windows that calls refer to by name.
    pub(super) fn window_clause(&mut self, windows: &'t Windows) {
        let mut defined: Vec<&str> = Vec::new();
        // A window is defined before those that are based on it.
        let (plain, based): (Vec<_>, Vec<_>) = windows.calls.iter().partition(|call| call.base.is_none());
        for call in plain.into_iter().chain(based) {
            let Some(name) = call.window.as_deref().filter(|name| !defined.contains(name)) else { continue };
            if defined.is_empty() {
                self.keyword(" WINDOW ", INDENT_STEP, INDENT_STEP, 1);
            } else {
                self.push(", ");
            }
            defined.push(name);
            self.quoted(name);
            self.push(" AS ");
            self.window_definition(call);
        }
    }

    fn window_definition(&mut self, call: &'t WindowCall) {
        let mut space = "";
        self.push("(");
        let (base, own_order) = match &call.base {
            Some((base, own_order)) => (Some(base), *own_order),
            None => (None, true),
        };
        if let Some(base) = base {
            self.quoted(base);
            space = " ";
        }
        if base.is_none() && !call.partition_by.is_empty() {
            self.push("PARTITION BY ");
            self.separated(&call.partition_by, |out, expr| out.sort_expr(expr));
            space = " ";
        }
        if own_order && !call.order_by.is_empty() {
            self.push(space);
            self.push("ORDER BY ");
            self.order_keys(&call.order_by);
            space = " ";
        }
        if call.frame.form != FrameForm::Absent {
            self.push(space);
            self.frame(&call.frame);
        }
        self.push(")");
    }

    fn frame(&mut self, frame: &'t Frame) {
        self.push(match frame.unit {
            FrameUnit::Range => "RANGE ",
            FrameUnit::Rows => "ROWS ",
            FrameUnit::Groups => "GROUPS ",
        });
        if frame.form == FrameForm::Between {
            self.push("BETWEEN ");
        }
        self.frame_bound(&frame.start);
        if frame.form == FrameForm::Between {
            self.push(" AND ");
            self.frame_bound(&frame.end);
        }
        self.push(match frame.exclude {
            FrameExclude::NoOthers => "",
            FrameExclude::CurrentRow => " EXCLUDE CURRENT ROW",
            FrameExclude::Group => " EXCLUDE GROUP",
            FrameExclude::Ties => " EXCLUDE TIES",
        });
    }

    fn frame_bound(&mut self, bound: &'t FrameBound) {
        let mut offset = |expr: &'t Expr, side: &str| {
            self.expr(expr, false);
            self.push(side);
        };
        match bound {
            FrameBound::UnboundedPreceding => self.push("UNBOUNDED PRECEDING"),
            FrameBound::Preceding(expr) => offset(expr, " PRECEDING"),
            FrameBound::CurrentRow => self.push("CURRENT ROW"),
            FrameBound::Following(expr) => offset(expr, " FOLLOWING"),
            FrameBound::UnboundedFollowing => self.push("UNBOUNDED FOLLOWING"),
        }
    }
}
