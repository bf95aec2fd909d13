-- KEYS[1]: the TAT as text. ARGV: interval, tolerance, charge, and when what was charged is paid off
-- by itself. All in microseconds.
local interval, tolerance, charge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now()

local text = redis.call('GET', KEYS[1])
local kept = now
if text and #text <= 16 and string.match(text, '^%d+$') then
  kept = math.max(tonumber(text), now)
end
local back = math.min(math.max(tonumber(ARGV[4]) - now, 0), charge)
local tat = math.max(math.min(kept, now + tolerance) - back, now)

if tat == now then
  del(KEYS[1])
elseif tat < kept then
  put(KEYS[1], num(tat), math.floor((tat - now + 999) / 1000))
end

local wait = tat + charge - tolerance - now
local remaining = math.floor((tolerance - (tat - now)) / interval)
if wait > 0 then
  return {0, remaining, wait, tat - now, 0}
end
return {1, remaining, 0, tat - now, 0}
