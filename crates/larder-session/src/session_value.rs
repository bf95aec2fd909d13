use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Result, Session, SessionKey};

/// A session field that is identified by its type, with a default value.
///
/// The field may also be read and removed by its [`KEY`](Self::KEY), for example with
/// [`take`](Session::take).
///
/// ```
/// use larder_session::{Result, Session, SessionKey, SessionValue};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Cart {
///     seats: Vec<u32>,
/// }
///
/// impl SessionValue for Cart {
///     const KEY: SessionKey<Self> = SessionKey::new("cart");
/// }
///
/// async fn choose(session: Session, seat: u32) -> Result<usize> {
///     let cart = session.change_value(|cart: &mut Cart| cart.seats.push(seat)).await?;
///     Ok(cart.seats.len())
/// }
///
/// async fn show(session: Session) -> Result<Vec<u32>> {
///     Ok(session.value::<Cart>().await?.seats)
/// }
/// ```
pub trait SessionValue: Serialize + DeserializeOwned + Default {
    /// The field that holds the value. Two types must not have the same name.
    const KEY: SessionKey<Self>;
}

impl Session {
    /// Returns the session's value of a type, or its default if there is none.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn value<T: SessionValue>(&self) -> Result<T> {
        Ok(self.get(T::KEY).await?.unwrap_or_default())
    }

    /// Sets the session's value of a type when the handler returns.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert).
    pub async fn set_value<T: SessionValue>(&self, value: &T) -> Result<()> {
        self.insert(T::KEY, value).await
    }

    /// Changes the session's value of a type, writes it now, and returns it.
    ///
    /// It begins with the default if there is none. No other request can write the value in between;
    /// `change` runs again, on the new value, if another request was faster. One round trip per
    /// attempt.
    ///
    /// # Errors
    /// Those of [`update`](Self::update).
    pub async fn change_value<T, F>(&self, mut change: F) -> Result<T>
    where
        T: SessionValue,
        F: FnMut(&mut T) + Send,
    {
        let next = |value: Option<T>| {
            let mut value = value.unwrap_or_default();
            change(&mut value);
            value
        };
        self.update(T::KEY, next).await
    }
}
