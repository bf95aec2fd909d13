local meta = redis.call('HGET', KEYS[1], '')
if not meta then return {} end
local seq, fence, ends, tat, look_at, flags = 0, 0, 0, 0, 0, 0
if #meta == 49 then seq, fence, ends, tat, look_at, flags = struct.unpack('<dddddB', meta) end
local scheduled = redis.call('ZCOUNT', KEYS[2], 0, '(4503599627370496')
local running = redis.call('ZCOUNT', KEYS[2], 4503599627370496, '(+inf')
local dead = redis.call('ZCARD', KEYS[4])
return {
  'waiting', (redis.call('HLEN', KEYS[1]) - 1) / 2 - scheduled - running - dead, 'scheduled', scheduled,
  'running', running, 'dead', dead, 'done', redis.call('ZCARD', KEYS[5]),
  'unique', redis.call('HLEN', KEYS[6]), 'places', seq, 'last_fence', fence, 'ends_us', ends,
  'paused', flags % 2,
}
