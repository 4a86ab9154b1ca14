//! Carries a plan out
