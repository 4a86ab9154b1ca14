//! Queues, and counts of instances that change by themselves.

use super::*;

const FLAG: &[Argument] = &[value("flag", Type::Flag)];
const INSTANCES: Type = Type::Integer { from: 0, to: 1_000 };

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.queue", Optional, "requests wait in a queue, and answers too; callers come back for them")
        .elsewhere(&["async", "async-queue"])
        .patched(),
    node("service.queue.instances", Optional, "how many copies of the queue there are")
        .elsewhere(&["min-replica"])
        .takes(&[value("count", Type::Integer { from: 1, to: 2 })])
        .or("1"),
    node("service.queue.cpu", Optional, "its cores").takes(&[value("cores", Type::Decimal)]),
    node("service.queue.memory", Optional, "its memory").takes(&[value("size", Type::Size)]),
    node("service.queue.dedicated", Optional, "machines of one's own for it; when not given, those of the service")
        .elsewhere(&["resource", "resource-group"])
        .takes(&[value("id", Type::Text)]),
    node("service.queue.max-delivery", Optional, "how often a request is handed out before it is given up")
        .elsewhere(&["max_delivery", "retries"])
        .takes(TIMES)
        .or("5"),
    node("service.queue.workers", Optional, "how many requests an instance works on at once")
        .elsewhere(&["worker-threads", "worker_threads"])
        .takes(&[value("count", Type::Integer { from: 1, to: 1_000 })]),
    node("service.queue.output-share", Optional, "how much of its memory is for answers")
        .elsewhere(&["memory-ratio"])
        .takes(&[value("percentage", Type::Percent)]),
    node("service.queue.evict-input", Optional, "when requests fill it, the oldest are dropped")
        .elsewhere(&["auto-evict"])
        .takes(FLAG),
    node("service.queue.evict-output", Optional, "when answers fill it, the oldest are dropped").takes(FLAG),
    node(
        "service.job",
        Optional,
        "instances are jobs: \"service\" answers from the queue, \"worker\" comes for work itself",
    )
    .elsewhere(&["elastic-job", "scalable-job"])
    .takes(&[value("shape", Type::Word(&["service", "worker"]))]),
    node("service.autoscale", Optional, "the count of instances follows the work")
        .elsewhere(&["autoscaler", "hpa", "scaling"])
        .patched(),
    node("service.autoscale.min", Optional, "at least so many; 0 lets the service sleep")
        .elsewhere(&["min-replicas", "min-replica"])
        .takes(&[value("count", INSTANCES)])
        .or("1"),
    node("service.autoscale.max", Once, "at most so many")
        .elsewhere(&["max-replicas", "max-replica"])
        .takes(&[value("count", Type::Integer { from: 1, to: 1_000 })]),
    node("service.autoscale.metric", AtLeastOne, "what the count follows; the metric that asks for most counts")
        .elsewhere(&["strategy", "strategies", "scale-strategies", "target"])
        .takes(&[value("metric", Type::Word(&["qps", "concurrency", "cpu", "gpu", "queue-length"]))])
        .has(&[property("target", Type::Decimal, "what it should be for each instance; of a hundred for cpu and gpu")
            .must()]),
    node("service.autoscale.up-window", Optional, "how long more instances must be asked for")
        .takes(SPAN_OR_ZERO)
        .or("0s"),
    node("service.autoscale.down-window", Optional, "how long fewer instances must be asked for")
        .takes(SPAN_OR_ZERO)
        .or("5m"),
    node("service.autoscale.idle", Optional, "after how long without work the service sleeps").takes(SPAN).or("10m"),
    node("service.autoscale.wake", Optional, "with how many instances it wakes")
        .takes(&[value("count", Type::Integer { from: 1, to: 1_000 })])
        .or("1"),
    node("service.schedule", Many, "the count of instances from a time on")
        .elsewhere(&["cron", "cronscaler"])
        .takes(NAME)
        .has(&[
            property("cron", Type::Cron, "when, as cron writes it").must(),
            property("instances", INSTANCES, "how many instances there are from then on").must(),
            property("timezone", Type::TimeZone, "whose clock").or("UTC"),
        ]),
    node("service.schedule.except", Optional, "the days on which it does not count")
        .elsewhere(&["exclude", "exclude-dates", "excludeDates", "holidays"])
        .takes_many(&[value("day", Type::Day)]),
    node("service.mirror", Optional, "requests are sent to other services as well; their answers are dropped")
        .takes(&[value("percentage", Type::Percent)]),
    node("service.mirror.target", AtLeastOne, "to which service").takes(&[value("service", Type::Name)]),
    node("service.expiry", Optional, "the service is removed when it has not run for so long; when not given, never")
        .elsewhere(&["ttl", "expires"])
        .takes(SPAN),
];
