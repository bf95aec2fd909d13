-- KEYS[1]: the session. ARGV: the user it must belong to, an epoch it must not have, and a time before
-- which the user must have signed in; each may be missing.
local s = ARGV[1] and held(KEYS[1], now())
if s and (s.user ~= ARGV[1] or s.epoch == ARGV[2]) then return 0 end
if s and ARGV[3] and s.since >= tonumber(ARGV[3]) then return 0 end
del(KEYS[1])
return 1
