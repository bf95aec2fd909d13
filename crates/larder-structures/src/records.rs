use std::marker::PhantomData;
use std::sync::Arc;

use larder_store::program::{Inspection, Program, Programs, Record};
use larder_store::{Key, KeyId, Result, Store, StoreExt, check_name};

/// The records of one structure under one name, each with an id of its own.
///
/// The name is the partition of the keys, so an in-process store limits each name separately.
pub(crate) struct Records<R> {
    programs: Arc<dyn Programs>,
    pub(crate) name: Arc<str>,
    record: PhantomData<fn() -> R>,
}

impl<R: Record> Records<R> {
    /// Makes the records called `name`; errors call the structure `user`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid or the store runs no programs.
    pub(crate) fn new(store: Arc<dyn Store>, name: &str, user: &str) -> Result<Self> {
        check_name(&format!("the name of {user}"), name)?;
        Ok(Self {
            programs: store.require_programs(user)?,
            name: name.into(),
            record: PhantomData,
        })
    }

    pub(crate) fn key(&self, id: impl KeyId) -> Key {
        Key::new(R::KIND, (&*self.name, id))
    }

    pub(crate) fn programs(&self) -> &dyn Programs {
        &*self.programs
    }

    pub(crate) async fn run<P: Program<Record = R>>(
        &self,
        id: impl KeyId,
        program: &P,
    ) -> Result<P::Reply> {
        let key = self.key(id);
        self.programs.run(&key, program).await
    }

    pub(crate) async fn run_many<P: Program<Record = R>>(
        &self,
        steps: impl IntoIterator<Item = (Key, P)>,
    ) -> Vec<Result<P::Reply>> {
        let steps: Vec<_> = steps.into_iter().collect();
        self.programs.run_many(&steps).await
    }

    pub(crate) async fn inspect(&self, id: impl KeyId) -> Result<Inspection> {
        let key = self.key(id);
        self.programs.inspect::<R>(&key).await
    }
}

impl<R> Clone for Records<R> {
    fn clone(&self) -> Self {
        Self {
            programs: self.programs.clone(),
            name: self.name.clone(),
            record: PhantomData,
        }
    }
}

/// Implements `Debug` for a structure. It shows the name, and no key or value.
macro_rules! debug_name {
    ($structure:ident $(<$value:ident>)?, $($name:ident).+) => {
        impl $(<$value>)? std::fmt::Debug for $structure $(<$value>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($structure))
                    .field("name", &self.$($name).+)
                    .finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use debug_name;
