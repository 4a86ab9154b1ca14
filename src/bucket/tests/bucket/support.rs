//! Buckets to test with.

use std::{net::SocketAddr, sync::Arc, time::Duration};
use wharf_bucket::{BucketBackend, BucketFolder, Client, Identity, Making, Patience};
use wharf_bucket_server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use wharf_content::{Sink, Source};
use wharf_model::{BucketMount, BucketSpec, ObjectStore};
use wharf_store::Backend;

/// Less patience than with a server that is far away.
pub(crate) const SHORT: Patience = Patience {
    tries: 6,
    pause: Duration::from_millis(10),
    silence: Duration::from_secs(2),
    whole: Duration::from_secs(6),
};

pub(crate) fn spec(address: SocketAddr) -> BucketSpec {
    BucketSpec {
        bucket: BUCKET.into(),
        prefix: Some("chat/dev".into()),
        region: Some("us-east-1".into()),
        endpoint: Some(format!("http://{address}").into()),
        style: None,
    }
}

pub(crate) fn bucket(address: SocketAddr) -> BucketBackend {
    BucketBackend::over(Client::new(spec(address), Identity::given(ACCESS_KEY, SECRET_KEY), SHORT))
}

pub(crate) fn backend(address: SocketAddr) -> Arc<dyn Backend> {
    Arc::new(bucket(address))
}

/// A bucket of a server that is spoken to as Alibaba Cloud's, though its address does not say so.
pub(crate) fn oss(address: SocketAddr) -> BucketBackend {
    let client = Client::new(spec(address), Identity::given(ACCESS_KEY, SECRET_KEY), SHORT);
    BucketBackend::over(client.making(Making::Forbidding))
}

/// Numbers that look like chance, the same ones each time.
pub(crate) fn chance(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// A folder of a bucket that is mounted.
pub(crate) fn mount(bucket: &str, address: SocketAddr) -> BucketMount {
    BucketMount {
        store: ObjectStore::S3,
        path: format!("{bucket}/dir/").into(),
        endpoint: Some(format!("http://{address}").into()),
        region: Some("us-east-1".into()),
        mode: None,
        read_only: true,
        live: false,
        keys: None,
    }
}

/// Where its files come from.
pub(crate) fn source(mount: &BucketMount) -> Arc<dyn Source> {
    Arc::new(BucketFolder::new(mount, Identity::given(ACCESS_KEY, SECRET_KEY)).unwrap())
}

/// The same, to write to.
pub(crate) fn sink(mount: &BucketMount) -> Arc<dyn Sink> {
    Arc::new(BucketFolder::new(mount, Identity::given(ACCESS_KEY, SECRET_KEY)).unwrap())
}
