//! The kernel's table of what is mounted, as this process sees it.

use nix::mount::MsFlags;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How much is mounted at the folder itself, one upon the other.
pub(crate) fn layers(folder: &Path) -> io::Result<usize> {
    Ok(rows()?.iter().filter(|(path, _)| path == folder).count())
}

/// What is mounted at the folder and in it, with those of its flags that the kernel lets nobody take away.
pub(crate) fn mounted_below(folder: &Path) -> io::Result<Vec<(PathBuf, MsFlags)>> {
    let mut rows = rows()?;
    rows.retain(|(path, _)| path.starts_with(folder));
    Ok(rows)
}

fn rows() -> io::Result<Vec<(PathBuf, MsFlags)>> {
    let table = fs::read_to_string("/proc/thread-self/mountinfo")?;
    let rows = table.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(4);
        Some((PathBuf::from(unescaped(fields.next()?)), locked_flags(fields.next()?)))
    });
    Ok(rows.collect())
}

fn locked_flags(options: &str) -> MsFlags {
    options.split(',').fold(MsFlags::empty(), |flags, option| match option {
        "nosuid" => flags | MsFlags::MS_NOSUID,
        "nodev" => flags | MsFlags::MS_NODEV,
        "noexec" => flags | MsFlags::MS_NOEXEC,
        _ => flags,
    })
}

/// The kernel writes spaces and the like in its table as three octal digits after a backslash.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                text.push_str(&part[3..]);
            }
            None => {
                text.push('\\');
                text.push_str(part);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_table_is_read() {
        assert_eq!(unescaped("/a\\040b\\134c"), "/a b\\c");
        assert_eq!(locked_flags("rw,nosuid,noexec,relatime"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC);
        assert!(layers(Path::new("/proc")).unwrap() > 0);
        assert_eq!(layers(Path::new("/nowhere")).unwrap(), 0);
    }
}
