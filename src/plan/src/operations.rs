//! The operation graph: what is done, and what must have been done before.

use crate::rollout::{Order, Standing};
use petgraph::{
    Direction,
    graph::{DiGraph, NodeIndex},
    visit::EdgeRef,
};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};
use wharf_model::{
    Address, Effect, GatewayName, Generation, InstanceId, Operation, Revision, RevisionNumber, Shutdown, Slot,
};

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Step {
    /// One provider call.
    Call(Operation),
    /// A rollout: provider calls as its rule chooses them.
    Rollout(Box<RolloutStep>),
    /// Nothing on the platform; only the record changes.
    Note(Address, Effect),
}

impl Step {
    /// What it is done to.
    pub fn address(&self) -> Address {
        match self {
            Self::Call(operation) => operation.address.clone(),
            Self::Rollout(rollout) => Address::Service(rollout.order.service.clone()),
            Self::Note(address, _) => address.clone(),
        }
    }
}

/// All that it takes to carry out a rollout.
#[derive(Debug, Clone)]
pub struct RolloutStep {
    /// What it is to do.
    pub order: Order,
    /// The revisions that it may start instances of.
    pub revisions: BTreeMap<RevisionNumber, Arc<Revision>>,
    /// The instances that stand.
    pub standing: BTreeMap<InstanceId, Standing>,
    /// Where those listen.
    pub endpoints: BTreeMap<InstanceId, SocketAddr>,
    /// The highest generation that was ever used in each slot.
    pub generations: BTreeMap<Slot, Generation>,
    /// The gateways that are to send requests to the service.
    pub gateways: Vec<GatewayName>,
    /// Those, and any that may still know its instances.
    pub known_by: Vec<GatewayName>,
    /// How instances are stopped.
    pub shutdown: Shutdown,
}

/// Points at a step of one plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId(pub u32);

impl StepId {
    fn index(self) -> NodeIndex {
        NodeIndex::new(self.0 as usize)
    }
}

/// A graph of steps without cycles: an edge leads from what must be done before.
#[derive(Debug, Clone, Default)]
pub struct Operations {
    graph: DiGraph<Step, ()>,
}

impl Operations {
    pub(crate) fn add(&mut self, step: Step) -> StepId {
        StepId(u32::try_from(self.graph.add_node(step).index()).expect("fewer steps than 32 bits count"))
    }

    /// Makes `later` wait for `earlier`.
    pub(crate) fn order(&mut self, earlier: StepId, later: StepId) {
        let (earlier, later) = (earlier.index(), later.index());
        if !self.is_ordered(earlier, later) {
            self.graph.add_edge(earlier, later, ());
        }
    }

    /// Whether one waits for the other already. Looks from both ends at once and takes as long as the nearer: a gateway has
    /// every route behind it, and a route but one gateway before it.
    fn is_ordered(&self, earlier: NodeIndex, later: NodeIndex) -> bool {
        let behind = self.graph.neighbors_directed(earlier, Direction::Outgoing);
        let before = self.graph.neighbors_directed(later, Direction::Incoming);
        behind.zip(before).any(|(next, previous)| next == later || previous == earlier)
    }

    /// Whether `later` waits for `earlier`, if only for what waits for it. Looks at everything in between.
    pub(crate) fn waits(&self, later: StepId, earlier: StepId) -> bool {
        petgraph::algo::has_path_connecting(&self.graph, earlier.index(), later.index(), None)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.graph.node_count() == 0
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Every step, in the order of their ids.
    pub fn steps(&self) -> impl Iterator<Item = (StepId, &Step)> {
        self.graph.node_indices().zip(self.graph.node_weights()).map(|(index, step)| (id(index), step))
    }

    /// The step.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.graph.node_weight(id.index())
    }

    /// What a step waits for.
    pub fn before(&self, of: StepId) -> impl Iterator<Item = StepId> {
        self.graph.edges_directed(of.index(), Direction::Incoming).map(|edge| id(edge.source()))
    }

    /// What waits for a step.
    pub fn after(&self, of: StepId) -> impl Iterator<Item = StepId> {
        self.graph.edges_directed(of.index(), Direction::Outgoing).map(|edge| id(edge.target()))
    }

    /// The length of the longest path that begins with each step, in steps; a step with a long one should start first.
    /// None when the graph has a cycle.
    pub fn remaining(&self) -> Option<Vec<u32>> {
        let order = petgraph::algo::toposort(&self.graph, None).ok()?;
        let mut lengths = vec![1_u32; self.graph.node_count()];
        for index in order.into_iter().rev() {
            let longest = self.graph.neighbors(index).map(|next| lengths[next.index()]).max().unwrap_or(0);
            lengths[index.index()] = longest + 1;
        }
        Some(lengths)
    }
}

fn id(index: NodeIndex) -> StepId {
    StepId(u32::try_from(index.index()).expect("fewer steps than 32 bits count"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_model::Effect;

    #[test]
    fn a_step_waits_for_another_once() {
        let mut operations = Operations::default();
        let mut add = |name: &str| {
            let gateway: GatewayName = name.parse().unwrap();
            operations.add(Step::Note(Address::Gateway(gateway.clone()), Effect::GatewayGone { gateway }))
        };
        let (hub, ends) = (add("hub"), ["a", "b", "c"].map(&mut add));
        for _ in 0..2 {
            for (earlier, later) in [(hub, ends[0]), (hub, ends[1]), (hub, ends[2]), (ends[0], ends[2])] {
                operations.order(earlier, later);
            }
        }
        assert_eq!(operations.after(hub).count(), 3);
        assert_eq!(operations.before(ends[2]).count(), 2);
        assert_eq!(operations.before(ends[0]).collect::<Vec<_>>(), [hub]);
    }
}
