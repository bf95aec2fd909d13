-- ARGV: the key of a dead letter; 1 if it is tried again, 0 if it is discarded; how long the journal is
-- kept, in microseconds; the version of the letter, or 0 for any.
local now = now()
local it, version = read(KEYS[3], ARGV[1]), tonumber(ARGV[4])
if not it or version ~= 0 and it.version ~= version then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
if ARGV[2] == '1' then
  it.attempts = 0
  write(KEYS[1], ARGV[1], it)
  redis.call('ZADD', KEYS[2], num(now), ARGV[1])
  waits(ARGV[1], now)
end
keep(tonumber(ARGV[3]))
return 1
