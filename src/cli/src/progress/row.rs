//! What a board says of one service.

use super::expect::Ahead;
use wharf_model::ServiceName;
use wharf_plan::rollout::Tally;
use wharf_report::{bold, dim, duration, good, warn};

/// How far a service has come.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    /// What is to come, as long as all goes well.
    pub(super) ahead: Option<Ahead>,
    /// How many calls were made.
    pub(super) made: usize,
    /// The call that was begun last, until it has ended.
    pub(super) doing: Option<String>,
    /// What is waited for.
    pub(super) waits: Option<String>,
    /// Where its instances stand, and how many there are to be.
    pub(super) stands: Option<(Tally, u32)>,
    /// Whether it goes back to what was before.
    pub(super) goes_back: bool,
}

impl Row {
    /// Whether it is where it is to be.
    pub(super) fn has_arrived(&self) -> bool {
        let none_on_the_way =
            |Tally { ready, coming, old, draining }: Tally, count: u32| ready == count && coming + old + draining == 0;
        self.stands.is_some_and(|(tally, count)| none_on_the_way(tally, count))
    }

    /// One line: old, new and ready instances, then the step.
    pub(super) fn words(&self, service: &ServiceName) -> String {
        let mut parts = Vec::new();
        if let Some((Tally { ready, coming, old, draining }, count)) = self.stands {
            let numbers = [(old, "old"), (ready + coming, "new"), (draining, "draining")];
            parts.extend(
                numbers.iter().filter(|(number, _)| *number > 0).map(|(number, word)| format!("{number} {word}")),
            );
            parts.push(good(format!("{ready}/{count} ready")));
        }
        parts.extend(self.step());
        format!("{}  {}", bold(service), parts.join(" · "))
    }

    fn step(&self) -> Option<String> {
        let now = self.doing.as_ref().or(self.waits.as_ref());
        let number = match self.ahead {
            _ if self.goes_back => warn("going back"),
            // What was not foreseen is not counted either.
            Some(ahead) if self.made < ahead.calls => format!("step {} of {}", self.made + 1, ahead.calls),
            _ => return now.map(dim),
        };
        Some(now.map_or(number.clone(), |now| format!("{number}: {}", dim(now))))
    }

    /// How long it takes by experience, to stand behind the time that has gone by.
    pub(super) fn expected(&self) -> String {
        match self.ahead.and_then(|ahead| ahead.takes) {
            Some(takes) if !self.goes_back => format!(" of about {}", duration(takes)),
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn a_row_tells_old_new_ready_and_the_step() {
        let hello: ServiceName = "hello".parse().unwrap();
        let ahead = Some(Ahead { calls: 8, takes: Some(Duration::from_secs(12)) });
        let stands = Some((Tally { ready: 1, coming: 1, old: 2, draining: 0 }, 2));
        let mut row = Row { ahead, made: 2, stands, doing: Some("start hello-1-g2".to_owned()), ..Row::default() };
        assert_eq!(plain(&row.words(&hello)), "hello  2 old · 2 new · 1/2 ready · step 3 of 8: start hello-1-g2");
        assert_eq!(row.expected(), " of about 12s");
        row.goes_back = true;
        assert_eq!(plain(&row.words(&hello)), "hello  2 old · 2 new · 1/2 ready · going back: start hello-1-g2");
        assert_eq!(row.expected(), "");
        row = Row { waits: Some("hello-0-g1 is ready".to_owned()), ..Row::default() };
        assert_eq!(plain(&row.words(&hello)), "hello  hello-0-g1 is ready");
        row.stands = Some((Tally { ready: 2, coming: 0, old: 0, draining: 0 }, 2));
        assert!(row.has_arrived());
    }
}
