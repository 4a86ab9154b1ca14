//! Others who copy from object storage, as they are without settings.

use crate::there::{BUCKET, Case, There, root};
use std::{
    path::Path,
    process::{Command, Stdio},
};
use wharf_bucket_server::{ACCESS_KEY, SECRET_KEY};

#[derive(Clone, Copy)]
pub(crate) enum Tool {
    Rclone,
    Aws,
}

impl Tool {
    pub(crate) const ALL: [Self; 2] = [Self::Rclone, Self::Aws];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rclone => "rclone",
            Self::Aws => "aws",
        }
    }

    /// Copies what a case has.
    pub(crate) fn copy(self, there: &There, case: &Case, to: &Path) {
        let from = format!("{BUCKET}/{}", case.name);
        let mut command = match self {
            Self::Rclone => {
                let mut rclone = Command::new("rclone");
                rclone.args(["copy", "--config", "/dev/null", &format!(":s3:{from}")]).arg(to);
                let settings = [
                    ("RCLONE_S3_PROVIDER", "Other"),
                    ("RCLONE_S3_ACCESS_KEY_ID", ACCESS_KEY),
                    ("RCLONE_S3_SECRET_ACCESS_KEY", SECRET_KEY),
                    ("RCLONE_S3_ENDPOINT", &there.endpoint()),
                    ("RCLONE_S3_LIST_VERSION", "2"),
                ];
                // It does not get along with it, and there is nothing here to be certified.
                rclone.envs(settings).env_remove("AWS_CA_BUNDLE");
                rclone
            }
            Self::Aws => {
                let mut aws = Command::new("python3");
                aws.args(["-m", "awscli", "s3", "cp", "--recursive", "--quiet", "--endpoint-url", &there.endpoint()]);
                aws.arg(format!("s3://{from}")).arg(to);
                // `make needs-bench-mounts` installs it below the folder of builds.
                aws.env("PYTHONPATH", root().parent().unwrap().join("awscli"));
                let settings = [
                    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
                    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
                    ("AWS_DEFAULT_REGION", "us-east-1"),
                    ("AWS_CONFIG_FILE", "/dev/null"),
                    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
                ];
                aws.envs(settings);
                aws
            }
        };
        let ended = command.stdin(Stdio::null()).output().unwrap();
        assert!(ended.status.success(), "{}: {}", self.name(), String::from_utf8_lossy(&ended.stderr));
    }
}
