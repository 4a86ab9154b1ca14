//! The events for programs: a line of JSON each, to a file, to standard output, or both. A reader that goes away, or a
//! disk that is full, does not stop an apply.

use crate::{
    fault::{Ends, Fault},
    out, site,
};
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};
use wharf_apply::{Event, Head, Tail, print_event, print_head, print_tail};

/// Where events go.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    file: Option<(File, PathBuf)>,
    standard_output: bool,
    seq: u64,
}

impl Stream {
    /// Opens the file, if one is named.
    pub(crate) fn open(file: Option<&Path>, standard_output: bool) -> Ends<Self> {
        let open = |path: &Path| {
            let cannot = |cause| Fault::new(format!("cannot write events to {}", path.display())).because(cause);
            Ok::<_, Box<Fault>>((File::create(path).map_err(cannot)?, path.to_owned()))
        };
        Ok(Self { file: file.map(open).transpose()?, standard_output, seq: 0 })
    }

    pub(crate) fn begin(&mut self, head: &Head<'_>) {
        self.write(&print_head(head, site::now()));
    }

    pub(crate) fn take(&mut self, event: &Event) {
        if self.file.is_some() || self.standard_output {
            self.seq += 1;
            self.write(&print_event(event, self.seq, site::now()));
        }
    }

    pub(crate) fn end(&mut self, tail: &Tail<'_>) {
        self.seq += 1;
        self.write(&print_tail(tail, self.seq, site::now()));
    }

    fn write(&mut self, line: &str) {
        if self.standard_output {
            out::result(format_args!("{line}\n"));
        }
        if let Some((file, path)) = &mut self.file
            && let Err(error) = writeln!(file, "{line}")
        {
            out::alert(format!("no more events are written to {}: {error}", path.display()));
            self.file = None;
        }
    }
}
