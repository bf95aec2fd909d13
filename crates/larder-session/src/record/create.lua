-- KEYS[1]: the session. ARGV: the hash of its secret; idle and absolute in microseconds; what the
-- data weighs; the user and the epoch, or two empty texts; then the name and the value of each field.
local now = now()
local hash, idle_at = unpack(redis.call('HMGET', KEYS[1], 'h', 'i'))
if hash and now < tonumber(idle_at) then
  -- It ran before, unless another made that session.
  return hash == ARGV[1] and 1 or 0
end

del(KEYS[1])
idle_at = now + tonumber(ARGV[2])
local absolute_at = now + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'h', ARGV[1], 'g', '1', 'c', num(now), 's', num(now),
  'i', num(math.min(idle_at, absolute_at)), 'a', num(absolute_at), 'b', ARGV[4])
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'u', ARGV[5], 'e', ARGV[6], 'l', num(now))
end
for at = 7, #ARGV, 2 do
  redis.call('HSET', KEYS[1], 'd:' .. ARGV[at], ARGV[at + 1])
end
ttl(KEYS[1], math.ceil((math.min(idle_at, absolute_at) - now) / 1000))
return 1
