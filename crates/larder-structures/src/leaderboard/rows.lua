-- ARGV: layout, rule of ties, then 'positions' first and last, 'around' member and radius, or 'scores'
-- lowest, highest and the most rows.
local start, stop
if ARGV[3] == 'positions' then
  start, stop = tonumber(ARGV[4]), tonumber(ARGV[5])
elseif ARGV[3] == 'around' then
  local _, place = held(ARGV[4])
  if not place then return false end
  local at, radius = redis.call('ZRANK', KEYS[1], place), tonumber(ARGV[5])
  start, stop = math.max(at - radius, 0), at + radius
else
  start = redis.call('ZCOUNT', KEYS[1], '-inf', '(' .. ARGV[4])
  local many = math.min(redis.call('ZCOUNT', KEYS[1], ARGV[4], ARGV[5]), tonumber(ARGV[6]))
  stop = start + many - 1
end

local rows = {}
if start <= stop then
  rows = redis.call('ZRANGE', KEYS[1], num(start), num(stop), 'WITHSCORES')
end
if #rows == 0 then return {num(start), 0, {}} end
local first = rank(ARGV[2], rows[1], tonumber(rows[2]))
for i = 1, #rows, 2 do rows[i] = member_of(rows[i]) end
return {num(start), first, rows}
