-- KEYS[1]: the user. ARGV: a session; an epoch, used if there is none yet; how long the session may live,
-- in microseconds; the limit of sessions.
local now = now()
local epoch, latest, since = unpack(redis.call('HMGET', KEYS[1], 'e', 'x', 'n'))
-- A damaged epoch counts as absent, and a damaged number as 0; a sign-in repairs both.
local state = epoch and #epoch >= 16 and epoch or ARGV[2]
epoch, latest, since = string.sub(state, 1, 16), tonumber(latest) or 0, tonumber(since) or -1

-- Compares bytes: Lua compares text by the server's locale.
local function before(one, other)
  if one[1] ~= other[1] then return one[1] < other[1] end
  for at = 1, #one[2] do
    local a, b = string.byte(one[2], at), string.byte(other[2], at)
    if a ~= b then return a < b end
  end
  return false
end

local live, over = {}, {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local id, ends = string.match(all[at], '^s:(.*)$'), tonumber(all[at + 1]) or 0
  if id and id ~= ARGV[1] then
    if now < ends then
      live[#live + 1] = {ends, id}
    else
      over[#over + 1] = all[at]
    end
  end
end
table.sort(live, before)
local evicted = {}
for at = 1, #live - tonumber(ARGV[4]) + 1 do
  evicted[at] = live[at][2]
  over[#over + 1] = 's:' .. live[at][2]
end

for _, field in ipairs(over) do redis.call('HDEL', KEYS[1], field) end
since = math.max(now, since + 1)
local ends = now + tonumber(ARGV[3])
local ms = math.ceil((math.max(latest, ends) - now) / 1000)
redis.call('HSET', KEYS[1], 'e', state, 'x', num(now + ms * 1000), 'n', num(since), 's:' .. ARGV[1], num(ends))
ttl(KEYS[1], ms)
return {epoch, num(since), evicted}
