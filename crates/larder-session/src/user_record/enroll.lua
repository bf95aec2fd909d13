-- KEYS: the list and the state of a user. ARGV: a session; an epoch, used if there is none yet; how long
-- the session may live, in microseconds; the limit of sessions, and what happens at it: 0 takes the oldest
-- off the list, 1 refuses, 2 evicts the oldest, which the caller ends; how old a session that is not there must
-- be to count as dead; how many evicted sessions stay on the list; then, for each session that was looked up, its id,
-- when its user signed in, or -1 if it is not there, and its epoch, or '' if it is dead.
local now = now()
local state = redis.call('GET', KEYS[2])
-- Nobody knows whether an account with a damaged state is disabled: it counts as that.
if state and not is_whole(state) then return {1, 1} end
state = state or ARGV[2] .. '\0\0'
if string.byte(state, 18) ~= 0 then return {1, 0} end
local latest, since = unpack(redis.call('HMGET', KEYS[1], 'x', 'n'))
latest, since = int(latest), int(since or '-1')
-- A sign-in that is further ahead than clocks differ is damaged.
if since > now + 60000000 then since = -1 end

local seen = {}
for at = 8, #ARGV, 3 do seen[ARGV[at]] = {tonumber(ARGV[at + 1]), ARGV[at + 2]} end

-- Whether a session that was looked up is dead, unless its user has signed in on it since.
local function is_dead(id, added)
  local since, epoch = unpack(seen[id] or {})
  if not since then return false end
  if since < 0 then return added <= now - tonumber(ARGV[6]) end
  local is_revoked = epoch ~= string.sub(state, 1, 16) and string.sub(state, 19) ~= id
  return added <= since and (epoch == '' or is_revoked)
end

-- Whether an entry of `live` or `evicted`, which is when it was added, its id and its value, comes before another one.
-- Compares bytes: Lua compares text by the server's locale.
local function before(one, other)
  if one[1] ~= other[1] then return one[1] < other[1] end
  for at = 1, #one[2] do
    local a, b = string.byte(one[2], at), string.byte(other[2], at)
    if a ~= b then return a < b end
  end
  return false
end

local live, evicted, over = {}, {}, {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local kind, id = listed(all[at])
  if id then
    local ends, added = entry(all[at + 1])
    if id == ARGV[1] or now >= ends or not kind or is_dead(id, added) then
      over[#over + 1] = all[at]
    else
      local to = kind == 's' and live or evicted
      to[#to + 1] = {added, id, all[at + 1]}
    end
  end
end
table.sort(live, before)
local ids, limit = {}, tonumber(ARGV[4])
if ARGV[5] == '1' and #live >= limit then
  for at, one in ipairs(live) do ids[at] = one[2] end
  for _, one in ipairs(evicted) do ids[#ids + 1] = one[2] end
  return {2, ids}
end
-- Before the evictions: one of `over` may be the `e:` of a session that is evicted again.
for _, field in ipairs(over) do redis.call('HDEL', KEYS[1], field) end
for at = 1, #live - limit + 1 do
  redis.call('HDEL', KEYS[1], 's:' .. live[at][2])
  if ARGV[5] == '2' then
    evicted[#evicted + 1] = live[at]
    redis.call('HSET', KEYS[1], 'e:' .. live[at][2], live[at][3])
  end
end
-- They are named at each sign-in until they have ended, those that leave the list only now.
table.sort(evicted, before)
for at, one in ipairs(evicted) do
  ids[at] = one[2]
  if at <= #evicted - tonumber(ARGV[7]) then redis.call('HDEL', KEYS[1], 'e:' .. one[2]) end
end

since = math.max(now, since + 1)
local ends = now + tonumber(ARGV[3])
local ms = math.ceil((math.max(latest, ends) - now) / 1000)
put(KEYS[2], state, ms)
redis.call('HSET', KEYS[1], 'x', num(now + ms * 1000), 'n', num(since), 's:' .. ARGV[1], num(ends) .. ' ' .. num(since))
ttl(KEYS[1], ms)
return {0, string.sub(state, 1, 16), num(since), ids}
