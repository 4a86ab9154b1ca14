//! About files, inputs, templates and what is taken away.

use super::{Explanation, Given, example};

const INCLUDES: &str = "include \"shared/api.kdl\"\n";
const API: &str = "service \"api\" { command \"serve\"; port 8000 }\n";
const COUNT: &str = "input \"count\" type=\"integer\" default=1\n\nservice \"api\" { command \"serve\"; port 8000; instances \"${input.count}\" }\n";

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::include_unreadable",
        brief: "a file that is included cannot be read",
        text: "`include` names one more file of the project, relative to the file that it stands in. While it cannot be read, \
               names that seem to lead nowhere are not told: the file may declare them.",
        wrong: example("include \"shared/ipa.kdl\"\n").given(&[Given::File("shared/api.kdl", API)]),
        right: example(INCLUDES).given(&[Given::File("shared/api.kdl", API)]),
    },
    Explanation {
        code: "wharf::lang::include_outside",
        brief: "a file that is included lies outside of the project",
        text: "A project is all in one folder, so that whoever has the folder has the project, and a review sees all of it. \
               Neither `..` nor a link leads out of it.",
        wrong: example("include \"../shared/api.kdl\"\n").given(&[Given::File("shared/api.kdl", API)]),
        right: example(INCLUDES).given(&[Given::File("shared/api.kdl", API)]),
    },
    Explanation {
        code: "wharf::lang::include_circle",
        brief: "files that include each other in a circle",
        text: "Each file is read once, so a circle would do no harm; but it is never meant. All files of the folder itself are \
               read anyhow, and need no `include`.",
        wrong: example("include \"shared/api.kdl\"\n")
            .given(&[Given::File("shared/api.kdl", "include \"../wharf.kdl\"\n")]),
        right: example(INCLUDES).given(&[Given::File("shared/api.kdl", API)]),
    },
    Explanation {
        code: "wharf::lang::input_value",
        brief: "a value that an input or a parameter does not admit",
        text: "An input, and a parameter of a template, may have a type and a list of allowed values. The value comes from \
               `--input`, else from a file of `--input-file`, else from the variable WHARF_INPUT_NAME, else from the default; \
               the message says which.",
        wrong: example(COUNT).given(&[Given::Input("count", "many")]),
        right: example(COUNT).given(&[Given::Input("count", "2")]),
    },
    Explanation {
        code: "wharf::lang::input_file",
        brief: "a file of values that cannot be understood",
        text: "A file of `--input-file` holds the names of inputs, each with one value: in KDL a node each, in a file named \
               `*.json` an object of texts, numbers and booleans.",
        wrong: example(COUNT).given(&[Given::Values("values/prod.kdl", "count 1 2\n")]),
        right: example(COUNT).given(&[Given::Values("values/prod.kdl", "count 2\n")]),
    },
    Explanation {
        code: "wharf::lang::unknown_template",
        brief: "a template that is not declared",
        text: "`use` stands for the nodes of a `template`, which some file of the project declares at the top level.",
        wrong: example("template \"llm\" { port 8000 }\n\nservice \"api\" { use \"lmm\"; command \"serve\" }\n"),
        right: example("template \"llm\" { port 8000 }\n\nservice \"api\" { use \"llm\"; command \"serve\" }\n"),
    },
    Explanation {
        code: "wharf::lang::template_circle",
        brief: "templates that use each other in a circle",
        text: "A template may use others, but not itself, not even through others: it would never be whole.",
        wrong: example("template \"one\" { use \"two\" }\ntemplate \"two\" { use \"one\"; port 8000 }\n"),
        right: example("template \"one\" { use \"two\" }\ntemplate \"two\" { port 8000 }\n"),
    },
    Explanation {
        code: "wharf::lang::unknown_parameter",
        brief: "a parameter that the template does not have",
        text: "The properties of `use` are the parameters of the template, and `${param.name}` stands for one inside of it. \
               Each is declared by a `param` node of the template.",
        wrong: example(
            "template \"llm\" { param \"model\"; command \"serve\" \"${param.model}\"; port 8000 }\n\n\
             service \"api\" { use \"llm\" model=\"qwen\" size=7 }\n",
        ),
        right: example(
            "template \"llm\" { param \"model\"; command \"serve\" \"${param.model}\"; port 8000 }\n\n\
             service \"api\" { use \"llm\" model=\"qwen\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::missing_parameter",
        brief: "a parameter without a value",
        text: "A parameter that has no default must be set by every `use` of its template.",
        wrong: example(
            "template \"llm\" { param \"model\"; command \"serve\" \"${param.model}\"; port 8000 }\n\n\
             service \"api\" { use \"llm\" }\n",
        ),
        right: example(
            "template \"llm\" { param \"model\" default=\"qwen\"; command \"serve\" \"${param.model}\"; port 8000 }\n\n\
             service \"api\" { use \"llm\" }\n",
        ),
    },
    Explanation {
        code: "wharf::lang::nothing_to_remove",
        brief: "something to take away that is not there",
        text: "`remove` takes away what a template or the base brought: nodes by their name, those of which there may be many \
               by their first value, variables by theirs. It is checked in every environment, also in those that are not \
               chosen, since nothing is ignored.",
        wrong: example(
            "template \"llm\" { command \"serve\"; port 8000; env { CACHE \"on\" } }\n\n\
             service \"api\" { use \"llm\"; remove { env \"CAHCE\" } }\n",
        ),
        right: example(
            "template \"llm\" { command \"serve\"; port 8000; env { CACHE \"on\" } }\n\n\
             service \"api\" { use \"llm\"; remove { env \"CACHE\" } }\n",
        ),
    },
];
