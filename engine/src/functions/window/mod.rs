//! Window functions (PostgreSQL manual 9.22): DataFusion's own where they count as PostgreSQL does, ours where an argument may differ from
//! row to row. DataFusion's results arrive in its integer types; lowering converts them.

pub mod frame;
pub mod framed;
mod in_range;
mod place;
mod shift;

use datafusion::functions_window::{cume_dist, lead_lag, nth_value, rank, row_number};

use super::Body;
use super::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("row_number()", Body::Window(|_| Ok(row_number::row_number_udwf()))),
        f("rank()", Body::Window(|_| Ok(rank::rank_udwf()))),
        f("dense_rank()", Body::Window(|_| Ok(rank::dense_rank_udwf()))),
        f("percent_rank()", Body::Window(|_| Ok(rank::percent_rank_udwf()))),
        f("cume_dist()", Body::Window(|_| Ok(cume_dist::cume_dist_udwf()))),
        f("ntile(int4)", Body::Window(|_| Ok(place::ntile()))),
        f("lag(anyelement)", Body::Window(|_| Ok(lead_lag::lag_udwf()))),
        f("lag(anyelement, int4)", Body::Window(|_| Ok(shift::lag()))),
        f("lag(anycompatible, int4, anycompatible)", Body::Window(|_| Ok(shift::lag()))),
        f("lead(anyelement)", Body::Window(|_| Ok(lead_lag::lead_udwf()))),
        f("lead(anyelement, int4)", Body::Window(|_| Ok(shift::lead()))),
        f("lead(anycompatible, int4, anycompatible)", Body::Window(|_| Ok(shift::lead()))),
        f("first_value(anyelement)", Body::Window(|_| Ok(nth_value::first_value_udwf()))),
        f("last_value(anyelement)", Body::Window(|_| Ok(nth_value::last_value_udwf()))),
        f("nth_value(anyelement, int4)", Body::Window(|_| Ok(place::nth_value()))),
    ]
}
