-- KEYS[1]: the session. ARGV: era, idle in microseconds, how much the data may weigh, then for each
-- change the operation, the field, what is expected or added, and the new value.
local now = now()
local s = held(KEYS[1], now)
if not s or s.era ~= tonumber(ARGV[1]) then return {1} end

local before = s.weight
for at = 4, #ARGV, 4 do
  local op, name, with, value = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local old = s.data[name]
  local new = old
  if op == 'set' then
    new = value
  elseif op == 'remove' then
    new = nil
  elseif op == 'discard' then
    if old == with then new = nil end
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
    if old ~= with then return {2, old or false} end
    new = value
  end
  if old then
    s.weight = s.weight - 32 - #name - #old
  else
    s.names[#s.names + 1] = name
  end
  if new then s.weight = s.weight + 32 + #name + #new end
  s.data[name] = new
end
-- What makes a session lighter is never refused.
if s.weight > tonumber(ARGV[3]) and s.weight > before then return {4} end
keep(KEYS[1], s, now, ARGV[2])
return {0}
