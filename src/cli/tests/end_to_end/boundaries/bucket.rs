//! The same life as processes of this host, with the record in a bucket, in plain or encrypted. Nobody but the lease tells
//! there that somebody has ended.

use super::{
    life::{Chapter, Stage},
    local::Local,
};
use crate::support::Site;
use std::sync::LazyLock;
use wharf_bucket_server::{Habit, Server};

pub(super) struct Bucket(Local);

pub(super) struct Sealed(Local);

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(Habit::Honours));

impl Stage for Bucket {
    type Shape = <Local as Stage>::Shape;

    const LIFE: &'static [Chapter] = Local::LIFE;

    fn set(name: &str) -> Self {
        Self(Local::on(Site::in_bucket(name, SERVER.address())))
    }

    fn site(&self) -> &Site {
        self.0.site()
    }

    fn shape(&self, chapter: &Chapter) -> Self::Shape {
        self.0.shape(chapter)
    }

    fn assert_recorded(&self, chapter: &Chapter, note: &str) {
        self.0.assert_recorded(chapter, note);
    }
}

impl Stage for Sealed {
    type Shape = <Local as Stage>::Shape;

    const LIFE: &'static [Chapter] = Local::LIFE;

    fn set(name: &str) -> Self {
        Self(Local::on(Site::in_encrypted_bucket(name, SERVER.address())))
    }

    fn site(&self) -> &Site {
        self.0.site()
    }

    fn shape(&self, chapter: &Chapter) -> Self::Shape {
        self.0.shape(chapter)
    }

    fn assert_recorded(&self, chapter: &Chapter, note: &str) {
        self.0.assert_recorded(chapter, note);
    }
}
