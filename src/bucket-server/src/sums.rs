//! What a server keeps of an object to hold its bytes against, and how it says so.

use crc_fast::{CrcAlgorithm, Digest as Crc};
use md5::{Digest as _, Md5};
use std::io;

/// Where Alibaba Cloud's servers say their sum.
pub(crate) const ECMA: &str = "x-oss-hash-crc64ecma";
/// So much is read at once.
const STRIDE: usize = 256 * 1024;

/// Which sum a server keeps of each object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// MD5, which is the tag.
    Md5,
    /// CRC-64 of NVMe, beside the tag of an object that was uploaded in parts, as Amazon's servers do.
    Crc64Nvme,
    /// CRC-64 of ECMA-182, beside such a tag, as Alibaba Cloud's servers do.
    Crc64Ecma,
}

/// The sum of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    Md5([u8; 16]),
    Nvme(u64),
    Ecma(u64),
}

/// The sum of what is read.
pub(crate) fn of(sums: Sums, mut from: impl io::Read) -> io::Result<Sum> {
    let mut each = |see: &mut dyn FnMut(&[u8])| {
        let mut buffer = vec![0; STRIDE];
        loop {
            match from.read(&mut buffer)? {
                0 => return Ok::<_, io::Error>(()),
                read => see(&buffer[..read]),
            }
        }
    };
    let mut crc = |algorithm| {
        let mut crc = Crc::new(algorithm);
        each(&mut |bytes| crc.update(bytes)).map(|()| crc.finalize())
    };
    Ok(match sums {
        Sums::Crc64Nvme => Sum::Nvme(crc(CrcAlgorithm::Crc64Nvme)?),
        Sums::Crc64Ecma => Sum::Ecma(crc(CrcAlgorithm::Crc64Xz)?),
        Sums::Md5 => {
            let mut md5 = Md5::new();
            each(&mut |bytes| md5.update(bytes))?;
            Sum::Md5(md5.finalize().into())
        }
    })
}

impl Sum {
    /// The tag of an object with this sum.
    pub(crate) fn tag(self) -> String {
        match self {
            Self::Md5(sum) => hex::encode(sum),
            Self::Nvme(sum) | Self::Ecma(sum) => format!("{sum:032x}-2"),
        }
    }

    /// It as Amazon's servers say it, if it is theirs.
    pub(crate) fn nvme(self) -> Option<String> {
        match self {
            Self::Nvme(sum) => Some(base64(sum)),
            Self::Md5(_) | Self::Ecma(_) => None,
        }
    }

    /// It as Alibaba Cloud's servers say it, if it is theirs.
    pub(crate) fn ecma(self) -> Option<u64> {
        match self {
            Self::Ecma(sum) => Some(sum),
            Self::Md5(_) | Self::Nvme(_) => None,
        }
    }
}

/// Eight bytes in Base64.
fn base64(sum: u64) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits = u128::from(sum) << 2;
    let digit = |at: u32| char::from(DIGITS[(bits >> (60 - 6 * at) & 0x3f) as usize]);
    (0..11).map(digit).chain(['=']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_said_as_they_are_where_they_come_from() {
        let of = |sums| of(sums, b"123456789".as_slice()).unwrap();
        assert_eq!(of(Sums::Md5).tag(), "25f9e794323b453885f5181f1b624d0b");
        // printf 'ae8b14860a799888' | xxd -r -p | base64
        assert_eq!(of(Sums::Crc64Nvme).nvme().as_deref(), Some("rosUhgp5mIg="));
        assert_eq!(of(Sums::Crc64Ecma).ecma(), Some(11_051_210_869_376_104_954));
    }
}
