-- KEYS[1]: the TAT as text. ARGV: interval, tolerance and charge. All in microseconds.
local interval, tolerance, charge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now()

-- What is not a plain integer was not written here, and counts as absent.
local text = redis.call('GET', KEYS[1])
local kept = now
if text and #text <= 16 and string.match(text, '^%d+$') then
  kept = math.max(tonumber(text), now)
end
local tat = math.min(kept, now + tolerance)

