//! Plans as a program reads them. Each version has types of its own, apart from the planner's.

pub(crate) mod v1;
