-- KEYS[1]: the session. ARGV: era, idle in microseconds, how much the data may weigh, then for each
-- change the operation, the field, what is expected or added, and the new value.
local now = now()
local held = redis.call('HMGET', KEYS[1], 'g', 'i', 'a', 'b')
if not held[1] or held[1] ~= ARGV[1] or now >= tonumber(held[2]) then return {1} end

local weight = tonumber(held[4])
local names, values = {}, {}
for at = 4, #ARGV, 4 do
  local op, name, with, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local old = redis.call('HGET', KEYS[1], 'd:' .. name)
  local new = old
  if op == 'set' then
    new = value
  elseif op == 'remove' then
    new = false
  elseif op == 'discard' then
    if old == with then new = false end
  elseif op == 'add' then
    local int, by = 0, tonumber(with)
    if old then
      if #old > 18 or not string.match(old, '^i%-?%d+$') then return {3} end
      int = tonumber(string.sub(old, 2))
    end
    -- Beside the sum, which may be past 2^53, where Lua would round it.
    if by > 0 and int > 9007199254740992 - by then return {3} end
    if by < 0 and int < -9007199254740992 - by then return {3} end
    new = 'i' .. num(int + by)
  elseif op == 'fill' then
    if old then return {2, old} end
    new = value
  else
    if old ~= with then return {2, old} end
    new = value
  end
  if old then weight = weight - 32 - #name - #old end
  if new then weight = weight + 32 + #name + #new end
  names[#names + 1], values[#values + 1] = 'd:' .. name, new
end
-- What makes a session lighter is never refused.
if weight > tonumber(ARGV[3]) and weight > tonumber(held[4]) then return {4} end

for at, name in ipairs(names) do
  if values[at] then
    redis.call('HSET', KEYS[1], name, values[at])
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
local idle_at = math.min(now + tonumber(ARGV[2]), tonumber(held[3]))
redis.call('HSET', KEYS[1], 's', num(now), 'i', num(idle_at), 'b', num(weight))
ttl(KEYS[1], math.ceil((idle_at - now) / 1000))
return {0}
