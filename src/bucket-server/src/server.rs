//! A server in this process, over files. Its habits are those of servers that were met.

use crate::{large::Large, list, sums::Sums};
use async_trait::async_trait;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    S3, S3Request, S3Response, S3Result,
    access::{S3Access, S3AccessContext},
    auth::SimpleAuth,
    dto::*,
    s3_error,
    service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};
use tempfile::TempDir;
use tokio::{net::TcpListener, runtime::Runtime, sync::Mutex};

/// The bucket that there is.
pub const BUCKET: &str = "state";
/// The one who may use it.
pub const ACCESS_KEY: &str = "test-access-key";
/// By what it is known that it is them.
pub const SECRET_KEY: &str = "test-secret-key";

/// What a server makes of the wish to make an object only where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// It honours it.
    Honours,
    /// It overwrites, and says that all went well.
    Overwrites,
    /// It looks first and writes then, and lets others in between.
    Races,
    /// It says that it does not know such a thing.
    Refuses,
    /// It knows the header of Alibaba Cloud's, and not the usual one.
    Oss,
    /// It lets nobody write.
    Denies,
}

/// What a server is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// What it makes of conditions.
    pub habit: Habit,
    /// What it keeps of objects to hold their bytes against.
    pub sums: Sums,
    /// Whether it also answers those who do not say who they are.
    pub for_anybody: bool,
}

impl From<Habit> for Manners {
    fn from(habit: Habit) -> Self {
        Self { habit, sums: Sums::Md5, for_anybody: false }
    }
}

/// A server, for as long as it is held.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    folder: TempDir,
    runtime: Option<Runtime>,
}

impl Server {
    /// Starts a server with an empty bucket.
    ///
    /// # Panics
    /// When this machine does not let us.
    pub fn start(manners: impl Into<Manners>) -> Self {
        let Manners { habit, sums, for_anybody } = manners.into();
        let folder = tempfile::tempdir().expect("a folder can be made");
        fs::create_dir(folder.path().join(BUCKET)).expect("a folder can be made");
        let files = FileSystem::new(folder.path()).expect("the folder is there");
        let runtime = Runtime::new().expect("threads can be begun");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("it listens");
        let address = listener.local_addr().expect("it listens");
        let mut builder = S3ServiceBuilder::new(Kept {
            large: Large::below(folder.path(), sums),
            folder: folder.path().to_owned(),
            files,
            habit,
            turn: Mutex::new(()),
        });
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        if for_anybody {
            builder.set_access(Anybody);
        }
        let service = builder.build();
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("it listens");
            while let Ok((socket, _)) = listener.accept().await {
                // An answer's head and body are written apart: one would wait for the other's acknowledgement.
                drop(socket.set_nodelay(true));
                let service = service.clone();
                tokio::spawn(async move {
                    let http = Builder::new(TokioExecutor::new());
                    // Who breaks a connection off is not ours to judge.
                    drop(http.serve_connection(TokioIo::new(socket), service).await);
                });
            }
        });
        Self { address, folder, runtime: Some(runtime) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The folder that holds what is in the bucket.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().join(BUCKET)
    }

    /// The folder of another bucket, which is made. What is put there as a file is an object.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn bucket(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().join(name);
        fs::create_dir_all(&folder).expect("a folder can be made");
        folder
    }

    /// The names of all objects, in order.
    ///
    /// # Panics
    /// When they cannot be listed.
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        list::gather(&self.folder(), "", &mut keys).expect("a folder can be listed");
        keys.sort();
        keys
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().into_iter().for_each(Runtime::shutdown_background);
    }
}

/// Larger ones are told of without what they were uploaded with.
const UPLOADED: i64 = 8 << 20;

/// Lets everybody in, whether they say who they are or not.
struct Anybody;

#[async_trait]
impl S3Access for Anybody {
    async fn check(&self, _: &mut S3AccessContext<'_>) -> S3Result<()> {
        Ok(())
    }
}

/// The files, one writer at a time.
struct Kept {
    folder: PathBuf,
    files: FileSystem,
    habit: Habit,
    turn: Mutex<()>,
    large: Large,
}

#[async_trait]
impl S3 for Kept {
    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let asked = req.input.if_none_match.is_some();
        match self.habit {
            Habit::Honours => {}
            Habit::Overwrites => req.input.if_none_match = None,
            Habit::Races => {
                if req.input.if_none_match.take().is_some()
                    && self.folder.join(&req.input.bucket).join(&req.input.key).exists()
                {
                    return Err(s3_error!(PreconditionFailed, "Object already exists"));
                }
                // Long enough for all who race.
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Habit::Refuses if asked => {
                return Err(s3_error!(NotImplemented, "A header you provided is not implemented."));
            }
            Habit::Refuses => {}
            Habit::Denies => return Err(s3_error!(AccessDenied, "You may only read.")),
            Habit::Oss if asked => return Err(s3_error!(NotImplemented, "If-None-Match is not implemented.")),
            Habit::Oss => {
                if req.headers.get("x-oss-forbid-overwrite").is_some_and(|value| value == "true") {
                    req.input.if_none_match = Some(ETagCondition::Any);
                }
            }
        }
        let _turn = self.turn.lock().await;
        self.files.put_object(req).await
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _turn = self.turn.lock().await;
        self.files.delete_object(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.files.create_multipart_upload(req).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.files.upload_part(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let _turn = self.turn.lock().await;
        self.files.complete_multipart_upload(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        match self.large.get(&req.input).await? {
            Some(found) => Ok(found),
            None => self.files.get_object(req).await,
        }
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut found = self.large.head(&req.input)?;
        // The files read all of what nobody uploaded.
        if found.output.content_length.is_some_and(|length| length < UPLOADED) {
            found.output.metadata = self.files.head_object(req).await?.output.metadata;
        }
        Ok(found)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        if req.input.delimiter.is_none() {
            let folder = self.folder.join(&req.input.bucket);
            let page = tokio::task::block_in_place(|| list::page(&folder, &self.large, &req.input));
            return page.map(S3Response::new);
        }
        let bucket = req.input.bucket.clone();
        let mut page = self.files.list_objects_v2(req).await?;
        // What was removed since the files were listed is not there, rather than a mistake of who asked.
        if let Some(objects) = &mut page.output.contents {
            objects.retain_mut(|object| {
                let seen = self.large.look(&bucket, object.key.as_deref().unwrap_or_default());
                object.e_tag = seen.ok().map(|seen| seen.tag);
                object.e_tag.is_some()
            });
        }
        Ok(page)
    }
}
