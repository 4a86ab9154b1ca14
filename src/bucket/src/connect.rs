//! How a server is spoken to: where it is, how it wants the bucket named, and as whom.

use crate::fault::BucketError;
use aws_config::{
    BehaviorVersion, environment::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
    profile::ProfileFileRegionProvider,
};
use aws_sdk_s3::{
    Client,
    config::{
        Builder, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::{
    Builder as HttpBuilder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use tokio::sync::OnceCell;
use wharf_model::{BucketSpec, BucketStyle, oss_host};

/// The region that servers which know none are told.
const ANY_REGION: &str = "us-east-1";

/// Who asks.
#[derive(Debug, Clone)]
pub enum Identity {
    /// Whoever is found in the environment, a profile, a pipeline's identity, a container or an instance, in this order.
    Found,
    /// Somebody whose keys were handed over.
    Given(Credentials),
}

impl Identity {
    /// Somebody with these keys.
    pub fn given(access_key: &str, secret_key: &str) -> Self {
        Self::Given(Credentials::new(access_key, secret_key, None, None, "given"))
    }
}

/// A connection that is made when it is needed.
#[derive(Debug)]
pub(crate) struct Connection {
    spec: BucketSpec,
    identity: Identity,
    sdk: OnceCell<Client>,
}

impl Connection {
    pub(crate) fn new(spec: BucketSpec, identity: Identity) -> Self {
        Self { spec, identity, sdk: OnceCell::new() }
    }

    pub(crate) async fn get(&self) -> Result<&Client, BucketError> {
        self.sdk.get_or_try_init(|| connect(&self.spec, &self.identity)).await
    }
}

async fn connect(spec: &BucketSpec, identity: &Identity) -> Result<Client, BucketError> {
    let region = region(spec).await.ok_or_else(|| BucketError::NoRegion { bucket: spec.bucket.to_string() })?;
    let secure = HttpBuilder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // Without TLS there is no need to read the system's certificates.
    let plain = spec.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let http = if plain { HttpBuilder::new().build_http() } else { secure.clone() };
    let mut config = match identity {
        Identity::Given(keys) => {
            Builder::new().behavior_version(BehaviorVersion::latest()).region(region).credentials_provider(keys.clone())
        }
        Identity::Found => {
            let found = aws_config::defaults(BehaviorVersion::latest()).region(region).http_client(secure).load().await;
            Builder::from(&found)
        }
    };
    config.set_endpoint_url(spec.endpoint.as_deref().map(str::to_owned));
    let config = config
        .http_client(http)
        .force_path_style(style(spec) == BucketStyle::Path)
        // Not every server understands what newer clients add by default.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        // We try again ourselves, as only we see that an answer broke off.
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::disabled());
    Ok(Client::from_conf(config.build()))
}

async fn region(spec: &BucketSpec) -> Option<Region> {
    if let Some(region) = &spec.region {
        return Some(Region::new(region.to_string()));
    }
    if let Some(region) = region_of_host(spec) {
        return Some(Region::new(region.to_owned()));
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let found = chain.region().await;
    found.or_else(|| spec.endpoint.is_some().then(|| Region::new(ANY_REGION)))
}

/// Whether the server is one of Alibaba Cloud's.
pub(crate) fn is_oss(spec: &BucketSpec) -> bool {
    spec.endpoint.as_deref().is_some_and(|endpoint| oss_host(endpoint).is_some())
}

/// `oss-cn-hangzhou` of `s3.oss-cn-hangzhou.aliyuncs.com`.
fn region_of_host(spec: &BucketSpec) -> Option<&str> {
    let host = oss_host(spec.endpoint.as_deref()?)?;
    let region = host.strip_prefix("s3.").unwrap_or(host);
    Some(region.strip_suffix("-internal").unwrap_or(region))
}

/// Servers of one's own seldom have a name for each bucket; the large ones insist.
fn style(spec: &BucketSpec) -> BucketStyle {
    let fitting = if spec.endpoint.is_none() || is_oss(spec) { BucketStyle::Host } else { BucketStyle::Path };
    spec.style.unwrap_or(fitting)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: Option<&str>) -> BucketSpec {
        BucketSpec { bucket: "b".into(), prefix: None, region: None, endpoint: endpoint.map(Into::into), style: None }
    }

    #[test]
    fn servers_are_named_their_buckets_as_they_want_it() {
        assert_eq!(style(&at(None)), BucketStyle::Host);
        assert_eq!(style(&at(Some("https://oss-cn-hangzhou.aliyuncs.com"))), BucketStyle::Host);
        assert_eq!(style(&at(Some("http://127.0.0.1:9000"))), BucketStyle::Path);
        let told = BucketSpec { style: Some(BucketStyle::Host), ..at(Some("https://storage.example.com")) };
        assert_eq!(style(&told), BucketStyle::Host);
    }

    #[test]
    fn only_alibaba_clouds_servers_are_sent_their_own_header() {
        assert!(is_oss(&at(Some("https://s3.oss-cn-hangzhou.aliyuncs.com"))));
        assert!(!is_oss(&at(Some("https://aliyuncs.com.example.com"))));
        assert!(!is_oss(&at(None)));
    }

    #[test]
    fn a_host_may_name_its_region() {
        let of = |endpoint| region_of_host(&at(Some(endpoint))).map(str::to_owned);
        assert_eq!(of("https://oss-cn-hangzhou.aliyuncs.com").as_deref(), Some("oss-cn-hangzhou"));
        assert_eq!(of("https://s3.oss-cn-hangzhou-internal.aliyuncs.com:443").as_deref(), Some("oss-cn-hangzhou"));
        assert_eq!(of("http://127.0.0.1:9000"), None);
    }
}
