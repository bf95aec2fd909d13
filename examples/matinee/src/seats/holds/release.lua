-- KEYS[1]: the holds of a showing. ARGV: the holder, then the seats.
local now = now()
local asked = {}
for at = 2, #ARGV do asked[ARGV[at]] = true end

local last, over, released = now, {}, {}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local ends, holder = string.match(all[at + 1], '^(%d+) (.*)$')
  ends = tonumber(ends)
  if now >= ends or (holder == ARGV[1] and asked[all[at]]) then
    over[#over + 1] = all[at]
    if ends > now then released[#released + 1] = all[at] end
  else
    last = math.max(last, ends)
  end
end
for _, seat in ipairs(over) do redis.call('HDEL', KEYS[1], seat) end
if last > now then ttl(KEYS[1], math.ceil((last - now) / 1000)) end
return released
