-- KEYS[1]: the session. ARGV: generation, idle in microseconds, limit of the weight; then for each
-- change the operation, the field, the expected value or the summand, and the new value.
local now = now()
local s = held(KEYS[1], now)
if not s or s.generation ~= tonumber(ARGV[1]) then return {1} end

-- The integer in a field; 0 if the field is absent, nil if it is not an integer.
local function int(field)
  if not field then return 0 end
  if #field > 18 or not string.match(field, '^i%-?%d+$') then return nil end
  return tonumber(string.sub(field, 2))
end

-- The sum; nil beyond 2^53, where Lua would round.
local function plus(one, by)
  if not one or not by then return nil end
  if by > 0 and one > 9007199254740992 - by then return nil end
  if by < 0 and one < -9007199254740992 - by then return nil end
  return one + by
end

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
    local sum = plus(int(old), tonumber(with))
    if not sum then return {3} end
    new = 'i' .. num(sum)
  elseif op == 'tally' and old == with then
    new = value ~= '' and 'i' .. value or nil
  elseif op == 'tally' then
    -- Others have changed it: their increments stay.
    local sum = plus(int(old), plus(value ~= '' and tonumber(value) or 0, -(int(with) or 0)))
    if not sum then return {3} end
    new = 'i' .. num(sum)
  elseif op == 'fill' then
    if old then return {2, old} end
    new = value
  else
    -- 'swap', or 'extract'.
    if old ~= with then return {2, old or false} end
    new = op == 'swap' and value or nil
  end
  if old then
    s.weight = s.weight - 32 - #name - #old
  else
    s.names[#s.names + 1] = name
  end
  if new then s.weight = s.weight + 32 + #name + #new end
  s.data[name] = new
end
-- Changes that make a session lighter are never refused.
if s.weight > tonumber(ARGV[3]) and s.weight > before then return {4} end
keep(KEYS[1], s, now, ARGV[2])
return {0}
