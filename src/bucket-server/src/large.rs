//! Large objects, which a server over files must not read as a whole for every part that is asked for.

use md5::{Digest as _, Md5};
use s3s::{S3Result, dto::*, s3_error};
use std::{
    collections::HashMap,
    fs, io,
    io::SeekFrom,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Smaller ones are left to others.
const LARGE: u64 = 64 * 1024;
/// So much is read at once.
const STRIDE: usize = 256 * 1024;

/// What is known of a file, as long as it is as it was.
type Tags = HashMap<PathBuf, (SystemTime, u64, String)>;

/// The files below a folder.
#[derive(Debug)]
pub(crate) struct Large {
    root: PathBuf,
    tags: Mutex<Tags>,
}

impl Large {
    pub(crate) fn below(root: &Path) -> Self {
        Self { root: root.to_owned(), tags: Mutex::default() }
    }

    /// How large an object is, and its tag.
    pub(crate) fn look(&self, bucket: &str, key: &str) -> S3Result<(u64, ETag)> {
        let (size, tag) = self.tag(&self.root.join(bucket).join(key)).map_err(|error| s3_error!(error, NoSuchKey))?;
        Ok((size, ETag::Strong(tag)))
    }

    fn tag(&self, path: &Path) -> io::Result<(u64, String)> {
        let found = fs::metadata(path)?;
        let (changed, size) = (found.modified()?, found.len());
        let mut tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, as_large, tag)) = tags.get(path)
            && (*known, *as_large) == (changed, size)
        {
            return Ok((size, tag.clone()));
        }
        let mut hasher = Md5::new();
        let mut file = fs::File::open(path)?;
        let mut buffer = vec![0; STRIDE];
        loop {
            match io::Read::read(&mut file, &mut buffer)? {
                0 => break,
                read => hasher.update(&buffer[..read]),
            }
        }
        let tag = hex::encode(hasher.finalize());
        tags.insert(path.to_owned(), (changed, size, tag.clone()));
        Ok((size, tag))
    }

    /// Answers a request for a large object.
    pub(crate) async fn get(&self, asked: &GetObjectInput) -> S3Result<Option<GetObjectOutput>> {
        let path = self.root.join(&asked.bucket).join(&asked.key);
        if !fs::metadata(&path).is_ok_and(|found| found.is_file() && found.len() >= LARGE) {
            return Ok(None);
        }
        let (size, tag) = self.look(&asked.bucket, &asked.key)?;
        let bytes = match asked.range {
            Some(range) => range.check(size)?,
            None => 0..size,
        };
        let open = async {
            let mut file = tokio::fs::File::open(&path).await?;
            file.seek(SeekFrom::Start(bytes.start)).await?;
            Ok::<_, io::Error>(file.take(bytes.end - bytes.start))
        };
        let part = open.await.map_err(|error| s3_error!(error, InternalError))?;
        let length = bytes.end - bytes.start;
        Ok(Some(GetObjectOutput {
            body: Some(StreamingBlob::wrap(ReaderStream::with_capacity(part, STRIDE))),
            content_length: i64::try_from(length).ok(),
            content_range: asked.range.map(|_| format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1)),
            e_tag: Some(tag),
            ..Default::default()
        }))
    }
}
