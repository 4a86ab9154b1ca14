//! One try of a call, and asking what became of one.

use crate::dispatcher::{Answer, Ended};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::timeout;
use wharf_model::{Intent, Operation, Outcome};
use wharf_plan::rollout::Refusal;
use wharf_provider::{Execute, OpContext, ProviderError, Resolution};

/// How long a call may take: installing libraries is the longest there is.
const CALL_LIMIT: Duration = Duration::from_secs(15 * 60);
/// How long the platform is asked what became of a call.
const RESOLVE_LIMIT: Duration = Duration::from_secs(60);
/// How often it is asked, when it cannot be reached.
const RESOLVE_TRIES: u32 = 3;
const RESOLVE_PAUSE: Duration = Duration::from_millis(500);

/// Makes a call.
pub(crate) async fn make(provider: Arc<dyn Execute>, operation: Operation, cx: OpContext) -> Answer {
    match timeout(CALL_LIMIT, provider.execute(&operation, &cx)).await {
        Ok(Ok(outcome)) => Answer::Done(outcome),
        Ok(Err(error)) => refused(&error),
        Err(_) => {
            let error = format!("`{}` took longer than {} minutes", operation.id(), CALL_LIMIT.as_secs() / 60);
            Answer::Lost(Refusal { error, help: None })
        }
    }
}

fn refused(error: &ProviderError) -> Answer {
    let refusal = Refusal { error: chain(error), help: error.help().map(str::to_owned) };
    match error {
        ProviderError::Throttled { retry_after, .. } => Answer::Throttled(refusal, *retry_after),
        ProviderError::Unreachable { retry_after, .. } => Answer::Unreachable(refusal, *retry_after),
        ProviderError::Rejected { .. }
        | ProviderError::Missing { .. }
        | ProviderError::Conflict { .. }
        | ProviderError::Denied { .. } => Answer::Refused(refusal),
    }
}

/// Finds out what became of a call that ended in `refusal`.
pub(crate) async fn find_out(provider: Arc<dyn Execute>, intent: Intent, refusal: Refusal) -> Ended {
    for left in (0..RESOLVE_TRIES).rev() {
        match timeout(RESOLVE_LIMIT, provider.resolve(&intent)).await {
            Ok(Ok(Resolution::Applied(outcome))) => return Ended::Done(outcome),
            Ok(Ok(Resolution::NotApplied)) => return Ended::Refused(refusal),
            Ok(Ok(Resolution::CannotTell(why))) => return unknown(refusal, &why),
            Ok(Err(error)) if left == 0 => return unknown(refusal, &chain(&error)),
            Err(_) if left == 0 => break,
            Ok(Err(_)) | Err(_) => tokio::time::sleep(RESOLVE_PAUSE).await,
        }
    }
    unknown(refusal, "the platform did not answer")
}

fn unknown(refusal: Refusal, why: &str) -> Ended {
    let error = format!("{}; whether it was done is not known: {why}", refusal.error);
    let help = Some("apply again: it is looked into first".to_owned());
    Ended::Unknown(Refusal { error, help: refusal.help.or(help) })
}

/// A success that a call without an answer had, for one that ended by itself.
pub(crate) fn lost(why: &impl std::fmt::Display) -> Answer {
    Answer::Lost(Refusal { error: format!("the call did not come back ({why})"), help: None })
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What a call's end says to those who watch.
pub(crate) fn words(ended: &Ended) -> Option<(String, Option<String>)> {
    match ended {
        Ended::Done(Outcome::Done | Outcome::Started { .. }) => None,
        Ended::Refused(refusal) | Ended::Unknown(refusal) => Some((refusal.error.clone(), refusal.help.clone())),
    }
}
