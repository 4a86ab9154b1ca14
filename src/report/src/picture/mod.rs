//! A picture of a plan: what changes as cards, what has to be done before as lines, the longest path through it, and the
//! risk of each card by colour, shape and word.
//!
//! `graph` decides what is drawn, `layout` where, `draw` how. What says the same is drawn once, and of many services only
//! the riskiest are drawn, so that a picture stays a picture; it says what it leaves out. Work is linear in the plan.

mod draw;
mod graph;
mod icon;
mod layout;

pub(crate) use icon::shape;

use crate::reading::Reading;
use wharf_plan::Plan;

/// The picture as SVG, which needs nothing outside of itself.
pub fn svg(plan: &Plan) -> String {
    picture(plan, &Reading::of(plan))
}

/// As [`svg`], of a plan that was read already.
pub(crate) fn picture(plan: &Plan, reading: &Reading) -> String {
    let graph = graph::Graph::of(plan, reading);
    let layout = layout::Layout::of(&graph);
    draw::draw(reading, &graph, &layout)
}
