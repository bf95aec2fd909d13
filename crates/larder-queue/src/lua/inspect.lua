local LEASED = 4503599627370496
local meta = redis.call('HMGET', KEYS[1], 'seq', 'fence', 'paused', 'ends')
if not meta[4] then return {} end
local scheduled = redis.call('ZCOUNT', KEYS[3], 0, '(' .. num(LEASED))
local running = redis.call('ZCOUNT', KEYS[3], num(LEASED), '+inf')
local dead = redis.call('ZCARD', KEYS[5])
return {
  'waiting', redis.call('HLEN', KEYS[2]) / 2 - scheduled - running - dead, 'scheduled', scheduled,
  'running', running, 'dead', dead, 'done', redis.call('ZCARD', KEYS[6]),
  'unique', redis.call('HLEN', KEYS[7]), 'places', meta[1], 'last_fence', meta[2], 'paused', meta[3] or 0,
}
