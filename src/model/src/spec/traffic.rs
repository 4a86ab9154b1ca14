//! How many requests are let through to a service.

use crate::{Field, entries::List};

/// How many requests are let through; the runtime's own limits where absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// So many a second, all instances together.
    pub rate_limit: Option<u32>,
    /// So many at once, all instances together.
    pub concurrency_limit: Option<u32>,
    /// So many a second for each instance.
    pub instance_rate_limit: Option<u32>,
    /// How many wait in an instance.
    pub queue_size: Option<u32>,
}

impl Traffic {
    pub(crate) fn list(&self, list: &mut List) {
        let Self { rate_limit, concurrency_limit, instance_rate_limit, queue_size } = self;
        let a_second = |limit: &u32| format!("{limit} a second");
        list.some(Field::TrafficRate, rate_limit.as_ref().map(a_second));
        list.some(Field::TrafficConcurrency, *concurrency_limit);
        list.some(Field::TrafficInstanceRate, instance_rate_limit.as_ref().map(a_second));
        list.some(Field::TrafficQueue, *queue_size);
    }
}
