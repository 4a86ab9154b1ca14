//! Where things are below the state folder of one environment. Nothing here touches the disk.

use std::path::{Path, PathBuf};
use wharf_model::{ContentRef, GatewayName, InstanceId, ObjectId};

/// The state folder: `instances/`, `content/`, `gateways/` and `objects/`, each with a folder per object, named as the
/// object is.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The folders in the state folder.
    pub(crate) const PARTS: [&str; 4] = ["instances", "content", "gateways", "objects"];

    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn instances(&self) -> PathBuf {
        self.root.join("instances")
    }

    pub(crate) fn instance(&self, instance: &InstanceId) -> InstanceFolder {
        InstanceFolder::new(self.instances().join(instance.to_string()))
    }

    pub(crate) fn contents(&self) -> PathBuf {
        self.root.join("content")
    }

    pub(crate) fn content(&self, content: ContentRef) -> PathBuf {
        self.contents().join(content.to_string())
    }

    pub(crate) fn gateways(&self) -> PathBuf {
        self.root.join("gateways")
    }

    pub(crate) fn gateway(&self, gateway: &GatewayName) -> PathBuf {
        self.gateways().join(gateway.as_str())
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(crate) fn object(&self, object: &ObjectId) -> PathBuf {
        self.objects().join(object.to_string())
    }
}

/// The folder of one instance.
#[derive(Debug, Clone)]
pub(crate) struct InstanceFolder {
    path: PathBuf,
}

impl InstanceFolder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whose it is; durable before anything starts.
    pub(crate) fn labels(&self) -> PathBuf {
        self.path.join("labels.json")
    }

    /// Locked while the supervisor lives.
    pub(crate) fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// How the main process ended.
    pub(crate) fn exit(&self) -> PathBuf {
        self.path.join("exit.json")
    }

    /// How gateways know it; there once it may get requests.
    pub(crate) fn routed(&self) -> PathBuf {
        self.path.join("routed.json")
    }

    /// There once the instance was told to drain.
    pub(crate) fn drained(&self) -> PathBuf {
        self.path.join("drained")
    }

    /// How often its program was started again, and why the last time.
    pub(crate) fn restarts(&self) -> PathBuf {
        self.path.join("restarts.json")
    }

    /// What its checks heard last.
    pub(crate) fn health(&self) -> PathBuf {
        self.path.join("health.json")
    }

    /// Where its supervisor tells whether it is ready, where no gateway can judge that by itself.
    pub(crate) fn told(&self) -> PathBuf {
        self.path.join("ready.sock")
    }

    /// The log in which all supervisors of the environment tell what they did about programs.
    pub(crate) fn healing(&self) -> PathBuf {
        let state = self.path.parent().and_then(Path::parent);
        state.unwrap_or(&self.path).join(crate::healing::HEALING)
    }

    /// What it wrote lately.
    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// What it wrote before that.
    pub(crate) fn older_log(&self) -> PathBuf {
        self.path.join("log.1")
    }

    /// What it may write to and goes back when it ends.
    pub(crate) fn writables(&self) -> PathBuf {
        self.path.join("writables.json")
    }

    /// Its own copy of one of these.
    pub(crate) fn written(&self, index: usize) -> PathBuf {
        self.path.join(format!("written-{index}"))
    }

    /// What of that went back before it ends.
    pub(crate) fn sent(&self, index: usize) -> PathBuf {
        self.path.join(format!("sent-{index}.json"))
    }

    /// There once all weights are held in memory.
    pub(crate) fn held(&self) -> PathBuf {
        self.path.join("held")
    }

    /// Where a client mounts what it serves.
    pub(crate) fn served(&self, index: usize) -> PathBuf {
        self.path.join(format!("served-{index}"))
    }

    /// What passes that on to the instance.
    pub(crate) fn passed_on(&self, index: usize) -> PathBuf {
        self.path.join(format!("passed-on-{index}"))
    }

    /// Where it runs.
    pub(crate) fn work(&self) -> PathBuf {
        self.path.join("work")
    }

    /// Where its view of the file system is put together; empty to everybody else.
    pub(crate) fn view(&self) -> PathBuf {
        self.path.join("view")
    }
}
