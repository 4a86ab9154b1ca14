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
/// Above the cards of a lane whose cards say enough.
const PADDING: f32 = 12.0;
/// How many cards that have to do with no other stand beside each other, where the picture is not wider anyway.
const LONE: usize = 3;
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

/// Where a lane lies; nowhere when it holds nothing, or one card alone.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Band {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
    /// Where lines that pass columns run.
    pub(super) channel: f32,
}

impl Layout {
    pub(super) fn of(graph: &Graph) -> Self {
        let mut in_lane: Vec<Vec<usize>> = vec![Vec::new(); graph.lanes.len()];
        for (at, card) in graph.cards.iter().enumerate() {
            in_lane[card.lane].push(at);
        }
        let layers = graph.cards.iter().map(|card| card.layer + 1).max().unwrap_or(0);
        let lone: Vec<usize> = (0..in_lane.len()).filter(|lane| is_lone(graph, &in_lane[*lane])).collect();
        let columns = layers.max(lone.len().min(LONE));
        let width = (MARGIN * 2.0 + right(columns)).max(LEAST);
        let mut layout = Self {
            width,
            bottom: TOP,
            cards: vec![Place::default(); graph.cards.len()],
            lanes: vec![Band::default(); in_lane.len()],
        };
        for lane in (0..in_lane.len()).filter(|lane| !lone.contains(lane) && !in_lane[*lane].is_empty()) {
            layout.lane(graph, lane, &in_lane[lane], layers);
        }
        for row in lone.chunks(columns.max(1)) {
            layout.row(graph, row, &in_lane);
        }
        layout
    }

    /// A lane as wide as the picture, with a column for each layer.
    fn lane(&mut self, graph: &Graph, lane: usize, cards: &[usize], layers: usize) {
        let stack = |layer: usize| {
            let heights: f32 = cards
                .iter()
                .filter(|at| graph.cards[**at].layer == layer)
                .map(|at| height(&graph.cards[*at]) + BETWEEN)
                .sum();
            (heights - BETWEEN).max(0.0)
        };
        let tallest = (0..layers).map(stack).fold(0.0, f32::max);
        let name = if graph.lanes[lane].is_named() { NAME } else { PADDING };
        let mut tops: Vec<f32> = (0..layers).map(|layer| self.bottom + name + (tallest - stack(layer)) / 2.0).collect();
        for at in cards {
            let card = &graph.cards[*at];
            let height = height(card);
            self.cards[*at] = Place { x: left(card.layer), y: tops[card.layer], height };
            tops[card.layer] += height + BETWEEN;
        }
        let (y, height) = (self.bottom, name + tallest + CHANNEL);
        let width = self.width - 2.0 * MARGIN;
        self.lanes[lane] = Band { x: MARGIN, y, width, height, channel: y + height - CHANNEL / 2.0 };
        self.bottom = y + height + BETWEEN_LANES;
    }

    /// Lanes with one card that has to do with no other stand beside each other.
    fn row(&mut self, graph: &Graph, lanes: &[usize], in_lane: &[Vec<usize>]) {
        let cards: Vec<(usize, usize)> = lanes.iter().map(|lane| (*lane, in_lane[*lane][0])).collect();
        let tallest = cards.iter().map(|(_, at)| height(&graph.cards[*at])).fold(0.0, f32::max);
        for (column, (lane, at)) in cards.into_iter().enumerate() {
            self.cards[at] = Place { x: left(column), y: self.bottom, height: tallest };
            self.lanes[lane] = Band::default();
        }
        self.bottom += tallest + BETWEEN_LANES + BETWEEN;
    }
}

fn is_lone(graph: &Graph, cards: &[usize]) -> bool {
    match cards {
        [only] => !graph.edges.keys().any(|(from, to)| from == only || to == only),
        _ => false,
    }
}

fn height(card: &Card) -> f32 {
    HEIGHT + if card.level == Level::Calm { 0.0 } else { RISK }
}

/// Behind the last of so many columns.
fn right(columns: usize) -> f32 {
    left(columns) - GAP
}

#[expect(clippy::cast_precision_loss, reason = "a picture has few columns")]
fn left(layer: usize) -> f32 {
    MARGIN * 2.0 + layer as f32 * (WIDTH + GAP)
}
