//! Names that a user gives. Each kind is its own type, so that one is never taken for another; a value of these types
//! has been checked.

use std::{fmt, str::FromStr, sync::Arc};

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing between the quotes.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than `limit` characters.
    #[error("`{found}` has {} characters, a name has at most {limit}", found.chars().count())]
    Long {
        /// The text.
        found: String,
        /// How many characters there may be.
        limit: usize,
    },
    /// Holds a character that does not belong there.
    #[error("`{found}` is not a name: {rule}")]
    Shape {
        /// The text.
        found: String,
        /// The rule, in words.
        rule: &'static str,
    },
}

const LABEL_RULE: &str =
    "a name starts with a lower-case letter and goes on with lower-case letters, digits, `-` and `_`";
const ENV_RULE: &str = "a variable starts with a letter or `_` and goes on with letters, digits and `_`";

const HOST_RULE: &str = "a host has letters, digits, `.` and `-`, and may have a port: registry.example.com:5000";

fn check(text: &str, limit: usize, rule: &'static str, fits: fn(usize, char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.chars().count() > limit {
        return Err(NameError::Long { found: text.to_owned(), limit });
    }
    if !text.chars().enumerate().all(|(at, letter)| fits(at, letter)) {
        return Err(NameError::Shape { found: text.to_owned(), rule });
    }
    Ok(())
}

fn label_letter(at: usize, letter: char) -> bool {
    letter.is_ascii_lowercase() || (at > 0 && (letter.is_ascii_digit() || letter == '-' || letter == '_'))
}

fn host_letter(at: usize, letter: char) -> bool {
    letter.is_ascii_lowercase() || letter.is_ascii_digit() || (at > 0 && matches!(letter, '-' | '.' | ':'))
}

fn variable_letter(at: usize, letter: char) -> bool {
    letter.is_ascii_alphabetic() || letter == '_' || (at > 0 && letter.is_ascii_digit())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $limit:literal, $rule:ident, $fits:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check(text, $limit, $rule, $fits)?;
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    };
}

name!(
    /// The name of a project: a folder of files that is planned as one.
    ProjectName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of an environment: one place where the project runs, with its own record.
    EnvironmentName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a service.
    ServiceName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a gateway.
    GatewayName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a group: one entry for several services.
    GroupName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a network.
    NetworkName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a balancer of connections.
    NlbName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a further container of an instance.
    ContainerName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of whoever is given a token.
    TokenName, 63, LABEL_RULE, label_letter
);
name!(
    /// The host of a registry of images, with its port if it has one.
    RegistryHost, 255, HOST_RULE, host_letter
);
name!(
    /// The name of a time from which a service has another count.
    ScheduleName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of a secret; never its value.
    SecretName, 63, LABEL_RULE, label_letter
);
name!(
    /// The name of an environment variable.
    EnvName, 255, ENV_RULE, variable_letter
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "hello", "chat-token", "img_gen", "v2"] {
            assert_eq!(good.parse::<ServiceName>().unwrap().as_str(), good);
        }
        for bad in ["", "2x", "-a", "Hello", "a b", "a/b", "é", "..", &"a".repeat(64)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
        assert!("LOG_LEVEL".parse::<EnvName>().is_ok());
        assert!("1X".parse::<EnvName>().is_err());
        assert!("A=B".parse::<EnvName>().is_err());
    }
}
