//! The kinds of problems, each with its stable text, and which of them are warnings.

use crate::explain;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The kinds of problems. The texts are stable: people search for them and silence by them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => concat!("wharf::lang::", $text),)* }
            }
        }
    };
}

codes! {
    /// Not KDL.
    Syntax => "syntax",
    /// An invisible character that KDL allows nowhere.
    DisallowedCharacter => "disallowed_character",
    /// Blocks or comments nested too deep.
    TooDeep => "too_deep",
    /// A node that the schema does not know in this place.
    UnknownNode => "unknown_node",
    /// A property that the node does not have.
    UnknownProperty => "unknown_property",
    /// A type in parentheses that means nothing in this place.
    UnknownAnnotation => "unknown_annotation",
    /// A value, or a block, where none belongs.
    Unexpected => "unexpected",
    /// A node that must be there.
    MissingNode => "missing_node",
    /// A value that must be there.
    MissingValue => "missing_value",
    /// A value of another type.
    WrongType => "wrong_type",
    /// A value of the right type that means nothing.
    InvalidValue => "invalid_value",
    /// A number, duration or size out of its range.
    OutOfRange => "out_of_range",
    /// A node or property that may be there once.
    Repeated => "repeated",
    /// Two things of one kind with one name.
    DuplicateName => "duplicate_name",
    /// Nodes that exclude each other.
    OnlyOneOf => "only_one_of",
    /// A port that a runtime keeps for itself.
    ReservedPort => "reserved_port",
    /// A variable that wharf sets itself.
    ReservedVariable => "reserved_variable",
    /// A gateway that is not declared.
    UnknownGateway => "unknown_gateway",
    /// A secret that is not declared.
    UnknownSecret => "unknown_secret",
    /// A service that is not declared.
    UnknownService => "unknown_service",
    /// An input that is not declared.
    UnknownInput => "unknown_input",
    /// An input without a value.
    MissingInput => "missing_input",
    /// A value that an input or a parameter does not admit.
    InputValue => "input_value",
    /// A file of values that cannot be read.
    InputFile => "input_file",
    /// A file that is included lies outside of the project.
    IncludeOutside => "include_outside",
    /// A file that is included cannot be read.
    IncludeUnreadable => "include_unreadable",
    /// Files that include each other in a circle.
    IncludeCircle => "include_circle",
    /// A template that is not declared.
    UnknownTemplate => "unknown_template",
    /// Templates that use each other in a circle.
    TemplateCircle => "template_circle",
    /// A parameter that the template does not have.
    UnknownParameter => "unknown_parameter",
    /// A parameter without a value.
    MissingParameter => "missing_parameter",
    /// Something to take away that is not there.
    NothingToRemove => "nothing_to_remove",
    /// Callers that may wait longer than connections last.
    LongTimeout => "long_timeout",
    /// What instances fetch when they start, on a runtime where they have no way out.
    NoWayOut => "no_way_out",
    /// A balancer that is not declared.
    UnknownNlb => "unknown_nlb",
    /// A registry that is not declared.
    UnknownRegistry => "unknown_registry",
    /// An environment that is not declared.
    UnknownEnvironment => "unknown_environment",
    /// Several environments and none chosen.
    NoEnvironment => "environment_not_chosen",
    /// A provider that this build does not have.
    UnknownProvider => "unknown_provider",
    /// `${` that is no interpolation.
    Interpolation => "interpolation",
    /// A value written down where a secret belongs.
    SecretExpected => "secret_expected",
    /// A secret whose value cannot be read.
    SecretNotSet => "secret_not_set",
    /// A text that looks like a secret.
    LiteralSecret => "literal_secret",
    /// Two gateways on one port.
    ListenConflict => "listen_conflict",
    /// Two services under one path of a gateway.
    PathConflict => "path_conflict",
    /// Mounts that lie in each other.
    MountConflict => "mount_conflict",
    /// Properties of a mount that contradict each other.
    MountAccess => "mount_access",
    /// A rollout that could never take a step.
    NoRoomToRoll => "no_room_to_roll",
    /// Fields that contradict each other.
    Contradiction => "contradiction",
    /// A field that means something only beside another.
    Requires => "requires",
    /// A field that does nothing.
    Pointless => "pointless",
    /// A network that is not declared.
    UnknownNetwork => "unknown_network",
    /// A setting of another provider.
    ForeignSetting => "foreign_setting",
    /// A name that the runtime refuses.
    RefusedName => "refused_name",
    /// An image that the runtime may not reach.
    Unreachable => "unreachable_image",
    /// Requests that will be cut off.
    ShortTimeout => "short_timeout",
    /// Bodies that the runtime's gateway does not let through.
    BodyLimit => "body_limit",
    /// A group that is not declared.
    UnknownGroup => "unknown_group",
    /// The project asks for another wharf.
    WharfVersion => "wharf_version",
    /// A service without a readiness probe.
    NoReadiness => "no_readiness",
    /// A probe whose answers may take longer than the time between two checks.
    SlowProbe => "slow_probe",
    /// Tokens that nobody is asked for.
    UnusedToken => "unused_token",
    /// Something to allow that is no warning.
    UnknownWarning => "unknown_warning",
    /// A warning that is allowed and does not come up.
    UnusedAllowance => "unused_allowance",
}

impl Code {
    /// Those that are warnings; all others are errors.
    const WARNINGS: &[Self] = &[
        Self::LiteralSecret,
        Self::Pointless,
        Self::Unreachable,
        Self::ShortTimeout,
        Self::LongTimeout,
        Self::NoWayOut,
        Self::BodyLimit,
        Self::NoReadiness,
        Self::SlowProbe,
        Self::UnusedToken,
        Self::UnusedAllowance,
    ];

    /// Whether it stops nothing, so that a file may allow it.
    pub fn is_warning(self) -> bool {
        Self::WARNINGS.contains(&self)
    }

    /// The last word of the text.
    pub(crate) fn short(self) -> &'static str {
        self.as_str().rsplit("::").next().unwrap_or_default()
    }

    /// The code of that text, in full or by its last word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        let known = explain(word)?;
        Self::ALL.iter().copied().find(|code| code.as_str() == known.code)
    }

    /// The last words of all warnings.
    pub(crate) fn warnings() -> impl Iterator<Item = &'static str> + Clone {
        Self::WARNINGS.iter().map(|code| code.short())
    }
}
