//! One plan, many views
