-- KEYS: the places in order, when each member reached its own, the distinct scores.
-- ARGV[1]: 'e' if the earlier of a tie is first, 'd' if distinct scores are counted.
-- A lower score is the better one: a board whose highest is first keeps its scores negated.
local earlier = string.find(ARGV[1], 'e', 1, true)
local dense = string.find(ARGV[1], 'd', 1, true)

local function member_of(place)
  if earlier then return string.sub(place, 17) end
  return place
end

-- The score of a member and its element, or nil.
local function held(member)
  local place = member
  if earlier then
    local at = redis.call('HGET', KEYS[2], member)
    place = at and at .. member
  end
  local score = place and redis.call('ZSCORE', KEYS[1], place)
  if score then return tonumber(score), place end
end

local function forget(place, score)
  redis.call('ZREM', KEYS[1], place)
  if earlier then redis.call('HDEL', KEYS[2], member_of(place)) end
  if dense and redis.call('ZCOUNT', KEYS[1], num(score), num(score)) == 0 then
    redis.call('ZREM', KEYS[3], num(score))
  end
end

-- Removes the worst places past the first `keep`, at most `many` of them.
local function trim(keep, many)
  local over = math.min(redis.call('ZCARD', KEYS[1]) - keep, many)
  for _ = 1, over do
    local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
    forget(last[1], tonumber(last[2]))
  end
  return math.max(over, 0)
end

-- Gives the keys a new TTL; removes the rest of a board without members.
local function renew(ms)
  local is_empty = redis.call('ZCARD', KEYS[1]) == 0
  for _, key in ipairs(KEYS) do
    if is_empty then del(key) else ttl(key, ms) end
  end
end

