//! From a launch to the body of the call that makes its container: a function of values, without a look at the engine.

use crate::{
    labels::{self, Labels},
    names,
    network::Net,
    unit::{self, Member},
};
use bollard::models::{
    ContainerCreateBody, DeviceRequest, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig,
    Mount as EngineMount, MountTmpfsOptions, MountType, MountVolumeOptions, MountVolumeOptionsDriverConfig,
    NetworkingConfig, RestartPolicy, RestartPolicyNameEnum,
};
use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};
use wharf_model::{
    Access, Address, BucketMount, ContentRef, EnvValue, FolderPath, Generation, Launch, MountPath, MountSource,
    NfsMount, ObjectId, Program, Resources, Seat, SecretName,
};
use wharf_mounts::Copies;
use wharf_provider::{Owner, ProviderError, SecretValues};

/// Where prepared libraries are in an instance.
pub(crate) const LIBRARIES: &str = "/opt/wharf/libraries";

/// What an instance prints is kept up to this size, in so many files.
const LOG_SIZE: &str = "16m";
const LOG_FILES: &str = "3";

/// The longest name that a machine may have.
const HOSTNAME: usize = 63;

/// What a launch is filled in with.
pub(crate) struct Surroundings<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) project: &'a Path,
    pub(crate) copies: &'a Copies,
    /// The exact image.
    pub(crate) image: &'a str,
    /// The variables that the image sets.
    pub(crate) image_env: &'a BTreeMap<String, String>,
    pub(crate) secrets: &'a SecretValues,
    /// The volume driver that mounts folders of buckets.
    pub(crate) fuse: Option<&'a str>,
    pub(crate) net: &'a Net,
    pub(crate) ip: Ipv4Addr,
    /// Which of the instance's containers it is, and the address of rank 0, where there are several.
    pub(crate) member: Option<(Member, Ipv4Addr)>,
    /// What it holds of GPUs.
    pub(crate) seat: Option<&'a Seat>,
    /// What the container and all that is made with it carries.
    pub(crate) labels: &'a Labels,
}

/// Where a folder of the file is, as people write it: `./app` adds no dot.
pub(crate) fn place_of(project: &Path, folder: &FolderPath) -> PathBuf {
    project.join(&*folder.0).components().collect()
}

/// The body that makes the container of an instance.
pub(crate) fn container(launch: &Launch, around: &Surroundings<'_>) -> Result<ContainerCreateBody, ProviderError> {
    let template = &launch.revision.template;
    let (entrypoint, cmd) = program(&template.program);
    let (name, alias) = match around.member.map(|(member, _)| member.rank).filter(|rank| *rank > 0) {
        // Who asks for the service by its name is to meet rank 0.
        Some(rank) => (format!("{}-{rank}", launch.instance), format!("{}-{rank}", launch.instance)),
        None => (launch.instance.to_string(), launch.instance.service.to_string()),
    };
    Ok(ContainerCreateBody {
        hostname: (name.len() <= HOSTNAME).then_some(name),
        image: Some(around.image.to_owned()),
        entrypoint,
        cmd,
        env: Some(environment(launch, around)?),
        labels: Some(around.labels.clone()),
        host_config: Some(HostConfig {
            mounts: Some(mounts(launch, around)?),
            network_mode: Some(around.net.id.clone()),
            device_requests: around.seat.map(|seat| vec![cards(seat)]),
            restart_policy: Some(restarts(labels::is_kept_up(around.labels))),
            ..host(&template.resources, &template.mounts)
        }),
        networking_config: Some(attachment(around.net, around.ip, &[&alias])),
        ..ContainerCreateBody::default()
    })
}

/// Who starts an instance again is one alone: the engine, or a supervisor. One that was told to end stays so in any case.
fn restarts(by_the_engine: bool) -> RestartPolicy {
    let name = if by_the_engine { RestartPolicyNameEnum::UNLESS_STOPPED } else { RestartPolicyNameEnum::NO };
    RestartPolicy { name: Some(name), ..RestartPolicy::default() }
}

