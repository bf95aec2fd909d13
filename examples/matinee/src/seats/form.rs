use std::collections::BTreeSet;

use axum::Form;

use super::{SEATS_EACH, Seat};
use crate::errors::Problem;

/// A form with seats in it: `seat=F12&seat=F13`.
pub(super) type SeatForm = Form<Vec<(String, String)>>;

/// Returns the seats that a form names. If it names more than a visitor may hold, it returns one
/// more than that.
pub(super) fn seats(Form(fields): SeatForm) -> Result<BTreeSet<Seat>, Problem> {
    let mut seats = BTreeSet::new();
    for (_, seat) in fields.iter().filter(|(name, _)| name == "seat") {
        let seat = seat.parse().map_err(|_| {
            Problem::bad_request(
                "A seat is a letter and a number, such as F12; one of these is not.",
            )
        })?;
        seats.insert(seat);
        if seats.len() > SEATS_EACH {
            break;
        }
    }
    Ok(seats)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(seats: &[&str]) -> SeatForm {
        let field = |seat: &&str| ("seat".to_owned(), (*seat).to_owned());
        Form(seats.iter().map(field).collect())
    }

    #[test]
    fn a_form_names_each_seat_once_and_not_endlessly_many() {
        let named = seats(form(&["F12", "A1", "F12"])).unwrap();
        let named: Vec<_> = named.iter().map(Seat::to_string).collect();
        assert_eq!(named, ["A1", "F12"]);
        // However often one is repeated, the others count.
        let repeated = [&["A1"; SEATS_EACH + 1][..], &["F12"]].concat();
        let named = seats(form(&repeated)).unwrap();
        let named: Vec<_> = named.iter().map(Seat::to_string).collect();
        assert_eq!(named, ["A1", "F12"]);
        let all: Vec<_> = (1..=99).map(|number| format!("A{number}")).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        assert_eq!(seats(form(&all)).unwrap().len(), SEATS_EACH + 1);
        assert!(seats(form(&["F12", "best"])).is_err());
    }
}
