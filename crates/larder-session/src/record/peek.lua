-- KEYS[1]: the session. Answers the user, the epoch, since when, the times, and the device's name.
local now = now()
local held = redis.call('HMGET', KEYS[1], 'u', 'e', 'l', 'c', 's', 'i', 'd:larder.device')
if not held[1] or now >= tonumber(held[6]) then return false end
return held
