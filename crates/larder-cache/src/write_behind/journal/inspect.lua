local last = redis.call('GET', KEYS[4])
if not last then return {} end
local next = redis.call('ZRANGE', KEYS[2], '0', '0', 'WITHSCORES')[2]
return {'waiting', num(redis.call('HLEN', KEYS[1])), 'dead', num(redis.call('HLEN', KEYS[3])), 'last', last,
  'next_us', next and num(tonumber(next)) or '-1'}
