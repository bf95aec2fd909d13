-- KEYS[1]: the session. ARGV: the hash of its secret; idle and absolute in microseconds; the weight of
-- the data; the user, the epoch, the time, the generation and the method of the sign-in, or two empty
-- texts, two 0 and an empty text; the choice of the sign-in; then the name and the value of each field.
local now = now()
local s = held(KEYS[1], now)
-- This ran before, unless another request created that session.
if s then return s.hash == ARGV[1] and 1 or 0 end

s = {hash = ARGV[1], rotated = 0, absolute_at = now + tonumber(ARGV[3]), created = now, generation = 1}
s.weight, s.names, s.data = tonumber(ARGV[4]), {}, {}
if ARGV[5] ~= '' then
  s.user, s.epoch, s.since, s.all, s.method = ARGV[5], ARGV[6], tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
end
s.idle, s.touch, s.expiry = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])
for at = 13, #ARGV, 2 do
  s.names[#s.names + 1], s.data[ARGV[at]] = ARGV[at], ARGV[at + 1]
end
keep(KEYS[1], s, now, ARGV[2])
return 1
