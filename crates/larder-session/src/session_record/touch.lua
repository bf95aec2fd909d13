-- KEYS[1]: the session. ARGV: idle and touch in microseconds. The data is neither read nor written.
local now = now()
local text = redis.call('GETRANGE', KEYS[1], 0, 89)
local s = #text == 90 and head(text)
if not s or now >= s.absolute_at then return 0 end
local touch = s.touch
if s.idle <= 0 then touch = tonumber(ARGV[2]) end
if now - s.seen < touch then return 0 end
local ms = life(now, s.idle, ARGV[1], s.absolute_at)
redis.call('SETRANGE', KEYS[1], 33, struct.pack('>i8i8', now, now + ms * 1000))
ttl(KEYS[1], ms)
return 1
