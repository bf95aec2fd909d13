-- One row for each film of data/films.csv; an unknown fact is NULL.
CREATE TABLE films (
    id               INTEGER PRIMARY KEY,
    title            TEXT    NOT NULL,
    released         TEXT,             -- ISO 8601 date
    certificate      TEXT,
    running_time_min INTEGER,
    genre            TEXT,
    director         TEXT,
    distributor      TEXT,
    -- Title, director and distributor, folded to lower case without accents.
    search_text      TEXT    NOT NULL
) STRICT;

CREATE INDEX films_by_genre ON films (genre);
