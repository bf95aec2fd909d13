-- KEYS[1]: the session. ARGV: the hashes of the request's secret and of the new one; idle and grace in
-- microseconds; then, at a sign-in, the user, the epoch, its time, its generation and its method,
-- absolute, and its choice.
local now = now()
local s = held(KEYS[1], now)
if not s then return false end
-- This ran before.
if s.hash == ARGV[2] then return s.generation end
-- With the previous secret, which was within its grace when the request came, only a sign-in is allowed.
if s.hash ~= ARGV[1] and not (ARGV[5] and s.old == ARGV[1]) then return false end

if ARGV[5] then
  if s.user ~= ARGV[5] then
    s.generation = s.generation + 1
    -- No field of another user stays.
    if s.user then s.names, s.weight = {}, 0 end
  end
  s.user, s.epoch, s.since, s.all, s.method = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
  s.absolute_at = now + tonumber(ARGV[10])
  s.idle, s.touch, s.expiry = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
end

s.hash, s.old = ARGV[2], nil
s.rotated = ARGV[5] and 0 or now
if tonumber(ARGV[4]) > 0 then s.old, s.till = ARGV[1], now + tonumber(ARGV[4]) end
keep(KEYS[1], s, now, ARGV[3])
return s.generation
