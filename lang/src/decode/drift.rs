//! What drift is not to be told of.

use super::{Decode, found};
use crate::{
    block::Block,
    problem::{Code, Problem},
};
use std::sync::Arc;
use wharf_model::{Ignore, ServiceName};

impl Decode<'_> {
    /// A rule at the top of a file, or in a service.
    pub(super) fn ignore(&mut self, block: &Block, service: Option<&ServiceName>) -> Option<Ignore> {
        let path = block.argument::<Arc<str>>(0)?;
        if service.is_none() && path.value.split_once('.').is_none() && &*path.value != "*" {
            let message = format!("`{}` names nothing that drift tells of", path.value);
            let help = "write an address, alone or with a field: \"gateway.public\", \"route.public/hello.timeout\", \
                        \"instance.*.process\"";
            self.report(Problem::error(Code::InvalidValue, message).at(path.at, "no address").help(help.to_owned()));
        }
        Some(Ignore {
            path: path.value,
            service: service.cloned(),
            reason: found(block, "reason")?,
            // The type of the field has seen to it that it is a day.
            until: found::<Arc<str>>(block, "until").and_then(|day| day.parse().ok()),
            origin: self.origin(block.title_at()),
        })
    }
}
