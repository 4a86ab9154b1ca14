//! About what a runtime finds when it is asked for a plan. The files are fine; the examples show what it takes.

use super::{Explanation, example};

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::plan::unsupported",
        brief: "the runtime cannot honour a field that is set",
        text: "The same files run on several runtimes, and not every field can exist on each. Nothing is ignored: a field \
               that the chosen runtime cannot honour stops the plan at its line, and the help says what would do.",
        wrong: example(
            "environment \"dev\" { provider \"local\" }\n\n\
             service \"api\" { image \"registry.example.com/api:1\"; command \"serve\"; port 8000 }\n",
        ),
        right: example(
            "environment \"dev\" { provider \"local\" { image \"host\" } }\n\n\
             service \"api\" { image \"registry.example.com/api:1\"; command \"serve\"; port 8000 }\n",
        ),
    },
    Explanation {
        code: "wharf::plan::gpu",
        brief: "the machine lacks GPUs, or the driver, that a service asks for",
        text: "A rollout that starts a new instance before an old one goes takes a seat more than the service has instances. \
               Whether each finds one is seen before anything is started: whole cards are given to one instance alone, \
               shares add up to the memory and the cores of a card. The message says what each card has free, and who holds \
               the rest.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    resources { gpu 1 }\n    \
             rollout { max-surge 1; max-unavailable 0 }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    resources { gpu 1 }\n    \
             rollout { max-surge 0; max-unavailable 1 }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::plan::source",
        brief: "something that a service refers to cannot be read",
        text: "A plan fixes what a service refers to: the content of a folder that is mounted as a snapshot, the interpreter \
               that its libraries are installed for. What cannot be read now would be missing when instances start, so \
               there is no plan without it.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             mount \"/data\" { folder \"./no-such-folder\" read-only=#true }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             mount \"/data\" { folder \"./data\" read-only=#true }\n}\n",
        ),
    },
];
