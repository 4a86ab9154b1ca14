//! Desired, recorded and observed in; a plan out
