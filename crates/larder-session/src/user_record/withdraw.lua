-- KEYS: the list and the state of a user. ARGV: how long ago they must have been added, in microseconds;
-- sessions.
local now, age = now(), tonumber(ARGV[1])
local latest = redis.call('HGET', KEYS[1], 'x')
if not latest then return 0 end
for at = 2, #ARGV do
  local held = age > 0 and redis.call('HGET', KEYS[1], 's:' .. ARGV[at])
  local _, added = entry(held)
  if age == 0 or (held and added <= now - age) then redis.call('HDEL', KEYS[1], 's:' .. ARGV[at]) end
end
latest = tonumber(latest)
-- What is no number is mended by the next sign-in.
if not latest then return 0 end
local ms = math.ceil((latest - now) / 1000)
redis.call('HSET', KEYS[1], 'x', num(now + ms * 1000))
ttl(KEYS[1], ms)
ttl(KEYS[2], ms)
return 0
