-- KEYS[1]: the holds of a showing. ARGV: the holder, for how long at least in microseconds, then the
-- seats.
local now = now()
local till = now + tonumber(ARGV[2])
local mine, over, last = {}, {}, now
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local ends, holder = string.match(all[at + 1], '^(%d+) (.*)$')
  ends = tonumber(ends)
  if now >= ends then
    over[#over + 1] = all[at]
  else
    if holder == ARGV[1] then mine[all[at]] = ends end
    last = math.max(last, ends)
  end
end
for at = 3, #ARGV do
  if not mine[ARGV[at]] then return 0 end
end

for _, seat in ipairs(over) do redis.call('HDEL', KEYS[1], seat) end
for at = 3, #ARGV do
  local ends = math.max(mine[ARGV[at]], till)
  redis.call('HSET', KEYS[1], ARGV[at], num(ends) .. ' ' .. ARGV[1])
  last = math.max(last, ends)
end
if last > now then ttl(KEYS[1], math.ceil((last - now) / 1000)) end
return 1
