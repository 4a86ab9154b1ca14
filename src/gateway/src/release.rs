//! Of which release this program is.

/// Stands in the program's file as it is here, so that it is found there.
static MARK: &str = concat!("wharf-release=", env!("CARGO_PKG_VERSION"));

/// Of which release of wharf this program is: `0.1.0`.
#[must_use]
pub fn release() -> &'static str {
    MARK.split_once('=').map_or(MARK, |(_, release)| release)
}