/// The cards of a seat, each by its own name: what counts cards may count them otherwise after the next start.
fn cards(seat: &Seat) -> DeviceRequest {
    DeviceRequest {
        driver: Some("nvidia".to_owned()),
        device_ids: Some(seat.0.iter().map(|part| part.card.to_string()).collect()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    }
}

/// Puts a container into a network, at an address of its own and under these names.
pub(crate) fn attachment(net: &Net, ip: Ipv4Addr, names: &[&str]) -> NetworkingConfig {
    NetworkingConfig { endpoints_config: Some(HashMap::from([(net.id.clone(), endpoint(ip, names))])) }
}

/// A place in a network, at an address of its own and under these names.
pub(crate) fn endpoint(ip: Ipv4Addr, names: &[&str]) -> EndpointSettings {
    let ipam = EndpointIpamConfig { ipv4_address: Some(ip.to_string()), ..EndpointIpamConfig::default() };
    let aliases = names.iter().map(ToString::to_string).collect();
    EndpointSettings { ipam_config: Some(ipam), aliases: Some(aliases), ..EndpointSettings::default() }
}

/// How what a container prints is kept: for the engine to read back, and never without end.
pub(crate) fn logs() -> HostConfigLogConfig {
    let config = [("max-size", LOG_SIZE), ("max-file", LOG_FILES)];
    HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(config.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
    }
}

/// Entry point and arguments. What a service says takes the place of the image's own entry point.
fn program(program: &Program) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let texts = |words: &[std::sync::Arc<str>]| words.iter().map(ToString::to_string).collect();
    match program {
        Program::Command(words) => (Some(texts(words)), None),
        Program::Script(text) => (Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_string()]), None),
        Program::Args(words) => (None, Some(texts(words))),
        // The plan refuses these on this runtime.
        Program::Processor(_) => (None, None),
    }
}

