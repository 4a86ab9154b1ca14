//! Whom an apply tells how it ended.

use super::*;

const ENDING: Type = Type::Word(&["done", "paused", "interrupted", "rolled-back", "failed", "halted"]);

pub(super) const ROWS: &[NodeSchema] = &[
    node("notify", Many, "somebody who is told how each apply ended: a summary in JSON, posted to a webhook")
        .elsewhere(&["webhook", "hook", "notification", "notifications", "on_failure"])
        .takes(NAME)
        .has(&[property("environment", Type::Name, "only of this environment; when not given, of each")]),
    node("notify.url", Once, "the webhook, by `https://` or `http://`; as a secret, if it alone lets anybody in")
        .elsewhere(&["endpoint", "address"])
        .takes(&[value("url", Type::Variable)]),
    node("notify.headers", Optional, "what else the webhook wants to see, such as a token")
        .elsewhere(&["header"])
        .holds_any(Type::Variable),
    node("notify.on", Optional, "the endings that it is told; when not given, all")
        .elsewhere(&["events", "when"])
        .takes_many(&[value("ending", ENDING)]),
    node("notify.timeout", Optional, "how long all tries together may take").takes(SPAN).or("10s"),
    node("notify.retries", Optional, "how often it is tried again when nobody answers, or not now")
        .elsewhere(&["attempts"])
        .takes(&[value("times", Type::Integer { from: 0, to: 10 })])
        .or("2"),
];
