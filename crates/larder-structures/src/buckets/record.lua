-- ARGV: how much, TTL in milliseconds, then for each level its step in microseconds and how many buckets it
-- keeps. A bucket is the field '<step>:<number>', and the newest number of a level the field '<step>'.
local by, now = tonumber(ARGV[1]), now()

local function bucket_of(step) return (now - now % tonumber(step)) / tonumber(step) end
local function count(step, bucket)
  return int(redis.call('HGET', KEYS[1], step .. ':' .. num(bucket))) or 0
end

for i = 3, #ARGV, 2 do
  if by > 9007199254740992 - count(ARGV[i], bucket_of(ARGV[i])) then return 0 end
end
for i = 3, #ARGV, 2 do
  local step, keep = ARGV[i], tonumber(ARGV[i + 1])
  local bucket, newest = bucket_of(step), int(redis.call('HGET', KEYS[1], step))
  if not newest or bucket > newest then
    for old = (newest or bucket) - keep + 1, math.min(newest or 0, bucket - keep) do
      redis.call('HDEL', KEYS[1], step .. ':' .. num(old))
    end
    redis.call('HSET', KEYS[1], step, num(bucket))
    newest = bucket
  end
  if bucket > newest - keep then
    redis.call('HSET', KEYS[1], step .. ':' .. num(bucket), num(count(step, bucket) + by))
  end
end
ttl(KEYS[1], ARGV[2])
return 1
