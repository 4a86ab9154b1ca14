//! What is wrong with a project, in a form that a person can act on.
//!
//! A problem has a stable code, one sentence, the exact place with a label, at most one more place, and help. It is a
//! [`miette::Diagnostic`] with its own source, so any handler can draw it; how it is drawn, and whether warnings matter,
//! is the caller's.

use crate::{
    SourceFile, characters, explain,
    source::{Place, Sources},
};
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode, SourceSpan};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    error::Error,
    fmt,
    ops::Range,
    sync::Arc,
};

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// There is no deployment while it stands.
    Error,
    /// Worth a look.
    Warning,
}

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

/// One problem.
#[derive(Debug, Clone)]
pub struct Problem {
    severity: Severity,
    code: Code,
    message: String,
    label: Option<Label>,
    other: Option<Label>,
    help: Option<String>,
    allowed: Option<Allowed>,
}

/// That a file allows a warning.
#[derive(Debug, Clone)]
struct Allowed {
    reason: Arc<str>,
    label: Option<Label>,
}

#[derive(Debug, Clone)]
struct Label {
    place: Place,
    text: Cow<'static, str>,
    /// Filled in by [`Problems::finish`]; while problems are gathered a place is enough.
    source: Option<NamedSource<Arc<str>>>,
    region: Option<Region>,
}

/// A stretch of a file, as people count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// The file, relative to the project's folder.
    pub file: Arc<str>,
    /// What is said of it there.
    pub label: String,
    /// Where it begins.
    pub start: Spot,
    /// The place after its last character.
    pub end: Spot,
}

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Region {
    fn new(place: Place, label: &str, sources: &Sources<'_>) -> Self {
        let spot = |at: usize| {
            let origin = sources.origin(Place::new(place.file(), at, 0));
            Spot { line: origin.line, column: origin.column }
        };
        let (start, end) = (spot(place.range().start), spot(place.range().end));
        Self { file: Arc::clone(&sources.file(place.file()).name), label: label.to_owned(), start, end }
    }
}

impl Label {
    fn new(place: Place, text: impl Into<Cow<'static, str>>) -> Option<Self> {
        Some(Self { place, text: text.into(), source: None, region: None })
    }

    fn attach(&mut self, sources: &Sources<'_>, masked: &BTreeMap<usize, Arc<str>>) {
        let file = sources.file(self.place.file());
        let text = masked.get(&self.place.file()).unwrap_or(&file.text);
        self.source = Some(NamedSource::new(&file.name, Arc::clone(text)));
        self.region = Some(Region::new(self.place, &self.text, sources));
    }

    fn span(&self) -> LabeledSpan {
        let span = SourceSpan::from((self.place.start(), self.place.len()));
        LabeledSpan::new_primary_with_span(Some(self.text.to_string()), span)
    }

    fn secondary(&self) -> LabeledSpan {
        LabeledSpan::new(Some(self.text.to_string()), self.place.start(), self.place.len())
    }
}

impl Problem {
    pub(crate) fn error(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { severity: Severity::Error, code, message, label: None, other: None, help: None, allowed: None }
    }

