//! What a bucket must be like to hold a record, and that nothing of the look is left.

use crate::support::bucket;
use wharf_bucket_server::{Habit, Server};
use wharf_store::{Backend, Created, Look as _};

#[test]
fn a_bucket_that_makes_an_object_once_is_taken() {
    for habit in [Habit::Honours, Habit::Oss] {
        let server = Server::start(habit);
        let bucket = match habit {
            Habit::Oss => crate::support::oss(server.address()),
            _ => bucket(server.address()),
        };
        bucket.probe().unwrap();
        assert!(server.keys().is_empty(), "{habit:?}: {:?}", server.keys());
    }
}

#[test]
fn a_bucket_that_does_not_is_refused_with_the_way_out() {
    let says = [
        (Habit::Overwrites, "lets an object be overwritten"),
        (Habit::Races, "does not let just one"),
        (Habit::Refuses, "does not know conditional writes"),
        (Habit::Oss, "does not know conditional writes"),
    ];
    for (habit, why) in says {
        let server = Server::start(habit);
        let refused = bucket(server.address()).probe().unwrap_err();
        let cause = std::error::Error::source(&refused).unwrap().to_string();
        assert!(cause.contains(why), "{habit:?}: {cause}");
        assert!(refused.help().contains("If-None-Match"), "{}", refused.help());
        assert!(server.keys().is_empty(), "{habit:?}: {:?}", server.keys());
    }
}

#[test]
fn alibaba_clouds_servers_are_asked_in_their_own_words() {
    let server = Server::start(Habit::Oss);
    let bucket = crate::support::oss(server.address());
    assert_eq!(bucket.create("commits/1", b"one").unwrap(), Created::Now);
    assert_eq!(bucket.create("commits/1", b"two").unwrap(), Created::Before);
    assert_eq!(bucket.read("commits/1").unwrap().as_deref(), Some(b"one".as_slice()));
}
