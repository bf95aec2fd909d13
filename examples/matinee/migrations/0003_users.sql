-- An id is never given twice (AUTOINCREMENT): a session of a user who is gone is nobody else's.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    email         TEXT    NOT NULL UNIQUE,  -- trimmed, in lower case
    name          TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,         -- Argon2id, as a PHC string
    is_admin      INTEGER NOT NULL DEFAULT 0 CHECK (is_admin IN (0, 1)),
    -- Its password is in the source of the app: it opens nothing but a development environment.
    is_demo       INTEGER NOT NULL DEFAULT 0 CHECK (is_demo IN (0, 1))
) STRICT;
