-- ARGV: 1 for the sessions that are evicted too, or 0.
local now = now()
local all = redis.call('HGETALL', KEYS[1])
local ids = {}
for at = 1, #all, 2 do
  local kind, id = listed(all[at])
  local ends = entry(all[at + 1])
  if (kind == 's' or kind and ARGV[1] == '1') and now < ends then
    ids[#ids + 1] = id
    ids[#ids + 1] = num(ends)
  end
end
return ids
