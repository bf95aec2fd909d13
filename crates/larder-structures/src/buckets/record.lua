-- ARGV: how much, TTL in milliseconds, then for each level its step in microseconds and how many buckets it
-- keeps. A bucket is the field '<step>:<number>'. The field '<step>' is the newest number of a level, a space, and how
-- many buckets it may have.
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

for i = 3, #ARGV, 2 do
  if by > 9007199254740992 - count(ARGV[i], bucket_of(ARGV[i])) then return 0 end
end
for i = 3, #ARGV, 2 do
  local step, keep = ARGV[i], tonumber(ARGV[i + 1])
  local bucket = bucket_of(step)
  local text = redis.call('HGET', KEYS[1], step)
  local newest, kept = string.match(text or '', '^(%d+) (%d+)$')
  newest, kept = int(newest), int(kept)
  -- What is not of this form does not say how many there are.
  if not newest or not kept then newest, kept = nil, text and 9007199254740992 or 0 end
  if not newest or bucket > newest then
    for old = (newest or bucket) - keep + 1, math.min(newest or 0, bucket - keep) do
      redis.call('HDEL', KEYS[1], step .. ':' .. num(old))
    end
    if kept > keep then forget(step, bucket - keep) end
    newest, kept = bucket, 0
  end
  if keep > kept then redis.call('HSET', KEYS[1], step, num(newest) .. ' ' .. num(keep)) end
  if bucket > newest - keep then
    redis.call('HSET', KEYS[1], step .. ':' .. num(bucket), num(count(step, bucket) + by))
  end
end
ttl(KEYS[1], ARGV[2])
return 1
