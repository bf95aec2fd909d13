local all = redis.call('HGETALL', KEYS[1])
local ids = {}
for at = 1, #all, 2 do
  local kind, id = listed(all[at])
  if kind then
    ids[#ids + 1] = id
    ids[#ids + 1] = num(entry(all[at + 1]))
  end
end
return {redis.call('HGET', KEYS[1], 'x'), redis.call('GET', KEYS[2]), ids}
