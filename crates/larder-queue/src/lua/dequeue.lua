-- ARGV: how many.
local meta, many = redis.call('HGET', KEYS[1], ''), ARGV[2] + 0
if not meta then return {at, 0, false, {}} end
