//! A folder of a bucket to copy, for the tests of each runtime that does.

use std::net::SocketAddr;
use wharf_bucket::BucketDepot;
use wharf_bucket_server::{ACCESS_KEY, SECRET_KEY};
use wharf_model::{BucketKeys, BucketMount, ObjectStore, SecretName};

/// A folder of a bucket of a server, which is opened by the keys that [`depot`] knows.
pub(crate) fn bucket(server: SocketAddr) -> BucketMount {
    BucketMount {
        store: ObjectStore::S3,
        path: "examplebucket/dir/".into(),
        endpoint: Some(format!("http://{server}").into()),
        region: Some("us-east-1".into()),
        mode: None,
        read_only: true,
        live: false,
        keys: Some(BucketKeys { access: "key-id".parse().unwrap(), secret: "key".parse().unwrap() }),
    }
}

/// Who opens it.
pub(crate) fn depot() -> BucketDepot {
    let key = |name: &SecretName| if name.as_str() == "key" { SECRET_KEY } else { ACCESS_KEY };
    BucketDepot::new([bucket(([127, 0, 0, 1], 1).into())].iter(), |name| Some(key(name).to_owned()))
}
