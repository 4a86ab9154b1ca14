//! What can go wrong with a bucket, what helps, and whether trying again does.

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use std::{
    error::Error,
    fmt::{self, Display},
};
use wharf_store::{Attempt, StoreError};

/// Why a bucket did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// Nobody has said who we are.
    #[error("there are no credentials for the bucket `{bucket}`")]
    NoCredentials {
        /// The bucket.
        bucket: String,
        /// Where was looked.
        source: Told,
    },
    /// Nobody has said in which region the bucket is.
    #[error("there is no region for the bucket `{bucket}`")]
    NoRegion {
        /// The bucket.
        bucket: String,
    },
    /// The server knows who we are, or does not believe it, and says no.
    #[error("the bucket `{bucket}` does not let us: {said}")]
    Denied {
        /// The bucket.
        bucket: String,
        /// What the server said.
        said: Told,
        /// Whether it is the credentials that are wrong, rather than what they may do.
        unknown: bool,
    },
    /// There is no such bucket.
    #[error("there is no bucket `{bucket}`")]
    NoBucket {
        /// The bucket.
        bucket: String,
    },
    /// The bucket is in another region.
    #[error("the bucket `{bucket}` is in {}", region.as_deref().unwrap_or("another region"))]
    ElsewhereRegion {
        /// The bucket.
        bucket: String,
        /// Where it is, if the server says so.
        region: Option<String>,
    },
    /// No server was reached, or the connection broke.
    #[error("the server of the bucket `{bucket}` cannot be reached")]
    Unreachable {
        /// The bucket.
        bucket: String,
        /// Why.
        source: Told,
    },
    /// The server has too much to do, or is broken.
    #[error("the server of the bucket `{bucket}` could not do it: {said}")]
    Busy {
        /// The bucket.
        bucket: String,
        /// What it said.
        said: Told,
    },
    /// The server does not make objects on the condition that they are not there.
    #[error("the bucket `{bucket}` cannot hold a record: {why}")]
    Unconditional {
        /// The bucket.
        bucket: String,
        /// How that was seen.
        why: &'static str,
    },
    /// The server answered what nobody expects.
    #[error("the server of the bucket `{bucket}` refused: {said}")]
    Refused {
        /// The bucket.
        bucket: String,
        /// What it said.
        said: Told,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random(#[source] Told),
}

/// What somebody else said.
#[derive(Debug, Clone)]
pub struct Told(pub(crate) String);

impl Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Told {}

/// The status, code and words of a server's refusal.
#[derive(Debug, Clone, Copy)]
struct Answer<'a> {
    status: u16,
    code: &'a str,
    words: &'a str,
    region: Option<&'a str>,
}

impl Answer<'_> {
    fn told(&self) -> Told {
        let Self { status, code, words, .. } = self;
        Told(match (code.is_empty(), words.is_empty()) {
            (true, true) => format!("status {status}"),
            (true, false) => format!("{words} (status {status})"),
            (false, true) => format!("{code} (status {status})"),
            (false, false) => format!("{words} ({code}, status {status})"),
        })
    }
}

