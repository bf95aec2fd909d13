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

local charged = tat + charge
local wait = charged - tolerance - now
if wait > 0 then
  if kept > tat then
    put(KEYS[1], num(tat), math.floor((tat - now + 999) / 1000))
  end
  return {0, math.floor((tolerance - (tat - now)) / interval), wait, tat - now, 0}
end

put(KEYS[1], num(charged), math.floor((charged - now + 999) / 1000))
return {1, math.floor((tolerance - (charged - now)) / interval), 0, charged - now, charged}
