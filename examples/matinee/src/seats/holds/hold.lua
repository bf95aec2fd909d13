-- KEYS[1]: the holds of a showing. ARGV: the holder, for how long in microseconds, how many seats one
-- may hold, then the seats.
local now = now()
local till = now + tonumber(ARGV[2])
local whose, mine, over, last = {}, 0, {}, now
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local ends, holder = string.match(all[at + 1], '^(%d+) (.*)$')
  ends = tonumber(ends)
  if now >= ends then
    over[#over + 1] = all[at]
  else
    whose[all[at]] = holder
    if holder == ARGV[1] then mine = mine + 1 end
    last = math.max(last, ends)
  end
end

local taken, new, answer = {1}, {}, {0}
for at = 4, #ARGV do
  local holder = whose[ARGV[at]]
  if not holder then
    new[#new + 1] = ARGV[at]
  elseif holder ~= ARGV[1] then
    taken[#taken + 1] = ARGV[at]
  end
end
if #taken > 1 then return taken end
if mine + #new > tonumber(ARGV[3]) then return {2} end

for _, seat in ipairs(over) do redis.call('HDEL', KEYS[1], seat) end
for _, seat in ipairs(new) do
  redis.call('HSET', KEYS[1], seat, num(till) .. ' ' .. ARGV[1])
  answer[#answer + 1] = seat
  last = math.max(last, till)
end
if last > now then ttl(KEYS[1], math.ceil((last - now) / 1000)) end
return answer
