//! The races, and what holds after each.

use std::sync::Arc;

use fastrand::Rng;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::task::JoinHandle;

use super::Pair;
use super::keeper::{Act, FIELDS, Keeper, Reply};

/// A field of each session that is signed in, with its value. No race that ends a session writes this field.
const HELD: (&str, &str) = (FIELDS[2], "held");

/// Operations that meet, and what holds afterwards.
pub struct Race {
    /// What meets.
    pub name: &'static str,
    /// What holds.
    pub law: &'static str,
    /// Runs one round.
    pub run: fn(&mut Round) -> BoxFuture<'_, Result<(), String>>,
}

/// All of them.
pub const RACES: &[Race] = &[
    Race {
        name: "writes of different fields",
        law: "all survive",
        run: |round| round.writes().boxed(),
    },
    Race {
        name: "sign-out against writes",
        law: "it stays dead",
        run: |round| round.sign_out().boxed(),
    },
    Race {
        name: "rotation against reads",
        law: "a read sees all or nothing, and the old id stays dead",
        run: |round| round.rotation().boxed(),
    },
    Race {
        name: "revocation against a read, a write and a rotation",
        law: "it stays dead",
        run: |round| round.revocation().boxed(),
    },
    Race {
        name: "`revoke_all` against sign-ins",
        law: "each is before or after it, and the next one ends them",
        run: |round| round.revoke_all().boxed(),
    },
    Race {
        name: "disabling an account against its sign-ins",
        law: "nobody is signed in",
        run: |round| round.disable().boxed(),
    },
    Race {
        name: "the end of everyone's sessions against requests in flight",
        law: "they stay dead",
        run: |round| round.everyone().boxed(),
    },
];

/// One round of a race, with a user of its own.
pub struct Round {
    keepers: Pair,
    random: Rng,
    user: String,
    /// Its number, which counts from 1.
    pub number: String,
    /// Cookies of sessions that ended, of which another instance may learn a second later.
    pub dead_later: Vec<String>,
}

impl Round {
    /// Makes a round between two instances.
    #[must_use]
    pub fn new(keepers: Pair, number: u64, seed: u64) -> Self {
        Self {
            keepers,
            random: Rng::with_seed((seed << 32) | number),
            user: format!("user{number} of race {seed}"),
            number: number.to_string(),
            dead_later: Vec::new(),
        }
    }

    async fn ask(&self, at: usize, cookie: Option<&str>, act: Act) -> Reply {
        let cookie = cookie.map(str::to_owned);
        self.keepers[at].answer(cookie, act, 0).await
    }

    /// Sends a request that races others.
    fn send(&mut self, at: usize, cookie: Option<&str>, act: Act) -> JoinHandle<Reply> {
        let (cookie, pause) = (cookie.map(str::to_owned), self.random.u8(..6));
        self.race(at, async move |keeper| {
            keeper.answer(cookie, act, pause).await
        })
    }

