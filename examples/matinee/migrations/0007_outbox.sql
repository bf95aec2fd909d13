-- Letters to visitors. A letter is written in the transaction of what it tells, and sent at least once.
CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    letter        TEXT    NOT NULL CHECK (letter IN ('confirmation', 'reminder')),
    booking_id    INTEGER NOT NULL REFERENCES bookings (id),
    written_at_ms INTEGER NOT NULL,
    handed_at_ms  INTEGER,             -- when it was last handed to the queue
    sent_at_ms    INTEGER,
    UNIQUE (booking_id, letter)
) STRICT;

CREATE INDEX outbox_to_send ON outbox (id) WHERE sent_at_ms IS NULL;
