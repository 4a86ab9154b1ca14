//! About names that lead nowhere, or to two things.

use super::{Explanation, Given, example};

const TWO: &str = "environment \"dev\" { provider \"local\" }\nenvironment \"prod\" { provider \"local\" }\n";

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::duplicate_name",
        brief: "two things of one kind have one name",
        text: "A name is how wharf knows a thing again: in plans, in its record, on the runtime. All files of the folder \
               count as one, so the other may stand in another file; the second label points at it.",
        wrong: example(
            "service \"api\" { command \"serve\"; port 8000 }\nservice \"api\" { command \"serve\" \"--all\"; port 8000 }\n",
        ),
        right: example(
            "service \"api\" { command \"serve\"; port 8000 }\nservice \"all\" { command \"serve\" \"--all\"; port 8000 }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_gateway",
        brief: "a gateway that is not declared",
        text: "`expose`, or the overlay of an environment, names a gateway that no file declares.",
        wrong: example(
            "gateway \"public\" { listen 8600 }\n\nservice \"api\" { command \"serve\"; port 8000; expose \"pulbic\" }\n",
        ),
        right: example(
            "gateway \"public\" { listen 8600 }\n\nservice \"api\" { command \"serve\"; port 8000; expose \"public\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_secret",
        brief: "a secret that is not declared",
        text: "`(secret)\"name\"` refers to a `secret` node, which says where the value comes from. No file has one of that \
               name.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN (secret)\"hf\" } }\n"),
        right: example(
            "secret \"hf\" { env \"HF_TOKEN\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN (secret)\"hf\" } }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_service",
        brief: "a service that is not declared",
        text: "The overlay of an environment changes a service of the project; it cannot make one, as the other environments \
               would not have it. Declare it at the top, or correct the name.",
        wrong: example(
            "environment \"dev\" {\n    provider \"local\"\n    service \"ap\" { instances 4 }\n}\n\n\
             service \"api\" { command \"serve\"; port 8000 }\n",
        ),
        right: example(
            "environment \"dev\" {\n    provider \"local\"\n    service \"api\" { instances 4 }\n}\n\n\
             service \"api\" { command \"serve\"; port 8000 }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_input",
        brief: "an input that is not declared",
        text: "`${input.name}` in a file, or `--input name=value` on the command line, names an input that the project does \
               not have. A value that goes nowhere is more likely a slip than a wish.",
        wrong: example("service \"api\" { command \"serve\" \"${input.tag}\"; port 8000 }\n"),
        right: example(
            "input \"tag\" default=\"1.4.2\"\n\nservice \"api\" { command \"serve\" \"${input.tag}\"; port 8000 }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_environment",
        brief: "an environment that is not declared",
        text: "`--env` or the variable WHARF_ENV asks for an environment that the project does not have. wharf does not \
               fall back to another: that could be the wrong one.",
        wrong: example(TWO).given(&[Given::Environment("prdo")]),
        right: example(TWO).given(&[Given::Environment("prod")]),
    },
    Explanation {
        code: "wharf::lang::environment_not_chosen",
        brief: "the project has several environments, and none is chosen",
        text: "With one environment there is nothing to choose. With several, wharf asks to be told which: by `--env`, or by \
               the variable WHARF_ENV.",
        wrong: example(TWO),
        right: example(TWO).given(&[Given::Environment("dev")]),
    },
    Explanation {
        code: "wharf::lang::unknown_provider",
        brief: "a provider that this build of wharf does not have",
        text: "An environment names the runtime that it uses. The message lists those that this build knows; a project that \
               needs a newer one should say so with `requires-wharf`.",
        wrong: example("environment \"dev\" { provider \"nomad\" }\n"),
        right: example("environment \"dev\" { provider \"local\" }\n"),
    },
];
