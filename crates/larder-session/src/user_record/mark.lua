-- KEYS: the list and the state of a user. ARGV: the session that asks and its epoch; the session that it ends;
-- how long the mark holds, in microseconds, or 0 to take it back; the number of marks that are kept.
local now = now()
local state = redis.call('GET', KEYS[2])
if not state then return 0 end
local held, span = marks(now), tonumber(ARGV[4])
local may_end = is_whole(state) and string.byte(state, 18) == 0
  and (string.sub(state, 1, 16) == ARGV[2] or string.sub(state, 19) == ARGV[1])
if span > 0 and (not may_end or is_marked(held, ARGV[1])) then return 0 end

local kept = {}
for _, mark in ipairs(held) do
  if mark[1] ~= ARGV[3] or mark[2] ~= ARGV[1] then kept[#kept + 1] = mark end
end
if span > 0 then kept[#kept + 1] = {ARGV[3], ARGV[1], num(now + span)} end
local texts = {}
for at = math.max(1, #kept - tonumber(ARGV[5]) + 1), #kept do
  texts[#texts + 1] = table.concat(kept[at], ' ') .. ';'
end
if #texts > 0 then redis.call('HSET', KEYS[1], 'r', table.concat(texts)) else redis.call('HDEL', KEYS[1], 'r') end
-- A list that was lost begins again, and ends with the mark.
if span > 0 and not redis.call('HGET', KEYS[1], 'x') then ttl(KEYS[1], math.ceil(span / 1000)) end
return 1
