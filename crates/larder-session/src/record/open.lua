-- KEYS[1]: the session. ARGV: the hash of a secret; idle and touch in microseconds.
local now = now()
local held = redis.call('HMGET', KEYS[1], 'h', 'i', 'a', 's', 'p', 'q')
local idle_at = tonumber(held[2] or 0)
if not held[1] or now >= idle_at then return false end

local outdated = 0
if held[1] ~= ARGV[1] then
  if held[5] ~= ARGV[1] or now >= tonumber(held[6]) then return false end
  outdated = 1
end

-- What is seen often is written rarely, and the data never.
if now - tonumber(held[4]) >= tonumber(ARGV[3]) then
  idle_at = math.min(now + tonumber(ARGV[2]), tonumber(held[3]))
  redis.call('HSET', KEYS[1], 's', num(now), 'i', num(idle_at))
  ttl(KEYS[1], math.ceil((idle_at - now) / 1000))
end
return {outdated, redis.call('HGETALL', KEYS[1])}
