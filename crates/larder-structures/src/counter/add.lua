-- ARGV: how much, the lower bound, the upper bound, 'saturate' or 'refuse', the TTL in milliseconds,
-- 'first' if only the first write sets it.
local by, low, high = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local held = int(redis.call('GET', KEYS[1]))
local value = held or 0

local room = math.max(high - value, 0)
if by < 0 then room = math.min(low - value, 0) end
local bounded = math.abs(by) > math.abs(room)
if bounded then by = ARGV[4] == 'saturate' and room or 0 end
if by == 0 then return {num(value), 0, bounded and 1 or 0} end

if held and ARGV[6] == 'first' then
  redis.call('INCRBY', KEYS[1], num(by))
else
  put(KEYS[1], num(value + by), tonumber(ARGV[5]))
end
return {num(value + by), num(by), bounded and 1 or 0}
