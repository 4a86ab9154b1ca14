//! Commits by the names that people give them: `@3`.

use crate::{
    fault::{Ends, Fault},
    project::Project,
    site,
};
use wharf_store::{Commit, Reader};

/// The number in `@3`.
pub(crate) fn serial(text: &str) -> Ends<u64> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    digits
        .parse()
        .map_err(|_| Fault::new(format!("`{text}` names no commit")).help("write it as @3; `wharf log` lists them"))
}

/// A commit of the environment.
pub(crate) fn commit(project: &Project, text: &str) -> Ends<Commit> {
    read(&site::record(project)?, serial(text)?)
}

/// The commit of this number.
pub(crate) fn read(reader: &Reader, serial: u64) -> Ends<Commit> {
    reader.commit(serial)?.ok_or_else(|| {
        let kept = reader.serials().unwrap_or_default();
        let fault = Fault::new(format!("there is no commit @{serial}"));
        match (kept.first(), kept.last()) {
            (Some(first), Some(last)) => fault.help(format!("those from @{first} to @{last} are kept")),
            _ => fault.help("nothing was ever applied in this environment"),
        }
    })
}

/// The two numbers in `@3..@5`; the second is the newest when it is left out.
pub(crate) fn range(reader: &Reader, text: &str) -> Ends<(u64, u64)> {
    let (from, to) = text.split_once("..").unwrap_or((text, ""));
    let newest = || reader.serials().map(|serials| serials.last().copied().unwrap_or_default());
    Ok((serial(from)?, if to.is_empty() { newest()? } else { serial(to)? }))
}
