//! Instances that are several containers. The members of one find each other by their variables, rank 0 has the instance's
//! name, address and requests, and none goes without the others: all are made before any is started, and rank 0 is
//! started last, so where it ever ran, every other did.

use crate::{
    engine::{Eyes, Hands},
    labels::OfInstance,
    names,
};
use bollard::{errors::Error as EngineError, models::ContainerSummary};
use std::{collections::BTreeMap, fmt, net::Ipv4Addr, str::FromStr};
use wharf_model::{InstanceId, Launch};
use wharf_provider::Owner;

/// Where members meet, unless the service itself listens there.
const MEETING: u16 = 29_500;

/// Which of the containers of an instance one is. Its text form, `1/4`, is what labels say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// From 0.
    pub(crate) rank: u32,
    /// How many there are. Never zero.
    pub(crate) size: u32,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.rank, self.size)
    }
}

impl FromStr for Member {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (rank, size) = text.split_once('/').ok_or(())?;
        let member = Self { rank: rank.parse().map_err(drop)?, size: size.parse().map_err(drop)? };
        if member.rank < member.size { Ok(member) } else { Err(()) }
    }
}

/// The members of an instance; none where it is one container.
pub(crate) fn members(launch: &Launch) -> Option<impl DoubleEndedIterator<Item = Member> + use<>> {
    let size = launch.revision.template.unit.as_ref()?.size;
    Some((0..size).map(move |rank| Member { rank, size }))
}

/// The variables by which a member knows its place, in the words of those who may ask: of the platform, of launchers of
/// training and inference, and of sets of a leader with its workers.
pub(crate) fn variables(launch: &Launch, member: Member, master: Ipv4Addr) -> Vec<(String, String)> {
    let Member { rank, size } = member;
    let meeting = if launch.revision.template.port == Some(MEETING) { MEETING + 1 } else { MEETING };
    let (rank, size, master) = (rank.to_string(), size.to_string(), master.to_string());
    let named = [
        (["RANK_ID", "RANK", "NODE_RANK", "LWS_WORKER_INDEX"].as_slice(), rank),
        (&["WORLD_SIZE", "NNODES", "LWS_GROUP_SIZE"], size),
        (&["MASTER_ADDR", "LWS_LEADER_ADDRESS"], master),
        (&["MASTER_PORT"], meeting.to_string()),
    ];
    let all = named.iter().flat_map(|(names, value)| names.iter().map(move |name| (name.to_string(), value.clone())));
    all.collect()
}

/// The containers of an instance that are there, by rank, whichever are missing. One that somebody gave another name is
/// none of them.
pub(crate) async fn containers(
    eyes: &Eyes,
    owner: &Owner,
    instance: &InstanceId,
) -> Result<BTreeMap<u32, OfInstance>, EngineError> {
    let found = eyes.containers_of(owner, instance).await?;
    let known = |container: &ContainerSummary| {
        let labels = OfInstance::read(container.labels.as_ref()?, owner)?;
        let name = names::member(owner, instance, labels.rank());
        let mut names = container.names.iter().flatten().map(|name| name.trim_start_matches('/'));
        names.any(|known| known == name).then(|| (labels.rank(), labels))
    };
    Ok(found.iter().filter_map(known).collect())
}

/// Removes an instance with all its members, rank 0 last, so that what a cut-off removal leaves is found by it. One that
/// is gone is fine.
pub(crate) async fn remove(hands: &Hands, owner: &Owner, instance: &InstanceId) -> Result<(), EngineError> {
    for rank in containers(hands, owner, instance).await?.into_keys().rev() {
        hands.remove(&names::member(owner, instance, rank)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_it_is_written() {
        let member = Member { rank: 1, size: 4 };
        assert_eq!(member.to_string().parse(), Ok(member));
        for bad in ["", "1", "4/4", "x/2", "0/0"] {
            assert_eq!(bad.parse::<Member>(), Err(()), "{bad}");
        }
    }
}