fn environment(launch: &Launch, around: &Surroundings<'_>) -> Result<Vec<String>, ProviderError> {
    let template = &launch.revision.template;
    let own = [
        ("WHARF_SERVICE", launch.instance.service.to_string()),
        ("WHARF_INSTANCE", launch.instance.to_string()),
        ("WHARF_REVISION", launch.revision.number.to_string()),
        // A log must show what a program says when it says it, and prepared folders are read-only.
        ("PYTHONUNBUFFERED", "1".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ];
    let mut env: BTreeMap<_, _> = own.map(|(name, value)| (name.to_owned(), value)).into();
    if let Some((member, master)) = around.member {
        env.extend(unit::variables(launch, member, master));
    }
    env.extend(template.port.map(|port| ("PORT".to_owned(), port.to_string())));
    for (name, value) in &template.env {
        let value = match value {
            EnvValue::Plain(text) => text.to_string(),
            EnvValue::Secret(secret) => {
                around.secrets.expose(secret).map(str::to_owned).ok_or_else(|| unknown(launch, secret))?
            }
        };
        env.insert(name.to_string(), value);
    }
    if launch.revision.pins.packages.is_some() {
        for (name, front) in [("PYTHONPATH", format!("{LIBRARIES}/site")), ("PATH", format!("{LIBRARIES}/site/bin"))] {
            let rest = env.get(name).or_else(|| around.image_env.get(name)).filter(|rest| !rest.is_empty());
            let rest = rest.map(|rest| format!(":{rest}")).unwrap_or_default();
            env.insert(name.to_owned(), front + &rest);
        }
    }
    Ok(env.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

fn unknown(launch: &Launch, secret: &SecretName) -> ProviderError {
    ProviderError::Missing {
        attempt: format!("cannot start {}: the value of secret {secret} is not known", launch.instance),
        help: format!("make the source of secret {secret} available to the one who runs wharf"),
    }
}

fn host(resources: &Resources, mounts: &BTreeMap<MountPath, wharf_model::Mount>) -> HostConfig {
    let bytes = |bytes: wharf_model::Bytes| i64::try_from(bytes.0).unwrap_or(i64::MAX);
    let shm = mounts.iter().find_map(|(path, mount)| match mount.source {
        MountSource::Memory(size) if path.as_str() == MountPath::SHM => Some(size),
        _ => None,
    });
    HostConfig {
        nano_cpus: resources.cpu.map(|cores| i64::try_from(cores.millionths() * 1_000).unwrap_or(i64::MAX)),
        memory: resources.memory.map(bytes),
        // What the memory is not enough for is not to go to the disk instead.
        memory_swap: resources.memory.map(bytes),
        storage_opt: resources.disk.map(|limit| HashMap::from([("size".to_owned(), limit.0.to_string())])),
        shm_size: resources.shm.or(shm).map(bytes),
        log_config: Some(logs()),
        ..HostConfig::default()
    }
}

fn mounts(launch: &Launch, around: &Surroundings<'_>) -> Result<Vec<EngineMount>, ProviderError> {
    let pins = &launch.revision.pins;
    let libraries = pins.packages.map(|digest| volume(around.owner, ContentRef::Packages(digest), LIBRARIES));
    let mounted = launch.revision.template.mounts.iter().filter_map(|(path, mount)| {
        let target = path.as_str();
        if let Some(bucket) = mount.as_fuse() {
            return Some(served(launch, bucket, target, around));
        }
        let mount = match &mount.source {
            MountSource::Folder(folder) => Some(match (folder.access, pins.mounts.get(path)) {
                (Access::Snapshot, Some(digest)) => volume(around.owner, ContentRef::Folder(*digest), target),
                (access, _) => bind(&place_of(around.project, &folder.folder), target, access),
            }),
            MountSource::Git(_) | MountSource::Image(_) => {
                let content = launch.revision.template.content_of(path, *pins.mounts.get(path)?);
                Some(volume(around.owner, content, target))
            }
            MountSource::Nfs(nfs) => Some(exported(nfs, target, around.labels)),
            MountSource::Bucket(_) if mount.as_written().is_some() => Some(own_volume(target, around.labels, None)),
            MountSource::Bucket(_) => {
                pins.mounts.get(path).map(|digest| bind(&around.copies.place(*digest), target, Access::Snapshot))
            }
            MountSource::Empty => Some(own_volume(target, around.labels, None)),
            MountSource::Data(_) => {
                let address = Address::Mount(launch.instance.service.clone(), path.clone());
                let generation = pins.objects.get(&address).copied().unwrap_or(Generation(1));
                let source = names::object(around.owner, &ObjectId { address, generation });
                Some(EngineMount { read_only: Some(false), ..volume_at(source, target) })
            }
            // Shared memory has a size of its own.
            MountSource::Memory(_) if target == MountPath::SHM => None,
            MountSource::Memory(size) => Some(EngineMount {
                target: Some(target.to_owned()),
                typ: Some(MountType::TMPFS),
                tmpfs_options: Some(MountTmpfsOptions {
                    size_bytes: i64::try_from(size.0).ok(),
                    ..MountTmpfsOptions::default()
                }),
                ..EngineMount::default()
            }),
            // The plan refuses the others on this runtime.
            _ => None,
        };
        mount.map(Ok)
    });
    libraries.into_iter().map(Ok).chain(mounted).collect()
}

/// A prepared content; read-only.
fn volume(owner: &Owner, content: ContentRef, target: &str) -> EngineMount {
    volume_at(names::content(owner, content), target)
}

/// A volume that is the instance's alone, and goes with its container.
fn own_volume(target: &str, labels: &Labels, driver: Option<MountVolumeOptionsDriverConfig>) -> EngineMount {
    EngineMount {
        target: Some(target.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            no_copy: Some(true),
            labels: Some(labels.clone()),
            driver_config: driver,
            ..MountVolumeOptions::default()
        }),
        ..EngineMount::default()
    }
}

fn volume_at(source: String, target: &str) -> EngineMount {
    EngineMount {
        target: Some(target.to_owned()),
        source: Some(source),
        typ: Some(MountType::VOLUME),
        read_only: Some(true),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..EngineMount::default()
    }
}

/// A folder of a file server. The volume is the instance's own, and goes with it; what the server holds stays.
fn exported(nfs: &NfsMount, target: &str, labels: &Labels) -> EngineMount {
    let NfsMount { server, path, read_only, resource_group: _ } = nfs;
    let access = if *read_only { "ro" } else { "rw" };
    let options =
        [("type", "nfs".to_owned()), ("o", format!("addr={server},{access}")), ("device", format!(":{path}"))];
    let options = options.map(|(key, value)| (key.to_owned(), value)).into();
    let driver = MountVolumeOptionsDriverConfig { name: Some("local".to_owned()), options: Some(options) };
    own_volume(target, labels, Some(driver))
}

/// A folder of a bucket that a volume driver mounts. The volume is the instance's own, and goes with it.
fn served(
    launch: &Launch,
    mount: &BucketMount,
    target: &str,
    around: &Surroundings<'_>,
) -> Result<EngineMount, ProviderError> {
    let driver = around.fuse.ok_or_else(|| ProviderError::Missing {
        attempt: format!("cannot start {}: no volume driver is named that would mount {}", launch.instance, mount.path),
        help: "write `provider \"docker\" { fuse \"rclone\" }` in the environment".to_owned(),
    })?;
    let value = |secret: &SecretName| around.secrets.expose(secret).map(str::to_owned);
    let settings = wharf_mounts::rclone(mount, None, value).map_err(|secret| unknown(launch, &secret))?;
    let settings = settings.into_iter().map(|(name, value)| (format!("s3-{}", name.replace('_', "-")), value));
    let (bucket, folder) = mount.bucket_and_folder();
    let own = [
        ("type", "s3".to_owned()),
        ("path", format!("{bucket}/{folder}")),
        // Not every program in a container is root's.
        ("allow-other", "true".to_owned()),
        ("read-only", mount.read_only.to_string()),
        ("vfs-cache-mode", "off".to_owned()),
        ("dir-cache-time", wharf_mounts::REMEMBERED.to_owned()),
        ("s3-no-check-bucket", "true".to_owned()),
    ];
    let options = own.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(settings).collect();
    let driver = MountVolumeOptionsDriverConfig { name: Some(driver.to_owned()), options: Some(options) };
    Ok(own_volume(target, around.labels, Some(driver)))
}

fn bind(source: &Path, target: &str, access: Access) -> EngineMount {
    EngineMount {
        target: Some(target.to_owned()),
        source: Some(source.display().to_string()),
        typ: Some(MountType::BIND),
        read_only: Some(access != Access::LiveReadWrite),
        ..EngineMount::default()
    }
}
