//! How values of the model stand on disk: one trait, and two macros that write the types of this version beside those of
//! the model. A macro names every field, so a field that the model gains does not compile until it is named here; its
//! name here is its name on disk, whatever the model calls it later.

use super::{millis, parse};
use serde::{Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt::Display, sync::Arc, time::Duration};
use wharf_model::{Bytes, ContainerName, EnvName, ScheduleName, SecretName};

/// A value that can be written down and read back.
pub(super) trait Stored: Sized {
    /// What stands on disk.
    type V1: Serialize + DeserializeOwned;
    fn store(&self) -> Self::V1;
    fn restore(stored: Self::V1) -> Result<Self, String>;
}

macro_rules! as_itself {
    ($($ty:ty),*) => {$(
        impl Stored for $ty {
            type V1 = Self;

            fn store(&self) -> Self {
                *self
            }

            fn restore(stored: Self) -> Result<Self, String> {
                Ok(stored)
            }
        }
    )*};
}

as_itself!(bool, u8, u16, u32, u64);

/// Values with a text form that reads back.
macro_rules! as_text {
    ($($ty:ty),* $(,)?) => {$(
        impl Stored for $ty {
            type V1 = String;

            fn store(&self) -> String {
                self.to_string()
            }

            fn restore(stored: String) -> Result<Self, String> {
                super::parse(&stored)
            }
        }
    )*};
}
pub(super) use as_text;

/// Closed sets of words.
macro_rules! as_word {
    ($($ty:ty),* $(,)?) => {$(
        impl Stored for $ty {
            type V1 = String;

            fn store(&self) -> String {
                self.as_str().to_owned()
            }

            fn restore(stored: String) -> Result<Self, String> {
                Self::of_word(&stored).ok_or_else(|| format!("`{stored}` is none of the words of this format"))
            }
        }
    )*};
}
pub(super) use as_word;

impl Stored for Arc<str> {
    type V1 = String;

    fn store(&self) -> String {
        self.to_string()
    }

    fn restore(stored: String) -> Result<Self, String> {
        Ok(stored.into())
    }
}

impl Stored for Duration {
    type V1 = u64;

    fn store(&self) -> u64 {
        millis(*self)
    }

    fn restore(stored: u64) -> Result<Self, String> {
        Ok(Self::from_millis(stored))
    }
}

impl Stored for Bytes {
    type V1 = u64;

    fn store(&self) -> u64 {
        self.0
    }

    fn restore(stored: u64) -> Result<Self, String> {
        Ok(Self(stored))
    }
}

impl<T: Stored> Stored for Option<T> {
    type V1 = Option<T::V1>;

    fn store(&self) -> Self::V1 {
        self.as_ref().map(T::store)
    }

    fn restore(stored: Self::V1) -> Result<Self, String> {
        stored.map(T::restore).transpose()
    }
}

impl<T: Stored> Stored for Vec<T> {
    type V1 = Vec<T::V1>;

    fn store(&self) -> Self::V1 {
        self.iter().map(T::store).collect()
    }

    fn restore(stored: Self::V1) -> Result<Self, String> {
        stored.into_iter().map(T::restore).collect()
    }
}

/// What a map is keyed by.
pub(super) trait Key: Ord + Display + Sized {
    fn read(text: String) -> Result<Self, String>;
}

impl Key for Arc<str> {
    fn read(text: String) -> Result<Self, String> {
        Ok(text.into())
    }
}

macro_rules! key {
    ($($ty:ty),* $(,)?) => {$(
        impl Key for $ty {
            fn read(text: String) -> Result<Self, String> {
                parse(&text)
            }
        }
    )*};
}

key!(ContainerName, EnvName, ScheduleName, SecretName);

impl<K: Key, T: Stored> Stored for BTreeMap<K, T> {
    type V1 = BTreeMap<String, T::V1>;

    fn store(&self) -> Self::V1 {
        self.iter().map(|(key, value)| (key.to_string(), value.store())).collect()
    }

    fn restore(stored: Self::V1) -> Result<Self, String> {
        stored.into_iter().map(|(key, value)| Ok((K::read(key)?, T::restore(value)?))).collect()
    }
}

/// Whether a value need not be written: it is what is read when nothing stands there.
pub(super) fn absent<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes the type of this version for a type of the model. Fields behind `;` are written only when they hold something.
macro_rules! stored {
    ($(#[$meta:meta])* struct $name:ident as $v1:ident {
        $($field:ident: $ty:ty),* $(,)? $(; $($extra:ident: $extra_ty:ty),* $(,)?)?
    }) => {
        $(#[$meta])*
        #[derive(PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $v1 {
            $($field: <$ty as Stored>::V1,)*
            $($(#[serde(default, skip_serializing_if = "super::stored::absent")] $extra: <$extra_ty as Stored>::V1,)*)?
        }

        impl Stored for $name {
            type V1 = $v1;

            fn store(&self) -> $v1 {
                let Self { $($field,)* $($($extra,)*)? } = self;
                $v1 { $($field: $field.store(),)* $($($extra: $extra.store(),)*)? }
            }

            fn restore(stored: $v1) -> Result<Self, String> {
                let $v1 { $($field,)* $($($extra,)*)? } = stored;
                Ok(Self {
                    $($field: <$ty as Stored>::restore($field)?,)*
                    $($($extra: <$extra_ty as Stored>::restore($extra)?,)*)?
                })
            }
        }
    };
    (enum $name:ident as $v1:ident { $($variant:ident $(($ty:ty))?),* $(,)? }) => {
        #[derive(PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(super) enum $v1 { $($variant $((<$ty as Stored>::V1))?,)* }

        impl Stored for $name {
            type V1 = $v1;

            fn store(&self) -> $v1 {
                match self {
                    $(Self::$variant $((stored!(@keep inner $ty)))? => $v1::$variant $((<$ty as Stored>::store(inner)))?,)*
                }
            }

            fn restore(stored: $v1) -> Result<Self, String> {
                Ok(match stored {
                    $($v1::$variant $((stored!(@keep inner $ty)))? => Self::$variant $((<$ty as Stored>::restore(inner)?))?,)*
                })
            }
        }
    };
    (@keep $name:ident $ty:ty) => { $name };
}
pub(super) use stored;
