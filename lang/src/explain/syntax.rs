//! About the shape of a file.

use super::{Explanation, example};

pub(super) const TABLE: &[Explanation] = &[
    Explanation {
        code: "wharf::lang::syntax",
        brief: "the text is not KDL 2",
        text: "Files are written in KDL 2.0. A piece of the text does not fit its grammar, so nobody can say what it was \
               meant to be; the rest of the file is checked all the same. Common causes are habits of KDL 1 or of other \
               languages: `true` for `#true`, `=` after a node's name, a quote or a brace that is never closed.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port = 8000\n    shutdown { sigterm true }\n}\n"),
        right: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    shutdown { sigterm #true }\n}\n"),
    },
    Explanation {
        code: "wharf::lang::disallowed_character",
        brief: "an invisible character that can make a file read otherwise than it is",
        text: "KDL 2.0 keeps control characters and those that turn the reading direction out of its files. An editor \
               or a review page shows them as nothing at all, or shows the text around them in another order than the \
               one in which wharf reads it, so that a change can look harmless and not be. Remove it; where a value \
               really needs one, write it as an escape, which everybody can see: `\\u{202E}`.",
        wrong: example("input \"greeting\" default=\"abc\u{202e}def\"\n"),
        right: example("input \"greeting\" default=\"abc\\u{202e}def\"\n"),
    },
    Explanation {
        code: "wharf::lang::too_deep",
        brief: "blocks or comments nested too deep, or a node that is too long",
        text: "No project needs more than a few levels, and nothing that wharf reads may cost it more memory or time \
               than a text of that size should. Long scripts belong into a file of their own in a folder that is \
               mounted.",
        wrong: example(
            "a { a { a { a { a { a { a { a { a { a { a { a { a { a { a { a { a {\n\
             a { a { a { a { a { a { a { a { a { a { a { a { a { a { a { a {\n\
             } } } } } } } } } } } } } } } } }\n} } } } } } } } } } } } } } } }\n",
        ),
        right: example(
            "service \"api\" {\n    command \"serve\"\n    port 8000\n    health { readiness { tcp } }\n}\n",
        ),
    },
    Explanation {
        code: "wharf::lang::unknown_node",
        brief: "a node that does not exist in this place",
        text: "Nothing is ignored: a node that wharf does not know would be a wish that nobody fulfils. It may be \
               misspelt, belong into another block, or be what another tool calls it; the help line says which. `wharf \
               schema` lists what each block takes.",
        wrong: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    replicas 2\n}\n"),
        right: example("service \"api\" {\n    command \"serve\"\n    port 8000\n    instances 2\n}\n"),
    },
    Explanation {
        code: "wharf::lang::unknown_property",
        brief: "a property that the node does not have",
        text: "A property is the `name=value` behind a node. This node has none of that name, and as nothing is \
               ignored, it cannot stand there.",
        wrong: example("gateway \"public\" { listen 8600 host=\"127.0.0.1\" }\n"),
        right: example("gateway \"public\" { listen 8600 address=\"127.0.0.1\" }\n"),
    },
    Explanation {
        code: "wharf::lang::unknown_annotation",
        brief: "a type in parentheses that means nothing in this place",
        text: "The only type that files know is `(secret)`, before the name of a declared secret. Any other, or one in \
               another place, would have no effect.",
        wrong: example("gateway \"public\" { listen (u16)8600 }\n"),
        right: example("gateway \"public\" { listen 8600 }\n"),
    },
    Explanation {
        code: "wharf::lang::unexpected",
        brief: "a value or a block where none belongs",
        text: "The node takes fewer values than it has, or no block. What is too much would have no effect, or shows \
               that something else was meant.",
        wrong: example("gateway \"public\" { listen 8600 8601 }\n"),
        right: example("gateway \"public\" { listen 8600 }\n"),
    },
    Explanation {
        code: "wharf::lang::missing_node",
        brief: "a node that must be there is not",
        text: "Some things have no default that could be right: what a service runs, on which port it listens, where \
               a gateway does. The label points at the block that is incomplete.",
        wrong: example("service \"api\" { command \"serve\" }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000 }\n"),
    },
    Explanation {
        code: "wharf::lang::missing_value",
        brief: "a value that must follow a node is not there",
        text: "The node stands for nothing without its value. To get a default, leave out the whole node.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; instances }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000; instances 2 }\n"),
    },
    Explanation {
        code: "wharf::lang::repeated",
        brief: "something that may be there once is there twice",
        text: "Only one of them could count, and which one should not depend on their order. Remove one; to change a \
               value for one environment, write it into an overlay: `environment \"prod\" { service \"api\" { … } }`.",
        wrong: example("service \"api\" { command \"serve\"; port 8000; port 8001 }\n"),
        right: example("service \"api\" { command \"serve\"; port 8000 }\n"),
    },
    Explanation {
        code: "wharf::lang::only_one_of",
        brief: "nodes that exclude each other",
        text: "These nodes are alternatives: a service has a command or a script, a secret one source, a probe one kind \
               of check. Keep the one that is meant.",
        wrong: example("secret \"token\" { env \"TOKEN\"; file \"token.txt\" }\n"),
        right: example("secret \"token\" { env \"TOKEN\" }\n"),
    },
];