    /// Does something to sessions that races requests.
    fn race<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &mut self,
        at: usize,
        run: impl FnOnce(Arc<dyn Keeper>) -> F + Send + 'static,
    ) -> JoinHandle<T> {
        let (keeper, turns) = (self.keepers[at].clone(), self.random.u8(..6));
        tokio::spawn(async move {
            super::keeper::wait(turns).await;
            run(keeper).await
        })
    }

    /// Signs a user in at one instance, puts [`HELD`], and checks that the other has both.
    async fn signed_in(&self, user: &str) -> Result<String, String> {
        let signed_in = self.ask(0, None, Act::SignIn(user.to_owned())).await;
        let cookie = signed_in.cookie.ok_or_else(|| "no cookie".to_owned())?;
        let (field, value) = HELD;
        let put = Act::Write(field, value.to_owned());
        self.ask(0, Some(&cookie), put).await;
        let seen = self.ask(1, Some(&cookie), Act::Read).await;
        if seen.user.as_deref() != Some(user) {
            return Err(format!("{user} is not signed in at the other instance"));
        }
        match has_held(&seen) {
            true => Ok(cookie),
            false => Err(format!("the other instance does not have {field}")),
        }
    }

    /// Checks that nobody is signed in by any of these cookies, in either instance, and that none of them shows
    /// what signing in put.
    ///
    /// # Errors
    /// The instance, and the user or the field.
    pub async fn are_dead(&mut self, cookies: &[String]) -> Result<(), String> {
        for at in 0..2 {
            self.are_dead_at(at, cookies).await?;
        }
        Ok(())
    }

    async fn are_dead_at(&self, at: usize, cookies: &[String]) -> Result<(), String> {
        for cookie in cookies {
            let seen = self.ask(at, Some(cookie), Act::Read).await;
            if let Some(user) = &seen.user {
                return Err(format!("{user} is signed in at instance {at}"));
            }
            if has_held(&seen) {
                let field = HELD.0;
                return Err(format!("a dead session still has {field} at instance {at}"));
            }
        }
        Ok(())
    }

    async fn writes(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let sent = FIELDS.into_iter().zip([0, 1, 0]).map(|(field, at)| {
            let act = Act::Write(field, self.number.clone());
            self.send(at, Some(&cookie), act)
        });
        done(sent.collect()).await;
        let seen = self.ask(1, Some(&cookie), Act::Read).await;
        match FIELDS
            .into_iter()
            .find(|field| seen.fields.get(field) != Some(&self.number))
        {
            Some(field) => Err(format!("the write of {field} is lost")),
            None => Ok(()),
        }
    }

    async fn sign_out(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let [one, other] = [FIELDS[0], FIELDS[1]].map(|it| Act::Write(it, self.number.clone()));
        let sent = vec![
            self.send(0, Some(&cookie), one),
            self.send(1, Some(&cookie), Act::SignOut),
            self.send(1, Some(&cookie), other),
        ];
        let cookies = cookies(cookie, done(sent).await);
        self.are_dead(&cookies).await
    }

    async fn rotation(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let write = Act::Write(FIELDS[0], self.number.clone());
        self.ask(0, Some(&cookie), write).await;
        let whole = self.ask(1, Some(&cookie), Act::Read).await;
        let sent = vec![
            self.send(0, Some(&cookie), Act::Rotate),
            self.send(1, Some(&cookie), Act::Read),
            self.send(0, Some(&cookie), Act::Read),
        ];
        let mut replies = done(sent).await;
        let rotated = replies.remove(0).cookie;
        let nothing = Reply {
            cookie: Some(cookie.clone()),
            ..Reply::default()
        };
        if let Some(seen) = replies
            .iter()
            .find(|seen| **seen != whole && **seen != nothing)
        {
            return Err(format!("a read saw {seen:?}"));
        }
        let after = self.ask(1, rotated.as_deref(), Act::Read).await;
        if (after.user, after.fields) != (whole.user, whole.fields) {
            return Err("the new id does not have the session".to_owned());
        }
        self.are_dead(&[cookie]).await
    }

    async fn revocation(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let (user, write) = (
            self.user.clone(),
            Act::Write(FIELDS[0], self.number.clone()),
        );
        let revoked = self.race(1, async move |it| it.revoke_all(&user).await);
        let sent = vec![
            self.send(0, Some(&cookie), Act::Read),
            self.send(0, Some(&cookie), write),
            self.send(1, Some(&cookie), Act::Rotate),
        ];
        let cookies = cookies(cookie, done(sent).await);
        done(vec![revoked]).await;
        self.are_dead(&cookies).await
    }

    async fn revoke_all(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let user = self.user.clone();
        let revoked = self.race(1, async move |it| it.revoke_all(&user).await);
        let sent = self.sign_ins();
        let racing: Vec<_> = done(sent)
            .await
            .into_iter()
            .filter_map(|it| it.cookie)
            .collect();
        done(vec![revoked]).await;
        self.are_dead(&[cookie]).await?;
        for cookie in &racing {
            let here = self.ask(0, Some(cookie), Act::Read).await;
            if here != self.ask(1, Some(cookie), Act::Read).await {
                return Err("two instances disagree".to_owned());
            }
        }
        self.keepers[0].revoke_all(&self.user).await;
        self.are_dead(&racing).await
    }

    async fn disable(&mut self) -> Result<(), String> {
        let cookie = self.signed_in(&self.user).await?;
        let user = self.user.clone();
        let disabled = self.race(1, async move |it| it.disable(&user).await);
        let sent = self.sign_ins();
        let cookies = cookies(cookie, done(sent).await);
        done(vec![disabled]).await;
        self.are_dead(&cookies).await
    }

    async fn everyone(&mut self) -> Result<(), String> {
        let other = format!("other {}", self.user);
        let (one, other) = (
            self.signed_in(&self.user).await?,
            self.signed_in(&other).await?,
        );
        let write = Act::Write(FIELDS[0], self.number.clone());
        let ended = self.race(1, async move |it| it.revoke_everyone().await);
        let sent = vec![
            self.send(0, Some(&one), write),
            self.send(1, Some(&other), Act::Read),
            self.send(0, Some(&other), Act::Rotate),
        ];
        let mut cookies = cookies(one, done(sent).await);
        cookies.push(other);
        done(vec![ended]).await;
        self.are_dead_at(1, &cookies).await?;
        self.dead_later = cookies;
        Ok(())
    }

    /// Two sign-ins, one at each instance.
    fn sign_ins(&mut self) -> Vec<JoinHandle<Reply>> {
        let at = |at| self.send(at, None, Act::SignIn(self.user.clone()));
        [0, 1].map(at).into()
    }
}

async fn done<T>(sent: Vec<JoinHandle<T>>) -> Vec<T> {
    let done = join_all(sent).await.into_iter();
    done.map(|reply| reply.expect("a task that works"))
        .collect()
}

fn has_held(seen: &Reply) -> bool {
    let (field, value) = HELD;
    seen.fields.get(field).is_some_and(|seen| seen == value)
}

/// Returns the first cookie and those that browsers have after these replies.
fn cookies(first: String, replies: Vec<Reply>) -> Vec<String> {
    let given = replies.into_iter().filter_map(|reply| reply.cookie);
    [first].into_iter().chain(given).collect()
}
