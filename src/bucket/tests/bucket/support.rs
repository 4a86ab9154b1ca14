//! Buckets to test with.

use std::{net::SocketAddr, sync::Arc, time::Duration};
use wharf_bucket::{BucketBackend, Client, Identity, Making, Patience};
use wharf_bucket_server::{ACCESS_KEY, BUCKET, SECRET_KEY};
use wharf_model::BucketSpec;
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
