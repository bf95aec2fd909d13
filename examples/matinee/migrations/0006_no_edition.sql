-- An edit removes what the caches keep of films; they need no number to tell old data from new.
DROP TABLE edition;
