-- ARGV: a key; a value; the maximum number of writes; how long the journal is kept, in microseconds.
local now = now()
local held, dead = read(KEYS[1], ARGV[1]), redis.call('HEXISTS', KEYS[3], ARGV[1])
local count = redis.call('HLEN', KEYS[1]) + redis.call('HLEN', KEYS[3])
if not held and dead == 0 and count >= tonumber(ARGV[3]) then return 0 end
-- The time, or one more than the last: a version also rises after the journal was lost.
local last = number(redis.call('GET', KEYS[4]) or nil) or 0
if last == 9007199254740992 then last = 0 end
local version = math.max(now, last + 1)
redis.call('HDEL', KEYS[3], ARGV[1])
if held then is_left_no_more(ARGV[1], held) end
write(KEYS[1], ARGV[1], {version = version, attempts = 0, value = ARGV[2]})
-- A write that is being carried out stays taken, and the new value waits for its end.
if not held or not due(ARGV[1]) then redis.call('ZADD', KEYS[2], num(now), ARGV[1]) end
if not held then waits(ARGV[1], now) end
put(KEYS[4], num(version), math.ceil(tonumber(ARGV[4]) / 1000))
keep(tonumber(ARGV[4]))
return num(version)
