//! What the model says is what the gateway is told.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};
use wharf_gateway::{Config, EndpointState, Protocol};
use wharf_model::{Bytes, Cidr, GatewayName, GatewaySpec, InstanceId, Probe, RouteSpec, Timeouts, TokenSpec, Traffic};
use wharf_provider::{ProviderError, SecretValues};
use wharf_serving::{drain, endpoint, forget, listener, probe, remove_route, route, serve, set_route};

fn public() -> GatewayName {
    "public".parse().unwrap()
}

fn spec() -> RouteSpec {
    RouteSpec {
        gateway: public(),
        service: "hello".parse().unwrap(),
        paths: vec!["/api/predict/hello".into()],
        tokens: vec![TokenSpec { name: Some("team".parse().unwrap()), secret: "key".parse().unwrap() }],
        token_digests: BTreeMap::new(),
        timeout: Duration::from_secs(5),
        max_body: Some(Bytes(1_024)),
        timeouts: Timeouts {
            connect: Some(Duration::from_millis(1)),
            first_byte: Some(Duration::from_millis(2)),
            between_bytes: Some(Duration::from_millis(3)),
        },
        traffic: Traffic {
            rate_limit: Some(4),
            concurrency_limit: Some(5),
            instance_rate_limit: Some(6),
            ..Traffic::default()
        },
        grpc: true,
        group: None,
        records: None,
    }
}

fn secrets() -> SecretValues {
    let mut secrets = SecretValues::default();
    secrets.insert("key".parse().unwrap(), "open sesame".to_owned().into());
    secrets
}

#[test]
fn a_route_says_everything_that_its_spec_says_and_no_token() {
    let route = route(&spec(), &secrets()).unwrap();
    assert_eq!((route.name.as_str(), route.service.as_str(), route.protocol), ("public/hello", "hello", Protocol::H2c));
    assert_eq!((route.max_body, route.timeout_ms), (Some(1_024), Some(5_000)));
    let wharf_gateway::Timeouts { connect_ms, first_byte_ms, between_bytes_ms, total_ms } = route.timeouts;
    assert_eq!([connect_ms, first_byte_ms, between_bytes_ms, total_ms], [Some(1), Some(2), Some(3), Some(5_000)]);
    let limits = route.limits;
    assert_eq!([limits.rate, limits.concurrency, limits.instance_rate], [Some(4), Some(5), Some(6)]);
    assert_eq!(route.tokens[0].name, "team");
    assert!(!format!("{route:?}").contains("sesame"));
}

#[test]
fn a_token_without_a_value_is_named() {
    let error = route(&spec(), &SecretValues::default()).unwrap_err();
    assert!(matches!(&error, ProviderError::Missing { attempt, .. } if attempt.contains("token key")), "{error:?}");
}

#[test]
fn a_listener_has_the_limits_and_the_ranges_of_its_gateway() {
    let allow: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap()];
    let address: SocketAddr = "127.0.0.1:8600".parse().unwrap();
    let limits = (Some(7), Some(8));
    let spec = GatewaySpec {
        allow,
        rate_limit: limits.0,
        concurrency_limit: limits.1,
        ..GatewaySpec::listening(address.ip(), 1)
    };
    let listener = listener(&public(), &spec, address).unwrap();
    assert_eq!((listener.address, listener.limits.rate, listener.limits.concurrency), (address, Some(7), Some(8)));
    assert_eq!(listener.allow.len(), 1);
}

#[test]
fn changes_hold_however_often_they_are_made() {
    let instance: InstanceId = "hello-0-g1".parse().unwrap();
    let address: SocketAddr = "127.0.0.1:9000".parse().unwrap();
    let one = endpoint(&instance, address, probe(&Probe::fallback()));
    let mut config = Config::empty();
    assert!(!serve(&mut config, &public(), &instance, one.clone()), "there is no route yet");
    for _ in 0..2 {
        set_route(&mut config, route(&spec(), &secrets()).unwrap());
        assert!(serve(&mut config, &public(), &instance, one.clone()));
    }
    assert_eq!((config.routes.len(), config.routes[0].endpoints.len()), (1, 1));
    drain(&mut config, &instance);
    // Who sets the route again lets nobody back in.
    set_route(&mut config, route(&spec(), &secrets()).unwrap());
    assert_eq!(config.routes[0].endpoints[0].state, EndpointState::Draining);
    forget(&mut config, &instance);
    assert!(config.routes[0].endpoints.is_empty());
    remove_route(&mut config, &public(), &"hello".parse().unwrap());
    assert!(config.routes.is_empty());
}
