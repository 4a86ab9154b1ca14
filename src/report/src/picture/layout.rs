//! Where everything stands: a column for each layer, a band for each lane.

use super::graph::{Card, Graph};
use crate::reading::Level;

pub(super) const WIDTH: f32 = 250.0;
const HEIGHT: f32 = 44.0;
/// What the line that names a risk takes more.
const RISK: f32 = 16.0;
pub(super) const GAP: f32 = 58.0;
const BETWEEN: f32 = 10.0;
pub(super) const MARGIN: f32 = 20.0;
/// Above the first lane, for the title.
const TOP: f32 = 58.0;
/// Above the cards of a lane, for its name.
const NAME: f32 = 26.0;
/// Below the cards of a lane, where lines that pass columns run.
const CHANNEL: f32 = 16.0;
const BETWEEN_LANES: f32 = 10.0;

/// The least that a picture is wide, for its title and legend.
const LEAST: f32 = 640.0;

/// Places in pixels.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: f32,
    /// Below the last lane.
    pub(super) bottom: f32,
    pub(super) cards: Vec<Place>,
    pub(super) lanes: Vec<Band>,
}

/// Where a card stands.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) height: f32,
}

impl Place {
    pub(super) fn middle(self) -> f32 {
        self.y + self.height / 2.0
    }
}

/// Where a lane lies; none when it holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Band {
    pub(super) y: f32,
    pub(super) height: f32,
    /// Where lines that pass columns run.
    pub(super) channel: f32,
}

impl Layout {
    pub(super) fn of(graph: &Graph) -> Self {
        let columns = graph.cards.iter().map(|card| card.layer + 1).max().unwrap_or(0);
        let mut cards = vec![Place::default(); graph.cards.len()];
        let mut lanes = Vec::new();
        let mut in_lane: Vec<Vec<Vec<usize>>> = vec![vec![Vec::new(); columns]; graph.lanes.len()];
        for (at, card) in graph.cards.iter().enumerate() {
            in_lane[card.lane][card.layer].push(at);
        }
        let mut y = TOP;
        for columns in &in_lane {
            let stack = |column: &Vec<usize>| {
                let heights: f32 = column.iter().map(|at| height(&graph.cards[*at]) + BETWEEN).sum();
                (heights - BETWEEN).max(0.0)
            };
            let tallest = columns.iter().map(stack).fold(0.0, f32::max);
            if tallest == 0.0 {
                lanes.push(Band::default());
                continue;
            }
            for (layer, column) in columns.iter().enumerate() {
                let mut top = y + NAME + (tallest - stack(column)) / 2.0;
                for at in column {
                    let height = height(&graph.cards[*at]);
                    cards[*at] = Place { x: left(layer), y: top, height };
                    top += height + BETWEEN;
                }
            }
            let height = NAME + tallest + CHANNEL;
            lanes.push(Band { y, height, channel: y + height - CHANNEL / 2.0 });
            y += height + BETWEEN_LANES;
        }
        #[expect(clippy::cast_precision_loss, reason = "a picture has few columns")]
        let width = MARGIN * 4.0 + columns as f32 * (WIDTH + GAP) - GAP;
        Self { width: width.max(LEAST), bottom: y, cards, lanes }
    }
}

fn height(card: &Card) -> f32 {
    HEIGHT + if card.level == Level::Calm { 0.0 } else { RISK }
}

#[expect(clippy::cast_precision_loss, reason = "a picture has few columns")]
fn left(layer: usize) -> f32 {
    MARGIN * 2.0 + layer as f32 * (WIDTH + GAP)
}
