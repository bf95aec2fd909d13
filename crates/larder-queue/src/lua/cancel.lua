-- ARGV: id. Answers 0 if the job is removed, 1 if it was running, 2 if there is none.
local id = ARGV[2]
local held, needs = redis.call('HMGET', KEYS[1], '', id), true
local meta = held[1]
