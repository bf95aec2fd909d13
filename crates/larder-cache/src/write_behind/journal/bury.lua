-- ARGV: the key of a dead letter; 1 if it is tried again, 0 if it is discarded; how long the journal is
-- kept, in microseconds.
local now = now()
local it = read(KEYS[3], ARGV[1])
if not it then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
if ARGV[2] == '1' then
  it.attempts = 0
  write(KEYS[1], ARGV[1], it)
  redis.call('ZADD', KEYS[2], num(now), ARGV[1])
  waits(ARGV[1], now)
end
keep(tonumber(ARGV[3]))
return 1
