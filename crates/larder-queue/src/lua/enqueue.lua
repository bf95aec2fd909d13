-- ARGV: '1' if a job has more than its place; then for each job its id, the fixed part of its state, when it
-- is due if that is not now, and its body.
local ids = {}
for i = 3, #ARGV, 4 do ids[#ids + 1] = ARGV[i] end
local held, needs = redis.call('HMGET', KEYS[1], '', unpack(ids)), ARGV[2] == '1'
local meta = held[1]
