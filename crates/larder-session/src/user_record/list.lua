local now = now()
local all = redis.call('HGETALL', KEYS[1])
local ids = {}
for at = 1, #all, 2 do
  local id = string.match(all[at], '^s:(.*)$')
  if id and now < (tonumber(all[at + 1]) or 0) then
    ids[#ids + 1] = id
    ids[#ids + 1] = all[at + 1]
  end
end
return ids
