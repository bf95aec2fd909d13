local FLOOR, CLASS = -9007199254740992, 1125899906842624
local meta = redis.call('HGET', KEYS[1], '')
if not meta then return {0, 0, 0, 0, 0, 0, 0} end
local scheduled = redis.call('ZCOUNT', KEYS[2], 0, '(4503599627370496')
local running = redis.call('ZCOUNT', KEYS[2], 4503599627370496, '(+inf')
local dead = redis.call('ZCARD', KEYS[4])
local waiting = (redis.call('HLEN', KEYS[1]) - 1) / 2 - scheduled - running - dead

local at, oldest = now(), 0
for class = 0, 3 do
  local low = FLOOR + class * CLASS
  local id = redis.call('ZRANGEBYSCORE', KEYS[2], low, '(' .. num(low + CLASS), 'LIMIT', 0, 1)[1]
  if id and string.byte(id, 1) == 0 then
    local g = string.sub(id, 2)
    local first = redis.call('ZRANGEBYLEX', KEYS[3], '[w' .. g .. '\0', '(w' .. g .. '\1', 'LIMIT', 0, 1)[1]
    id = first and string.sub(first, #g + 20)
  end
  local state = id and redis.call('HGET', KEYS[1], id)
  if state and #state >= 44 then oldest = math.max(oldest, at - struct.unpack('<d', state, 21)) end
end
local done, paused = redis.call('ZCARD', KEYS[5]), (string.byte(meta, 41) or 0) % 2
return {math.max(waiting, 0), scheduled, running, dead, done, paused, oldest}
