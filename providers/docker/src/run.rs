//! Running a program in an instance, for a person who wants to look around in it.

use crate::{error, names, provider::DockerProvider};
use bollard::{container::LogOutput, exec::StartExecResults};
use futures_util::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWriteExt as _};
use wharf_model::InstanceId;
use wharf_provider::{LogStream, ProviderError};

impl DockerProvider {
    /// Runs a program in an instance that runs: hands it `input`, hands on what it writes, and answers the code that it
    /// ended with. When this is dropped, the program's streams end; the program itself may go on.
    ///
    /// # Errors
    /// When there is no such instance, or the engine cannot start the program.
    pub async fn run_in(
        &self,
        instance: &InstanceId,
        command: &[String],
        input: impl AsyncRead + Send + Unpin + 'static,
        mut heard: impl FnMut(LogStream, &[u8]),
    ) -> Result<i64, ProviderError> {
        let container = names::instance(self.owner(), instance);
        let program = command.first().map(String::as_str).unwrap_or_default();
        let attempt = || error::engine(format!("cannot run {program} in {instance}"));
        let (id, begun) = self.hands().run(&container, command).await.map_err(attempt())?;
        if let StartExecResults::Attached { mut output, input: mut theirs } = begun {
            let mut input = input;
            let fed = tokio::spawn(async move {
                // A program that reads no more has ended, or does not want to.
                drop(tokio::io::copy(&mut input, &mut theirs).await);
                drop(theirs.shutdown().await);
            });
            while let Some(piece) = output.next().await {
                match piece.map_err(attempt())? {
                    LogOutput::StdErr { message } => heard(LogStream::Err, &message),
                    piece => heard(LogStream::Out, &piece.into_bytes()),
                }
            }
            fed.abort();
        }
        self.hands().ended_with(&id).await.map_err(attempt())
    }
}
