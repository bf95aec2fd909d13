-- ARGV: how much, TTL in milliseconds, then for each level its step in microseconds and how many buckets it
-- keeps. A bucket is the field '<step>:<number>', and the newest number of a level the field '<step>'.
local by, now = tonumber(ARGV[1]), now()

local function bucket_of(step) return (now - now % tonumber(step)) / tonumber(step) end
local function count(step, bucket)
  return int(redis.call('HGET', KEYS[1], step .. ':' .. num(bucket))) or 0
end

-- Removes the buckets of a level up to `last`, however many it kept before.
local function forget(step, last)
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, #step + 1) == step .. ':' then
      local bucket = int(string.sub(field, #step + 2))
      if not bucket or bucket <= last then redis.call('HDEL', KEYS[1], field) end
    end
  end
end

-- How many fields the levels have at most, each with its newest number.
local most = 0
for i = 3, #ARGV, 2 do
  most = most + tonumber(ARGV[i + 1]) + 1
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
    if redis.call('HLEN', KEYS[1]) > most then forget(step, bucket - keep) end
    newest = bucket
  end
  if bucket > newest - keep then
    redis.call('HSET', KEYS[1], step .. ':' .. num(bucket), num(count(step, bucket) + by))
  end
end
ttl(KEYS[1], ARGV[2])
return 1
