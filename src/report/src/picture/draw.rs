//! How everything looks: SVG text. Colours are chosen to be told apart by everyone, and each goes with a shape and a word.

use super::{
    graph::{Card, Graph, Lane},
    icon,
    layout::{Band, GAP, Layout, MARGIN, Place, WIDTH},
};
use crate::{
    escape::html,
    reading::{Level, Reading},
    text::{cut, plural, span},
};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// Columns of a title, in a font whose letters are 7.3 wide at most.
const TITLE: usize = 27;
/// Columns of the words below it.
const FACT: usize = 33;
/// Columns of a lane's name.
const NAME: usize = 76;
/// From the left edge of a card to its words.
const WORDS: f32 = 40.0;
/// What a line of the legend takes.
const LINE: f32 = 26.0;

pub(super) fn draw(reading: &Reading, graph: &Graph, layout: &Layout) -> String {
    let notes = notes(graph);
    #[expect(clippy::cast_precision_loss, reason = "there are few notes")]
    let height = layout.bottom + LINE * (1 + notes.len()) as f32 + MARGIN;
    let (width, height) = (layout.width.round(), height.round());
    let title = format!("Plan {} for {} in {}", reading.id, reading.project, reading.environment);
    let mut page = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n<style>{STYLE}</style>\n<rect class=\"w-bg\" width=\"100%\" \
         height=\"100%\"/>\n",
        html(&title),
        html(&verdict(reading)),
    );
    let _ = writeln!(page, "<text class=\"w-text w-head\" x=\"{MARGIN}\" y=\"28\">{}</text>", html(&title));
    let _ = writeln!(page, "<text class=\"w-text w-soft\" x=\"{MARGIN}\" y=\"46\">{}</text>", html(&verdict(reading)));
    let lanes = || graph.lanes.iter().zip(&layout.lanes).filter(|(_, band)| band.height > 0.0);
    lanes().for_each(|(_, band)| draw_lane(&mut page, *band));
    for long in [false, true] {
        for ((from, to), _) in graph.edges.iter().filter(|(_, critical)| **critical == long) {
            draw_edge(&mut page, graph, layout, (*from, *to), long);
        }
    }
    lanes().for_each(|(lane, band)| draw_name(&mut page, lane, *band));
    for (card, place) in graph.cards.iter().zip(&layout.cards) {
        draw_card(&mut page, card, *place);
    }
    legend(&mut page, graph, layout.bottom, &notes);
    page + "</svg>\n"
}

fn verdict(reading: &Reading) -> String {
    if reading.is_empty {
        return "no changes".to_owned();
    }
    let counts = reading.counts.iter().map(|(action, count)| format!("{count} to {}", action.word()));
    let risks = reading.risk_counts().into_iter().map(|(level, count)| format!("{count} with {}", level.word()));
    counts.chain(risks).collect::<Vec<_>>().join(", ")
}

fn draw_lane(page: &mut String, band: Band) {
    let _ = writeln!(
        page,
        "<rect class=\"w-lane\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>",
        band.x, band.y, band.width, band.height
    );
}

/// The name of a lane, over the lines that pass it.
fn draw_name(page: &mut String, lane: &Lane, band: Band) {
    let name = match lane.names.as_slice() {
        [] => "shared".to_owned(),
        [_] => return,
        [first, others @ ..] => format!("{first} and {} more that say the same", others.len()),
    };
    let (x, y) = (band.x + 12.0, band.y + 17.0);
    let name = html(&cut(&name, NAME));
    let _ = writeln!(page, "<text class=\"w-text w-soft w-over\" x=\"{x:.1}\" y=\"{y:.1}\">{name}</text>");
}

fn draw_edge(page: &mut String, graph: &Graph, layout: &Layout, (from, to): (usize, usize), long: bool) {
    let (Some(start), Some(end)) = (layout.cards.get(from), layout.cards.get(to)) else { return };
    let (Some(source), Some(target)) = (graph.cards.get(from), graph.cards.get(to)) else { return };
    let (x1, y1, x2, y2) = (start.x + WIDTH, start.middle(), end.x - 6.0, end.middle());
    let bend = GAP / 2.0;
    let path = if target.layer == source.layer + 1 {
        format!("M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}", x1 + bend, x2 - bend)
    } else {
        // Past other columns below their cards, in the lane of the service that it has to do with.
        let lane = if source.lane == 0 { target.lane } else { source.lane };
        let y = layout.lanes.get(lane).map_or(y1, |band| band.channel);
        let (down, up) = (x1 + GAP - 8.0, x2 - GAP + 14.0);
        format!(
            "M{x1:.1} {y1:.1}C{:.1} {y1:.1} {:.1} {y:.1} {down:.1} {y:.1}H{up:.1}C{:.1} {y:.1} {:.1} {y2:.1} {x2:.1} {y2:.1}",
            x1 + bend,
            down - bend,
            up + bend,
            x2 - bend
        )
    };
    let class = if long { " w-long" } else { "" };
    let _ = writeln!(
        page,
        "<path class=\"w-edge{class}\" d=\"{path}\"/><path class=\"w-tip{class}\" d=\"M{:.1} {y2:.1}l-8-4v8z\"/>",
        end.x
    );
}

