//! Policies: the rules that hold in the environment at hand.

use super::{Decode, found};
use crate::{
    block::Block,
    problem::{Code, Problem},
    suggest::did_you_mean,
};
use std::sync::Arc;
use wharf_model::{Action, Demand, Kind, Matcher, PolicySpec, RiskKind, Rule, ServiceName};

impl Decode<'_> {
    /// Decodes a policy; one of another environment is checked, and left out.
    pub(super) fn policy(&mut self, block: &Block, here: Option<&str>) -> Option<(Arc<str>, PolicySpec)> {
        let title = block.argument::<Arc<str>>(0)?;
        // The order of rules means nothing, so they stand in that of the table, however the project is printed.
        let rules = block.row.children().iter().flat_map(|row| block.every(row.name()));
        let rules = rules.filter_map(|node| self.rule(node)).collect();
        self.holds_here(block, here).then_some((title.value, PolicySpec { rules }))
    }

    /// Whether a block that may be for one environment alone holds in the one at hand.
    pub(super) fn holds_here(&mut self, block: &Block, here: Option<&str>) -> bool {
        let environment = block.property::<Arc<str>>("environment");
        if let Some(environment) = &environment
            && !self.known.incomplete
            && !self.known.environments.contains(&*environment.value)
        {
            let known = self.known.environments.iter().map(String::as_str);
            let help = did_you_mean(&environment.value, known)
                .unwrap_or_else(|| "this project has one environment, so leave `environment=` out".to_owned());
            let message = format!("there is no environment `{}`", environment.value);
            let problem = Problem::error(Code::UnknownEnvironment, message).at(environment.at, "not declared");
            self.report(problem.help(help));
        }
        environment.is_none_or(|environment| Some(&*environment.value) == here)
    }

    fn rule(&mut self, node: &Block) -> Option<Rule> {
        let matcher = |actions: Vec<Arc<str>>| Matcher {
            actions: actions.iter().filter_map(|word| Action::of_word(word)).collect(),
            kind: found::<Arc<str>>(node, "kind").and_then(|word| Kind::of_word(&word)),
            service: found::<Arc<str>>(node, "service").and_then(|name| name.parse::<ServiceName>().ok()),
            risk: found::<Arc<str>>(node, "risk").and_then(|word| RiskKind::of_word(&word)),
        };
        let demand = match node.row.name() {
            "deny" => Demand::Deny(matcher(node.all()?)),
            "warn" => Demand::Warn(matcher(node.all()?)),
            "require" => self.requirement(node, matcher)?,
            _ => return None,
        };
        Some(Rule { demand, origin: self.origin(node.title_at()) })
    }

    /// Exactly one thing is required by a rule, so that a verdict can say which.
    fn requirement(&mut self, node: &Block, matcher: impl Fn(Vec<Arc<str>>) -> Matcher) -> Option<Demand> {
        let written = ["min-ready", "max-changes", "approval"].map(|name| node.properties.get(name).is_some());
        if written.iter().filter(|written| **written).count() != 1 {
            let message = "a rule requires one thing: `min-ready=`, `max-changes=` or `approval=`";
            let problem = Problem::error(Code::OnlyOneOf, message).at(node.title_at(), "not one of them");
            self.report(problem.help("write a rule for each, such as `require min-ready=2`".to_owned()));
            return None;
        }
        if let Some(approval) = found::<Arc<str>>(node, "approval") {
            return Some(Demand::Approval(matcher(vec![approval])));
        }
        let service = matcher(Vec::new()).service;
        let pointless = ["kind", "risk"].into_iter().chain(written[1].then_some("service"));
        for name in pointless.filter(|name| node.properties.get(name).is_some()) {
            let at = node.properties.get(name).and_then(|found| found.at);
            let message = format!("`{name}=` means nothing beside this requirement");
            let problem = Problem::error(Code::Unexpected, message).at(at, "does nothing");
            self.report(problem.help("leave it out".to_owned()));
        }
        Some(match found::<u32>(node, "min-ready") {
            Some(count) => Demand::MinReady { count, service },
            None => Demand::MaxChanges { count: found(node, "max-changes")? },
        })
    }
}
