-- KEYS[1]: the TAT as text, and with '|' the end of a ban. ARGV: interval, tolerance and charge. All in
-- microseconds. Each request runs this: adding 0 to a text takes half as long as `tonumber`, which parses it
-- twice, and comparing takes less than `math.max`.
local interval, tolerance, charge = ARGV[1] + 0, ARGV[2] + 0, ARGV[3] + 0
local now = now()

-- What is not of this form was not written here, and counts as absent.
local text = redis.call('GET', KEYS[1])
local kept, banned = now, 0
if text and #text <= 16 and string.find(text, '^%d+$') then
  kept = text + 0
elseif text and #text <= 33 then
  local moment, ban = string.match(text, '^(%d+)|(%d+)$')
  if moment and #moment <= 16 and #ban <= 16 then
    kept, banned = moment + 0, ban + 0
  end
end
if kept < now then kept = now end
local tat = kept
if tat > now + tolerance then tat = now + tolerance end
