-- KEYS[1]: the session. ARGV: idle and touch in microseconds. The data is neither read nor written.
local now = now()
local head = redis.call('GETRANGE', KEYS[1], 0, 56)
if #head < 57 then return 0 end
local form, _, seen, _, absolute_at = struct.unpack('>Bc32i8i8i8', head)
if form ~= 1 or now >= absolute_at then return 0 end
if now - seen < tonumber(ARGV[2]) then return 0 end
local ms = life(now, ARGV[1], absolute_at)
redis.call('SETRANGE', KEYS[1], 33, struct.pack('>i8i8', now, now + ms * 1000))
ttl(KEYS[1], ms)
return 1
