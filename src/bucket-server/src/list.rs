//! Lists without delimiters. A server over files that asks for each of them before it makes a page of some takes seconds for
//! what others do in milliseconds.

use crate::large::Large;
use s3s::{S3Result, dto::*, s3_error};
use std::{fs, io, path::Path};

/// The most that a page holds.
const PAGE: usize = 1_000;

/// A page of what the bucket in this folder holds. What is removed while it is made is not in it.
pub(crate) fn page(folder: &Path, large: &Large, asked: &ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
    if !folder.is_dir() {
        return Err(s3_error!(NoSuchBucket));
    }
    let prefix = asked.prefix.as_deref().unwrap_or_default();
    let after = asked.continuation_token.as_deref().max(asked.start_after.as_deref()).unwrap_or_default();
    let mut keys = Vec::new();
    let top = prefix.rsplit_once('/').map_or("", |(top, _)| top);
    if top.split('/').any(|part| part == "..") {
        return Err(s3_error!(InvalidArgument));
    }
    gather(&folder.join(top), top, &mut keys).map_err(|error| s3_error!(error, InternalError))?;
    keys.retain(|key| key.starts_with(prefix) && key.as_str() > after);
    keys.sort_unstable();
    let most = asked.max_keys.and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).min(PAGE);
    let more = keys.len() > most;
    keys.truncate(most);
    let next = keys.last().filter(|_| more).cloned();
    let objects: Vec<_> = keys.into_iter().filter_map(|key| object(folder, large, &asked.bucket, key)).collect();
    Ok(ListObjectsV2Output {
        name: Some(asked.bucket.clone()),
        prefix: asked.prefix.clone(),
        max_keys: asked.max_keys,
        key_count: i32::try_from(objects.len()).ok(),
        contents: Some(objects).filter(|objects| !objects.is_empty()),
        is_truncated: Some(more),
        continuation_token: asked.continuation_token.clone(),
        next_continuation_token: next,
        start_after: asked.start_after.clone(),
        ..Default::default()
    })
}

fn object(folder: &Path, large: &Large, bucket: &str, key: String) -> Option<Object> {
    let modified = fs::metadata(folder.join(&key)).and_then(|found| found.modified()).ok()?;
    let seen = large.look(bucket, &key).ok()?;
    Some(Object {
        key: Some(key),
        e_tag: Some(seen.tag),
        size: i64::try_from(seen.size).ok(),
        last_modified: Some(modified.into()),
        ..Default::default()
    })
}

/// The names of the files in a folder and below it, with the folder's own before them. A folder that is gone has none.
pub(crate) fn gather(folder: &Path, below: &str, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let gap = if below.is_empty() { "" } else { "/" };
        let name = format!("{below}{gap}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            gather(&entry.path(), &name, keys)?;
        } else {
            keys.push(name);
        }
    }
    Ok(())
}
