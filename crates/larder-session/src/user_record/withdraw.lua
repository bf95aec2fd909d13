-- KEYS: the list and the state of a user. ARGV: sessions.
local now = now()
local latest = redis.call('HGET', KEYS[1], 'x')
if not latest then return 0 end
for _, id in ipairs(ARGV) do redis.call('HDEL', KEYS[1], 's:' .. id, 'e:' .. id) end
-- The next sign-in mends a value that is not a number.
if int(latest) <= now then return 0 end
local ms = math.ceil((int(latest) - now) / 1000)
redis.call('HSET', KEYS[1], 'x', num(now + ms * 1000))
ttl(KEYS[1], ms)
ttl(KEYS[2], ms)
return 0
