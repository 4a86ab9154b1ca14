//! What a provider can be told to do.

use crate::{
    Access, Address, BucketMount, ContentDigest, ContentRef, FolderMount, FolderPath, GatewayName, GatewaySpec,
    GitMount, ImageMount, InstanceId, Libraries, MountPath, ObjectId, ObjectSpec, Probe, Revision, RouteSpec,
    ServiceName, Shutdown,
};
use std::{fmt, net::SocketAddr, sync::Arc};

/// What a provider can be told to do. Each is idempotent: done twice, the second succeeds and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Make a snapshot of a folder, which must still hold this content.
    PrepareFolder {
        /// The content to end with.
        content: ContentRef,
        /// The folder.
        folder: FolderPath,
    },
    /// Install third-party libraries.
    PreparePackages {
        /// The content to end with.
        content: ContentRef,
        /// Which, and for which interpreter.
        libraries: Libraries,
    },
    /// Bring a copy of a folder of a bucket, which must still be listed as this content.
    PrepareBucket {
        /// The content to end with.
        content: ContentRef,
        /// The folder.
        bucket: BucketMount,
    },
    /// Bring the files of a repository at the commit that the content names.
    PrepareGit {
        /// The content to end with.
        content: ContentRef,
        /// The repository.
        git: GitMount,
    },
    /// Copy a folder out of a container image, which must still be this content.
    PreparePart {
        /// The content to end with.
        content: ContentRef,
        /// The folder.
        part: ImageMount,
    },
    /// Fetch a container image.
    PrepareImage {
        /// The content to end with.
        content: ContentRef,
        /// The image.
        image: Arc<str>,
    },
    /// Remove a prepared content that nothing needs.
    DropContent {
        /// Which.
        content: ContentRef,
    },
    /// Make the gateway, or bring it to this spec; start it when it does not run.
    PutGateway {
        /// Its name.
        gateway: GatewayName,
        /// What it should be.
        spec: GatewaySpec,
    },
    /// Stop the gateway and remove what belongs to it.
    DeleteGateway {
        /// Its name.
        gateway: GatewayName,
    },
    /// Make an incarnation of an object, or bring it to this spec.
    PutObject {
        /// Which.
        object: ObjectId,
        /// What it should be.
        spec: ObjectSpec,
    },
    /// Remove an incarnation of an object, with all that it holds.
    DeleteObject {
        /// Which.
        object: ObjectId,
    },
    /// Give a resource, with all that belongs to it, another name. It goes on as it is meanwhile; afterwards its labels,
    /// and what the runtime tells of it, are as if it had been made under that name.
    Move {
        /// What it is called.
        from: Address,
        /// What it will be called.
        to: Address,
    },
    /// Set a route. Its endpoints stay as they are.
    PutRoute {
        /// What it should be.
        route: RouteSpec,
    },
    /// Remove a route.
    DeleteRoute {
        /// The gateway.
        gateway: GatewayName,
        /// The service.
        service: ServiceName,
    },
    /// Start an instance. It gets no requests yet.
    StartInstance(Launch),
    /// Let gateways send requests to an instance.
    RouteInstance {
        /// Which.
        instance: InstanceId,
        /// Where it listens.
        endpoint: SocketAddr,
        /// Through which gateways.
        gateways: Vec<GatewayName>,
        /// How they find out whether it is ready.
        probe: Probe,
    },
    /// Send an instance no new requests, and tell it when it wants to be told.
    DrainInstance {
        /// Which.
        instance: InstanceId,
        /// Through which gateways it got requests.
        gateways: Vec<GatewayName>,
        /// How it is stopped.
        shutdown: Shutdown,
    },
    /// End an instance and remove what belongs to it. One that is gone already is fine.
    StopInstance {
        /// Which.
        instance: InstanceId,
        /// Which gateways may still know it.
        gateways: Vec<GatewayName>,
    },
}

/// What it takes to start an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Which; also the name of the object.
    pub instance: InstanceId,
    /// What it is.
    pub revision: Arc<Revision>,
}

