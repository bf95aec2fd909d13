local all = redis.call('HGETALL', KEYS[1])
local ids = {}
for at = 1, #all, 2 do
  local id = string.match(all[at], '^s:(.*)$')
  if id then
    ids[#ids + 1] = id
    ids[#ids + 1] = all[at + 1]
  end
end
local latest, state = unpack(redis.call('HMGET', KEYS[1], 'x', 'e'))
local spared = string.sub(state or '', 17)
return {latest, spared ~= '' and spared, ids}
