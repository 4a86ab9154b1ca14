//! Draining and ending an instance.

use crate::{
    error::disk,
    files,
    instance::{self, namespace_below, processes_in},
    layout::InstanceFolder,
    lock::{self, Holder},
    writable,
};
use rustix::process::Signal;
use std::time::{Duration, Instant};
use wharf_model::{InstanceId, Shutdown};
use wharf_mounts::Copies;
use wharf_provider::{OpContext, ProviderError};

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells the instance that it is draining, if it wants to be told; once, however often this is called.
pub(crate) fn tell(folder: &InstanceFolder, name: &InstanceId, shutdown: &Shutdown) -> Result<(), ProviderError> {
    let told = || {
        if !folder.path().exists() || folder.drained().exists() {
            return Ok(());
        }
        if shutdown.sigterm
            && let Some(supervisor) = instance::supervisor(folder)?
        {
            supervisor.signal(Signal::TERM)?;
        }
        files::write_durably(&folder.drained(), b"")
    };
    told().map_err(disk(format!("cannot tell {name} that it is draining")))
}

/// Ends the instance, with every process that it ever started, sends back what it wrote, and removes its folder. One that is
/// gone is fine.
pub(crate) async fn end(
    folder: &InstanceFolder,
    name: &InstanceId,
    copies: &Copies,
    cx: &OpContext,
) -> Result<(), ProviderError> {
    kill(folder, name).await?;
    writable::finish(copies, folder, name, &|words| cx.say(words)).await?;
    files::unmake(folder.path()).map_err(disk(format!("cannot remove the folder of {name}")))
}

async fn kill(folder: &InstanceFolder, name: &InstanceId) -> Result<(), ProviderError> {
    let attempt = || format!("cannot end {name}");
    let Some(supervisor) = instance::supervisor(folder).map_err(disk(attempt()))? else { return Ok(()) };
    let namespace = namespace_below(supervisor.pid);
    supervisor.signal(Signal::KILL).map_err(disk(attempt()))?;
    let begin = Instant::now();
    loop {
        let held = lock::holder(&folder.lock()).map_err(disk(attempt()))? != Holder::Nobody;
        let left = namespace.as_ref().map_or(0, |namespace| processes_in(namespace).len());
        if !held && left == 0 {
            return Ok(());
        }
        if begin.elapsed() > PATIENCE {
            let attempt = format!("{}: {left} of its processes do not die", attempt());
            return Err(ProviderError::Unreachable { attempt, retry_after: None, source: None });
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