fn draw_card(page: &mut String, card: &Card, place: Place) {
    let Place { x, y, height } = place;
    let long = if card.is_critical { " w-long" } else { "" };
    let told = format!(
        "{}: {}{}",
        card.title,
        card.fact,
        risk(card.level).map(|word| format!("; {word}")).unwrap_or_default()
    );
    let _ = writeln!(page, "<g class=\"{}\"><title>{}</title>", class(card.level), html(&told));
    if card.times > 1 {
        for behind in [6.0, 3.0] {
            draw_box(page, "", (x + behind, y + behind), height);
        }
    }
    draw_box(page, long, (x, y), height);
    draw_icon(page, card, x + 20.0, y + height / 2.0);
    let words = x + WORDS;
    let _ = writeln!(
        page,
        "<text class=\"w-name\" x=\"{words:.1}\" y=\"{:.1}\">{}</text>",
        y + 19.0,
        html(&cut(&card.title, TITLE))
    );
    let _ = writeln!(
        page,
        "<text class=\"w-text\" x=\"{words:.1}\" y=\"{:.1}\">{}</text>",
        y + 35.0,
        html(&cut(&card.fact, FACT))
    );
    if let Some(word) = risk(card.level) {
        let _ = writeln!(page, "<text class=\"w-text w-bold\" x=\"{words:.1}\" y=\"{:.1}\">{word}</text>", y + 52.0);
    }
    page.push_str("</g>\n");
}

fn draw_box(page: &mut String, class: &str, (x, y): (f32, f32), height: f32) {
    let _ = writeln!(
        page,
        "<rect class=\"w-box{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{height:.1}\" rx=\"7\"/>"
    );
}

fn draw_icon(page: &mut String, card: &Card, x: f32, y: f32) {
    let (shape, sign) = (icon::shape(card.level), icon::sign(card.action));
    // A triangle is wide below its middle.
    let down = if card.level == Level::Dip { " transform=\"translate(0 2.5) scale(.85)\"" } else { "" };
    let _ = writeln!(
        page,
        "<g transform=\"translate({x:.1} {y:.1})\"><path class=\"w-icon\" d=\"{shape}\"/><path class=\"w-sign\"{down} \
         d=\"{sign}\"/></g>"
    );
}

fn class(level: Level) -> &'static str {
    match level {
        Level::Loss => "w-loss",
        Level::Downtime => "w-downtime",
        Level::Dip => "w-dip",
        Level::Replacement => "w-replacement",
        Level::Calm => "w-calm",
    }
}

/// The word of a risk; none where there is none.
fn risk(level: Level) -> Option<&'static str> {
    (level != Level::Calm).then(|| level.word())
}

/// What the picture cannot show.
fn notes(graph: &Graph) -> Vec<String> {
    let mut notes = Vec::new();
    if !graph.cards.is_empty() {
        let waits = graph.longest.at_least;
        let waits = if waits.is_zero() { String::new() } else { format!(", {} of waiting at least", span(waits)) };
        let steps = plural(graph.longest.steps as usize, "step");
        notes.push(format!("Thick: the longest path, {steps} one after the other{waits}; the rest runs beside it."));
    }
    notes.extend(graph.left_out.clone());
    notes
}

/// The shapes that occur, with their words, and the notes below.
fn legend(page: &mut String, graph: &Graph, top: f32, notes: &[String]) {
    let mut levels: Vec<Level> = graph.cards.iter().map(|card| card.level).collect();
    levels.sort_unstable();
    levels.dedup();
    let (mut x, mut y) = (MARGIN + 14.0, top + 14.0);
    for level in levels {
        let _ = writeln!(
            page,
            "<g class=\"{}\"><path class=\"w-box\" transform=\"translate({x:.1} {y:.1}) scale(.62)\" \
             d=\"{}\"/></g><text class=\"w-text\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            class(level),
            icon::shape(level),
            x + 16.0,
            y + 4.0,
            level.word()
        );
        x += 120.0;
    }
    for note in notes {
        y += LINE;
        let _ = writeln!(page, "<text class=\"w-text\" x=\"{MARGIN}\" y=\"{y:.1}\">{}</text>", html(note));
    }
}
