-- ARGV: how many.
local meta, many = redis.call('HGET', KEYS[1], ''), tonumber(ARGV[2])
if not meta then return {at, 0, false, {}} end
