//! About values that do not fit together.

use super::{Explanation, example};

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::listen_conflict",
        brief: "two gateways listen on one port",
        text: "Only one of them could. Addresses count: two gateways may have one port on different addresses, unless one of \
               these means all.",
        wrong: example("gateway \"public\" { listen 8600 }\ngateway \"private\" { listen 8600 }\n"),
        right: example("gateway \"public\" { listen 8600 }\ngateway \"private\" { listen 8601 }\n"),
    },
    Explanation {
        code: "wharf::lang::path_conflict",
        brief: "two services under one path of a gateway",
        text: "A request to that path could go to either. Every service also has a path of its own, /api/predict/NAME, which \
               no other may take.",
        wrong: example(
            "gateway \"public\" { listen 8600 }\n\n\
             service \"one\" { command \"serve\"; port 8000; expose \"public\" path=\"/chat\" }\n\
             service \"two\" { command \"serve\"; port 8000; expose \"public\" path=\"/chat\" }\n",
        ),
        right: example(
            "gateway \"public\" { listen 8600 }\n\n\
             service \"one\" { command \"serve\"; port 8000; expose \"public\" path=\"/chat\" }\n\
             service \"two\" { command \"serve\"; port 8000; expose \"public\" path=\"/chat/beta\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::mount_conflict",
        brief: "mounts that lie in each other",
        text: "One would hide a part of the other, and which part depends on the order in which they are mounted.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    mount \"/data\" { folder \"./data\" }\n    \
             mount \"/data/models\" { folder \"./models\" }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    mount \"/data\" { folder \"./data\" }\n    \
             mount \"/models\" { folder \"./models\" }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::mount_access",
        brief: "properties of a mount that contradict each other",
        text: "A mount that is not live is a snapshot, which instances of one revision share and which must stay as it is: \
               they cannot write to it.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             mount \"/data\" { folder \"./data\" live=#false }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             mount \"/data\" { folder \"./data\" read-only=#true live=#false }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::no_room_to_roll",
        brief: "a rollout that could never take a step",
        text: "With no instance more than the count and none less, no instance can be replaced. `max-surge` rounds up, \
               `max-unavailable` rounds down, so 25% of three instances is none.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             rollout { max-surge 0; max-unavailable 0 }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             rollout { max-surge 1; max-unavailable 0 }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::no_readiness",
        brief: "a service without a readiness probe",
        text: "Without one, an instance counts as ready as soon as its port accepts a connection, which many programs do long \
               before they can answer. A rollout can then replace what serves by what does not.",
        wrong: example("service \"api\" { command \"serve\"; port 8000 }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000; health { readiness { http \"/health\" } } }\n"),
    },
    Explanation {
        code: "wharf::lang::slow_probe",
        brief: "a probe whose answers may take longer than the time between two checks",
        text: "The next check is due while the last one still waits, so checks come later than the file says.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             health { readiness { tcp; every \"1s\"; timeout \"3s\" } }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             health { readiness { tcp; every \"3s\"; timeout \"1s\" } }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unused_token",
        brief: "tokens that nobody is asked for",
        text: "A gateway asks for tokens, and the service is exposed by none: whoever reaches its instances directly gets in \
               without. Expose it, or remove the tokens.",
        wrong: example(
            "secret \"token\" { env \"TOKEN\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; auth { token (secret)\"token\" } }\n",
        ),
        right: example(
            "secret \"token\" { env \"TOKEN\" }\ngateway \"public\" { listen 8600 }\n\n\
             service \"api\" { command \"serve\"; port 8000; auth { token (secret)\"token\" }; expose \"public\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_warning",
        brief: "something to allow that is no warning",
        text: "Only warnings can be allowed: an error would leave nothing to plan. `wharf explain` lists every code.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             allow-warning \"no_readyness\" reason=\"it answers at once\"\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    \
             allow-warning \"no_readiness\" reason=\"it answers at once\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unused_allowance",
        brief: "a warning that is allowed and does not come up",
        text: "What it was written for is gone, and it would let pass the next one, which nobody looked at. Warnings that only \
               another runtime has are not counted.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    health { readiness { tcp } }\n    \
             allow-warning \"no_readiness\" reason=\"it answers at once\"\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    health { readiness { tcp } }\n}\n",
        ),
    },
];
