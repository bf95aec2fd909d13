-- KEYS: the list and the state of a user. ARGV: a session; an epoch, used if there is none yet; how long
-- the session may live, in microseconds; the limit of sessions, and what happens at it: 0 takes the oldest
-- off the list, 1 refuses, 2 ends the oldest.
local now = now()
local state = redis.call('GET', KEYS[2])
-- A damaged state counts as absent, and a damaged number as 0; a sign-in repairs both.
if not state or (#state ~= 18 and #state ~= 40) then state = ARGV[2] .. '\0\0' end
if string.byte(state, 18) == 1 then return {1} end
local latest, since = unpack(redis.call('HMGET', KEYS[1], 'x', 'n'))
latest, since = tonumber(latest) or 0, tonumber(since) or -1

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
  local id = string.match(all[at], '^s:(.*)$')
  if id and id ~= ARGV[1] then
    local ends, added = entry(all[at + 1])
    if now < ends then
      live[#live + 1] = {added, id}
    else
      over[#over + 1] = all[at]
    end
  end
end
table.sort(live, before)
local ids, limit = {}, tonumber(ARGV[4])
if ARGV[5] == '1' and #live >= limit then
  for at, one in ipairs(live) do ids[at] = one[2] end
  return {2, ids}
end
for at = 1, #live - limit + 1 do
  if ARGV[5] == '2' then ids[at] = live[at][2] end
  over[#over + 1] = 's:' .. live[at][2]
end

for _, field in ipairs(over) do redis.call('HDEL', KEYS[1], field) end
since = math.max(now, since + 1)
local ends = now + tonumber(ARGV[3])
local ms = math.ceil((math.max(latest, ends) - now) / 1000)
put(KEYS[2], state, ms)
redis.call('HSET', KEYS[1], 'x', num(now + ms * 1000), 'n', num(since), 's:' .. ARGV[1], num(ends) .. ' ' .. num(since))
ttl(KEYS[1], ms)
return {0, string.sub(state, 1, 16), num(since), ids}
