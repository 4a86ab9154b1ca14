//! Folders of buckets that programs read themselves: what tells them where a folder is, and as whom they may read it. These
//! are variables like those of `env`, so a key among them is a reference, and a change of one is a new revision.

use super::Decode;
use crate::{
    block::Block,
    problem::{Code, Problem},
    source::Place,
};
use std::collections::BTreeMap;
use wharf_model::{
    Address, BucketMode, BucketMount, EnvName, EnvValue, Field, FieldPath, Mount, MountPath, MountSource, ObjectStore,
};

/// What the variable with the address of a folder begins with; the path of its mount follows.
const FOLDER: &str = "WHARF_MOUNT";

/// The variables that programs look for, of which there is one set.
struct Server {
    endpoint: Option<EnvValue>,
    region: Option<EnvValue>,
    access: Option<EnvValue>,
    secret: Option<EnvValue>,
}

impl Server {
    fn of(mount: &BucketMount) -> Self {
        let plain = |text: &str| EnvValue::Plain(text.into());
        // Every region of Alibaba Cloud's has a server of its own for this protocol.
        let own =
            |region: &str| format!("https://s3.oss-{}.aliyuncs.com", region.strip_prefix("oss-").unwrap_or(region));
        let usual = mount.region.as_deref().filter(|_| mount.store == ObjectStore::Oss).map(own);
        Self {
            endpoint: mount.endpoint.as_deref().or(usual.as_deref()).map(plain),
            region: mount.region.as_deref().map(plain),
            access: mount.keys.as_ref().map(|keys| EnvValue::Secret(keys.access.clone())),
            secret: mount.keys.as_ref().map(|keys| EnvValue::Secret(keys.secret.clone())),
        }
    }

    /// Not every library looks for the region under the same name.
    fn variables(&self) -> [(&'static str, Option<&EnvValue>); 5] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_ref()),
            ("AWS_REGION", self.region.as_ref()),
            ("AWS_DEFAULT_REGION", self.region.as_ref()),
            ("AWS_ACCESS_KEY_ID", self.access.as_ref()),
            ("AWS_SECRET_ACCESS_KEY", self.secret.as_ref()),
        ]
    }
}

impl Decode<'_> {
    /// Adds what the streamed mounts of a service say to its variables.
    pub(super) fn streams(
        &mut self,
        service: &Block,
        address: &Address,
        mounts: &BTreeMap<MountPath, Mount>,
        env: &mut BTreeMap<EnvName, EnvValue>,
    ) {
        let mut said: BTreeMap<String, (Option<EnvValue>, Option<Place>)> = BTreeMap::new();
        for node in service.every("mount") {
            let Some(path) = node.argument::<MountPath>(0) else { continue };
            let Some(MountSource::Bucket(bucket)) = mounts.get(&path.value).map(|mount| &mount.source) else {
                continue;
            };
            if bucket.is_copied() {
                continue;
            }
            self.check_place(node, bucket);
            if bucket.mode != Some(BucketMode::Stream) {
                continue;
            }
            let server = Server::of(bucket);
            let folder = (variable(&path.value), Some(EnvValue::Plain(folder(bucket).into())));
            let server = server.variables().map(|(name, value)| (name.to_owned(), value.cloned()));
            let new = server.into_iter().chain([folder]);
            let differs = new.clone().find_map(|(name, value)| {
                let (_, first) = said.get(&name).filter(|(known, _)| *known != value)?;
                Some((name, *first))
            });
            match differs {
                Some((name, first)) => self.streamed_twice(&name, path.at, first),
                None => {
                    for (name, value) in new {
                        said.entry(name).or_insert((value, path.at));
                    }
                }
            }
        }
        for (name, (value, at)) in said {
            let (Some(value), Ok(name)) = (value, name.parse::<EnvName>()) else { continue };
            self.check_unset(service, &name, at);
            self.note(address, FieldPath::at(Field::Env, name.as_str()), at);
            env.insert(name, value);
        }
    }

    /// A program must be told where the server is, and so must a client.
    fn check_place(&mut self, mount: &Block, bucket: &BucketMount) {
        if let Some(oss) = mount.child("oss").filter(|_| bucket.server().is_none()) {
            self.needs(oss, "region", "every region has a server of its own; or say where it is with `endpoint=`");
        }
    }

    fn streamed_twice(&mut self, name: &str, at: Option<Place>, first: Option<Place>) {
        let message = format!("two mounts are streamed, and they do not say the same `{name}`");
        let problem = Problem::error(Code::MountConflict, message).at(at, "not the same").and(first, "streamed first");
        let help = "a program is told of one server with one key, and by one name of each folder: have the other copied, \
            `mode=\"sync\" read-only=#true`, or name the path of one otherwise";
        self.report(problem.help(help.to_owned()));
    }

    fn check_unset(&mut self, service: &Block, name: &EnvName, mount: Option<Place>) {
        let entries = service.child("env").map_or(&[][..], |env| &env.entries);
        let Some((word, _)) = entries.iter().find(|(word, _)| *word.text == *name.as_str()) else { return };
        let message = format!("`{name}` is set in `env`, and a mount that is streamed sets it as well");
        let problem = Problem::error(Code::Contradiction, message).at(word.at, "set here").and(mount, "and by this");
        let help = format!("remove `{name}` from `env`, or have the folder copied: `mode=\"sync\" read-only=#true`");
        self.report(problem.help(help));
    }
}

/// Where the folder is: `s3://bucket/dir/`, whatever the protocol is called in the file.
fn folder(bucket: &BucketMount) -> String {
    format!("s3://{}/", bucket.path.trim_end_matches('/'))
}

/// The variable with the address of the folder that is mounted at `path`.
fn variable(path: &MountPath) -> String {
    let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("{FOLDER}{}", path.as_str().chars().map(letter).collect::<String>())
}
