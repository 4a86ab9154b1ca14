//! What instances see as folders.

use super::*;

const READ_ONLY: Property = property("read-only", Type::Boolean, "instances may only read it").or("#false");
const STORE: &[Property] = &[
    property("endpoint", Type::Text, "where the store answers; when not given, the runtime knows"),
    property("region", Type::Text, "the region of the bucket"),
    property(
        "mode",
        Type::Word(&["sync", "stream", "fuse"]),
        "copied before the start, read by the program itself, or a file system",
    ),
    READ_ONLY,
    property(
        "live",
        Type::Boolean,
        "what it holds later is no change of the service; when not given, only if instances may write, or it is not copied",
    ),
    property("access-key", Type::Secret, "the secret that holds the id of the key that opens it"),
    property("secret-key", Type::Secret, "the secret that holds that key"),
];
const BUCKET: &[Argument] = &[value("bucket", Type::Bucket)];

pub(super) const ROWS: &[NodeSchema] = &[
    node("service.mount", Many, "something that instances see as a folder")
        .elsewhere(&["volume", "volumes", "storage"])
        .takes(&[value("path", Type::MountPath)]),
    node("service.mount.folder", OneOf("source"), "a folder of this host, relative to the project's folder")
        .elsewhere(&["bind", "host", "hostPath"])
        .takes(&[value("folder", Type::Text)])
        .has(&[
            READ_ONLY,
            property("live", Type::Boolean, "instances see later changes; when not given, only if they may write"),
        ]),
    node("service.mount.oss", OneOf("source"), "a folder of an OSS bucket").takes(BUCKET).has(STORE),
    node("service.mount.s3", OneOf("source"), "a folder of a bucket that speaks S3").takes(BUCKET).has(STORE),
    node("service.mount.nfs", OneOf("source"), "a folder that a file server exports").elsewhere(&["nas", "cpfs"]).has(
        &[
            property("server", Type::Text, "the server").must(),
            property("path", Type::AbsolutePath, "the folder there").must(),
            READ_ONLY,
            property("resource-group", Type::Text, "the platform's resource group of the server"),
        ],
    ),
    node("service.mount.dataset", OneOf("source"), "a dataset that the platform knows")
        .takes(&[value("id", Type::Text)])
        .has(&[property("version", Type::Text, "which version; when not given, the newest"), READ_ONLY]),
    node("service.mount.git", OneOf("source"), "a repository at a branch or a commit; read-only")
        .takes(&[value("url", Type::HttpsUrl)])
        .has(&[
            property("branch", Type::Text, "the branch; when not given, the repository's own"),
            property("commit", Type::Text, "the commit; when not given, the newest of the branch"),
            property("username", Type::Text, "who reads it"),
            property("password", Type::Secret, "the secret that holds the password or the token"),
        ]),
    node("service.mount.code", OneOf("source"), "a code set that the platform knows; read-only")
        .takes(&[value("id", Type::Text)]),
    node("service.mount.model", OneOf("source"), "a model that the platform knows; read-only")
        .elsewhere(&["pai-model", "registered-model"])
        .takes(&[value("id", Type::Text)])
        .has(&[property("version", Type::Text, "which version; when not given, the newest")]),
    node("service.mount.image", OneOf("source"), "a folder of a container image, copied before the start")
        .takes(&[value("image", Type::Image)])
        .has(&[property("path", Type::AbsolutePath, "the folder in the image").must()]),
    node("service.mount.empty", OneOf("source"), "an empty folder that lives as long as the instance").elsewhere(&[
        "emptyDir",
        "empty_dir",
        "scratch",
    ]),
    node("service.mount.memory", OneOf("source"), "an empty folder in memory, for /dev/shm or any path")
        .elsewhere(&["tmpfs"])
        .has(&[property("size", Type::Size, "how much it holds at most").must()]),
    node("service.mount.data", OneOf("source"), "a folder that outlives instances, and goes with its mount")
        .elsewhere(&["pvc", "persistentVolumeClaim", "named-volume"])
        .has(&[
            property("keep-on-delete", Type::Boolean, "it stays when the mount is not declared any more").or("#false")
        ]),
    node("service.mount.cache", Optional, "keeps what was read once in memory that is idle; makes the mount read-only")
        .has(&[property("size", Type::Size, "at most so much; when not given, as much as is idle")]),
    node("service.mount.label", Optional, "what it holds, for people who look")
        .takes(&[value("kind", Type::Word(&["model", "code"]))]),
];
