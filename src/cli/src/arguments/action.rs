//! The commands of those commands that have several: of the record, of rollouts, of the lock.

use super::{Agreement, Format};
use crate::place::Place;
use clap::Subcommand;

/// What is done with the record.
#[derive(Debug, Subcommand)]
pub(crate) enum State {
    /// Lists the addresses of everything that is recorded
    List {
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Shows what is recorded of one resource
    Show {
        /// Its address: service.hello, gateway.public, route.public/hello
        address: String,
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Lets go of resources: they stay as they are, and are wharf's no more
    Rm {
        /// Their addresses; a service goes with its instances, routes and data, a gateway with its routes
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Gives a resource another name, with all that belongs to it; changes nothing else, and the files stay as they are
    Mv {
        /// What it is called: service.hello, gateway.public
        #[arg(value_name = "FROM")]
        from: String,
        /// What it will be called, as an address of the same kind
        #[arg(value_name = "TO")]
        to: String,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Brings the record from another place to where the files say that it is; compares every byte
    Migrate {
        /// The place that it comes from: `folder`, or s3://bucket/prefix?region=…&endpoint=…&style=…
        #[arg(long, value_name = "PLACE")]
        from: Place,
    },
}

/// What is done about a rollout.
#[derive(Debug, Subcommand)]
pub(crate) enum RolloutAction {
    /// Shows the step it is in, its instances, and what it waits for
    Status {
        /// Of which service; of all when none is named
        service: Option<String>,
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Finishes what is begun, and waits until somebody lets it go on
    Pause {
        /// Of which service; may be left out when there is one alone
        service: Option<String>,
    },
    /// Goes on from where it waits
    Resume {
        /// Of which service; may be left out when there is one alone
        service: Option<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Goes all the way, past all steps, gates and waits
    Promote {
        /// Of which service; may be left out when there is one alone
        service: Option<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
    /// Goes back to what served before
    Abort {
        /// Of which service; may be left out when there is one alone
        service: Option<String>,
        #[command(flatten)]
        agreement: Agreement,
    },
}

/// What is done about copies of folders of buckets.
#[derive(Debug, Subcommand)]
pub(crate) enum MountsAction {
    /// Shows what is kept, who needs it, and what could go
    Status {
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Removes what nobody needs, which otherwise goes when the disk fills up
    Collect,
    /// Sends back now what instances have written to folders of buckets, which otherwise goes when they end
    WriteBack,
}

/// What is done about the lock.
#[derive(Debug, Subcommand)]
pub(crate) enum LockAction {
    /// Shows who has it, since when, and what is under way
    Status {
        /// For people, or for programs
        #[arg(long, value_enum, default_value = "human")]
        format: Format,
    },
    /// Takes it away from a holder that is not at work any more
    Release,
}
