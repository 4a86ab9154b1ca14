//! The nouns of wharf: names, quantities, specs, revisions, records
