//! Programs, further containers, and what surrounds them.

use super::{
    spec::{EnvV1, ProgramV1},
    stored::{Stored, as_text, as_word, stored},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use wharf_model::{
    Batching, Cidr, Confidential, Container, Domain, EnvName, EnvValue, ManagedGateway, Nacos, NetworkName,
    OwnProcessor, Processor, ProcessorKind, Program, Pull, Reach, TokenName,
};

as_word!(Pull, ProcessorKind, Reach);
as_text!(Cidr, NetworkName, TokenName);
stored!(struct Container as ContainerV1 {
    image: Arc<str>;
    program: Option<Program>,
    port: Option<u16>,
    env: BTreeMap<EnvName, EnvValue>,
});
stored!(struct Processor as ProcessorV1 {
    model: Arc<str>;
    code: Option<Arc<str>>,
    endpoint: Option<Arc<str>>,
    entry: Option<Arc<str>>,
    config: Option<Arc<str>>,
    own: Option<OwnProcessor>,
    warm_up: Option<Arc<str>>,
    batching: Option<Batching>,
    worker_threads: Option<u32>,
    io_threads: Option<u32>,
    queue_size: Option<u32>,
});
stored!(struct OwnProcessor as OwnProcessorV1 {
    path: Arc<str>,
    kind: ProcessorKind;
    entry: Option<Arc<str>>,
    main_class: Option<Arc<str>>,
});
stored!(struct Batching as BatchingV1 { max_size: u32, timeout: Duration });
stored!(struct Confidential as ConfidentialV1 { trustee: Arc<str>, key: Arc<str> });
stored!(struct Nacos as NacosV1 { ; namespace: Option<Arc<str>>, group: Option<Arc<str>> });
stored!(enum ManagedGateway as ManagedGatewayV1 { Shared, Dedicated(Arc<str>), Alb(Arc<str>) });
stored!(struct Domain as DomainV1 { name: Arc<str>; certificate: Option<Arc<str>> });

impl Stored for Program {
    type V1 = ProgramV1;

    fn store(&self) -> ProgramV1 {
        match self {
            Self::Command(words) => ProgramV1::Command(words.store()),
            Self::Script(text) => ProgramV1::Script(text.store()),
            Self::Args(words) => ProgramV1::Args(words.store()),
            Self::Processor(processor) => ProgramV1::Processor(Box::new(processor.store())),
        }
    }

    fn restore(stored: ProgramV1) -> Result<Self, String> {
        Ok(match stored {
            ProgramV1::Command(words) => Self::Command(Stored::restore(words)?),
            ProgramV1::Script(text) => Self::Script(text.into()),
            ProgramV1::Args(words) => Self::Args(Stored::restore(words)?),
            ProgramV1::Processor(processor) => Self::Processor(Box::new(Stored::restore(*processor)?)),
        })
    }
}

impl Stored for EnvValue {
    type V1 = EnvV1;

    fn store(&self) -> EnvV1 {
        match self {
            Self::Plain(text) => EnvV1::Plain(text.to_string()),
            Self::Secret(name) => EnvV1::Secret(name.to_string()),
        }
    }

    fn restore(stored: EnvV1) -> Result<Self, String> {
        match stored {
            EnvV1::Plain(text) => Ok(Self::Plain(text.into())),
            EnvV1::Secret(name) => super::parse(&name).map(Self::Secret),
        }
    }
}
