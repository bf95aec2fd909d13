-- ARGV: id. Answers 0 if the job is removed, 1 if it was running, 2 if there is none.
local id = ARGV[13]
local j = load(id)
if not j then return 2 end
local running = tonumber(redis.call('ZSCORE', KEYS[3], id) or -1) >= LEASED
leave(id, j)
redis.call('ZREM', KEYS[5], id)
forget(id)
keep()
if placed or running and tonumber(ARGV[5]) > 0 then wake() end
return running and 1 or 0
