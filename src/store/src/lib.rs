//! Commits, journal and lease on disk
