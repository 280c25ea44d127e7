//! Sort order and windows (manual 4.2.8, 7.5).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::boxed;
use crate::parse::ast::*;
use crate::parse::tree::Node;

impl Lower<'_> {
    pub fn order_by(&self, clause: Node<'_>) -> Result<Vec<OrderBy>> {
        let list = self.need(clause.child(K::SORT_BY_LIST), clause)?;
        list.children_of(K::SORT_BY).map(|item| self.sort_by(item)).collect()
    }

    fn sort_by(&self, item: Node<'_>) -> Result<OrderBy> {
        let using = match item.child(K::SORT_USING) {
            Some(using) => Some(self.operator(self.need(using.nodes().next(), using)?)?),
            None => None,
        };
        Ok(OrderBy {
            expr: self.expr_in(item)?,
            using,
            descending: item.has(K::SORT_DESC),
            nulls_first: self.nulls_first(item),
        })
    }

    pub fn nulls_first(&self, item: Node<'_>) -> Option<bool> {
        item.child_in(&[K::NULLS_FIRST, K::NULLS_LAST]).map(|nulls| nulls.is(K::NULLS_FIRST))
    }

    /// `name AS (…)` of a WINDOW clause.
    pub fn window(&self, node: Node<'_>) -> Result<(Ident, WindowSpec)> {
        let name = self.ident(self.need(node.child(K::WINDOW), node)?)?;
        let spec = match node.child(K::WINDOW_SPEC) {
            Some(spec) => self.window_spec(spec)?,
            None => WindowSpec::default(),
        };
        Ok((name, WindowSpec { span: self.span(node), ..spec }))
    }

    pub fn window_spec(&self, node: Node<'_>) -> Result<WindowSpec> {
        Ok(WindowSpec {
            base: self.opt_ident(node.child(K::WINDOW_REF))?,
            partition_by: match node.child(K::PARTITION_BY_CLAUSE) {
                Some(clause) => self.exprs_in(clause)?,
                None => Vec::new(),
            },
            order_by: match node.child(K::ORDER_BY_CLAUSE) {
                Some(clause) => self.order_by(clause)?,
                None => Vec::new(),
            },
            frame: node.child(K::FRAME_CLAUSE).map(|frame| self.frame(frame)).transpose()?,
            span: self.span(node),
        })
    }

    fn frame(&self, node: Node<'_>) -> Result<Frame> {
        let unit = match self.need(node.children().next(), node)?.kind() {
            K::FRAME_RANGE => FrameUnit::Range,
            K::FRAME_ROWS => FrameUnit::Rows,
            _ => FrameUnit::Groups,
        };
        let between = node.child(K::FRAME_BETWEEN);
        let (start, end, places) = match between {
            Some(between) => {
                let bounds = between.nodes().collect::<Vec<_>>();
                match bounds.as_slice() {
                    [start, end] => (self.frame_bound(*start)?, self.frame_bound(*end)?, [*start, *end]),
                    _ => return Err(self.missing_in(between)),
                }
            }
            None => {
                let bound = node.nodes().find(|bound| is_frame_bound(bound.kind()));
                let bound = self.need(bound, node)?;
                (self.frame_bound(bound)?, FrameBound::CurrentRow, [bound; 2])
            }
        };
        self.check_frame(&start, &end, places)?;
        let exclude = match node.child(K::FRAME_EXCLUDE).and_then(|exclude| exclude.nodes().next()) {
            None => FrameExclude::NoOthers,
            Some(target) => match target.kind() {
                K::CURRENT_ROW => FrameExclude::CurrentRow,
                K::GROUP => FrameExclude::Group,
                K::TIES => FrameExclude::Ties,
                _ => FrameExclude::NoOthers,
            },
        };
        Ok(Frame { unit, start, end, between: between.is_some(), exclude })
    }

    fn frame_bound(&self, node: Node<'_>) -> Result<FrameBound> {
        Ok(match node.kind() {
            K::UNBOUNDED_PRECEDING => FrameBound::UnboundedPreceding,
            K::UNBOUNDED_FOLLOWING => FrameBound::UnboundedFollowing,
            K::CURRENT_ROW => FrameBound::CurrentRow,
            K::EXPR_PRECEDING => FrameBound::Preceding(boxed(self.expr_in(node)?)),
            K::EXPR_FOLLOWING => FrameBound::Following(boxed(self.expr_in(node)?)),
            _ => return Err(self.syntax_error(node.start())),
        })
    }

    /// Frames that PostgreSQL's grammar refuses.
    fn check_frame(&self, start: &FrameBound, end: &FrameBound, [first, last]: [Node<'_>; 2]) -> Result<()> {
        use FrameBound::*;
        let (message, at) = match (start, end) {
            (UnboundedFollowing, _) => ("frame start cannot be UNBOUNDED FOLLOWING", first),
            (_, UnboundedPreceding) => ("frame end cannot be UNBOUNDED PRECEDING", last),
            (CurrentRow, Preceding(_)) => ("frame starting from current row cannot have preceding rows", last),
            (Following(_), CurrentRow) if first.start() == last.start() => {
                ("frame starting from following row cannot end with current row", first)
            }
            (Following(_), Preceding(_) | CurrentRow) => {
                ("frame starting from following row cannot have preceding rows", last)
            }
            _ => return Ok(()),
        };
        Err(Error::new(sqlstate::WINDOWING_ERROR, message).at(self.position(at)))
    }
}

fn is_frame_bound(kind: K) -> bool {
    matches!(
        kind,
        K::CURRENT_ROW | K::UNBOUNDED_PRECEDING | K::UNBOUNDED_FOLLOWING | K::EXPR_PRECEDING | K::EXPR_FOLLOWING
    )
}
