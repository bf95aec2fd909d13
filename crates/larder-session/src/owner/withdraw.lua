-- KEYS[1]: the user. ARGV: sessions.
local now = now()
local latest = redis.call('HGET', KEYS[1], 'x')
if not latest or now >= tonumber(latest) then return 0 end
for _, id in ipairs(ARGV) do redis.call('HDEL', KEYS[1], 's:' .. id) end
ttl(KEYS[1], math.ceil((tonumber(latest) - now) / 1000))
return 0
