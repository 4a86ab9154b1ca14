//! Sees whether a bucket can hold a record: whether an object is made once, whoever else tries and however many at once.

use crate::{
    client::Client,
    fault::{BucketError, Told},
};
use tokio::task::JoinSet;
use wharf_store::Created;

/// How many try at once.
const RACERS: u8 = 8;
/// How often they do.
const RACES: u8 = 2;
/// Where the probe's own objects are.
const FOLDER: &str = "probe";

pub(crate) async fn probe(client: &std::sync::Arc<Client>) -> Result<(), BucketError> {
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(|error| BucketError::Random(Told(error.to_string())))?;
    let name = format!("{FOLDER}/{}", hex::encode(name));
    let seen = look(client, &name).await;
    let mut cleaned = client.delete(&name).await;
    for race in 0..RACES {
        cleaned = cleaned.and(client.delete(&format!("{name}.{race}")).await);
    }
    seen.and(cleaned)
}

async fn look(client: &std::sync::Arc<Client>, name: &str) -> Result<(), BucketError> {
    let refuse = |why| BucketError::Unconditional { bucket: client.spec().bucket.to_string(), why };
    if client.create(name, b"first").await? == Created::Before {
        return Err(refuse("its server says that an object is there which is not"));
    }
    if client.create(name, b"second").await? == Created::Now || client.read(name).await?.as_deref() != Some(b"first") {
        return Err(refuse("its server lets an object be overwritten that was to be made once"));
    }
    for race in 0..RACES {
        if winners(client, &format!("{name}.{race}")).await? != 1 {
            return Err(refuse("of many who make an object at once, its server does not let just one"));
        }
    }
    Ok(())
}

/// How many of those who make an object at once are told that they did.
async fn winners(client: &std::sync::Arc<Client>, name: &str) -> Result<usize, BucketError> {
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (client, name) = (client.clone(), name.to_owned());
        racers.spawn(async move { client.create(&name, &[racer]).await });
    }
    let mut won = 0;
    for made in racers.join_all().await {
        won += usize::from(made? == Created::Now);
    }
    Ok(won)
}