    pub(crate) fn warning(code: Code, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    pub(crate) fn at(mut self, place: impl Into<Option<Place>>, text: impl Into<Cow<'static, str>>) -> Self {
        self.label = place.into().and_then(|place| Label::new(place, text));
        self
    }

    pub(crate) fn and(mut self, place: impl Into<Option<Place>>, text: impl Into<Cow<'static, str>>) -> Self {
        self.other = place.into().and_then(|place| Label::new(place, text));
        self
    }

    pub(crate) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// Words of the file that are quoted cannot steer a terminal either.
    fn tame(&mut self) {
        for text in std::iter::once(&mut self.message).chain(&mut self.help) {
            if let Some(tamed) = characters::tamed(text) {
                *text = tamed;
            }
        }
        if let Some(allowed) = &mut self.allowed
            && let Some(tamed) = characters::tamed(&allowed.reason)
        {
            allowed.reason = tamed.into();
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// Its kind.
    pub fn code(&self) -> Code {
        self.code
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way out, where there is an obvious one.
    pub fn advice(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The file, relative to the project's folder; none when it is about no file, but about how wharf was called.
    pub fn file(&self) -> Option<&str> {
        self.label.as_ref()?.source.as_ref().map(NamedSource::name)
    }

    /// The bytes of that file that it is about.
    pub fn span(&self) -> Option<Range<usize>> {
        self.label.as_ref().map(|label| label.place.range())
    }

    /// Where it is, in lines and columns.
    pub fn region(&self) -> Option<&Region> {
        self.label.as_ref()?.region.as_ref()
    }

    /// Why the files allow it; none when they do not.
    pub fn allowed(&self) -> Option<&str> {
        self.allowed.as_ref().map(|allowed| &*allowed.reason)
    }

    /// Where the files allow it.
    pub fn allowed_region(&self) -> Option<&Region> {
        self.allowed.as_ref()?.label.as_ref()?.region.as_ref()
    }

    /// The second place that it is about, in this file or in another.
    pub fn related_region(&self) -> Option<&Region> {
        self.other.as_ref()?.region.as_ref()
    }

    /// The second place, if it lies in another file than the first.
    fn elsewhere(&self) -> Option<&Label> {
        self.other.as_ref().filter(|other| self.label.as_ref().is_none_or(|own| own.place.file() != other.place.file()))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Problem {}

impl Diagnostic for Problem {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code.as_str()))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.label.as_ref()?.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let own = self.label.as_ref()?;
        let beside = self.other.iter().filter(|other| other.place.file() == own.place.file());
        Some(Box::new(std::iter::once(own.span()).chain(beside.map(Label::secondary))))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        let other = self.elsewhere()?;
        Some(Box::new(std::iter::once(other as &dyn Diagnostic)))
    }
}

/// A second place in another file is drawn as a note of its own, since a diagnostic has one source.
impl Diagnostic for Label {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(
            None,
            SourceSpan::from((self.place.start(), self.place.len())),
        ))))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Label {}

/// Every problem of a project.
#[derive(Debug, Clone, Default)]
pub struct Problems {
    list: Vec<Problem>,
    /// Once finished, the warnings that the files allow; until then they stand in the list.
    allowed: Vec<Problem>,
    hidden: Vec<Place>,
}

impl Problems {
    pub(crate) fn push(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// Whether a problem of this kind has been found.
    pub(crate) fn has(&self, code: Code) -> bool {
        self.list.iter().any(|problem| problem.code == code)
    }

    /// Takes in what was found on the way of another place, which is named where there is no second place yet.
    pub(crate) fn absorb(&mut self, found: Self, way: Option<(Place, &'static str)>) {
        self.hidden.extend(found.hidden);
        for mut problem in found.list {
            if let (None, Some((place, text))) = (&problem.other, way) {
                problem = problem.and(place, text);
            }
            self.list.push(problem);
        }
    }

    /// Allows the warnings of a kind that were found after the first `known` problems, and says whether there are any.
    pub(crate) fn allow(&mut self, known: usize, code: Code, reason: &Arc<str>, at: Place) -> bool {
        let mut any = false;
        let warnings = self.list[known..].iter_mut().filter(|problem| problem.severity == Severity::Warning);
        for problem in warnings.filter(|problem| problem.code == code && problem.allowed.is_none()) {
            problem.allowed = Some(Allowed { reason: Arc::clone(reason), label: Label::new(at, "allowed here") });
            any = true;
        }
        any
    }

    /// Keeps a value out of every excerpt: it seems to be a secret, and excerpts end up in logs.
    pub(crate) fn hide(&mut self, place: impl Into<Option<Place>>) {
        self.hidden.extend(place.into());
    }

    /// Sorts by file and place, drops what is said twice, and gives every label its source, without what is hidden.
    pub(crate) fn finish(mut self, sources: &Sources<'_>) -> Self {
        self.list.sort_by(|one, two| {
            let place = |problem: &Problem| problem.label.as_ref().map(|label| label.place);
            // What one place allows and another does not is not allowed.
            let allowed = |problem: &Problem| problem.allowed.is_some();
            place(one).cmp(&place(two)).then(one.severity.cmp(&two.severity)).then(allowed(one).cmp(&allowed(two)))
        });
        let mut told = HashSet::new();
        self.list.retain(|problem| {
            told.insert((problem.code, problem.message.clone(), problem.label.as_ref().map(|label| label.place)))
        });
        if self.list.is_empty() {
            return self;
        }
        let texts = self.masked(sources);
        for problem in &mut self.list {
            problem.tame();
            let allowed = problem.allowed.iter_mut().filter_map(|allowed| allowed.label.as_mut());
            for label in problem.label.iter_mut().chain(&mut problem.other).chain(allowed) {
                label.attach(sources, &texts);
            }
        }
        (self.allowed, self.list) = self.list.into_iter().partition(|problem| problem.allowed.is_some());
        self
    }

    /// The texts of the files that hold something to hide, or what could steer a terminal, without it.
    fn masked(&self, sources: &Sources<'_>) -> BTreeMap<usize, Arc<str>> {
        let tamed = |(index, file): (usize, &SourceFile)| Some((index, characters::tamed(&file.text)?));
        let mut texts: BTreeMap<usize, String> = sources.files().iter().enumerate().filter_map(tamed).collect();
        for place in &self.hidden {
            let text = texts.entry(place.file()).or_insert_with(|| sources.file(place.file()).text.to_string());
            let stars = |letter: char| match letter {
                '\n' | '"' | '#' => letter.to_string(),
                _ => "*".repeat(letter.len_utf8()),
            };
            let mask: String = sources.text(*place).chars().map(stars).collect();
            text.replace_range(place.start()..place.start() + mask.len(), &mask);
        }
        texts.into_iter().map(|(file, text)| (file, text.into())).collect()
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// The errors.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter().filter(|problem| problem.severity == Severity::Warning)
    }

    /// The warnings that the files allow, by file and place. They are counted nowhere else.
    pub fn allowed(&self) -> impl Iterator<Item = &Problem> {
        self.allowed.iter()
    }

    /// All that stand, by file and place; first those that are about no file.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}
