//! P4 at every boundary: wharf is killed before and after each write of its journal, each commit and each call of the
//! runtime, through the life of a service. After one more apply everything is as if nobody had.
//!
//! It is played on several stages: processes of this host, with their record here or in a bucket, and a runtime in memory
//! that this test serves and looks into; the tests of engines play it there. `make kill-test` plays every boundary; the
//! tests play a few.

mod bucket;
pub(crate) mod life;
mod local;
mod memory;

use bucket::{Bucket, Sealed};
use life::{Tally, lives};
use local::Local;
use memory::Memory;

#[test]
fn a_life_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Local>("kill-some", [1, 4, 9, 14, 22, 31].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 30, "only {kills} were killed in time");
}

#[test]
fn a_life_in_a_bucket_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Bucket>("kill-bucket", [2, 5, 12, 19, 27].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 20, "only {kills} were killed in time");
}

#[test]
fn a_life_in_an_encrypted_bucket_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Sealed>("kill-sealed", [1, 3, 16].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 12, "only {kills} were killed in time");
}

#[test]
fn a_life_in_memory_that_is_cut_off_here_and_there_ends_the_same() {
    let Tally { kills, failed } = lives::<Memory>("kill-mem", [2, 5, 11, 17, 26, 35].into_iter(), 3);
    assert!(failed.is_empty(), "cut off at {failed:?}, it ended otherwise");
    assert!(kills >= 25, "only {kills} were killed in time");
}

#[test]
#[ignore = "takes minutes; `make kill-test` plays it"]
fn a_life_that_is_cut_off_anywhere_ends_the_same() {
    let mut memory = lives::<Memory>("kill-all-mem", 1.., 4);
    println!("{}", memory.told("memory"));
    let local = lives::<Local>("kill-all", 1.., 4);
    println!("{}", local.told("local"));
    let bucket = lives::<Bucket>("kill-all-bucket", 1.., 4);
    println!("{}", bucket.told("bucket"));
    memory.kills += local.kills + bucket.kills;
    memory.failed.extend(local.failed.into_iter().chain(bucket.failed));
    println!("convergence: {}", memory.score());
    assert_eq!(memory.failed, [0; 0]);
}
