local all = redis.call('HGETALL', KEYS[3])
local dead = {}
for at = 1, #all, 2 do
  local it = read(KEYS[3], all[at])
  if it then dead[#dead + 1] = {all[at], num(it.version), num(it.attempts), it.value} end
end
return dead
