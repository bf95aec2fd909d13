-- KEYS[1]: the session. ARGV: the hash of a secret; idle and touch in microseconds.
local now = now()
local hash, idle_at, seen = unpack(redis.call('HMGET', KEYS[1], 'h', 'i', 's'))
if not hash or now >= tonumber(idle_at) then return false end

local outdated = 0
if hash ~= ARGV[1] then
  local old, till = unpack(redis.call('HMGET', KEYS[1], 'p', 'q'))
  if old ~= ARGV[1] or now >= tonumber(till) then return false end
  outdated = 1
end

-- What is seen often is written rarely, and the data never.
if now - tonumber(seen) >= tonumber(ARGV[3]) then
  local absolute_at = tonumber(redis.call('HGET', KEYS[1], 'a'))
  idle_at = math.min(now + tonumber(ARGV[2]), absolute_at)
  redis.call('HSET', KEYS[1], 's', num(now), 'i', num(idle_at))
  ttl(KEYS[1], math.ceil((idle_at - now) / 1000))
end
return {outdated, redis.call('HGETALL', KEYS[1])}
