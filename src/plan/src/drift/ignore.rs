//! What the files say is not to count.

use super::Finding;
use wharf_model::{Date, Ignore};

/// A finding that a rule covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// What was found.
    pub finding: Finding,
    /// The first rule that fits.
    pub rule: Ignore,
}

/// Findings and rules, each where it belongs.
pub(super) struct SortedOut {
    pub(super) count: Vec<Finding>,
    pub(super) ignored: Vec<Ignored>,
    pub(super) expired: Vec<Ignore>,
    pub(super) idle: Vec<Ignore>,
}

/// Holds each finding against the rules that still hold.
pub(super) fn sort_out(findings: Vec<Finding>, rules: &[Ignore], today: Date) -> SortedOut {
    let (expired, rules): (Vec<_>, Vec<_>) = rules.iter().cloned().partition(|rule| rule.is_expired(today));
    let mut used = vec![false; rules.len()];
    let (mut count, mut ignored) = (Vec::new(), Vec::new());
    for finding in findings {
        // Another rule that fits is of use too: only what fits nothing is idle.
        let fitting: Vec<usize> = (0..rules.len()).filter(|at| fits(&rules[*at], &finding)).collect();
        fitting.iter().for_each(|at| used[*at] = true);
        match fitting.first() {
            Some(first) => ignored.push(Ignored { finding, rule: rules[*first].clone() }),
            None => count.push(finding),
        }
    }
    let idle = rules.into_iter().zip(used).filter(|(_, used)| !used).map(|(rule, _)| rule).collect();
    SortedOut { count, ignored, expired, idle }
}

fn fits(rule: &Ignore, finding: &Finding) -> bool {
    match &rule.service {
        Some(service) => finding.address.service() == Some(service) && matches(&rule.path, &finding.aspect.to_string()),
        None => matches(&rule.path, &finding.address.to_string()) || matches(&rule.path, &finding.path()),
    }
}

/// Whether a text fits a pattern, in which `*` stands for any run of characters.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_texts() {
        for (pattern, text, expected) in [
            ("gateway.public", "gateway.public", true),
            ("gateway.public", "gateway.public.listen", false),
            ("instance.*.process", "instance.hello[0].process", true),
            ("instance.*.process", "instance.hello[0].readiness", false),
            ("*", "route.public/hello", true),
            ("*a*a", "aa", true),
            ("*a*a", "a", false),
            ("a*a", "a", false),
            ("env.*", "env.LOG_LEVEL", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
