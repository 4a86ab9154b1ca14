//! Folders of buckets that a volume driver of the engine mounts: a real one, with a real client behind it.

#![allow(clippy::print_stderr, reason = "a test that cannot be made says so")]

use crate::{
    copied::bucket,
    place::{Place, launch, script, stop, with_mount},
    support::{PATIENCE, engine},
};
use bollard::query_parameters::ListVolumesOptions;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};
use wharf_bucket_server::{ACCESS_KEY, Habit, SECRET_KEY, Server};
use wharf_model::{BucketMode, BucketMount, Exit, Mount, MountSource};

/// Where engines look for drivers.
const PLUGINS: &str = "/run/docker/plugins";

/// A volume driver of this machine's engines, for as long as it is held.
struct Driver {
    name: String,
    program: Child,
    folder: tempfile::TempDir,
}

impl Driver {
    /// Starts it; none where this machine lets nobody mount.
    fn start() -> Option<Self> {
        if let Err(error) = fs::OpenOptions::new().read(true).write(true).open("/dev/fuse") {
            eprintln!("skipped: /dev/fuse cannot be opened: {error}");
            return None;
        }
        let name = format!("wharf-dk-{}", std::process::id());
        let folder = tempfile::Builder::new().prefix("wharf-dk-driver-").tempdir().unwrap();
        fs::create_dir_all(PLUGINS).unwrap();
        let mut program = Command::new("timeout");
        program.args(["--kill-after=10", "300", "rclone", "serve", "docker", "--config="]);
        program.arg("--socket-addr").arg(socket(&name));
        program.arg("--base-dir").arg(folder.path().join("volumes"));
        program.arg("--cache-dir").arg(folder.path().join("cache"));
        // It does not get along with it, and there is nothing here to be certified.
        program.env_remove("AWS_CA_BUNDLE").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = Self { name, program: program.spawn().unwrap(), folder };
        let begin = Instant::now();
        while !socket(&driver.name).exists() {
            assert!(begin.elapsed() < PATIENCE, "the driver does not start");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Some(driver)
    }

    /// What it has mounted.
    fn mounted(&self) -> Vec<String> {
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let at = self.folder.path().display().to_string();
        table.lines().filter(|line| line.contains(&at)).map(str::to_owned).collect()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let pid = Pid::from_child(&self.program);
        let _ended = kill_process(pid, Signal::TERM);
        drop(self.program.wait());
        drop(fs::remove_file(socket(&self.name)));
    }
}

fn socket(name: &str) -> PathBuf {
    PathBuf::from(PLUGINS).join(format!("{name}.sock"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_mounted_by_a_driver_and_goes_with_its_instance() {
    let Some(driver) = Driver::start() else { return };
    let server = Server::start(Habit::Honours);
    let folder = server.bucket("examplebucket").join("dir");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("model.txt"), "weights\n").unwrap();
    let mut place = Place::new();
    place.fuse = Some(driver.name.clone());
    for (name, value) in [("key-id", ACCESS_KEY), ("key", SECRET_KEY)] {
        place.secrets.insert(name.parse().unwrap(), value.into());
    }
    let mount = BucketMount { mode: Some(BucketMode::Fuse), ..bucket(server.address()) };
    let text = "cat /mnt/data/model.txt; touch /mnt/data/x 2>/dev/null || echo refused; \
                until cat /mnt/data/new.txt 2>/dev/null; do sleep 0.1; done; exit 4";
    let launch = launch(with_mount(script(text), "/mnt/data", Mount::of(MountSource::Bucket(mount))));
    place.start(&launch).await;
    place.line("weights").await;
    place.line("refused").await;
    assert_eq!(driver.mounted().len(), 1, "{:?}", driver.mounted());
    fs::write(folder.join("new.txt"), "came later\n").unwrap();
    place.line("came later").await;
    assert_eq!(place.end(&launch.instance).await, Exit::Code(4));
    place.run(&stop(&launch.instance)).await.unwrap();

    assert_eq!(driver.mounted(), Vec::<String>::new());
    let volumes = engine().list_volumes(None::<ListVolumesOptions>).await.unwrap().volumes.unwrap_or_default();
    assert!(volumes.iter().all(|volume| volume.driver != driver.name), "{volumes:?}");
}
