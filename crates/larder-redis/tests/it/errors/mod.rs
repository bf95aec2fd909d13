//! Each error that a server can return, from a real server.

mod access;
mod cluster;
mod operations;
mod states;
mod table;
mod wire;

use std::sync::Arc;

use larder_redis::RedisStore;
use larder_test::server::{AclUser, RedisOptions, RedisServer};

pub(crate) use access::{while_full, while_gone, while_locked};
pub(crate) use operations::{Operation, Operations};
pub(crate) use states::{while_busy, while_loading, while_unsaved};
pub(crate) use table::CASES;

use crate::support::{ok, patient};

/// The user of a store, and the key and value of its operations.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) id: &'static str,
    pub(crate) value: &'static str,
}

const APP: Who = Who {
    user: "app",
    password: "sesame",
    id: "a",
    value: "b",
};

impl Who {
    /// Returns the ACL user, who may do everything.
    pub(crate) fn account(&self) -> AclUser {
        AclUser::new(self.user, self.password)
            .with_key_prefix("")
            .with_channel_prefix("")
            .with_commands("+@all")
    }
}

/// A server, the store of a user on it, and the operations that are run.
pub(crate) struct Scene {
    pub(crate) who: Who,
    pub(crate) server: RedisServer,
    pub(crate) store: Arc<RedisStore>,
    pub(crate) operations: Operations,
}

impl Scene {
    /// Starts a server with these settings.
    pub(crate) async fn of(who: Who, settings: &[(&str, &str)]) -> Self {
        let mut options = RedisOptions::new().with_acl_user(who.account());
        for (name, value) in settings {
            options = options.with_setting(*name, *value);
        }
        let server = options.start().unwrap();
        let url = server.url_as(who.user, who.password);
        let store = Arc::new(patient(&url).connect().await.unwrap());
        let operations = Operations::on(&store, who);
        operations.prepare().await;
        Self {
            who,
            server,
            store,
            operations,
        }
    }

    /// Sends a command to the server, with the name of the user in place of `app`.
    pub(crate) fn does(&self, command: &[&str]) {
        let mut command = command.to_vec();
        for word in command.iter_mut().filter(|word| **word == APP.user) {
            *word = self.who.user;
        }
        ok(&self.server, &command);
    }

    pub(crate) fn all(&self, commands: &[&[&str]]) {
        commands.iter().for_each(|command| self.does(command));
    }
}