impl BucketError {
    /// What an error of the client means.
    pub(crate) fn of<E>(bucket: &str, error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        if let SdkError::ServiceError(refusal) = &error {
            let meta = refusal.err().meta();
            let answer = Answer {
                status: refusal.raw().status().as_u16(),
                code: meta.code().unwrap_or_default(),
                words: meta.message().unwrap_or_default(),
                region: refusal.raw().headers().get("x-amz-bucket-region"),
            };
            return Self::answered(bucket, answer);
        }
        let unreachable = matches!(error, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_));
        let answered = matches!(error, SdkError::ResponseError(_));
        let source = innermost(&error);
        let bucket = bucket.to_owned();
        if chain(&error).contains("credential") {
            return Self::NoCredentials { bucket, source };
        }
        match (unreachable, answered) {
            (true, _) => Self::Unreachable { bucket, source },
            (_, true) => Self::Busy { bucket, said: Told(format!("its answer makes no sense: {source}")) },
            _ => Self::Refused { bucket, said: source },
        }
    }

    fn answered(bucket: &str, answer: Answer<'_>) -> Self {
        let (bucket, said) = (bucket.to_owned(), answer.told());
        match (answer.status, answer.code) {
            (_, "NoSuchBucket") => Self::NoBucket { bucket },
            (301 | 307, _)
            | (_, "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException") => {
                let said = region_in(answer.words);
                Self::ElsewhereRegion { bucket, region: answer.region.map(str::to_owned).or(said) }
            }
            (
                _,
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "TokenRefreshRequired"
                | "RequestTimeTooSkewed",
            ) => Self::Denied { bucket, said, unknown: true },
            (401 | 403, _) => Self::Denied { bucket, said, unknown: false },
            (501, _) | (_, "NotImplemented") => {
                Self::Unconditional { bucket, why: "its server does not know conditional writes" }
            }
            (408 | 429 | 500 | 502..=599, _)
            | (_, "RequestTimeout" | "ConditionalRequestConflict" | "OperationAborted" | "SlowDown") => {
                Self::Busy { bucket, said }
            }
            _ => Self::Refused { bucket, said },
        }
    }

    /// The connection broke in the middle of an answer, or nothing more came.
    pub(crate) fn broken(bucket: &str, why: impl Into<String>) -> Self {
        Self::Unreachable { bucket: bucket.to_owned(), source: Told(why.into()) }
    }

    /// Whether another try may go better.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Busy { .. })
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            Self::NoCredentials { .. } => {
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with AWS_PROFILE, or run where a role is \
                 given: by a pipeline's identity (AWS_WEB_IDENTITY_TOKEN_FILE), a container or an instance"
                    .to_owned()
            }
            Self::NoRegion { .. } => {
                "add `region=` to `state \"s3\"`, or set AWS_REGION; a server that is not Amazon's also needs `endpoint=`"
                    .to_owned()
            }
            Self::Denied { unknown: true, .. } => {
                "the server does not accept these credentials: see that they belong to this server, are not out of date, \
                 and that the clock here is right"
                    .to_owned()
            }
            Self::Denied { bucket, .. } => format!(
                "give these credentials the right to list, read, write and remove objects of `{bucket}` \
                 (s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject), or use others"
            ),
            Self::NoBucket { bucket } => {
                format!("make the bucket first, or correct `bucket=` and `endpoint=`: wharf makes no buckets, `{bucket}` least of all")
            }
            Self::ElsewhereRegion { region, .. } => match region {
                Some(region) => format!("write `region=\"{region}\"`"),
                None => "correct `region=`, or the region in AWS_REGION".to_owned(),
            },
            Self::Unreachable { .. } => {
                "see that `endpoint=` and `region=` are right and the network is there, then run the command again: what \
                 was done is found out and taken up"
                    .to_owned()
            }
            Self::Busy { .. } => {
                "wait a little and run the command again: what was done is found out and taken up".to_owned()
            }
            Self::Unconditional { .. } => {
                "two applies could overwrite each other's commits there. Keep the record on a server that honours \
                 `If-None-Match: *` (Amazon S3, Alibaba Cloud OSS, Ceph, MinIO), or in the project's folder, without `state`"
                    .to_owned()
            }
            Self::Refused { .. } => "correct what the server says, then run the command again".to_owned(),
            Self::Random(_) => "try again".to_owned(),
        }
    }

    /// The same for those who know of no buckets.
    pub(crate) fn into_store(self, attempt: Attempt, at: String) -> StoreError {
        StoreError::Remote { attempt, at, help: self.help(), source: Box::new(self) }
    }
}

/// `the region 'eu-central-1' is wrong; expecting 'eu-west-1'`, as servers write it.
fn region_in(words: &str) -> Option<String> {
    let (_, rest) = words.split_once("expecting '")?;
    rest.split_once('\'').map(|(region, _)| region.to_owned())
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| Error::source(*error))
}

fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(|error| error.to_string()).collect::<Vec<_>>().join(": ").to_lowercase()
}

/// The last cause that says anything.
fn innermost(error: &(dyn Error + 'static)) -> Told {
    let said = causes(error).map(ToString::to_string).filter(|said| !said.is_empty()).last();
    Told(said.unwrap_or_else(|| error.to_string()))
}
