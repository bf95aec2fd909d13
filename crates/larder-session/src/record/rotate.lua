-- KEYS[1]: the session. ARGV: the hash of the secret that the request came with and of the next one;
-- idle and grace in microseconds; then, where somebody signs in: the user, the epoch, absolute.
local now = now()
local held = redis.call('HMGET', KEYS[1], 'h', 'i', 'a', 'g', 'u')
if not held[1] or now >= tonumber(held[2]) then return false end
-- It ran before.
if held[1] == ARGV[2] then return tonumber(held[4]) end
if held[1] ~= ARGV[1] then return false end

local absolute_at, era, user = tonumber(held[3]), tonumber(held[4]), held[5]
if ARGV[5] then
  if user ~= ARGV[5] then
    era = era + 1
    if user then
      -- Nothing of another user's stays.
      for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        if string.sub(field, 1, 2) == 'd:' then redis.call('HDEL', KEYS[1], field) end
      end
      redis.call('HSET', KEYS[1], 'b', '0')
    end
  end
  absolute_at = now + tonumber(ARGV[7])
  redis.call('HSET', KEYS[1], 'u', ARGV[5], 'e', ARGV[6], 'l', num(now), 'g', num(era))
end

local idle_at = math.min(now + tonumber(ARGV[3]), absolute_at)
redis.call('HSET', KEYS[1], 'h', ARGV[2], 's', num(now), 'i', num(idle_at), 'a', num(absolute_at))
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[1], 'p', ARGV[1], 'q', num(now + tonumber(ARGV[4])))
else
  redis.call('HDEL', KEYS[1], 'p', 'q')
end
ttl(KEYS[1], math.ceil((idle_at - now) / 1000))
return era
