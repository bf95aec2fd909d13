-- KEYS[1]: the session. ARGV: the reason, or 0; how long to keep it, in milliseconds; the id of the call; then,
-- unless it must belong to nobody, the user it must belong to; an epoch it must not have, and a time before which
-- the user must have signed in; each of these two may be missing.
local why, now = tonumber(ARGV[1]), now()
local s = held(KEYS[1], now)
if s and (s.user ~= ARGV[4] or (ARGV[5] and s.epoch == ARGV[5])) then return 0 end
if s and ARGV[6] and s.since >= tonumber(ARGV[6]) then return 0 end
if why == 0 then
  del(KEYS[1])
elseif s then
  put(KEYS[1], struct.pack(TOMBSTONE, ENDED, s.hash, why, now + ARGV[2] * 1000) .. ARGV[3], ARGV[2])
end
if s then return 1 end
-- This call, or another one, may have ended it before.
local text = redis.call('GET', KEYS[1])
if why ~= 0 and text and #text >= 42 then
  local form, _, was = struct.unpack('>Bc32B', text)
  if form == ENDED and was == why then return string.sub(text, 43) == ARGV[3] and 1 or 2 end
end
return 3
