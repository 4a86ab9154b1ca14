//! Why a command could not do what it was asked: what was tried, why it failed, and the way out.

use crate::exit::Exit;
use miette::Diagnostic;
use std::{error::Error, fmt};
use wharf_apply::ApplyError;
use wharf_provider::ProviderError;
use wharf_store::StoreError;

/// An error on its way to a person.
#[derive(Debug)]
pub(crate) struct Fault {
    attempt: String,
    help: Option<String>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    exit: Exit,
    /// Everything that is to be said was said where it was found.
    told: bool,
}

/// What a command ends with.
pub(crate) type Ends<T> = Result<T, Box<Fault>>;

impl Fault {
    /// An error of the ordinary kind.
    pub(crate) fn new(attempt: impl Into<String>) -> Box<Self> {
        Box::new(Self { attempt: attempt.into(), help: None, cause: None, exit: Exit::Error, told: false })
    }

    /// Problems that are already on the screen.
    pub(crate) fn told() -> Box<Self> {
        let mut fault = Self::new("");
        fault.told = true;
        fault
    }

    /// Adds the way out.
    pub(crate) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// Adds the cause.
    pub(crate) fn because(mut self: Box<Self>, cause: impl Error + Send + Sync + 'static) -> Box<Self> {
        self.cause = Some(Box::new(cause));
        self
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempt)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

impl Diagnostic for Fault {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

impl From<StoreError> for Box<Fault> {
    fn from(error: StoreError) -> Self {
        let help = error.help();
        let mut fault = match error {
            StoreError::Locked { .. } => {
                let mut fault = Fault::new(error.to_string());
                fault.exit = Exit::Locked;
                fault
            }
            error => Fault::new("the record of this environment cannot be used").because(error),
        };
        fault.help = Some(help);
        fault
    }
}

impl From<ProviderError> for Box<Fault> {
    fn from(error: ProviderError) -> Self {
        let help = error.help().map(str::to_owned);
        let mut fault = Fault::new("the runtime did not do what was asked").because(error);
        fault.help = help;
        fault
    }
}

impl From<ApplyError> for Box<Fault> {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => error.into(),
            error => Fault::new("the apply could not go on").because(error),
        }
    }
}
