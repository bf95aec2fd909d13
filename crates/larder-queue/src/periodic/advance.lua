-- Moves the last tick forward, and returns the time and the last tick. The first call begins at the present.
-- ARGV: the tick, 0 to look only; the TTL.
local moment = now()
local last = tonumber(redis.call('GET', KEYS[1]) or '')
-- One that is more than a day ahead was noted by a clock that was wrong.
if not last or last > moment + 86400000000 then last = moment end
last = math.max(last, tonumber(ARGV[1]))
put(KEYS[1], num(last), tonumber(ARGV[2]))
return {num(moment), num(last)}
