-- KEYS[1]: the session. ARGV: idle and touch in microseconds. The data is neither read nor written.
local now = now()
local head = redis.call('GETRANGE', KEYS[1], 0, 89)
if #head < 90 then return 0 end
local form, _, seen, _, absolute_at, _, _, _, idle, touch, expiry = struct.unpack(HEAD, head)
if form ~= FORM or expiry > 2 or now >= absolute_at then return 0 end
if idle <= 0 then touch = tonumber(ARGV[2]) end
if now - seen < touch then return 0 end
local ms = life(now, idle, ARGV[1], absolute_at)
redis.call('SETRANGE', KEYS[1], 33, struct.pack('>i8i8', now, now + ms * 1000))
ttl(KEYS[1], ms)
return 1
