-- A seat is (showing, row, number): its row and number lie within the screen's size, so the seats
-- need no table of their own, and a booking only has to name one.
CREATE TABLE screens (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    seat_rows     INTEGER NOT NULL CHECK (seat_rows BETWEEN 1 AND 26),
    seats_per_row INTEGER NOT NULL CHECK (seats_per_row BETWEEN 1 AND 99)
) STRICT;

-- The programme is drawn one season at a time; this says which seasons are drawn already.
CREATE TABLE seasons (
    number       INTEGER PRIMARY KEY,
    starts_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE showings (
    id           INTEGER PRIMARY KEY,
    film_id      INTEGER NOT NULL REFERENCES films (id),
    screen_id    INTEGER NOT NULL REFERENCES screens (id),
    starts_at_ms INTEGER NOT NULL,     -- milliseconds since 1970, UTC
    price_cents  INTEGER NOT NULL CHECK (price_cents >= 0),
    UNIQUE (screen_id, starts_at_ms)
) STRICT;

CREATE INDEX showings_by_film ON showings (film_id, starts_at_ms);
