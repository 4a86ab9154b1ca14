//! About single values.

use super::{Explanation, Given, example};

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::wrong_type",
        brief: "a value of another type than its field takes",
        text: "Numbers, booleans and texts are told apart, and durations and sizes carry their unit, so that `5` is never \
               read as milliseconds by one and as minutes by another. Numbers and booleans stand without quotes.",
        wrong: example("service \"api\" { command \"serve\"; port \"8000\"; timeout 5 }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000; timeout \"5s\" }\n"),
    },
    Explanation {
        code: "wharf::lang::invalid_value",
        brief: "a value of the right type that means nothing",
        text: "The text cannot be what the field needs: a name with spaces in it, a path that does not begin with `/`, an \
               address that is none. It is refused here, where the line is known, rather than by whoever gets it later.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; mount \"data\" { folder \".\" } }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000; mount \"/data\" { folder \".\" } }\n"),
    },
    Explanation {
        code: "wharf::lang::out_of_range",
        brief: "a number, duration or size beyond its limits",
        text: "Every quantity has limits beyond which it can only be a slip: a port above 65535, a probe that runs every \
               zero seconds. The message names them.",
        wrong: example("service \"api\" { command \"serve\"; port 80000 }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000 }\n"),
    },
    Explanation {
        code: "wharf::lang::reserved_port",
        brief: "a port that a runtime keeps for itself",
        text: "8080 and 9090 belong to the platform inside an instance on some runtimes, and the same file is to run on all \
               of them. Choose another port; the program finds it in the variable PORT.",
        wrong: example("service \"api\" { command \"serve\"; port 8080 }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000 }\n"),
    },
    Explanation {
        code: "wharf::lang::reserved_variable",
        brief: "a variable that wharf sets itself",
        text: "PORT tells an instance where to listen. On some runtimes that differs from instance to instance, so a value \
               written down would be wrong for all but one.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; env { PORT 9000 } }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000; env { LOG_LEVEL \"info\" } }\n"),
    },
    Explanation {
        code: "wharf::lang::interpolation",
        brief: "a `${` that is no interpolation of an input",
        text: "`${input.name}` is replaced by the value of an input. Nothing else can stand in the braces: a file says the \
               same on every machine, so it reads no variable of the environment. For a `${` that is to stay as it is, \
               write `$${`.",
        wrong: example("service \"api\" { command \"serve\" \"${HOME}\"; port 8000 }\n"),
        right: example(
            "input \"home\" default=\"/srv\"\n\nservice \"api\" { command \"serve\" \"${input.home}\"; port 8000 }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::wharf_version",
        brief: "the project asks for another version of wharf",
        text: "`requires-wharf` says which versions may plan the project, so that a field which an older one does not know \
               is not met by half of a team only. Use a version that fits, or change what the project asks for.",
        wrong: example("project \"shop\" requires-wharf=\">=99\"\n"),
        right: example("project \"shop\" requires-wharf=\">=0.1\"\n"),
    },
    Explanation {
        code: "wharf::lang::missing_input",
        brief: "an input has no value",
        text: "An input without a default must be set by whoever calls wharf: there is no value that is right for everybody.",
        wrong: example("input \"tag\"\n"),
        right: example("input \"tag\"\n").given(&[Given::Input("tag", "1.4.2")]),
    },
    Explanation {
        code: "wharf::lang::secret_expected",
        brief: "a value written down where a secret belongs",
        text: "What stands in a file is in version control, in reviews and in the history for ever. A secret is declared \
               with the place its value comes from, and referred to by name; its value is never shown or stored. If it was \
               a real one, replace it: it has been seen.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; auth { token \"s3cr3t\" } }\n"),
        right: example(
            "secret \"api-token\" { env \"API_TOKEN\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; auth { token (secret)\"api-token\" } }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::literal_secret",
        brief: "a variable that looks like a secret has its value in the file",
        text: "By its name the variable holds a token, a password or a key. In a file it can be read by everybody who can \
               read the repository. This is a warning, as a name can mislead.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN \"hf_0123456789\" } }\n"),
        right: example(
            "secret \"hf\" { env \"HF_TOKEN\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN (secret)\"hf\" } }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::secret_not_set",
        brief: "a secret that is needed cannot be read",
        text: "A plan says whether a secret has changed, and apply hands it to instances, so both need its value from the \
               source that the file names: a variable, a file or a command. The message says what went wrong there.",
        wrong: example(
            "secret \"hf\" { env \"HF_TOKEN\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN (secret)\"hf\" } }\n",
        )
        .given(&[Given::Unset("HF_TOKEN")]),
        right: example(
            "secret \"hf\" { file \"secrets/hf\" }\n\n\
             service \"api\" { command \"serve\"; port 8000; env { HF_TOKEN (secret)\"hf\" } }\n",
        )
        .given(&[Given::Unset("HF_TOKEN")]),
    },
];
