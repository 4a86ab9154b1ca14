//! GPUs of a machine, and what instances hold of them.

use crate::{Bytes, InstanceId};
use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

/// What a runtime knows of the GPUs of the machine that instances run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpus {
    /// The version of their driver; none where there is none.
    pub driver: Option<Arc<str>>,
    /// The cards that the driver tells of.
    pub cards: Vec<Card>,
    /// What instances of the environment hold.
    pub held: BTreeMap<InstanceId, Seat>,
    /// What others hold that are known, by what they are called.
    pub others: BTreeMap<Arc<str>, Seat>,
    /// Why nothing can be known, where that is so.
    pub trouble: Option<String>,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Its own, wherever it is put in: `GPU-4f…`.
    pub id: Arc<str>,
    /// What its maker calls it.
    pub name: Arc<str>,
    /// Its memory.
    pub memory: Bytes,
}

/// What one instance holds. Its text form is what labels say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seat(pub Vec<Part>);

/// What an instance holds of one card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which card.
    pub card: Arc<str>,
    /// So much of it; all of it when absent.
    pub share: Option<Share>,
}

/// A share of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Its memory.
    pub memory: Bytes,
    /// Its cores, of a hundred.
    pub cores: u32,
}

impl fmt::Display for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Part { card, share }) in self.0.iter().enumerate() {
            f.write_str(if index > 0 { " " } else { "" })?;
            match share {
                None => f.write_str(card)?,
                Some(Share { memory, cores }) => write!(f, "{card}={memory},{cores}")?,
            }
        }
        Ok(())
    }
}

impl FromStr for Seat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = || format!("`{text}` names no seat");
        let part = |word: &str| {
            let Some((card, share)) = word.split_once('=') else {
                return Ok(Part { card: word.into(), share: None });
            };
            let (memory, cores) = share.split_once(',').ok_or_else(unfit)?;
            let memory = Bytes::parse(memory).map_err(|_| unfit())?;
            Ok(Part { card: card.into(), share: Some(Share { memory, cores: cores.parse().map_err(|_| unfit())? }) })
        };
        text.split_whitespace().map(part).collect::<Result<_, String>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in ["GPU-1", "GPU-1 GPU-2", "GPU-1=8GiB,40"] {
            assert_eq!(text.parse::<Seat>().map(|seat| seat.to_string()), Ok(text.to_owned()));
        }
        assert!("GPU-1=8GiB".parse::<Seat>().is_err() && "GPU-1=x,1".parse::<Seat>().is_err());
    }
}
