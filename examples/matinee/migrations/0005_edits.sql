ALTER TABLE films ADD COLUMN overview TEXT;
-- How often a film was edited: two who edit it at once do not overwrite each other unseen.
ALTER TABLE films ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

-- One row, which every edit of a film changes: whatever is kept of films is kept under this number.
-- It is random, so that a database that was restored or made anew never takes one again.
CREATE TABLE edition (
    only   INTEGER PRIMARY KEY CHECK (only = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO edition (only, number) VALUES (1, random());
