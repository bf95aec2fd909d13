-- KEYS[1]: the TAT as text, and with '|' the end of a ban. ARGV: interval, tolerance and charge. All in
-- microseconds.
local interval, tolerance, charge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now()

-- What is not of this form was not written here, and counts as absent.
local text = redis.call('GET', KEYS[1])
local kept, banned = now, 0
if text and #text <= 16 and string.match(text, '^%d+$') then
  kept = math.max(tonumber(text), now)
elseif text and #text <= 33 then
  local moment, ban = string.match(text, '^(%d+)|(%d+)$')
  if moment and #moment <= 16 and #ban <= 16 then
    kept, banned = math.max(tonumber(moment), now), tonumber(ban)
  end
end
local tat = math.min(kept, now + tolerance)
