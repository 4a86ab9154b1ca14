//! The graph of a project's resources: as a tree of words, for programs, for Graphviz, and as a picture that needs no
//! other program.

use crate::text::{bold, dim, width};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write};
use wharf_model::Address;
use wharf_plan::Graph;

/// Each resource with what it depends on below it.
pub fn graph(graph: &Graph) -> String {
    let mut out = String::new();
    for (address, needs) in &graph.needs {
        let _ = writeln!(out, "{}", bold(address));
        for need in needs {
            let _ = writeln!(out, "    {} {need}", dim("needs"));
        }
    }
    out
}

/// The same for programs.
pub fn graph_json(graph: &Graph) -> Value {
    let one = |(address, needs): (&Address, &std::collections::BTreeSet<Address>)| json!({ "address": address.to_string(), "needs": needs.iter().map(ToString::to_string).collect::<Vec<_>>() });
    json!({ "format": "wharf.graph/1", "resources": graph.needs.iter().map(one).collect::<Vec<_>>() })
}

/// The same for Graphviz. An arrow leads from a resource to what it depends on.
pub fn graph_dot(graph: &Graph) -> String {
    let mut out = "digraph wharf {\n    rankdir=LR\n    node [shape=box, fontname=\"sans-serif\"]\n".to_owned();
    for (address, needs) in &graph.needs {
        let _ = writeln!(out, "    {}", quoted(address));
        for need in needs {
            let _ = writeln!(out, "    {} -> {}", quoted(address), quoted(need));
        }
    }
    out + "}\n"
}

fn quoted(address: &Address) -> String {
    format!("\"{}\"", address.to_string().replace('\\', "\\\\").replace('"', "\\\""))
}

const LETTER: usize = 8;
const BOX: usize = 30;
const ROW: usize = 46;
const GAP: usize = 90;
const EDGE: usize = 20;

/// A box of the picture.
struct Node {
    x: usize,
    y: usize,
    wide: usize,
}

/// The same as a picture: layers from left to right, each depending on those to its left.
pub fn graph_svg(graph: &Graph) -> String {
    let layers = graph.layers();
    let mut nodes: BTreeMap<&Address, Node> = BTreeMap::new();
    let (mut x, mut high) = (EDGE, 0);
    for (column, layer) in layers.iter().enumerate() {
        // Lines that pass a column go between its boxes.
        let top = EDGE + column % 2 * ROW / 2;
        let wide = layer.iter().map(|address| width(&address.to_string()) * LETTER + 24).max().unwrap_or(0);
        for (row, address) in layer.iter().enumerate() {
            nodes.insert(address, Node { x, y: top + row * ROW, wide });
        }
        high = high.max(top + layer.len() * ROW);
        x += wide + GAP;
    }
    let wide = x.saturating_sub(GAP) + EDGE;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {wide} {high}\" width=\"{wide}\" height=\"{high}\" \
         font-family=\"ui-monospace, monospace\" font-size=\"13\">\n\
         <rect width=\"{wide}\" height=\"{high}\" fill=\"#ffffff\"/>\n"
    );
    for (address, needs) in &graph.needs {
        for need in needs {
            if let (Some(from), Some(to)) = (nodes.get(address), nodes.get(need)) {
                line(&mut out, from, to);
            }
        }
    }
    for (address, node) in &nodes {
        shape(&mut out, address, node);
    }
    out + "</svg>\n"
}

fn line(out: &mut String, from: &Node, to: &Node) {
    let (x1, y1) = (from.x, from.y + BOX / 2);
    let (x2, y2) = (to.x + to.wide, to.y + BOX / 2);
    let middle = (x1 + x2) / 2;
    let _ = writeln!(
        out,
        "<path d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#8b949e\" stroke-width=\"1.5\"/>"
    );
}

fn shape(out: &mut String, address: &Address, node: &Node) {
    let Node { x, y, wide } = node;
    let (fill, stroke) = match address {
        Address::Service(_) | Address::Instance(..) => ("#ddf4ff", "#0969da"),
        Address::Gateway(_) | Address::Route(..) | Address::Nlb(_) | Address::Supervisor(_) => ("#dafbe1", "#1a7f37"),
        Address::Mount(..) | Address::Packages(_) | Address::Content(_) => ("#fff8c5", "#9a6700"),
        _ => ("#f6f8fa", "#57606a"),
    };
    let (left, base) = (x + 12, y + 20);
    let _ = writeln!(
        out,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{BOX}\" rx=\"6\" fill=\"{fill}\" stroke=\"{stroke}\"/>\n\
         <text x=\"{left}\" y=\"{base}\" fill=\"#1f2328\">{}</text>",
        escaped(&address.to_string())
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
