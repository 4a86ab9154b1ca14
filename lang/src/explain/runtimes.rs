//! About fields that do not go together, and about what a runtime refuses or makes trouble of.

use super::{Explanation, example};

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::contradiction",
        brief: "fields that contradict each other",
        text: "Both cannot hold at once, and wharf does not choose between them. The label points at both.",
        wrong: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    timeout \"5s\" { connect \"10s\" }\n}\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    timeout \"30s\" { connect \"10s\" }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::requires",
        brief: "a field that means something only beside another",
        text: "Without the other it would be ignored, and wharf ignores nothing silently.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    job \"service\"\n}\n"),
        right: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    queue\n    job \"service\"\n}\n"),
    },
    Explanation {
        code: "wharf::lang::pointless",
        brief: "a field that does nothing",
        text: "What is written says that nothing is wanted, which leaving it out says better.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    resources { gpu 0 }\n}\n"),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    resources { gpu 1 }\n    timeout \"5m\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_network",
        brief: "a network that is not declared",
        text: "A name must lead somewhere. Networks are declared at the top of the project.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    network \"inner\"\n}\n"),
        right: example(
            "network \"inner\" cidr=\"10.20.0.0/24\"\n\n\
             service \"api\" {\n    command \"serve\"\n    port 8000\n    network \"inner\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_group",
        brief: "a group that is not declared",
        text: "A group is one entry for several services, and says how requests are shared among them. It is declared at the \
               top of the project.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    group \"chat\"\n}\n"),
        right: example(
            "group \"chat\"\n\nservice \"api\" {\n    command \"serve\"\n    port 8000\n    group \"chat\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_nlb",
        brief: "a balancer that is not declared",
        text: "An environment changes what the project declares at its top. A name that is not there changes nothing.",
        wrong: example(
            "nlb \"edge\" { listener 9000 target=\"api\" }\n\nservice \"api\" { command \"serve\"; port 8000 }\n\n\
             environment \"prod\" { provider \"local\"; nlb \"egde\" { public } }\n",
        ),
        right: example(
            "nlb \"edge\" { listener 9000 target=\"api\" }\n\nservice \"api\" { command \"serve\"; port 8000 }\n\n\
             environment \"prod\" { provider \"local\"; nlb \"edge\" { public } }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_registry",
        brief: "a registry that is not declared",
        text: "An environment changes what the project declares at its top. A name that is not there changes nothing.",
        wrong: example(
            "secret \"ci\" { env \"CI\" }\nregistry \"registry.example.com\" username=\"ci\" password=(secret)\"ci\"\n\n\
             environment \"prod\" { provider \"local\"; registry \"example.com\" username=\"release\" }\n",
        ),
        right: example(
            "secret \"ci\" { env \"CI\" }\nregistry \"registry.example.com\" username=\"ci\" password=(secret)\"ci\"\n\n\
             environment \"prod\" { provider \"local\"; registry \"registry.example.com\" username=\"release\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::foreign_setting",
        brief: "a setting of another provider",
        text: "Each provider has settings of its own. One that belongs to another would be ignored.",
        wrong: example("environment \"box\" { provider \"docker\" region=\"cn-hangzhou\" }\n"),
        right: example("environment \"box\" { provider \"docker\" host=\"unix:///var/run/docker.sock\" }\n"),
    },
    Explanation {
        code: "wharf::lang::refused_name",
        brief: "a name that the runtime refuses",
        text: "Names are what the platform knows a service by, so its rules hold in environments of that runtime: EAS takes \
               lower-case letters, digits and `_`.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat-next\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n}\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat_next\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unreachable_image",
        brief: "an image that the runtime may not reach",
        text: "Instances on EAS have no way out by themselves, so a registry outside of the region cannot be pulled from.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat\" {\n    image \"vllm/vllm-openai:v0.10\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n}\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::short_timeout",
        brief: "requests that will be cut off",
        text: "Five seconds are the default, as on EAS. Models on GPUs often take longer, and their callers then see a 408.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { dedicated \"eas-r-example\"; cpu 2; memory \"8GiB\"; gpu 1 }\n}\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { dedicated \"eas-r-example\"; cpu 2; memory \"8GiB\"; gpu 1 }\n    timeout \"5m\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::long_timeout",
        brief: "callers that may wait longer than connections last",
        text: "Between a caller and an instance of EAS there are gateways, balancers and clients with limits of their own, \
               ten minutes and less. Behind a `queue`, a caller gets a number at once and comes back for the answer.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"video\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/video:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n    timeout \"1h\"\n}\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"video\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/video:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n    timeout \"1h\"\n    queue\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::no_way_out",
        brief: "what instances fetch when they start, where they have no way out",
        text: "Instances on EAS reach nothing outside of the region unless their network leads there. Libraries and \
               repositories are fetched when an instance starts, so each start would fail or take very long.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             service \"chat\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n    packages \"flask==2.3.3\"\n}\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             network \"out\" { vpc \"vpc-a\"; vswitches \"vsw-a\"; security-group \"sg-a\" }\n\n\
             service \"chat\" {\n    image \"registry-vpc.cn-hangzhou.aliyuncs.com/me/chat:1\"\n    command \"serve\"\n    port 8000\n    \
             resources { instance-type \"ecs.c7.large\" }\n    packages \"flask==2.3.3\"\n    network \"out\"\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::body_limit",
        brief: "bodies that the runtime's gateway does not let through",
        text: "Gateways of EAS let bodies of 1MiB through, whatever the file says. Larger ones go through an `nlb`, or as the \
               address of an object.",
        wrong: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             gateway \"public\" { shared; max-body \"8MiB\" }\n",
        ),
        right: example(
            "environment \"prod\" { provider \"eas\" region=\"cn-hangzhou\" }\n\n\
             gateway \"public\" { shared; max-body \"1MiB\" }\n",
        ),
    },
];
