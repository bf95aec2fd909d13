-- As gcra.lua decides, with nothing charged and nothing written.
local interval, tolerance, charge = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = now()

local text = redis.call('GET', KEYS[1])
local tat = now
if text and #text <= 16 and string.match(text, '^%d+$') then
  tat = math.min(math.max(tonumber(text), now), now + tolerance)
end

local wait = tat + charge - tolerance - now
local remaining = math.floor((tolerance - (tat - now)) / interval)
if wait > 0 then
  return {0, remaining, wait, tat - now, 0}
end
return {1, remaining, 0, tat - now, 0}
