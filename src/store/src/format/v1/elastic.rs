//! Queues, counts that change by themselves, and what is kept of a service's work.

use super::stored::{Stored, as_text, as_word, stored};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Autoscale, Bytes, CallRecords, Decimal, Elastic, JobShape, Json, Metric, Mirror, MountPath, Queue, RecordFile,
    RecordStore, RecordTable, Router, RouterBackend, RouterPolicy, RouterScheduler, Sample, Schedule, ScheduleName,
    ServiceName, Weights,
};

as_word!(JobShape, RouterPolicy, RouterBackend);
as_text!(MountPath, ServiceName);
stored!(
    #[derive(Default)]
    struct Elastic as ElasticV1 { ;
        queue: Option<Queue>,
        job: Option<JobShape>,
        autoscale: Option<Autoscale>,
        schedules: BTreeMap<ScheduleName, Schedule>,
        mirror: Option<Mirror>,
        expiry: Option<Duration>,
    }
);
stored!(struct Queue as QueueV1 {
    instances: u32,
    max_delivery: u32;
    cpu: Option<Decimal>,
    memory: Option<Bytes>,
    dedicated: Option<Arc<str>>,
    workers: Option<u32>,
    output_share: Option<u32>,
    evict_input: bool,
    evict_output: bool,
});
stored!(struct Autoscale as AutoscaleV1 {
    min: u32,
    max: u32,
    metrics: BTreeMap<Metric, Decimal>,
    up_window: Duration,
    down_window: Duration,
    idle: Duration,
    wake: u32,
});
stored!(struct Schedule as ScheduleV1 { cron: Arc<str>, instances: u32; timezone: Option<Arc<str>>, except: Vec<Arc<str>> });
stored!(struct Mirror as MirrorV1 { targets: Vec<ServiceName>, ratio: u32 });
stored!(enum CallRecords as CallRecordsV1 { MaxCompute(RecordTable), Sls(RecordStore), File(RecordFile) });
/// So many of a hundred, as text where that is no whole number.
#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum SampleV1 {
    Percent(u16),
    Text(String),
}

impl Stored for Sample {
    type V1 = SampleV1;

    fn store(&self) -> SampleV1 {
        match (self.thousandths() / 10, self.thousandths() % 10) {
            (whole, 0) => SampleV1::Percent(whole),
            _ => SampleV1::Text(self.to_string()),
        }
    }

    fn restore(stored: SampleV1) -> Result<Self, String> {
        match stored {
            SampleV1::Percent(whole) => super::parse(&format!("{whole}%")),
            SampleV1::Text(text) => super::parse(&text),
        }
    }
}

/// A file with what is usual stands as its path alone.
#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub(super) enum RecordFileV1 {
    Usual(String),
    Said(SaidV1),
}

#[derive(PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaidV1 {
    path: String,
    sample: SampleV1,
    max_body: u64,
    rotate: u64,
    keep: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redact_headers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redact_fields: Vec<String>,
}

impl Stored for RecordFile {
    type V1 = RecordFileV1;

    fn store(&self) -> RecordFileV1 {
        let Self { path, sample, max_body, rotate, keep, redact_headers, redact_fields } = self;
        if *self == Self::at(path.clone()) {
            return RecordFileV1::Usual(path.to_string());
        }
        RecordFileV1::Said(SaidV1 {
            path: path.to_string(),
            sample: sample.store(),
            max_body: max_body.0,
            rotate: rotate.0,
            keep: *keep,
            redact_headers: redact_headers.store(),
            redact_fields: redact_fields.store(),
        })
    }

    fn restore(stored: RecordFileV1) -> Result<Self, String> {
        Ok(match stored {
            RecordFileV1::Usual(path) => Self::at(path),
            RecordFileV1::Said(said) => Self {
                path: said.path.into(),
                sample: Stored::restore(said.sample)?,
                max_body: Bytes(said.max_body),
                rotate: Bytes(said.rotate),
                keep: said.keep,
                redact_headers: Stored::restore(said.redact_headers)?,
                redact_fields: Stored::restore(said.redact_fields)?,
            },
        })
    }
}

stored!(struct RecordTable as RecordTableV1 { project: Arc<str>, table: Arc<str> });
stored!(struct RecordStore as RecordStoreV1 { project: Arc<str>, logstore: Arc<str> });
stored!(struct Weights as WeightsV1 { path: MountPath, memory: Bytes });
stored!(struct Router as RouterV1 {
    policy: RouterPolicy,
    backend: RouterBackend,
    instances: u32;
    queue_size: Option<u32>,
    retries: Option<u32>,
    patience: Option<Duration>,
    cpu: Option<Decimal>,
    memory: Option<Bytes>,
    scheduler: Option<RouterScheduler>,
});
stored!(struct RouterScheduler as RouterSchedulerV1 { ; cpu: Option<Decimal>, memory: Option<Bytes> });

impl Stored for BTreeMap<Metric, Decimal> {
    type V1 = BTreeMap<String, String>;

    fn store(&self) -> Self::V1 {
        self.iter().map(|(metric, target)| (metric.as_str().to_owned(), target.to_string())).collect()
    }

    fn restore(stored: Self::V1) -> Result<Self, String> {
        let metric = |word: &str| Metric::of_word(word).ok_or_else(|| format!("`{word}` is no metric of this format"));
        stored.into_iter().map(|(word, target)| Ok((metric(&word)?, super::parse(&target)?))).collect()
    }
}

impl Stored for Json {
    type V1 = String;

    fn store(&self) -> String {
        self.to_string()
    }

    fn restore(stored: String) -> Result<Self, String> {
        Ok(Self(stored.into()))
    }
}