/// A [`Call`] without its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Prepare a content.
    Prepare,
    /// Remove a content.
    Drop,
    /// Make or update.
    Put,
    /// Remove.
    Delete,
    /// Start.
    Start,
    /// Send requests to.
    Route,
    /// Send no new requests to.
    Drain,
    /// End.
    Stop,
    /// Call otherwise.
    Move,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 9] = [
        Self::Prepare,
        Self::Drop,
        Self::Put,
        Self::Delete,
        Self::Start,
        Self::Route,
        Self::Drain,
        Self::Stop,
        Self::Move,
    ];

    /// The word of journals and progress.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Drop => "drop",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Start => "start",
            Self::Route => "route",
            Self::Drain => "drain",
            Self::Stop => "stop",
            Self::Move => "move",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Call {
    /// What is done, without the arguments.
    pub fn verb(&self) -> Verb {
        match self {
            Self::PrepareFolder { .. }
            | Self::PrepareBucket { .. }
            | Self::PrepareGit { .. }
            | Self::PreparePart { .. }
            | Self::PreparePackages { .. }
            | Self::PrepareImage { .. } => Verb::Prepare,
            Self::DropContent { .. } => Verb::Drop,
            Self::PutGateway { .. } | Self::PutRoute { .. } | Self::PutObject { .. } => Verb::Put,
            Self::DeleteGateway { .. } | Self::DeleteRoute { .. } | Self::DeleteObject { .. } => Verb::Delete,
            Self::Move { .. } => Verb::Move,
            Self::StartInstance(_) => Verb::Start,
            Self::RouteInstance { .. } => Verb::Route,
            Self::DrainInstance { .. } => Verb::Drain,
            Self::StopInstance { .. } => Verb::Stop,
        }
    }

    /// The name of the object on the platform.
    pub fn object(&self) -> String {
        match self {
            Self::PrepareFolder { content, .. }
            | Self::PrepareBucket { content, .. }
            | Self::PrepareGit { content, .. }
            | Self::PreparePart { content, .. }
            | Self::PreparePackages { content, .. }
            | Self::PrepareImage { content, .. }
            | Self::DropContent { content } => content.to_string(),
            Self::PutGateway { gateway, .. } | Self::DeleteGateway { gateway } => gateway.to_string(),
            Self::PutRoute { route } => format!("{}/{}", route.gateway, route.service),
            Self::DeleteRoute { gateway, service } => format!("{gateway}/{service}"),
            Self::PutObject { object, .. } | Self::DeleteObject { object } => object.to_string(),
            Self::Move { from, .. } => from.to_string(),
            Self::StartInstance(launch) => launch.instance.to_string(),
            Self::RouteInstance { instance, .. }
            | Self::DrainInstance { instance, .. }
            | Self::StopInstance { instance, .. } => instance.to_string(),
        }
    }
}

impl Launch {
    /// The folders of the host that are mounted: where, what, and with which content.
    pub fn mounts(&self) -> impl Iterator<Item = (&MountPath, &FolderMount, Option<ContentDigest>)> {
        let pins = &self.revision.pins.mounts;
        let content = |path, mount: &FolderMount| match mount.access {
            Access::Snapshot => pins.get(path).copied(),
            Access::LiveReadOnly | Access::LiveReadWrite => None,
        };
        let folders = self.revision.template.mounts.iter().filter_map(|(path, mount)| Some((path, mount.as_folder()?)));
        folders.map(move |(path, mount)| (path, mount, content(path, mount)))
    }

    /// The folders of buckets that are mounted as copies: where, and which content.
    pub fn copies(&self) -> impl Iterator<Item = (&MountPath, ContentRef)> {
        let Revision { template, pins, .. } = &*self.revision;
        let copied = pins.mounts.iter().map(|(path, digest)| (path, template.content_of(path, *digest)));
        copied.filter(|(_, content)| matches!(content, ContentRef::Bucket(_)))
    }
}
