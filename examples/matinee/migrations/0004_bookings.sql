CREATE TABLE bookings (
    id           INTEGER PRIMARY KEY,
    code         TEXT    NOT NULL UNIQUE,  -- what is shown at the door
    user_id      INTEGER NOT NULL REFERENCES users (id),
    showing_id   INTEGER NOT NULL REFERENCES showings (id),
    price_cents  INTEGER NOT NULL CHECK (price_cents >= 0),  -- of each seat, as it was agreed
    booked_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX bookings_by_user ON bookings (user_id, showing_id);

-- The primary key is what keeps a seat from being sold twice, whatever else goes wrong.
CREATE TABLE booked_seats (
    showing_id  INTEGER NOT NULL REFERENCES showings (id),
    seat_row    INTEGER NOT NULL CHECK (seat_row BETWEEN 1 AND 26),
    seat_number INTEGER NOT NULL CHECK (seat_number BETWEEN 1 AND 99),
    booking_id  INTEGER NOT NULL REFERENCES bookings (id),
    PRIMARY KEY (showing_id, seat_row, seat_number)
) STRICT, WITHOUT ROWID;

CREATE INDEX booked_seats_by_booking ON booked_seats (booking_id);
