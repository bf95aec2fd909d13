local FLOOR, CLASS, LEASED = -9007199254740992, 1125899906842624, 4503599627370496
local paused = redis.call('HMGET', KEYS[1], 'ends', 'paused')
if not paused[1] then return {0, 0, 0, 0, 0, 0, 0} end
local scheduled = redis.call('ZCOUNT', KEYS[3], 0, '(' .. num(LEASED))
local running = redis.call('ZCOUNT', KEYS[3], num(LEASED), '+inf')
local dead = redis.call('ZCARD', KEYS[5])
local waiting = redis.call('HLEN', KEYS[2]) / 2 - scheduled - running - dead

local at, oldest = now(), 0
for class = 0, 3 do
  local low = FLOOR + class * CLASS
  local id = redis.call('ZRANGEBYSCORE', KEYS[3], num(low), '(' .. num(low + CLASS), 'LIMIT', 0, 1)[1]
  if id and string.byte(id, 1) == 0 then
    local g = string.sub(id, 2)
    local first = redis.call('ZRANGEBYLEX', KEYS[4], '[w' .. g .. '\0', '(w' .. g .. '\1', 'LIMIT', 0, 1)[1]
    id = first and string.sub(first, #g + 20)
  end
  local held = id and redis.call('HGET', KEYS[2], id)
  local due = held and string.match(held, '^%d,%d+,%d+,%d+,%d+,(%d+),')
  if due then oldest = math.max(oldest, at - tonumber(due)) end
end
return {math.max(waiting, 0), scheduled, running, dead, redis.call('ZCARD', KEYS[6]), paused[2] == '1' and 1 or 0, num(oldest)}
