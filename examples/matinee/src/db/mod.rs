//! The database: opening it, filling it at the first start, and all its queries.

mod accounts;
#[cfg(test)]
mod ada;
mod bookings;
mod edits;
mod films;
mod folding;
mod open;
mod outbox;
mod programme;
mod season;
mod seed;
mod writers;

pub(crate) use self::accounts::{
    Account, EmailChange, account, account_by_email, add_demo_account, all_accounts, change_email,
    close_account, dismiss_admin, open_admin, other_admins, set_disabled,
};
#[cfg(test)]
pub(crate) use self::ada::open_with_ada;
pub(crate) use self::bookings::{
    Booked, BookedSeat, NewBooking, book, booked_seats, showing, tickets,
};
pub(crate) use self::edits::{Edited, edit_film};
pub(crate) use self::films::Reader;
pub(crate) use self::folding::fold;
pub(crate) use self::open::{answers, open};
pub(crate) use self::outbox::{
    Letter, LetterKind, WaitingLetter, delete_late_reminders, letter, letters_to_hand, note_handed,
    note_sent, write_reminders,
};
pub(crate) use self::season::keep_programme_ahead;
pub(crate) use self::writers::WRITER_WAITS;
