//! Why an apply could not be carried out at all. A failed operation is no error here: it is part of the summary.

use wharf_plan::Flaw;
use wharf_store::StoreError;

/// Why nothing, or nothing more, could be done.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The store did not take what must be written down before anything else may happen.
    #[error("cannot keep the record")]
    Store(#[from] StoreError),
    /// The plan contradicts itself; this is a bug of wharf.
    #[error("the plan is not sound: {}", flaws.iter().map(Flaw::to_string).collect::<Vec<_>>().join("; "))]
    Unsound {
        /// Every contradiction.
        flaws: Vec<Flaw>,
    },
}
