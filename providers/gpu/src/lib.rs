//! The GPUs of this machine, as NVIDIA's management library tells of them: which cards there are, how much memory each has,
//! and which driver drives them. For the runtimes whose instances run on this machine.
//!
//! The library is looked for anew at each look, so a driver that came or went since is seen. A machine without it has no
//! GPUs. Nothing is changed, and who gets which card is decided elsewhere.

use nvml_wrapper::{Nvml, error::NvmlError};
use std::{ffi::OsStr, sync::Arc};
use wharf_model::{Bytes, Card};

/// What the driver tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Its version; none where there is no driver.
    pub driver: Option<Arc<str>>,
    /// The cards that answer.
    pub cards: Vec<Card>,
}

/// Why nothing is known of a machine's GPUs, although it has a driver for them.
#[derive(Debug, thiserror::Error)]
#[error("cannot ask the driver of the GPUs for {what}")]
pub struct GpuError {
    what: String,
    source: NvmlError,
}

/// Looks at the cards of this machine. Blocks for as long as the driver takes.
///
/// # Errors
/// When there is a driver and it does not answer.
pub fn look() -> Result<Machine, GpuError> {
    look_with(None)
}

/// The same with a library at this place instead of where it usually is.
///
/// # Errors
/// As [`look`].
pub fn look_with(library: Option<&OsStr>) -> Result<Machine, GpuError> {
    let mut builder = Nvml::builder();
    if let Some(library) = library {
        builder.lib_path(library);
    }
    let nvml = match builder.init() {
        Ok(nvml) => nvml,
        Err(NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound) => {
            return Ok(Machine::default());
        }
        Err(source) => return Err(GpuError { what: "anything".to_owned(), source }),
    };
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| GpuError { what, source }
    };
    let driver = nvml.sys_driver_version().map_err(failed("its version"))?;
    let count = nvml.device_count().map_err(failed("the count of its cards"))?;
    let mut cards = Vec::new();
    for index in 0..count {
        match card(&nvml, index) {
            Ok(card) => cards.push(card),
            // It fell off the bus: nobody can be given it.
            Err(NvmlError::GpuLost | NvmlError::NotFound | NvmlError::Unknown) => {}
            Err(source) => return Err(GpuError { what: format!("card {index}"), source }),
        }
    }
    cards.sort_by(|one: &Card, two| one.id.cmp(&two.id));
    Ok(Machine { driver: Some(driver.into()), cards })
}

fn card(nvml: &Nvml, index: u32) -> Result<Card, NvmlError> {
    let device = nvml.device_by_index(index)?;
    let memory = device.memory_info()?.total;
    Ok(Card { id: device.uuid()?.into(), name: device.name()?.into(), memory: Bytes(memory) })
}
