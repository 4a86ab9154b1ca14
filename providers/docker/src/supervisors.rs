//! The supervisor of an environment, for those who make it and tell it what is wanted. It is made as gateways are, from
//! wharf's own program; it is in every network in which an instance is that it asks, listens nowhere, may change nothing
//! but its volume, and holds the engine's socket.

use crate::{
    archive::{Member, pack},
    book::{self, Mark},
    door::Door,
    doors::Doors,
    error::{self, disk},
    format::{HEALTH, Seen},
    labels::{self, OfDoor, OfInstance},
    names,
    program::{self, PROGRAM},
    request::{attachment, logs},
    roles::{self, SOCKET},
    start::labels_of,
};
use bollard::models::{
    ContainerCreateBody, HostConfig, Mount, MountType, RestartPolicy, RestartPolicyNameEnum, VolumeCreateRequest,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use wharf_model::{Generation, InstanceId, ObjectId, ObjectSpec, OperationId, Probe, SupervisorSpec};
use wharf_provider::{OpContext, ProviderError};

/// How long a supervisor may take until it watches.
const START: Duration = Duration::from_secs(15);

/// How often a gateway reads what its supervisor has written.
const TOLD_EVERY: u64 = 500;

/// How gateways find out about an instance of which its supervisor tells: it has counted already.
pub(crate) fn told(instance: &InstanceId, asked: wharf_gateway::Probe) -> wharf_gateway::Probe {
    let check = wharf_gateway::Check::Told { socket: book::told(&instance.to_string()) };
    let every_ms = asked.every_ms.min(TOLD_EVERY);
    wharf_gateway::Probe { check, every_ms, failures: 1, successes: 1, ..asked }
}

impl Doors {
    /// Makes the supervisor, or another in its place where it was made otherwise or does not watch.
    pub(crate) async fn put_supervisor(
        &self,
        generation: Generation,
        spec: &SupervisorSpec,
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let door = Door::Supervisor(generation);
        let other = self.known_supervisor().await?.filter(|known| *known != door);
        if let Some(other) = other
            && self.exists(&other).await?
        {
            return Err(ProviderError::Conflict {
                attempt: "cannot start the supervisor: there is another, and both would start what ended".to_owned(),
                help: format!("if nothing needs it, remove it: `docker rm -f {}`", other.container(&self.owner)),
            });
        }
        let _turn = self.turn(&door).await;
        let fingerprint = ObjectSpec::Supervisor(spec.clone()).fingerprint();
        let found = self.found(&door).await?;
        let within = self.watched_networks().await?;
        if let Some(found) = &found
            && found.labels.fingerprint == Some(fingerprint)
            && self.watches(&door, found.runs).await
        {
            return self.settle(&door, found, &within, &cx.operation).await;
        }
        // Before anything is taken away.
        let image = program::image(&self.hands, &self.program, &self.owner, &cx.operation).await?;
        self.remove(&door).await?;
        let made = self.make_supervisor(&door, image, spec, &within, cx).await;
        *self.supervisor.lock().await = Some(Some(door.clone()));
        if made.is_err() {
            // The first failure is the one to tell.
            drop(self.remove(&door).await);
        }
        made
    }

    async fn make_supervisor(
        &self,
        door: &Door,
        image: String,
        spec: &SupervisorSpec,
        within: &[ObjectId],
        cx: &OpContext,
    ) -> Result<(), ProviderError> {
        let attempt = || "cannot start the supervisor";
        self.health_volume(&cx.operation).await?;
        let (net, ip) = self.place.lock().await.take(&self.hands, &self.owner, &cx.operation, None).await?;
        let own = OfDoor {
            door: door.clone(),
            listen: Vec::new(),
            endpoint: (ip, 0).into(),
            operation: cx.operation.clone(),
            fingerprint: Some(ObjectSpec::Supervisor(spec.clone()).fingerprint()),
        };
        let socket = Mount {
            typ: Some(MountType::BIND),
            source: Some(spec.socket.to_string()),
            target: Some(SOCKET.to_owned()),
            ..Mount::default()
        };
        let body = ContainerCreateBody {
            image: Some(image),
            entrypoint: Some(vec![PROGRAM.to_owned()]),
            cmd: Some(roles::supervisor(&self.owner).to_vec()),
            labels: Some(own.write(&self.owner)),
            host_config: Some(HostConfig {
                network_mode: Some(net.id.clone()),
                mounts: Some(vec![socket]),
                binds: Some(vec![format!("{}:{HEALTH}", names::health(&self.owner))]),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                security_opt: Some(vec!["no-new-privileges".to_owned()]),
                log_config: Some(logs()),
                restart_policy: Some(RestartPolicy {
                    name: Some(RestartPolicyNameEnum::ALWAYS),
                    ..RestartPolicy::default()
                }),
                ..HostConfig::default()
            }),
            networking_config: Some(attachment(&net, ip, &[])),
            ..ContainerCreateBody::default()
        };
        let container = door.container(&self.owner);
        self.hands.create(&container, body).await.map_err(|cause| match cause.to_string() {
            words if words.contains("bind source path does not exist") => ProviderError::Missing {
                attempt: format!("{}: there is no socket {} on the engine's machine", attempt(), spec.socket),
                help: "name the engine by the socket that it has there: `provider \"docker\" host=\"unix://…\"`"
                    .to_owned(),
            },
            _ => error::engine(attempt())(cause),
        })?;
        for object in within {
            self.join(door, &[], Some(object), &cx.operation).await?;
        }
        self.hands.start(&container).await.map_err(error::engine(attempt()))?;
        let begin = Instant::now();
        while !self.watches(door, true).await {
            let found = self.found(door).await?;
            if found.is_none() || begin.elapsed() > START {
                let words = crate::logs::last(&self.hands, &container, 1).await.unwrap_or_default();
                let words = words.into_iter().next_back().unwrap_or_else(|| "it does not answer".to_owned());
                let help = "look at the cause; when it is mended, apply again".to_owned();
                let attempt = format!("{}: {words}", attempt());
                return Err(ProviderError::Rejected { attempt, help, source: None });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Whether the supervisor keeps what it knows up to date, and is of no earlier release than this program.
    async fn watches(&self, door: &Door, runs: bool) -> bool {
        let fit = |seen: Seen| seen.health.is_some() && seen.is_up_to_date();
        runs && self.windows.look(door, Vec::new()).await.is_ok_and(fit)
    }

    /// The networks of the project in which instances are that it sees to.
    async fn watched_networks(&self) -> Result<Vec<ObjectId>, ProviderError> {
        let containers = self.hands.containers(&self.owner).await;
        let containers = containers.map_err(error::engine("cannot look for the networks of instances"))?;
        let labels = containers.iter().filter_map(|one| OfInstance::read(one.labels.as_ref()?, &self.owner));
        let within: BTreeSet<_> = labels.filter(|own| own.care.is_some()).filter_map(|own| own.network).collect();
        Ok(within.into_iter().collect())
    }

    /// The volume of what is known of instances. It outlives those who use it.
    pub(crate) async fn health_volume(&self, operation: &OperationId) -> Result<(), ProviderError> {
        let volume = VolumeCreateRequest {
            name: Some(names::health(&self.owner)),
            labels: Some(labels::shared(&self.owner, operation)),
            ..VolumeCreateRequest::default()
        };
        let attempt = "cannot make the volume of what is known of instances";
        self.hands.create_volume(volume).await.map_err(error::engine(attempt))
    }

    /// Ends a supervisor and removes its container. One that is gone is fine.
    pub(crate) async fn delete_supervisor(&self, generation: Generation) -> Result<(), ProviderError> {
        self.delete(&Door::Supervisor(generation)).await?;
        *self.supervisor.lock().await = Some(None);
        Ok(())
    }

    /// The supervisor, where there is one. Looked for once: whoever holds the lease on the environment makes all others.
    async fn known_supervisor(&self) -> Result<Option<Door>, ProviderError> {
        let mut known = self.supervisor.lock().await;
        if let Some(known) = &*known {
            return Ok(known.clone());
        }
        let containers = self.hands.containers(&self.owner).await;
        let containers = containers.map_err(error::engine("cannot look for the supervisor"))?;
        let doors = containers.iter().filter_map(|one| OfDoor::read(one.labels.as_ref()?, &self.owner));
        let found = doors.map(|own| own.door).find(|door| matches!(door, Door::Supervisor(_)));
        Ok(known.insert(found).clone())
    }

    /// The supervisor of an instance, if that has one, with the labels that say what it sees to.
    async fn supervisor_of(&self, instance: &InstanceId) -> Result<Option<(Door, OfInstance)>, ProviderError> {
        let Some(door) = self.known_supervisor().await? else { return Ok(None) };
        let attempt = format!("cannot look at {instance}");
        let found = self.hands.container(&names::instance(&self.owner, instance)).await;
        let found = found.map_err(error::engine(attempt))?;
        let labels = found.as_ref().and_then(labels_of).and_then(|labels| OfInstance::read(labels, &self.owner));
        Ok(labels.filter(|labels| labels.care.is_some()).map(|labels| (door, labels)))
    }

    /// How gateways find out whether an instance is ready: what they cannot judge by themselves its supervisor tells them,
    /// who counts.
    pub(crate) async fn asked(
        &self,
        instance: &InstanceId,
        probe: &Probe,
    ) -> Result<wharf_gateway::Probe, ProviderError> {
        let asked = wharf_serving::probe(probe);
        let labels = self.supervisor_of(instance).await?.map(|(_, labels)| labels);
        if labels.and_then(|labels| labels.question).is_none_or(|question| !question.told) {
            return Ok(asked);
        }
        Ok(told(instance, asked))
    }

    /// Tells the supervisor of an instance what becomes of that. One that does not run finds it when it does.
    pub(crate) async fn mark(&self, instance: &InstanceId, mark: Mark) -> Result<(), ProviderError> {
        let Some((door, _)) = self.supervisor_of(instance).await? else { return Ok(()) };
        let attempt = || format!("cannot tell the supervisor what becomes of {instance}");
        let path = format!("{}/{instance}", mark.folder());
        let file = pack(&[Member { path: &path, mode: 0o444, bytes: b"" }]).map_err(disk(attempt()))?;
        let sent = self.hands.upload(&door.container(&self.owner), HEALTH, file).await;
        error::absent(sent).map_err(error::engine(attempt())).map(drop)
    }
}
