//! Large objects, which a server over files must not read as a whole for every part that is asked for, and all objects of a
//! server that keeps other sums than MD5.

use crate::sums::{self, Sum, Sums};
use s3s::{S3Response, S3Result, dto::*, s3_error};
use std::{
    collections::HashMap,
    fs,
    io::{self, SeekFrom},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

/// Smaller ones are left to others, as far as they keep the right sums.
const LARGE: u64 = 64 * 1024;
/// So much is read at once.
const STRIDE: usize = 256 * 1024;

/// What is known of a file, as long as it is as it was.
type Known = HashMap<PathBuf, (SystemTime, u64, Sum)>;

/// The files below a folder.
#[derive(Debug)]
pub(crate) struct Large {
    root: PathBuf,
    sums: Sums,
    known: Mutex<Known>,
}

/// An object, as it is told of.
pub(crate) struct Look {
    pub(crate) size: u64,
    pub(crate) tag: ETag,
    pub(crate) sum: Sum,
}

impl Large {
    pub(crate) fn below(root: &Path, sums: Sums) -> Self {
        Self { root: root.to_owned(), sums, known: Mutex::default() }
    }

    /// How large an object is, its tag and its sum.
    pub(crate) fn look(&self, bucket: &str, key: &str) -> S3Result<Look> {
        let known = self.sum(&self.root.join(bucket).join(key));
        let (size, sum) = known.map_err(|error| s3_error!(error, NoSuchKey))?;
        Ok(Look { size, tag: ETag::Strong(sum.tag()), sum })
    }

    fn sum(&self, path: &Path) -> io::Result<(u64, Sum)> {
        let found = fs::metadata(path)?;
        let (changed, size) = (found.modified()?, found.len());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, as_large, sum)) = known.get(path)
            && (*at, *as_large) == (changed, size)
        {
            return Ok((size, *sum));
        }
        let sum = sums::of(self.sums, fs::File::open(path)?)?;
        known.insert(path.to_owned(), (changed, size, sum));
        Ok((size, sum))
    }

    /// What it tells of an object without its bytes.
    pub(crate) fn head(&self, asked: &HeadObjectInput) -> S3Result<S3Response<HeadObjectOutput>> {
        let Look { size, tag, sum } = self.look(&asked.bucket, &asked.key)?;
        let nvme = sum.nvme().filter(|_| asked.checksum_mode.is_some());
        let mut answer = S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(size).ok(),
            e_tag: Some(tag),
            checksum_type: nvme.is_some().then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            checksum_crc64nvme: nvme,
            ..Default::default()
        });
        sum.ecma().map(|sum| answer.headers.insert(sums::ECMA, sum.into()));
        Ok(answer)
    }

    /// Answers a request for an object that is not left to others.
    pub(crate) async fn get(&self, asked: &GetObjectInput) -> S3Result<Option<S3Response<GetObjectOutput>>> {
        let path = self.root.join(&asked.bucket).join(&asked.key);
        let ours = |found: fs::Metadata| found.is_file() && (self.sums != Sums::Md5 || found.len() >= LARGE);
        if !fs::metadata(&path).is_ok_and(ours) {
            return Ok(None);
        }
        let Look { size, tag, sum } = self.look(&asked.bucket, &asked.key)?;
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
        // Of a part, no sum is told.
        let nvme = sum.nvme().filter(|_| asked.checksum_mode.is_some() && length == size);
        let mut answer = S3Response::new(GetObjectOutput {
            body: Some(StreamingBlob::wrap(ReaderStream::with_capacity(part, STRIDE))),
            content_length: i64::try_from(length).ok(),
            content_range: asked.range.map(|_| format!("bytes {}-{}/{size}", bytes.start, bytes.end - 1)),
            e_tag: Some(tag),
            checksum_type: nvme.is_some().then(|| ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
            checksum_crc64nvme: nvme,
            ..Default::default()
        });
        sum.ecma().map(|sum| answer.headers.insert(sums::ECMA, sum.into()));
        Ok(Some(answer))
    }
}
