-- KEYS[1]: the session. ARGV: the hash of the secret that the request came with and of the next one;
-- idle and grace in microseconds; then, where somebody signs in: the user, the epoch, absolute.
local now = now()
local s = held(KEYS[1], now)
if not s then return false end
-- It ran before.
if s.hash == ARGV[2] then return s.era end
if s.hash ~= ARGV[1] then return false end

if ARGV[5] then
  if s.user ~= ARGV[5] then
    s.era = s.era + 1
    -- Nothing of another user's stays.
    if s.user then s.names, s.weight = {}, 0 end
  end
  s.user, s.epoch, s.since = ARGV[5], ARGV[6], now
  s.absolute_at = now + tonumber(ARGV[7])
end

s.hash, s.old = ARGV[2], nil
if tonumber(ARGV[4]) > 0 then s.old, s.till = ARGV[1], now + tonumber(ARGV[4]) end
keep(KEYS[1], s, now, ARGV[3])
return s.era
